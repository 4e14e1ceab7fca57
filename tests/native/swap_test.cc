// Swap against this system's kernel, on a small swap file of its own: after the
// same steps the same pages are in swap, smaps and status say the same, and
// every byte is what it was. The kernel writes while the program goes on, so
// whether a page that comes back had to be read is not compared.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "server/machine/machine.h"
#include "server/machine/proc/proc.h"
#include "tests/native/affinity.h"

namespace faultline::native {
namespace {

constexpr uint64_t kAddr = 0x20000000;
constexpr uint64_t kPages = 16;
constexpr uint64_t kSlots = 1024;
constexpr int kSteps = 80;

// A swap file that is swapped on while it lives.
class SwapFile {
 public:
  SwapFile() {
    const char* dir = std::getenv("TMPDIR");
    path_ = std::string(dir == nullptr ? "/tmp" : dir) + "/faultline-swap-" +
            std::to_string(getpid());
    const int fd = open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) return;
    std::string page(kPageSize, '\0');
    bool written = true;
    for (uint64_t i = 0; i < kSlots && written; i++) {
      if (i == 0) {
        const uint32_t header[] = {1, kSlots - 1, 0};  // version, last page
        std::memcpy(page.data() + 1024, header, sizeof header);
        std::memcpy(page.data() + kPageSize - 10, "SWAPSPACE2", 10);
      }
      written = write(fd, page.data(), kPageSize) == ssize_t{kPageSize};
      page.assign(kPageSize, '\0');
    }
    fsync(fd);
    close(fd);
    error_ = swapon(path_.c_str(), 0) == 0 ? 0 : errno;
  }
  SwapFile(const SwapFile&) = delete;
  SwapFile& operator=(const SwapFile&) = delete;
  ~SwapFile() {
    if (error_ == 0) swapoff(path_.c_str());
    unlink(path_.c_str());
  }
  int error() const { return error_; }

