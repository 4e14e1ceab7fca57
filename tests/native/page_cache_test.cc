// The page cache against this kernel's: the same reads, faults and advice on a
// file of ext4 must bring the same pages into the cache, by as many minor and
// major faults, and fsync must clean the same mappings. Only on Linux 6.18,
// and where the directory of the test is on ext4.
//
// Not compared: the times, the disk's requests, and what the flusher does on
// its own; the dirty counters of the whole system, which others move too, only
// from below.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/machine/machine.h"
#include "server/machine/proc/proc.h"

namespace faultline::native {
namespace {

constexpr uint64_t kWindow = 0x10000000;
constexpr uint64_t kFilePages = 8192;
constexpr int kSteps = 40;

uint64_t NumberIn(const std::string& path) {
  uint64_t value = 0;
  std::ifstream(path) >> value;
  return value;
}

// A file of this system, deleted at the end.
class RealFile {
 public:
  RealFile() {
    std::string name = "page_cache_test.XXXXXX";
    fd_ = mkstemp(name.data());
    if (fd_ >= 0) unlink(name.c_str());
  }
  RealFile(const RealFile&) = delete;
  RealFile& operator=(const RealFile&) = delete;
  ~RealFile() { close(fd_); }

  int fd() const { return fd_; }
  // Another open file, with a window of its own.
  int Reopen() const {
    return open(("/proc/self/fd/" + std::to_string(fd_)).c_str(), O_RDWR);
  }
  bool OnExt4() const {
    struct statfs fs;
    return fstatfs(fd_, &fs) == 0 && fs.f_type == EXT4_SUPER_MAGIC;
  }
  std::string Device() const {
    struct stat st;
    fstat(fd_, &st);
    return std::to_string(major(st.st_dev)) + ":" +
           std::to_string(minor(st.st_dev));
  }
  // Writes it whole, page by page, and leaves nothing of it in the cache.
  void Fill(uint64_t pages) const {
    const std::string page(kPageSize, 'x');
    for (uint64_t i = 0; i < pages; i++) {
      if (pwrite(fd_, page.data(), page.size(),
                 static_cast<off_t>(i * kPageSize)) < 0) {
        return;
      }
    }
    fsync(fd_);
    posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
  }

 private:
  int fd_ = -1;
};

// Why the kernel cannot be asked; "": it can.
std::string NotAsked(const RealFile& file) {
  std::string release;
  std::ifstream("/proc/sys/kernel/osrelease") >> release;
  if (release.rfind("6.18.", 0) != 0) return "this is Linux " + release;
  if (geteuid() != 0) return "mincore() shows its own files to root only";
  if (file.fd() < 0 || !file.OnExt4()) return "this directory is not on ext4";
  return "";
}

enum class Do : uint8_t { kRead, kTouch, kAdvise, kMadvise, kReopen };
struct Step {
  Do what = Do::kRead;
  uint64_t page = 0;
  uint64_t pages = 1;
  int32_t advice = 0;

  std::string Text() const {
    constexpr const char* kNames[] = {"read", "touch", "fadvise", "madvise",
                                      "reopen"};
    return std::string(kNames[static_cast<int>(what)]) + " page " +
           std::to_string(page) + " pages " + std::to_string(pages) +
           " advice " + std::to_string(advice);
  }
};
struct Seen {
  uint64_t min_flt = 0, maj_flt = 0;
  std::string core;
};

std::vector<Step> RandomSteps(uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Step> steps;
  uint64_t at = random() % kFilePages;
  while (steps.size() < kSteps) {
    // On from where the last one was, near it, or anywhere.
    const uint32_t where = random() % 8;
    if (where == 0) at = random() % kFilePages;
    if (where == 1) at = (at + random() % 64) % kFilePages;
    Step step{.what = Do::kRead, .page = at, .pages = 1 + random() % 8};
    const uint32_t dice = random() % 16;
    if (dice < 7) {
      step.what = Do::kTouch;
      step.pages = 1;
    } else if (dice == 7) {
      step.what = Do::kMadvise;
      step.advice = static_cast<int32_t>(random() % 4);
    } else if (dice < 10) {
      step.what = Do::kAdvise;
      step.advice = static_cast<int32_t>(random() % 6);
      step.pages = random() % 300;
    } else if (dice == 10) {
      step.what = Do::kReopen;
    }
    at = (at + step.pages) % kFilePages;
    steps.push_back(step);
  }
  return steps;
}

class Real {
 public:
  explicit Real(const RealFile& file) : file_(file) { Reopen(); }
  ~Real() { Close(); }

