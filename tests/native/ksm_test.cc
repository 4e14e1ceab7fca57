// KSM against the ksmd of this system: after the same steps the same pages must
// be merged, and the same numbers stand in /sys/kernel/mm/ksm. Only where
// nobody uses KSM, and everything is left as it was.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "server/machine/machine.h"
#include "server/machine/proc/proc.h"

namespace faultline::native {
namespace {

constexpr uint64_t kWindow = 0x10000000;
constexpr uint64_t kPages = 24;
constexpr int kSteps = 120;
constexpr char kSys[] = "/sys/kernel/mm/ksm/";
constexpr const char* kCounters[] = {
    "pages_shared",   "pages_sharing", "pages_unshared",
    "pages_volatile", "pages_skipped", "stable_node_dups",
    "ksm_zero_pages", "full_scans",    "general_profit"};

int64_t ReadSys(const std::string& name) {
  int64_t value = -1;
  std::ifstream(kSys + name) >> value;
  return value;
}
bool WriteSys(const std::string& name, int64_t value) {
  std::ofstream file(kSys + name);
  file << value << std::flush;
  return file.good();
}

// Why the kernel cannot be asked; "": it can.
std::string NotAsked() {
  std::string release;
  std::ifstream("/proc/sys/kernel/osrelease") >> release;
  if (release.rfind("6.18.", 0) != 0) return "this is Linux " + release;
  if (ReadSys("run") != 0) return "there is no KSM, or it is in use";
  if (!WriteSys("run", 0)) return "its knobs need root";
  return "";
}

// There is one ksmd: whoever else runs these tests waits.
class KsmAlone {
 public:
  KsmAlone() : fd_(open("/sys/kernel/mm/ksm/run", O_RDONLY | O_CLOEXEC)) {
    if (fd_ >= 0) flock(fd_, LOCK_EX);
  }
  KsmAlone(const KsmAlone&) = delete;
  KsmAlone& operator=(const KsmAlone&) = delete;
  ~KsmAlone() {
    if (fd_ >= 0) close(fd_);
  }

 private:
  int fd_;
};

// Sets a knob for as long as it lives.
class Knob {
 public:
  Knob(std::string name, int64_t value)
      : name_(std::move(name)), was_(ReadSys(name_)) {
    WriteSys(name_, value);
  }
  ~Knob() { WriteSys(name_, was_); }

 private:
  std::string name_;
  int64_t was_;
};

enum class Do : uint8_t { kWrite, kMerge, kUnmerge, kDrop, kScan };
struct Step {
  Do what;
  uint64_t from = 0, to = 0;  // pages
  uint8_t byte = 0;
};

std::vector<Step> RandomSteps(uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Step> steps = {{Do::kMerge, 0, kPages}};
  while (steps.size() < kSteps) {
    const uint64_t a = random() % kPages, b = random() % kPages;
    const auto what = std::array{Do::kWrite, Do::kWrite,   Do::kWrite,
                                 Do::kMerge, Do::kUnmerge, Do::kDrop,
                                 Do::kScan,  Do::kScan}[random() % 8];
    steps.push_back({what, std::min(a, b), std::max(a, b) + 1,
                     static_cast<uint8_t>(random() % 3)});
    if (what == Do::kWrite) steps.back().to = steps.back().from + 3;
    steps.back().to = std::min(steps.back().to, kPages);
  }
  return steps;
}

// What a step came to.
struct Seen {
  uint64_t min_flt = 0;
  std::map<std::string, int64_t> counters;
  std::vector<int64_t> same_as;  // the first page with the same frame; -1: none
};

std::vector<int64_t> SameAs(const std::vector<uint64_t>& frames) {
  std::vector<int64_t> same;
  for (uint64_t frame : frames) {
    const auto first = std::find(frames.begin(), frames.end(), frame);
    same.push_back(frame == 0 ? -1 : first - frames.begin());
  }
  return same;
}

class Real {
 public:
  Real() {
    void* at = mmap(reinterpret_cast<void*>(kWindow), kPages * kPageSize,
                    PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    ok_ = at != MAP_FAILED;
    madvise(at, kPages * kPageSize, MADV_NOHUGEPAGE);
    (void)MinFlt();
  }
  ~Real() { munmap(Page(0), kPages * kPageSize); }
  bool ok() const { return ok_; }

  Seen Perform(const Step& s) {
    Seen seen;
    const uint64_t before = MinFlt();
    const size_t bytes = (s.to - s.from) * kPageSize;
    switch (s.what) {
      case Do::kWrite:
        for (uint64_t p = s.from; p < s.to; p++) {
          *static_cast<volatile uint8_t*>(Page(p)) = s.byte;
        }
        break;
      case Do::kMerge:
        madvise(Page(s.from), bytes, MADV_MERGEABLE);
        break;
      case Do::kUnmerge:
        madvise(Page(s.from), bytes, MADV_UNMERGEABLE);
        break;
      case Do::kDrop:
        madvise(Page(s.from), bytes, MADV_DONTNEED);
        break;
      case Do::kScan:
        break;
    }
    seen.min_flt = MinFlt() - before;
    if (s.what == Do::kScan) Scan();
    for (const char* name : kCounters) seen.counters[name] = ReadSys(name);
    seen.same_as = SameAs(Frames());
    return seen;
  }

 private:
  static void* Page(uint64_t page) {
    return reinterpret_cast<void*>(kWindow + page * kPageSize);
  }
  static uint64_t MinFlt() {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<uint64_t>(usage.ru_minflt);
  }
  // One scan at least; how many there were, full_scans says.
  static void Scan() {
    const int64_t before = ReadSys("full_scans");
    WriteSys("run", 1);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (ReadSys("full_scans") == before &&
           std::chrono::steady_clock::now() < end) {
      std::this_thread::yield();
    }
    WriteSys("run", 0);
  }
  static std::vector<uint64_t> Frames() {
    std::vector<uint64_t> entries(kPages);
    const int fd = open("/proc/self/pagemap", O_RDONLY);
    const auto got = pread(fd, entries.data(), kPages * 8, kWindow / 512);
    close(fd);
    if (got != static_cast<ssize_t>(kPages * 8)) return {};
    for (uint64_t& entry : entries) entry &= (uint64_t{1} << 55) - 1;
    return entries;
  }
  bool ok_ = false;
};

class Simulated {
 public:
  explicit Simulated(bool zero_pages) {
    Apply(Mmap{kWindow, kPages * kPageSize, 3, 0x32, -1, 0});
    Apply(Sysctl{"ksm.pages_to_scan", 100000});
    Apply(Sysctl{"ksm.use_zero_pages", zero_pages ? 1u : 0u});
  }
  const Machine& machine() const { return machine_; }

