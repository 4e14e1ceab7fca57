// meminfo, zoneinfo, buddyinfo, vmstat and kpageflags: the form against
// recordings of real kernels, the numbers against each other.
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>

#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/pcp.h"
#include "tests/machine/proc/machine_testing.h"

namespace faultline {
namespace {

struct Kernels {
  const char* name;
  const char* recording;  // the suffix of the files in golden/
  Personality personality;
  Profile profile;
  uint64_t ram_gib;
  uint32_t cpus;
};
constexpr Kernels kKernels[] = {
    {"Linux618", "6.18-x86_64", Personality::kLinux618, Profile::kX86_64, 8, 2},
    {"Linux61", "6.1-x86_64", Personality::kLinux61, Profile::kX86_64, 4, 2},
    {"I386", "6.1-i386", Personality::kLinux61, Profile::kI386Pae, 2, 1},
};

class SystemFiles : public testing::TestWithParam<Kernels> {
 protected:
  static Driver Boot() {
    MachineConfig config;
    config.personality = GetParam().personality;
    config.profile = GetParam().profile;
    config.ram_bytes = GetParam().ram_gib << 30;
    config.cpus = GetParam().cpus;
    return Driver(config);
  }
  static std::string Recorded(const std::string& file) {
    std::ifstream in("tests/machine/proc/golden/" + file + "." +
                     GetParam().recording);
    EXPECT_TRUE(in) << file;
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
};

// A right-aligned number becomes # and its field's width, so that the form of
// a line remains: "MemFree:  12 kB" and "MemFree: 123 kB" are the same.
std::string Form(const std::string& text) {
  static const std::regex kField(" *[0-9]+ kB");
  std::string out;
  auto end = std::sregex_iterator();
  size_t at = 0;
  for (auto it = std::sregex_iterator(text.begin(), text.end(), kField);
       it != end; ++it) {
    out += text.substr(at, static_cast<size_t>(it->position()) - at);
    out += "#" + std::to_string(it->length());
    at = static_cast<size_t>(it->position() + it->length());
  }
  out += text.substr(at);
  return std::regex_replace(out, std::regex(" [0-9]+\n"), " #\n");
}

TEST_P(SystemFiles, MeminfoHasLinuxsForm) {
  // One machine recorded has 5-level page tables.
  auto form = [](std::string text) {
    return Form(
        std::regex_replace(text, std::regex("13743895347199"), "34359738367"));
  };
  EXPECT_EQ(form(Boot().Cat("/proc/meminfo")), form(Recorded("meminfo")));
}

TEST_P(SystemFiles, VmstatHasLinuxsForm) {
  EXPECT_EQ(Form(Boot().Cat("/proc/vmstat")), Form(Recorded("vmstat")));
}

TEST_P(SystemFiles, ZoneinfoHasLinuxsForm) {
  auto form = [](const std::string& text) {
    std::string out = std::regex_replace(
        text, std::regex("protection: \\([0-9]+"), "protection: (#");
    out = std::regex_replace(out, std::regex(", [0-9]+"), ", #");
    return Form(out);
  };
  EXPECT_EQ(form(Boot().Cat("/proc/zoneinfo")), form(Recorded("zoneinfo")));
}

// "name value" or "Name:  value kB" lines as numbers.
std::map<std::string, int64_t> Numbers(const std::string& text) {
  std::map<std::string, int64_t> out;
  std::istringstream in(text);
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string name;
    int64_t value = 0;
    fields >> name >> value;
    out[name] = value;
  }
  return out;
}

TEST_P(SystemFiles, MemAvailableIsWhatReservesLeave) {
  Driver d = Boot();
  int64_t available = 0;
  for (const Zone& zone : d.kernel().zones) {
    uint64_t protection = 0;
    for (uint64_t pages : zone.lowmem_reserve) {
      protection = std::max(protection, pages);
    }
    available += static_cast<int64_t>(zone.nr_free_pages);
    available -= static_cast<int64_t>(
        std::min(zone.wmark.high + protection, zone.managed.value()));
  }
  EXPECT_EQ(Numbers(d.Cat("/proc/meminfo"))["MemAvailable:"], available * 4);
}

TEST_P(SystemFiles, BuddyinfoCountsTheFreePages) {
  Driver d = Boot();
  std::istringstream in(d.Cat("/proc/buddyinfo"));
  std::string line;
  uint64_t pages = 0;
  while (std::getline(in, line)) {
    ASSERT_EQ(line.substr(0, 13), "Node 0, zone ");
    ASSERT_EQ(line.size(), 22u + 11 * 7) << line;
    for (int order = 0; order <= kMaxPageOrder; order++) {
      size_t at = 22 + static_cast<size_t>(order) * 7;
      pages += std::stoull(line.substr(at, 6)) << order;
    }
  }
  EXPECT_EQ(static_cast<int64_t>(pages * 4),
            Numbers(d.Cat("/proc/meminfo"))["MemFree:"]);
}

INSTANTIATE_TEST_SUITE_P(Kernel, SystemFiles, testing::ValuesIn(kKernels),
                         [](const auto& row) { return row.param.name; });

TEST(Buddyinfo, OfAFreshMachine) {
  MachineConfig config;
  config.ram_bytes = uint64_t{16} << 20;
  EXPECT_EQ(Driver(config).Cat("/proc/buddyinfo").substr(0, 22),
            "Node 0, zone      DMA ");
}

// What one action changes, in kB.
struct Change {
  const char* name;
  std::map<std::string, int64_t> kb;
  void (*act)(Driver&);
};
class MeminfoChanges : public testing::TestWithParam<Change> {};
TEST_P(MeminfoChanges, AreThese) {
  Driver d;
  CreateFile file;
  file.path = "/disk";
  file.size = 64 * kPageSize;
  file.content = FileContent::kPattern;
  file.fs = FsType::kExt4;
  d.Do(file);
  const int64_t fd = d.OpenFile("/disk", 2);
  ASSERT_EQ(fd, 3);
  // One page of every kind, so that later ones need no more page tables.
  d.MapAnon(0x10000000, 64);
  d.WriteTo(0x10000000);
  // What a per-CPU list has is not counted as free, so they are emptied first.
  auto meminfo = [&d] {
    Kernel k = d.kernel();
    DrainAllPages(k);
    return Numbers(ReadProc(k, "/proc/meminfo").value());
  };
  auto before = meminfo();
  GetParam().act(d);
  std::map<std::string, int64_t> changed;
  for (const auto& [name, kb] : meminfo()) {
    if (kb != before[name]) changed[name] = kb - before[name];
  }
  EXPECT_EQ(changed, GetParam().kb);
}
INSTANTIATE_TEST_SUITE_P(
    Meminfo, MeminfoChanges,
    testing::Values(Change{"AnonymousPages",
                           {{"MemFree:", -40},
                            {"MemAvailable:", -40},
                            {"Inactive:", 40},
                            {"Inactive(anon):", 40},
                            {"AnonPages:", 40}},
                           [](Driver& d) { d.WriteTo(0x10001000, 10); }},
                    Change{"LockedPages",
                           {{"MemFree:", -16},
                            {"MemAvailable:", -16},
                            {"Unevictable:", 20},
                            {"Mlocked:", 20},
                            {"Inactive:", -4},
                            {"Inactive(anon):", -4},
                            {"AnonPages:", 16}},
                           [](Driver& d) {
                             d.Do(Mlock{0x10000000, 5 * kPageSize, 0});
                           }},
                    Change{"SharedMemory",
                           {{"MemFree:", -12},
                            {"MemAvailable:", -12},
                            {"Inactive:", 12},
                            {"Inactive(anon):", 12},
                            {"Cached:", 12},
                            {"Mapped:", 12},
                            {"Shmem:", 12},
                            {"Committed_AS:", 32}},
                           [](Driver& d) {
                             d.MapAnon(0x10080000, 8, 3, kMapShared);
                             d.WriteTo(0x10080000, 3);
                           }},
                    Change{"DirtyFile",
                           {{"Mapped:", 8}, {"Dirty:", 8}},
                           [](Driver& d) {
                             d.MapFile(0x10080000, 8, 3, kMapShared, 3);
                             d.WriteTo(0x10080000, 2);
                           }},
                    Change{"PageTables",
                           {{"MemFree:", -12},
                            {"MemAvailable:", -12},
                            {"Inactive:", 4},
                            {"Inactive(anon):", 4},
                            {"AnonPages:", 4},
                            {"PageTables:", 8},
                            {"Committed_AS:", 4}},
                           [](Driver& d) {
                             d.MapAnon(0x4000000000 - kPageSize, 1);
                             d.WriteTo(0x4000000000 - kPageSize);
                           }}),
    [](const auto& row) { return row.param.name; });

TEST(Vmstat, CountsEvents) {
  Driver d;
  d.MapAnon(0x10000000, 64);
  auto before = Numbers(d.Cat("/proc/vmstat"));
  d.WriteTo(0x10000000, 10);
  d.Do(Munmap{0x10000000, 64 * kPageSize});
  auto after = Numbers(d.Cat("/proc/vmstat"));
  EXPECT_EQ(after["pgfault"] - before["pgfault"], 10);
  // Ten pages and the three tables above them; all of them come back.
  EXPECT_EQ(after["pgalloc_dma32"] - before["pgalloc_dma32"], 13);
  EXPECT_EQ(after["pgfree"] - before["pgfree"], 13);
  EXPECT_EQ(after["nr_free_pages"], before["nr_free_pages"]);
}

TEST(Vmstat, DirtyLimitsAreThoseOfTheRecordedI386) {
  // Free pages, reserves and highmem of golden/zoneinfo.6.1-i386's machine.
  MachineConfig config;
  config.profile = Profile::kI386Pae;
  config.ram_bytes = uint64_t{2} << 30;
  Driver d(config);
  Kernel k = d.kernel();
  auto set = [&](ZoneType type, uint64_t free, uint64_t high, uint64_t managed,
                 uint64_t protection) {
    Zone& zone = k.zone(type);
    zone.nr_free_pages = free;
    zone.wmark.high = high;
    zone.managed = PageCount(managed);
    zone.lowmem_reserve = {0, 0, 0, 0, protection};
  };
  set(ZoneType::kDma, 3840, 284, 3840, 1994);
  set(ZoneType::kNormal, 208417, 15757, 211981, 9343);
  set(ZoneType::kHighMem, 298221, 7552, 298978, 0);
  auto vmstat = Numbers(ReadProc(k, "/proc/vmstat").value());
  EXPECT_EQ(vmstat["nr_dirty_threshold"], 36966);
  EXPECT_EQ(vmstat["nr_dirty_background_threshold"], 18460);
}

uint64_t Kpageflags(const Driver& d, uint64_t pfn) {
  auto bytes = ReadProcAt(d.kernel(), "/proc/kpageflags", pfn * 8, 8);
  uint64_t word = 0;
  for (int i = 7; i >= 0; i--) {
    word = word << 8 | static_cast<uint8_t>(bytes.value()[i]);
  }
  return word;
}

TEST(Kpageflags, TellWhatAFrameIsUsedFor) {
  constexpr uint64_t kBuddy = 1 << 10, kNoPage = 1 << 20, kZero = 1 << 24,
                     kPgtable = 1 << 26, kReserved = uint64_t{1} << 32;
  MachineConfig config;
  config.ram_bytes = uint64_t{4} << 30;
  Driver d(config);
  const Kernel& k = d.kernel();
  EXPECT_EQ(Kpageflags(d, 0), kReserved);      // below the first zone
  EXPECT_EQ(Kpageflags(d, 1), kReserved);      // kept by boot
  EXPECT_EQ(Kpageflags(d, 0xa0), kReserved);   // a hole of the PC
  EXPECT_EQ(Kpageflags(d, 0xc0000), kNoPage);  // the hole for devices
  EXPECT_EQ(Kpageflags(d, 0x13fffe), kBuddy);  // inside a free block
  EXPECT_EQ(Kpageflags(d, k.zero_page.value()), kZero | kReserved);
  const Mm& mm = k.mms[k.tasks[k.pids.at(1)].mm];
  EXPECT_EQ(Kpageflags(d, mm.pgd.value()), kPgtable);
  AllocPages call;
  call.gfp = 0xcc0;
  call.order = 2;
  auto pfn = static_cast<uint64_t>(d.Do(call));
  for (uint64_t i = 0; i < 4; i++) EXPECT_EQ(Kpageflags(d, pfn + i), 0u);
}

TEST(Kpageflags, OfCompoundPagesTellHeadAndTail) {
  constexpr uint64_t kSlab = 1 << 7, kHead = 1 << 15, kTail = 1 << 16;
  Driver d{MachineConfig()};
  AllocPages call;
  call.gfp = 0x40cc0;  // GFP_KERNEL | __GFP_COMP
  call.order = 1;
  auto pfn = static_cast<uint64_t>(d.Do(call));
  EXPECT_EQ(Kpageflags(d, pfn), kHead);
  EXPECT_EQ(Kpageflags(d, pfn + 1), kTail);
  const auto frame_of = [&](int64_t addr) {
    return PfnOfVirt(d.kernel(), static_cast<uint64_t>(addr)).value();
  };
  pfn = frame_of(d.Do(Kmalloc{20'000, 0xcc0}));
  EXPECT_EQ(Kpageflags(d, pfn), kHead);
  EXPECT_EQ(Kpageflags(d, pfn + 7), kTail);
  pfn = frame_of(d.Do(Kmalloc{4096, 0xcc0}));
  EXPECT_EQ(Kpageflags(d, pfn), kSlab | kHead);
  EXPECT_EQ(Kpageflags(d, pfn + 1), kSlab | kTail);
  pfn = frame_of(d.Do(Kmalloc{8, 0xcc0}));
  EXPECT_EQ(Kpageflags(d, pfn), kSlab) << "a slab of one page";
}

TEST(Meminfo, OfTwoLevelTablesHasLargerLargePages) {
  MachineConfig config;
  config.profile = Profile::kI386;
  config.ram_bytes = uint64_t{256} << 20;
  const std::string text = Driver(config).Cat("/proc/meminfo");
  EXPECT_NE(text.find("Hugepagesize:       4096 kB\n"), std::string::npos);
  EXPECT_EQ(text.find("DirectMap2M"), std::string::npos);
  const size_t at = text.find("DirectMap4M:");
  ASSERT_NE(at, std::string::npos) << text;
  EXPECT_EQ(std::stoull(text.substr(at + 12)) % 4096, 0u);
}

}  // namespace
}  // namespace faultline
