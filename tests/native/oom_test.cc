// Whom the OOM killer chooses, here and in the machine: processes of known
// sizes and oom_score_adj in a memory cgroup of their own, which then runs out
// of its few MiB. The machine has processes as large, and as much memory as the
// cgroup may have, for that is what oom_score_adj is measured by. Wants root
// and a cgroup v1 hierarchy of memory.
//
// Not compared: the whole system running out; ties, which a cgroup breaks by
// when a process joined it; the reaper, and the report.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "server/machine/machine.h"
#include "server/machine/mm/oom_kill.h"
#include "tests/native/affinity.h"

namespace faultline::native {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kLimit = 48 * kMiB;
// Beyond the limit; less than the smallest victim gives back.
constexpr uint64_t kExcess = 2 * kMiB;
// How often a victim is asked for until the kernel kills only one.
constexpr int kTries = 10;

// A directory of the hierarchy; what is in it is killed at the end.
class Cgroup {
 public:
  Cgroup()
      : path_("/sys/fs/cgroup/memory/faultline-oom-" +
              std::to_string(getpid())) {
    if (mkdir(path_.c_str(), 0755) != 0) {
      error_ = path_ + ": " + strerror(errno);
      return;
    }
    made_ = true;
    if (!Set("memory.limit_in_bytes", std::to_string(kLimit))) {
      error_ = "the cgroup takes no limit";
    }
  }
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;
  ~Cgroup() {
    if (made_) rmdir(path_.c_str());
  }
  const std::string& error() const { return error_; }
  bool Set(const std::string& file, const std::string& value) const {
    std::ofstream out(path_ + "/" + file);
    return static_cast<bool>(out << value << std::flush);
  }
  uint64_t Usage() const {
    uint64_t bytes = 0;
    std::ifstream(path_ + "/memory.usage_in_bytes") >> bytes;
    return bytes;
  }
  // How many of it the OOM killer has killed.
  uint64_t Kills() const {
    std::ifstream control(path_ + "/memory.oom_control");
    std::string name;
    uint64_t value = 0, kills = 0;
    while (control >> name >> value) {
      if (name == "oom_kill") kills = value;
    }
    return kills;
  }

