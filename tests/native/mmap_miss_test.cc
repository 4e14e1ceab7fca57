// When a mapping misses again and again, nothing is read around its faults any
// more (MMAP_LOTSAMISS): the same faults here and in the machine, until that is
// so. A fault that maps cached pages around itself takes the misses back, so it
// is faults that copy a page that come to it. Only on Linux 6.18, and where the
// directory of the test is on ext4.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "server/machine/machine.h"

namespace faultline::native {
namespace {

constexpr uint64_t kAddr = 0x4000000000;
constexpr uint64_t kFaults = 110;
constexpr int32_t kFd = 3;

enum class Touch : uint8_t { kRead, kCopy };

// A file of holes, which takes no room: a window, and room on both sides, for
// each fault.
struct SparseFile {
  SparseFile() {
    std::string name = "mmap_miss_test.XXXXXX";
    fd = mkstemp(name.data());
    struct statfs fs;
    struct stat st;
    if (fd < 0 || fstatfs(fd, &fs) != 0 || fstat(fd, &st) != 0) return;
    unlink(name.c_str());
    ext4 = fs.f_type == EXT4_SUPER_MAGIC;
    std::ifstream("/sys/class/bdi/" + std::to_string(major(st.st_dev)) + ":" +
                  std::to_string(minor(st.st_dev)) + "/read_ahead_kb") >>
        read_ahead_kb;
    window = read_ahead_kb * 1024 / kPageSize;
    stride = 3 * window;
    if (ftruncate(fd, static_cast<off_t>(bytes())) != 0) ext4 = false;
  }
  SparseFile(const SparseFile&) = delete;
  SparseFile& operator=(const SparseFile&) = delete;
  ~SparseFile() { close(fd); }
  uint64_t bytes() const { return kFaults * stride * kPageSize; }
  uint64_t PageOf(uint64_t fault) const { return fault * stride + window; }

  int fd = -1;
  bool ext4 = false;
  uint64_t read_ahead_kb = 0, window = 0, stride = 0;
};

uint64_t Present(const std::string& core) {
  return static_cast<uint64_t>(
      std::count_if(core.begin(), core.end(), [](char c) { return c & 1; }));
}

// How many pages each fault brought into the cache.
std::vector<uint64_t> Real(const SparseFile& file, Touch how) {
  const int flags = how == Touch::kCopy ? MAP_PRIVATE : MAP_SHARED;
  const int fd =
      open(("/proc/self/fd/" + std::to_string(file.fd)).c_str(), O_RDWR);
  auto* at = static_cast<char*>(mmap(reinterpret_cast<void*>(kAddr),
                                     file.bytes(), PROT_READ | PROT_WRITE,
                                     flags | MAP_FIXED_NOREPLACE, fd, 0));
  std::vector<uint64_t> brought;
  for (uint64_t i = 0; at != MAP_FAILED && i < kFaults; i++) {
    auto* page = static_cast<volatile char*>(at + file.PageOf(i) * kPageSize);
    if (how == Touch::kCopy) {
      *page = 1;
    } else {
      static_cast<void>(*page);
    }
    std::string core(file.stride, 0);
    mincore(at + i * file.stride * kPageSize, file.stride * kPageSize,
            reinterpret_cast<unsigned char*>(core.data()));
    brought.push_back(Present(core));
    // It is not to fill memory.
    posix_fadvise(fd, static_cast<off_t>(i * file.stride * kPageSize),
                  static_cast<off_t>(file.stride * kPageSize),
                  POSIX_FADV_DONTNEED);
  }
  munmap(at, file.bytes());
  close(fd);
  posix_fadvise(file.fd, 0, 0, POSIX_FADV_DONTNEED);
  return brought;
}

std::vector<uint64_t> Simulated(const SparseFile& file, Touch how) {
  MachineConfig config;
  config.ram_bytes = uint64_t{64} << 30;  // so that the mapping may be private
  config.sysctls = {{"bdi.read_ahead_kb", file.read_ahead_kb}};
  Machine m(config);
  m.Apply({1, CreateFile{.path = "/f",
                         .size = file.bytes(),
                         .data = {},
                         .cached = false,
                         .fs = FsType::kExt4}});
  m.Apply({1, Open{"/f", 2, kFd}});
  const uint64_t flags = how == Touch::kCopy ? MAP_PRIVATE : MAP_SHARED;
  m.Apply({1, Mmap{kAddr, file.bytes(), 3, flags | MAP_FIXED, kFd, 0}});
  std::vector<uint64_t> brought;
  for (uint64_t i = 0; i < kFaults; i++) {
    const AccessKind kind =
        how == Touch::kCopy ? AccessKind::kWrite : AccessKind::kRead;
    m.Apply(
        {1, Access{kind, kAddr + file.PageOf(i) * kPageSize, 1, kPageSize, 1}});
    const uint64_t at = i * file.stride * kPageSize;
    const uint64_t bytes = file.stride * kPageSize;
    m.Apply({1, Tick{1'000'000'000}});
    brought.push_back(Present(m.Apply({1, Mincore{kAddr + at, bytes}}).data));
    m.Apply({1, Fadvise{kFd, static_cast<int64_t>(at),
                        static_cast<int64_t>(bytes), POSIX_FADV_DONTNEED}});
  }
  EXPECT_EQ(m.Verify(), "");
  return brought;
}

class MmapMiss : public ::testing::TestWithParam<Touch> {};

TEST_P(MmapMiss, IsCountedAsTheKernelCountsIt) {
  std::string release;
  std::ifstream("/proc/sys/kernel/osrelease") >> release;
  if (release.rfind("6.18.", 0) != 0) GTEST_SKIP() << "this is " << release;
  const SparseFile file;
  if (!file.ext4) GTEST_SKIP() << "this directory is not on ext4";
  const std::vector<uint64_t> ours = Simulated(file, GetParam());
  // The window, and for copies the page alone from the 101st on.
  EXPECT_EQ(ours[0], file.window);
  EXPECT_EQ(ours[kFaults - 1], GetParam() == Touch::kCopy ? 1 : file.window);
  // Others reclaim beside it: what differs counts when it differs each time.
  constexpr int kTries = 5;
  std::vector<uint64_t> theirs;
  for (int i = 0; i < kTries && theirs != ours; i++) {
    theirs = Real(file, GetParam());
  }
  EXPECT_EQ(theirs, ours);
}
INSTANTIATE_TEST_SUITE_P(Faults, MmapMiss,
                         ::testing::Values(Touch::kRead, Touch::kCopy));

}  // namespace
}  // namespace faultline::native