  // As many scans as the real kernel made.
  Seen Perform(const Step& s, int64_t full_scans) {
    Seen seen;
    const uint64_t addr = kWindow + s.from * kPageSize;
    const uint64_t bytes = (s.to - s.from) * kPageSize;
    switch (s.what) {
      case Do::kWrite:
        seen.min_flt = Apply(Access{AccessKind::kWrite, addr, s.to - s.from,
                                    kPageSize, s.byte})
                           .min_flt;
        break;
      case Do::kMerge:
        seen.min_flt = Apply(Madvise{addr, bytes, MADV_MERGEABLE}).min_flt;
        break;
      case Do::kUnmerge:
        seen.min_flt = Apply(Madvise{addr, bytes, MADV_UNMERGEABLE}).min_flt;
        break;
      case Do::kDrop:
        seen.min_flt = Apply(Madvise{addr, bytes, MADV_DONTNEED}).min_flt;
        break;
      case Do::kScan:
        break;
    }
    if (s.what == Do::kScan) Scan(full_scans);
    for (const char* name : kCounters) seen.counters[name] = Sys(name);
    std::vector<uint64_t> frames;
    const std::string words = ReadProcAt(machine_.kernel(), "/proc/1/pagemap",
                                         kWindow / 512, kPages * 8)
                                  .value();
    for (uint64_t p = 0; p < kPages; p++) {
      uint64_t entry = 0;
      std::memcpy(&entry, words.data() + p * 8, 8);
      frames.push_back(entry & ((uint64_t{1} << 55) - 1));
    }
    seen.same_as = SameAs(frames);
    return seen;
  }

 private:
  Outcome Apply(Operation op) { return machine_.Apply({1, std::move(op)}); }
  int64_t Sys(const std::string& name) const {
    return std::stoll(ReadProc(machine_.kernel(), kSys + name).value());
  }
  void Scan(int64_t full_scans) {
    Apply(Sysctl{"ksm.run", 1});
    constexpr int kTicksMax = 1000;
    for (int i = 0; i < kTicksMax && Sys("full_scans") < full_scans; i++) {
      Apply(Tick{19'000'000});
    }
    Apply(Sysctl{"ksm.run", 0});
  }
  Machine machine_{MachineConfig{}};
};

class NativeKsm : public testing::TestWithParam<uint32_t> {};

TEST_P(NativeKsm, MergesWhatTheKernelMerges) {
  const KsmAlone alone;
  if (const std::string why = NotAsked(); !why.empty()) GTEST_SKIP() << why;
  const bool zero_pages = GetParam() % 2 == 1;
  const Knob sleep("sleep_millisecs", 40), pages("pages_to_scan", 100000);
  const Knob zeros("use_zero_pages", zero_pages ? 1 : 0), run("run", 0);
  WriteSys("run", 2);  // full_scans and the trees begin anew
  WriteSys("run", 0);
  const int64_t skipped = ReadSys("pages_skipped");
  Real real;
  ASSERT_TRUE(real.ok());
  Simulated simulated(zero_pages);
  int n = 0;
  for (const Step& step : RandomSteps(GetParam())) {
    Seen expected = real.Perform(step);
    expected.counters["pages_skipped"] -= skipped;
    const Seen seen =
        simulated.Perform(step, expected.counters.at("full_scans"));
    const std::string where = "step " + std::to_string(n++) + ": " +
                              std::to_string(static_cast<int>(step.what)) +
                              " of " + std::to_string(step.from) + "-" +
                              std::to_string(step.to);
    ASSERT_EQ(seen.counters, expected.counters) << where;
    ASSERT_EQ(seen.same_as, expected.same_as) << where;
    ASSERT_EQ(seen.min_flt, expected.min_flt) << where;
    ASSERT_EQ(simulated.machine().Verify(), "") << where;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, NativeKsm, testing::Range(1u, 7u));

}  // namespace
}  // namespace faultline::native