 private:
  std::string path_, error_;
  bool made_ = false;
};

// A child in the cgroup that has written so many bytes and waits to be killed.
class Child {
 public:
  Child(const Cgroup& cgroup, uint64_t bytes, int adj, int policy) {
    int ready[2];
    if (pipe(ready) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      const sched_param idle{};
      sched_setscheduler(0, policy, &idle);
      char state = Prepare(cgroup, adj);
      if (state == kPrepared) Touch(bytes);
      if (write(ready[1], &state, 1) != 1) _exit(1);
      while (true) pause();
    }
    close(ready[1]);
    if (read(ready[0], &state_, 1) != 1) state_ = kDied;
    close(ready[0]);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  bool prepared() const { return state_ == kPrepared; }
  bool may_not_be_adjusted() const { return state_ == kMayNot; }
  // Its pages and page tables, in pages.
  uint64_t Pages() const {
    std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
    std::string word;
    uint64_t kb = 0, sum = 0;
    while (status >> word) {
      if (word == "VmRSS:" || word == "VmPTE:" || word == "VmSwap:") {
        status >> kb;
        sum += kb;
      }
    }
    return sum * 1024 / kPageSize;
  }

 private:
  static constexpr char kPrepared = 'y', kMayNot = 'c', kDied = 'd';
  static char Prepare(const Cgroup& cgroup, int adj) {
    if (!cgroup.Set("cgroup.procs", std::to_string(getpid()))) return kDied;
    std::ofstream("/proc/self/oom_score_adj") << adj;
    int now = 0;
    std::ifstream("/proc/self/oom_score_adj") >> now;
    return now == adj ? kPrepared : kMayNot;
  }
  static void Touch(uint64_t bytes) {
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) _exit(1);
    madvise(at, bytes, MADV_NOHUGEPAGE);
    for (uint64_t i = 0; i < bytes; i += kPageSize) {
      static_cast<volatile char*>(at)[i] = 1;
    }
  }
  pid_t pid_ = -1;
  char state_ = kDied;
};

struct Case {
  const char* name;
  struct Process {
    uint64_t mib;
    int adj;
  };
  std::vector<Process> processes;
  size_t victim;  // index; what both must choose
};
// Negative values want CAP_SYS_RESOURCE, which root may lack; that it is the
// others who are worse keeps the one that takes the rest from being chosen.
constexpr int kBase = 600;
const Case kCases[] = {
    {"TheLargest", {{8, kBase}, {14, kBase}, {5, kBase}}, 1},
    {"ASmallOneWithAnAdjustment", {{14, kBase}, {8, kBase}, {5, 1000}}, 2},
    {"NotTheProtected", {{14, 300}, {8, kBase}, {5, kBase}}, 1},
    {"TheLargestInSpiteOfIt", {{16, 560}, {8, kBase}, {5, kBase}}, 0},
    {"TheSumDecides", {{14, kBase}, {8, 760}, {5, 860}}, 2},
    {"NotTheExempt", {{14, kOomScoreAdjMin}, {8, kBase}, {5, kBase}}, 1},
};

class OomChoice : public ::testing::TestWithParam<Case> {};

// The one that is killed, by its index. Nothing where the kernel killed more
// than one: exit_mmap() says that a victim's memory is gone (MMF_OOM_SKIP)
// before tlb_finish_mmu() frees it, and who asks in between has the next one
// killed. So who asks runs on the victim's CPU, when the victim has no use for
// it.
std::optional<size_t> Real(const Cgroup& cgroup,
                           const std::deque<Child>& children) {
  const uint64_t usage = cgroup.Usage();
  EXPECT_LT(usage, kLimit);
  const uint64_t kills = cgroup.Kills();
  // It is done when the victim's memory is free.
  const Child greedy(cgroup, kLimit - usage + kExcess, 0, SCHED_IDLE);
  EXPECT_TRUE(greedy.prepared());
  if (cgroup.Kills() != kills + 1) return std::nullopt;
  siginfo_t dead{};
  waitid(P_ALL, 0, &dead, WEXITED | WNOWAIT);
  EXPECT_EQ(dead.si_status, SIGKILL);
  size_t victim = 0;
  while (victim < children.size() && children[victim].pid() != dead.si_pid) {
    victim++;
  }
  return victim;
}

// The same sizes in the machine: its processes are 2, 3 …
size_t Simulated(const Case& c, const std::vector<uint64_t>& pages) {
  Machine m{MachineConfig{}};
  constexpr uint64_t kAddr = 0x10000000;
  for (size_t i = 0; i < pages.size(); i++) {
    const auto pid = static_cast<Pid>(m.Apply({1, Fork{}}).value);
    m.Apply({pid, SetOomScoreAdj{c.processes[i].adj}});
    m.Apply({pid, Mmap{kAddr, pages[i] * kPageSize, 3, 0x32, -1, 0}});
    const auto size = [&] {
      const Kernel& k = m.kernel();
      const Mm& mm = k.mms[k.tasks[k.pids.at(pid)].mm];
      return mm.RssPages() + mm.pgtables_bytes / kPageSize;
    };
    for (uint64_t page = 0; size() < pages[i]; page++) {
      m.Apply({pid, Access{AccessKind::kWrite, kAddr + page * kPageSize, 1,
                           kPageSize, 1}});
    }
    EXPECT_LE(size(), pages[i] + 1) << "with a page table";
  }
  EXPECT_EQ(m.Verify(), "");
  Kernel k = m.kernel();
  k.totalram_pages = kLimit / kPageSize;  // mem_cgroup_get_max()
  const Id<Task> victim = SelectBadProcess(k);
  return victim ? k.tasks[victim].pid - 2 : pages.size();
}

TEST_P(OomChoice, IsTheKernels) {
  if (geteuid() != 0) GTEST_SKIP() << "a cgroup needs root";
  if (access("/sys/fs/cgroup/memory/memory.limit_in_bytes", F_OK) != 0) {
    GTEST_SKIP() << "there is no cgroup v1 hierarchy of memory";
  }
  const Cgroup cgroup;
  if (!cgroup.error().empty()) GTEST_SKIP() << cgroup.error();
  PinToFirstCpu();
  const Case& c = GetParam();
  std::vector<uint64_t> pages;
  std::optional<size_t> victim;
  for (int i = 0; i < kTries && !victim; i++) {
    pages.clear();
    std::deque<Child> children;
    for (const Case::Process& p : c.processes) {
      children.emplace_back(cgroup, p.mib * kMiB, p.adj, SCHED_OTHER);
      if (children.back().may_not_be_adjusted()) {
        GTEST_SKIP() << "a negative oom_score_adj wants CAP_SYS_RESOURCE";
      }
      ASSERT_TRUE(children.back().prepared());
      pages.push_back(children.back().Pages());
    }
    victim = Real(cgroup, children);
  }
  ASSERT_TRUE(victim) << "each time several were killed";
  EXPECT_EQ(*victim, c.victim);
  EXPECT_EQ(Simulated(c, pages), *victim);
}
INSTANTIATE_TEST_SUITE_P(Cases, OomChoice, ::testing::ValuesIn(kCases),
                         [](const auto& test) {
                           return std::string(test.param.name);
                         });

}  // namespace
}  // namespace faultline::native