  Seen Run(const Step& step) {
    Seen seen;
    const auto offset = static_cast<off_t>(step.page * kPageSize);
    const auto length = static_cast<off_t>(step.pages * kPageSize);
    switch (step.what) {
      case Do::kRead:
        if (pread(fd_, buffer_.data(), step.pages * kPageSize, offset) < 0) {
          ADD_FAILURE() << "pread";
        }
        break;
      case Do::kTouch: {
        rusage before, after;
        getrusage(RUSAGE_SELF, &before);
        static_cast<void>(*(static_cast<volatile char*>(at_) + offset));
        getrusage(RUSAGE_SELF, &after);
        seen.min_flt =
            static_cast<uint64_t>(after.ru_minflt - before.ru_minflt);
        seen.maj_flt =
            static_cast<uint64_t>(after.ru_majflt - before.ru_majflt);
        break;
      }
      case Do::kAdvise:
        posix_fadvise(fd_, offset, length, step.advice);
        break;
      case Do::kMadvise:
        if (step.advice == MADV_WILLNEED) {
          madvise(static_cast<char*>(at_) + offset,
                  std::min<uint64_t>(step.pages, kFilePages - step.page) *
                      kPageSize,
                  step.advice);
        } else {
          madvise(at_, kFilePages * kPageSize, step.advice);
        }
        break;
      case Do::kReopen:
        Close();
        posix_fadvise(file_.fd(), 0, 0, POSIX_FADV_DONTNEED);
        Reopen();
        break;
    }
    return seen;
  }

  std::string Core() const {
    std::string core(kFilePages, 0);
    mincore(at_, kFilePages * kPageSize,
            reinterpret_cast<unsigned char*>(core.data()));
    for (char& page : core) page &= 1;
    return core;
  }
  // When the disk has delivered what it was asked for.
  std::string CoreOnce(const std::string& expected) const {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::seconds(2);
    std::string core = Core();
    while (core != expected && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
      core = Core();
    }
    return core;
  }

 private:
  void Reopen() {
    fd_ = file_.Reopen();
    at_ = mmap(reinterpret_cast<void*>(kWindow), kFilePages * kPageSize,
               PROT_READ, MAP_SHARED | MAP_FIXED, fd_, 0);
  }
  void Close() {
    munmap(at_, kFilePages * kPageSize);
    close(fd_);
  }

  const RealFile& file_;
  int fd_ = -1;
  void* at_ = nullptr;
  std::string buffer_ = std::string(16 * kPageSize, 'b');
};

class Simulated {
 public:
  explicit Simulated(const RealFile& file) : m_(ConfigOf(file)) {
    m_.Apply({1, CreateFile{.path = "/f",
                            .size = kFilePages * kPageSize,
                            .content = FileContent::kPattern,
                            .data = {},
                            .cached = false,
                            .fs = FsType::kExt4}});
    Reopen();
  }

