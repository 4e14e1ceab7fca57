// The same calls as golden/record.py made on Linux 6.18, and the same text.
#include <fstream>
#include <sstream>
#include <string>

#include "tests/machine/proc/machine_testing.h"

namespace faultline {
namespace {

std::string Golden(const std::string& name) {
  std::ifstream file("tests/machine/proc/golden/" + name);
  EXPECT_TRUE(file) << name;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

constexpr char kPath[] = "/dev/shm/faultline-golden";
constexpr uint64_t kFirst = 0x10000000, kEnd = 0x60000000;

// record.py's act(), and its child.
Driver Act() {
  Driver d;
  CreateFile file;
  file.path = kPath;
  file.size = 10 * kPageSize;
  file.content = FileContent::kPattern;
  file.fs = FsType::kTmpfs;
  file.dev_minor = 0x1b;
  file.inode = 2;
  d.Do(file);
  int64_t fd = d.OpenFile(kPath, 2), read_only = d.OpenFile(kPath, 0);
  d.MapAnon(0x10000000, 8);
  d.WriteTo(0x10000000, 3);
  d.ReadFrom(0x10005000);
  d.MapFile(0x20000000, 8, 3, kMapPrivate, fd, kPageSize);
  d.ReadFrom(0x20000000);
  d.WriteTo(0x20001000);
  d.MapAnon(0x30000000, 4, 3, kMapShared);
  d.WriteTo(0x30000000, 2);
  d.MapFile(0x40000000, 2, kProtRead, kMapShared, read_only);
  d.ReadFrom(0x40001000);
  d.MapAnon(0x50000000, 4, 0, kMapPrivate | kMapNoReserve);
  d.MapAnon(0x51000000, 4, 3, kMapPrivate | kMapStack);
  d.MapAnon(0x52000000, 4, 7);
  d.WriteTo(0x52000000, 2);
  d.Do(Mprotect{0x52001000, kPageSize, 0});
  d.MapAnon(0x53000000, 4);
  d.Do(Madvise{0x53000000, 4 * kPageSize, 16});
  d.MapAnon(0x54000000, 4);
  d.Do(Madvise{0x54000000, 2 * kPageSize, 10});
  d.Do(Madvise{0x54002000, 2 * kPageSize, 18});
  d.MapAnon(0x55000000, 4);
  d.Do(Mlock{0x55001000, 2 * kPageSize, 0});
  EXPECT_EQ(d.Do(Fork{}), 2);
  d.WriteTo(0x10000000, 1, 2);
  d.ReadFrom(0x30000000, 1, 2);
  d.ReadFrom(0x55001000, 2, 2);
  return d;
}

// record.py's blocks(): what belongs to the VMAs at the fixed addresses.
std::string Blocks(const std::string& text) {
  std::istringstream in(text);
  std::string out, line;
  bool keep = false;
  while (std::getline(in, line)) {
    size_t dash = line.find('-');
    if (dash != std::string::npos && dash < line.find(' ')) {
      uint64_t start = std::stoull(line, nullptr, 16);
      keep = start >= kFirst && start < kEnd;
    }
    if (keep) out += line + "\n";
  }
  return out;
}

uint64_t Word(const Driver& d, const std::string& path, uint64_t index) {
  ErrnoOr<std::string> bytes = ReadProcAt(d.kernel(), path, index * 8, 8);
  EXPECT_TRUE(bytes.ok() && bytes.value().size() == 8) << path << " " << index;
  uint64_t word = 0;
  for (int i = 7; i >= 0; i--) {
    word = word << 8 | static_cast<uint8_t>(bytes.value()[i]);
  }
  return word;
}

// record.py's pages().
std::string Pages(const Driver& d, const std::string& pid,
                  const std::string& maps) {
  constexpr uint64_t kNoise = 1 << 2 | 1 << 5 | 1 << 6 | 1 << 18 | 1 << 25;
  std::istringstream in(maps);
  std::ostringstream out;
  std::string line;
  while (std::getline(in, line)) {
    uint64_t start = std::stoull(line, nullptr, 16);
    uint64_t end = std::stoull(line.substr(line.find('-') + 1), nullptr, 16);
    for (uint64_t vpn = start / kPageSize; vpn < end / kPageSize; vpn++) {
      uint64_t entry = Word(d, "/proc/" + pid + "/pagemap", vpn);
      if (entry >> 63 == 0) continue;
      uint64_t pfn = entry & ((uint64_t{1} << 55) - 1);
      out << std::hex << vpn << " " << (entry >> 55) << " "
          << (Word(d, "/proc/kpageflags", pfn) & ~kNoise) << " " << std::dec
          << Word(d, "/proc/kpagecount", pfn) << "\n";
    }
  }
  return out.str();
}

struct Row {
  const char* name;
  const char* pid;
};

class Recorded : public testing::TestWithParam<Row> {};

TEST_P(Recorded, MapsAreLinuxs) {
  const auto [name, pid] = GetParam();
  EXPECT_EQ(Blocks(Act().Cat("/proc/" + std::string(pid) + "/maps")),
            Golden(std::string(name) + ".maps"));
}

TEST_P(Recorded, SmapsAreLinuxs) {
  const auto [name, pid] = GetParam();
  EXPECT_EQ(Blocks(Act().Cat("/proc/" + std::string(pid) + "/smaps")),
            Golden(std::string(name) + ".smaps"));
}

TEST_P(Recorded, PagemapKpageflagsAndKpagecountAreLinuxs) {
  const auto [name, pid] = GetParam();
  Driver d = Act();
  std::string maps = Blocks(d.Cat("/proc/" + std::string(pid) + "/maps"));
  EXPECT_EQ(Pages(d, pid, maps), Golden(std::string(name) + ".pages"));
}

INSTANTIATE_TEST_SUITE_P(Process, Recorded,
                         testing::Values(Row{"parent", "1"}, Row{"child", "2"}),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace faultline