 private:
  std::string path_;
  int error_ = ENOENT;
};

std::string NotAsked() {
  // Swap areas are the machine's: whoever has one is alone, to its end.
  static const int lock = open("/proc/swaps", O_RDONLY | O_CLOEXEC);
  if (lock >= 0) flock(lock, LOCK_EX);
  std::string release, line;
  std::ifstream("/proc/sys/kernel/osrelease") >> release;
  if (release.rfind("6.18.", 0) != 0) return "this is Linux " + release;
  std::ifstream swaps("/proc/swaps");
  std::getline(swaps, line);
  if (std::getline(swaps, line)) return "swap is in use: " + line;
  return geteuid() == 0 ? "" : "swapon needs root";
}

enum class Do : uint8_t {
  kWrite,
  kRead,
  kPageout,
  kCold,
  kFree,
  kDrop,
  kWillneed,
  kLock,
  kUnlock
};
struct Step {
  Do what;
  uint64_t from = 0, to = 0;  // pages
  uint8_t byte = 0;
};

std::vector<Step> RandomSteps(uint32_t seed) {
  constexpr Do kAll[] = {Do::kWrite,    Do::kWrite, Do::kRead,  Do::kPageout,
                         Do::kPageout,  Do::kCold,  Do::kFree,  Do::kDrop,
                         Do::kWillneed, Do::kLock,  Do::kUnlock};
  std::mt19937 random(seed);
  std::vector<Step> steps;
  while (steps.size() < kSteps) {
    const uint64_t a = random() % kPages, b = random() % kPages;
    steps.push_back({kAll[random() % std::size(kAll)], std::min(a, b),
                     std::max(a, b) + 1,
                     static_cast<uint8_t>(1 + random() % 200)});
    // Locked memory would soon be all there is.
    if (steps.back().what == Do::kLock) {
      steps.back().to = steps.back().from + 1;
    }
  }
  return steps;
}

// What can be seen of the pages: "S" in swap, "P" present, "-" neither; then
// sizes in kB.
struct Seen {
  std::string pages;
  std::vector<uint64_t> sizes;
  std::vector<int> bytes;  // of a read
  bool operator==(const Seen&) const = default;
};

std::string Letters(const std::vector<uint64_t>& words) {
  std::string letters;
  for (const uint64_t word : words) {
    letters += word >> 63 ? 'P' : word >> 62 & 1 ? 'S' : '-';
  }
  return letters;
}

// The numbers of some fields of the VMA at kAddr.
std::vector<uint64_t> SizesOf(const std::string& smaps) {
  std::vector<uint64_t> sums(3);
  constexpr const char* kFields[] = {"\nRss:", "\nSwap:", "\nSwapPss:"};
  // Locks split the VMA.
  size_t at = 0;
  while ((at = smaps.find("\nSize:", at)) != std::string::npos) {
    const size_t line = smaps.rfind('\n', at - 1);
    const uint64_t start = std::stoull(
        smaps.substr(line == std::string::npos ? 0 : line + 1), {}, 16);
    at++;
    if (start < kAddr || start >= kAddr + kPages * kPageSize) continue;
    for (size_t i = 0; i < std::size(kFields); i++) {
      const size_t field = smaps.find(kFields[i], at);
      sums[i] += std::stoull(smaps.substr(field + std::strlen(kFields[i])));
    }
  }
  return sums;
}

class Real {
 public:
  Real() {
    void* at = mmap(Page(0), kPages * kPageSize, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    ok_ = at != MAP_FAILED;
    madvise(at, kPages * kPageSize, MADV_NOHUGEPAGE);
  }
  ~Real() { munmap(Page(0), kPages * kPageSize); }
  bool ok() const { return ok_; }

  Seen Perform(const Step& s) {
    Seen seen;
    const size_t bytes = (s.to - s.from) * kPageSize;
    constexpr int kMadvPageout = 21, kMadvCold = 20;
    switch (s.what) {
      case Do::kWrite:
        for (uint64_t p = s.from; p < s.to; p++) *Byte(p) = s.byte;
        break;
      case Do::kRead:
        for (uint64_t p = s.from; p < s.to; p++) seen.bytes.push_back(*Byte(p));
        break;
      case Do::kPageout:
        madvise(Page(s.from), bytes, kMadvPageout);
        break;
      case Do::kCold:
        madvise(Page(s.from), bytes, kMadvCold);
        break;
      case Do::kFree:
        madvise(Page(s.from), bytes, MADV_FREE);
        break;
      case Do::kDrop:
        madvise(Page(s.from), bytes, MADV_DONTNEED);
        break;
      case Do::kWillneed:
        madvise(Page(s.from), bytes, MADV_WILLNEED);
        break;
      case Do::kLock:
        mlock(Page(s.from), bytes);
        break;
      case Do::kUnlock:
        munlock(Page(s.from), bytes);
        break;
    }
    DrainAllFolioBatches();
    std::vector<uint64_t> words(kPages);
    const int fd = open("/proc/self/pagemap", O_RDONLY);
    const auto got = pread(fd, words.data(), kPages * 8, kAddr / 512);
    close(fd);
    EXPECT_EQ(got, ssize_t{kPages * 8});
    seen.pages = Letters(words);
    std::ifstream smaps("/proc/self/smaps");
    seen.sizes = SizesOf({std::istreambuf_iterator<char>(smaps), {}});
    return seen;
  }

 private:
  static void* Page(uint64_t page) {
    return reinterpret_cast<void*>(kAddr + page * kPageSize);
  }
  static volatile uint8_t* Byte(uint64_t page) {
    return static_cast<volatile uint8_t*>(Page(page));
  }
  bool ok_ = false;
};

class Simulated {
 public:
  Simulated() {
    Apply(Mmap{kAddr, kPages * kPageSize, 3, 0x32, -1, 0});
    Apply(Swapon{"", kSlots * kPageSize, 0});
  }
  const Machine& machine() const { return machine_; }