  Seen Run(const Step& step) {
    const uint64_t offset = step.page * kPageSize;
    Outcome out;
    switch (step.what) {
      case Do::kRead:
        m_.Apply({1, Read{kFd, offset, step.pages * kPageSize}});
        break;
      case Do::kTouch:
        out = m_.Apply({1, Access{.addr = kWindow + offset}});
        break;
      case Do::kAdvise:
        m_.Apply({1, Fadvise{kFd, static_cast<int64_t>(offset),
                             static_cast<int64_t>(step.pages * kPageSize),
                             step.advice}});
        break;
      case Do::kMadvise:
        if (step.advice == MADV_WILLNEED) {
          m_.Apply({1, Madvise{kWindow + offset,
                               std::min(step.pages, kFilePages - step.page) *
                                   kPageSize,
                               step.advice}});
        } else {
          m_.Apply({1, Madvise{kWindow, kFilePages * kPageSize, step.advice}});
        }
        break;
      case Do::kReopen:
        m_.Apply({1, Munmap{kWindow, kFilePages * kPageSize}});
        m_.Apply({1, Fadvise{kFd, 0, 0, POSIX_FADV_DONTNEED}});
        m_.Apply({1, Close{kFd}});
        Reopen();
        break;
    }
    m_.Apply({1, Tick{1'000'000'000}});
    EXPECT_EQ(m_.Verify(), "");
    return {out.min_flt, out.maj_flt,
            m_.Apply({1, Mincore{kWindow, kFilePages * kPageSize}}).data};
  }

 private:
  static constexpr int32_t kFd = 3;
  static MachineConfig ConfigOf(const RealFile& file) {
    MachineConfig config;
    const std::string device = file.Device();
    config.sysctls = {
        {"bdi.read_ahead_kb",
         NumberIn("/sys/class/bdi/" + device + "/read_ahead_kb")},
        {"bdi.max_sectors_kb",
         NumberIn("/sys/dev/block/" + device + "/queue/max_sectors_kb")}};
    return config;
  }
  void Reopen() {
    m_.Apply({1, Open{"/f", 2, kFd}});
    constexpr uint64_t kSharedFixed = MAP_SHARED | MAP_FIXED;
    m_.Apply({1, Mmap{kWindow, kFilePages * kPageSize, PROT_READ, kSharedFixed,
                      kFd, 0}});
  }

  Machine m_;
};

std::string Runs(const std::string& core) {
  std::string text;
  for (size_t i = 0; i < core.size();) {
    if (core[i] == 0) {
      i++;
      continue;
    }
    const size_t first = i;
    while (i < core.size() && core[i] != 0) i++;
    text += std::to_string(first) + "-" + std::to_string(i - 1) + " ";
  }
  return text;
}

class PageCacheNativeTest : public ::testing::TestWithParam<uint32_t> {};

// Where the kernel and the machine part in a run of the steps, or "".
std::string Difference(const RealFile& file, uint32_t seed) {
  file.Fill(kFilePages);
  Real real(file);
  Simulated simulated(file);
  std::string script;
  for (const Step& step : RandomSteps(seed)) {
    script += step.Text() + "\n";
    const Seen ours = simulated.Run(step);
    const Seen theirs = real.Run(step);
    const std::string core = real.CoreOnce(ours.core);
    if (Runs(ours.core) != Runs(core)) {
      return script + "pages: " + Runs(ours.core) + ", Linux: " + Runs(core);
    }
    if (step.what != Do::kTouch) continue;
    if (ours.min_flt != theirs.min_flt || ours.maj_flt != theirs.maj_flt) {
      return script + "faults: " + std::to_string(ours.min_flt) + " minor, " +
             std::to_string(ours.maj_flt) +
             " major, Linux: " + std::to_string(theirs.min_flt) + " and " +
             std::to_string(theirs.maj_flt);
    }
  }
  return "";
}

// Others read and reclaim beside it: what differs counts when it differs each
// time.
TEST_P(PageCacheNativeTest, TheSamePagesAreReadAhead) {
  constexpr int kTries = 5;
  std::string difference;
  for (int i = 0; i < kTries; i++) {
    const RealFile file;
    if (const std::string why = NotAsked(file); !why.empty()) {
      GTEST_SKIP() << why;
    }
    difference = Difference(file, GetParam());
    if (difference.empty()) return;
  }
  FAIL() << difference;
}
INSTANTIATE_TEST_SUITE_P(Seeds, PageCacheNativeTest, ::testing::Range(1u, 13u));

// A field of the mapping at kWindow, kB.
uint64_t SmapsField(const std::string& smaps, const std::string& field) {
  const size_t vma = smaps.find("10000000-");
  const size_t at = smaps.find("\n" + field + ":", vma);
  return at == std::string::npos
             ? 0
             : std::stoull(smaps.substr(at + field.size() + 2));
}
std::string RealSmaps() {
  std::ifstream file("/proc/self/smaps");
  return {std::istreambuf_iterator<char>(file), {}};
}
uint64_t RealVmstat(const std::string& name) {
  // Each CPU's share is added first.
  std::ofstream("/proc/sys/vm/stat_refresh") << 1 << std::flush;
  std::ifstream file("/proc/vmstat");
  std::string field;
  uint64_t value = 0;
  while (file >> field >> value) {
    if (field == name) return value;
  }
  return 0;
}

// Pages written one by one, so that each is a folio of its own.
TEST(PageCacheNative, FsyncCleansWhatIsDirty) {
  const RealFile file;
  if (const std::string why = NotAsked(file); !why.empty()) GTEST_SKIP() << why;
  constexpr uint64_t kPages = 16;
  const std::string page(kPageSize, 'y');
  const uint64_t dirtied = RealVmstat("nr_dirtied");
  Machine m{MachineConfig{}};
  m.Apply({1, CreateFile{.path = "/f", .data = {}, .fs = FsType::kExt4}});
  m.Apply({1, Open{"/f", 2, 3}});
  for (uint64_t i = 0; i < kPages; i++) {
    ASSERT_EQ(pwrite(file.fd(), page.data(), kPageSize,
                     static_cast<off_t>(i * kPageSize)),
              static_cast<ssize_t>(kPageSize));
    m.Apply({1, Write{3, i * kPageSize, page}});
  }
  EXPECT_GE(RealVmstat("nr_dirtied"), dirtied + kPages);
  EXPECT_EQ(m.kernel().vmstat.node[kNrDirtied], int64_t{kPages});
  constexpr size_t kBytes = kPages * kPageSize;
  auto* at = static_cast<volatile char*>(
      mmap(reinterpret_cast<void*>(kWindow), kBytes, PROT_READ | PROT_WRITE,
           MAP_SHARED | MAP_FIXED, file.fd(), 0));
  m.Apply({1, Mmap{kWindow, kBytes, 3, MAP_SHARED | MAP_FIXED, 3, 0}});
  const auto compare = [&](const char* when) {
    const std::string theirs = RealSmaps();
    const std::string ours = ReadProc(m.kernel(), "/proc/1/smaps").value();
    for (const char* field : {"Rss", "Private_Clean", "Private_Dirty",
                              "Shared_Clean", "Shared_Dirty"}) {
      EXPECT_EQ(SmapsField(theirs, field), SmapsField(ours, field))
          << field << " " << when;
    }
  };
  const auto write = [&](uint64_t i) {
    rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    at[i * kPageSize] = 'z';
    getrusage(RUSAGE_SELF, &after);
    const Outcome out = m.Apply({1, Access{.kind = AccessKind::kWrite,
                                           .addr = kWindow + i * kPageSize,
                                           .value = 'z'}});
    EXPECT_EQ(static_cast<uint64_t>(after.ru_minflt - before.ru_minflt),
              out.min_flt);
    EXPECT_EQ(after.ru_majflt - before.ru_majflt, 0);
    EXPECT_EQ(out.maj_flt, 0u);
  };
  const uint64_t written = RealVmstat("nr_written");
  fsync(file.fd());
  m.Apply({1, Fsync{3}});
  EXPECT_GE(RealVmstat("nr_written"), written + kPages);
  EXPECT_EQ(m.kernel().vmstat.node[kNrWritten], int64_t{kPages});
  for (uint64_t i = 0; i < kPages; i += 3) write(i);
  compare("after writing");
  fsync(file.fd());
  m.Apply({1, Fsync{3}});
  compare("after fsync");
  for (uint64_t i = 0; i < kPages; i += 2) write(i);
  write(0);
  compare("after writing again");
  msync(const_cast<char*>(at), kBytes, MS_ASYNC);
  m.Apply({1, Msync{kWindow, kBytes, MS_ASYNC}});
  compare("after MS_ASYNC");
  msync(const_cast<char*>(at), 4 * kPageSize, MS_SYNC);
  m.Apply({1, Msync{kWindow, 4 * kPageSize, MS_SYNC}});
  compare("after MS_SYNC of a part");
  munmap(const_cast<char*>(at), kBytes);
}

// The lines "name number …" of a file.
std::map<std::string, uint64_t> Numbers(const char* path) {
  std::ifstream file(path);
  std::map<std::string, uint64_t> numbers;
  std::string name, rest;
  uint64_t value = 0;
  while (file >> name >> value && std::getline(file, rest)) {
    numbers[name] = value;
  }
  return numbers;
}

// calculate_totalreserve_pages() from /proc/zoneinfo.
uint64_t RealTotalreserve() {
  std::ifstream file("/proc/zoneinfo");
  uint64_t total = 0, high = 0, managed = 0;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name == "high" && line.find("high:") == std::string::npos) {
      words >> high;
    } else if (name == "managed") {
      words >> managed;
    } else if (name == "protection:") {
      uint64_t reserve = 0, most = 0;
      char mark = 0;
      while (words >> mark >> reserve) most = std::max(most, reserve);
      total += std::min(most + high, managed);
    }
  }
  return total;
}

// The thresholds follow from the counters beside them. Others use memory
// meanwhile, so it is read until one reading is of one moment.
TEST(PageCacheNative, TheThresholdsFollowFromFreeAndCachedPages) {
  const RealFile file;
  if (const std::string why = NotAsked(file); !why.empty()) GTEST_SKIP() << why;
  const std::string vm = "/proc/sys/vm/dirty_";
  if (NumberIn(vm + "bytes") + NumberIn(vm + "background_bytes") != 0) {
    GTEST_SKIP() << "the thresholds are given in bytes";
  }
  const uint64_t ratio = NumberIn(vm + "ratio");
  const uint64_t background = NumberIn(vm + "background_ratio");
  constexpr int kReadings = 1000;
  bool agreed = false;
  for (int i = 0; i < kReadings && !agreed; i++) {
    const uint64_t free = Numbers("/proc/meminfo")["MemFree:"] / 4;
    auto n = Numbers("/proc/vmstat");
    const uint64_t dirtyable = free - std::min(free, RealTotalreserve()) +
                               n["nr_inactive_file"] + n["nr_active_file"] + 1;
    const auto limit = [&](uint64_t percent) {
      return percent * kPageSize / 100 * dirtyable / kPageSize;
    };
    agreed = n["nr_dirty_threshold"] == limit(ratio) &&
             n["nr_dirty_background_threshold"] == limit(background);
  }
  EXPECT_TRUE(agreed);
}

}  // namespace
}  // namespace faultline::native