  Seen Perform(const Step& s) {
    Seen seen;
    const uint64_t addr = kAddr + s.from * kPageSize;
    const uint64_t bytes = (s.to - s.from) * kPageSize;
    switch (s.what) {
      case Do::kWrite:
        Apply(
            Access{AccessKind::kWrite, addr, s.to - s.from, kPageSize, s.byte});
        break;
      case Do::kRead:
        for (uint64_t p = 0; p < s.to - s.from; p++) {
          const Access one{AccessKind::kRead, addr + p * kPageSize, 1,
                           kPageSize, 0};
          seen.bytes.push_back(static_cast<int>(Apply(one).value));
        }
        break;
      case Do::kPageout:
        Apply(Madvise{addr, bytes, 21});
        break;
      case Do::kCold:
        Apply(Madvise{addr, bytes, 20});
        break;
      case Do::kFree:
        Apply(Madvise{addr, bytes, MADV_FREE});
        break;
      case Do::kDrop:
        Apply(Madvise{addr, bytes, MADV_DONTNEED});
        break;
      case Do::kWillneed:
        Apply(Madvise{addr, bytes, MADV_WILLNEED});
        break;
      case Do::kLock:
        Apply(Mlock{addr, bytes, 0});
        break;
      case Do::kUnlock:
        Apply(Munlock{addr, bytes});
        break;
    }
    const std::string raw = ReadProcAt(machine_.kernel(), "/proc/1/pagemap",
                                       kAddr / 512, kPages * 8)
                                .value();
    std::vector<uint64_t> words(kPages);
    std::memcpy(words.data(), raw.data(), raw.size());
    seen.pages = Letters(words);
    seen.sizes = SizesOf(ReadProc(machine_.kernel(), "/proc/1/smaps").value());
    return seen;
  }

 private:
  Outcome Apply(Operation op) { return machine_.Apply({1, std::move(op)}); }
  Machine machine_{MachineConfig{}};
};

class Swapping : public ::testing::TestWithParam<uint32_t> {};

// Where the kernel and the machine part in a run of the steps, or "".
std::string Difference(const std::vector<Step>& steps) {
  Real real;
  if (!real.ok()) return "the area is taken";
  Simulated ours;
  for (size_t i = 0; i < steps.size(); i++) {
    const Step& s = steps[i];
    const Seen expected = real.Perform(s), found = ours.Perform(s);
    const std::string at = "step " + std::to_string(i) + ", " +
                           std::to_string(static_cast<int>(s.what)) +
                           " of pages " + std::to_string(s.from) + " to " +
                           std::to_string(s.to) + ": ";
    if (found.pages != expected.pages) {
      return at + found.pages + ", and Linux has " + expected.pages;
    }
    if (found.sizes != expected.sizes) return at + "the sums of smaps";
    if (found.bytes != expected.bytes) return at + "the bytes that were read";
    const std::string wrong = ours.machine().Verify();
    if (!wrong.empty()) return at + wrong;
  }
  return "";
}

// The kernel does not always agree with itself, since others allocate and
// reclaim beside it: what differs counts when it differs each time.
TEST_P(Swapping, IsWhatTheKernelDoes) {
  if (const std::string why = NotAsked(); !why.empty()) GTEST_SKIP() << why;
  PinToFirstCpu();
  SwapFile swap;
  if (swap.error() != 0) GTEST_SKIP() << "swapon: " << strerror(swap.error());
  const std::vector<Step> steps = RandomSteps(GetParam());
  constexpr int kTries = 5;
  std::string difference;
  for (int i = 0; i < kTries; i++) {
    difference = Difference(steps);
    if (difference.empty()) return;
  }
  FAIL() << difference;
}

INSTANTIATE_TEST_SUITE_P(Seeds, Swapping, ::testing::Range(1u, 13u));

}  // namespace
}  // namespace faultline::native
