#include "tests/bench/native_mm.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <utility>

namespace faultline::bench {
namespace {

constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::_Exit(1);
}

double ReadClock(clockid_t clock) {
  timespec now;
  if (clock_gettime(clock, &now) != 0) Die("bench: clock_gettime");
  return static_cast<double>(now.tv_sec) * 1e9 +
         static_cast<double>(now.tv_nsec);
}

char* MapOrDie(void* addr, size_t bytes, int prot, int flags) {
  void* area = mmap(addr, bytes, prot, flags, -1, 0);
  if (area == MAP_FAILED) Die("bench: mmap");
  return static_cast<char*>(area);
}

void UnmapOrDie(void* addr, size_t bytes) {
  if (munmap(addr, bytes) != 0) Die("bench: munmap");
}

char* MapAnonymous(size_t bytes) {
  char* area = MapOrDie(nullptr, bytes, PROT_READ | PROT_WRITE, kAnonymous);
  // Where PR_SET_THP_DISABLE is refused this does the same.
  madvise(area, bytes, MADV_NOHUGEPAGE);
  return area;
}

void WritePages(char* area, size_t bytes) {
  for (size_t i = 0; i < bytes; i += kPageBytes) {
    *static_cast<volatile char*>(area + i) = 1;
  }
}

void ReadPages(const char* area, size_t bytes) {
  for (size_t i = 0; i < bytes; i += kPageBytes) {
    static_cast<void>(*static_cast<const volatile char*>(area + i));
  }
}

double Pages(size_t bytes) { return static_cast<double>(bytes / kPageBytes); }

// The system call itself: the C library's fork runs handlers and locks.
pid_t RawFork() {
  return static_cast<pid_t>(
      syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

[[noreturn]] void RawExit() {
  syscall(SYS_exit_group, 0);
  __builtin_unreachable();
}

void WaitFor(pid_t pid) {
  if (waitpid(pid, nullptr, 0) != pid) Die("bench: waitpid");
}

struct ForkTimes {
  double fork_ns;
  double all_ns;
};

ForkTimes TimeFork() {
  // Kept from call to call; written again each time, so that every fork finds
  // writable entries to protect, as a first fork does.
  static char* const area = MapAnonymous(kResidentBytes);
  WritePages(area, kResidentBytes);
  const double wall_start = ReadClock(CLOCK_MONOTONIC);
  const double start = NowNs();
  const pid_t pid = RawFork();
  if (pid == 0) RawExit();
  const double forked = NowNs();
  if (pid < 0) Die("bench: fork");
  WaitFor(pid);
  return {forked - start, ReadClock(CLOCK_MONOTONIC) - wall_start};
}

// Areas that do not touch do not merge.
char* MapMany() {
  const size_t span = kManyVmas * 2 * kPageBytes;
  char* area = MapOrDie(nullptr, span, PROT_NONE, kAnonymous | MAP_NORESERVE);
  UnmapOrDie(area, span);
  for (int i = 0; i < kManyVmas; ++i) {
    MapOrDie(area + static_cast<size_t>(i) * 2 * kPageBytes, kPageBytes,
             PROT_READ | PROT_WRITE, kAnonymous | MAP_FIXED_NOREPLACE);
  }
  return area;
}

char* MapManyOnce() {
  static char* const area = MapMany();
  return area;
}

// VmPTE of /proc/self/status.
double PageTableBytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    double kib = 0;
    if (word == "VmPTE:" && status >> kib) return kib * 1024;
  }
  Die("bench: no VmPTE in /proc/self/status");
}

[[noreturn]] void Serve(const NativeMeasurement& measurement, int requests,
                        int answers, int cpu) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  PinToCpu(cpu);
  char request = 0;
  while (read(requests, &request, 1) == 1) {
    const double ns = measurement.measure();
    if (write(answers, &ns, sizeof(ns)) != sizeof(ns)) break;
  }
  std::_Exit(0);
}

}  // namespace

double NowNs() { return ReadClock(CLOCK_THREAD_CPUTIME_ID); }

bool PinToCpu(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return sched_setaffinity(0, sizeof(set), &set) == 0;
}

double AnonymousWriteFault() {
  char* area = MapAnonymous(kFaultBytes);
  const double start = NowNs();
  WritePages(area, kFaultBytes);
  const double end = NowNs();
  UnmapOrDie(area, kFaultBytes);
  return (end - start) / Pages(kFaultBytes);
}

double ZeroPageReadFault() {
  char* area = MapAnonymous(kFaultBytes);
  const double start = NowNs();
  ReadPages(area, kFaultBytes);
  const double end = NowNs();
  UnmapOrDie(area, kFaultBytes);
  return (end - start) / Pages(kFaultBytes);
}

double CopyOnWriteFault() {
  char* area = MapAnonymous(kFaultBytes);
  auto* result = reinterpret_cast<double*>(MapOrDie(
      nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS));
  WritePages(area, kFaultBytes);
  const pid_t pid = RawFork();
  if (pid < 0) Die("bench: fork");
  if (pid == 0) {
    const double start = NowNs();
    WritePages(area, kFaultBytes);
    *result = NowNs() - start;
    RawExit();
  }
  WaitFor(pid);
  const double ns = *result / Pages(kFaultBytes);
  UnmapOrDie(result, kPageBytes);
  UnmapOrDie(area, kFaultBytes);
  return ns;
}

double Fork256MiB() { return TimeFork().fork_ns; }

double ForkExitWait256MiB() { return TimeFork().all_ns; }

double Munmap256MiB() {
  char* area = MapAnonymous(kResidentBytes);
  WritePages(area, kResidentBytes);
  const double start = NowNs();
  UnmapOrDie(area, kResidentBytes);
  return NowNs() - start;
}

double MmapMunmapPair() {
  const double start = NowNs();
  for (int i = 0; i < kPairCalls; ++i) {
    UnmapOrDie(
        MapOrDie(nullptr, kPageBytes, PROT_READ | PROT_WRITE, kAnonymous),
        kPageBytes);
  }
  return (NowNs() - start) / kPairCalls;
}

double MmapMunmapPairAmong60000() {
  MapManyOnce();
  const double start = NowNs();
  for (int i = 0; i < kManyVmasPairCalls; ++i) {
    UnmapOrDie(
        MapOrDie(nullptr, 2 * kPageBytes, PROT_READ | PROT_WRITE, kAnonymous),
        2 * kPageBytes);
  }
  return (NowNs() - start) / kManyVmasPairCalls;
}

double MprotectSplitMerge() {
  char* area = MapAnonymous(16 * kPageBytes);
  char* middle = area + 8 * kPageBytes;
  const double start = NowNs();
  for (int i = 0; i < kPairCalls; ++i) {
    if (mprotect(middle, kPageBytes, PROT_NONE) != 0 ||
        mprotect(middle, kPageBytes, PROT_READ | PROT_WRITE) != 0) {
      Die("bench: mprotect");
    }
  }
  const double end = NowNs();
  UnmapOrDie(area, 16 * kPageBytes);
  return (end - start) / kPairCalls;
}

double MremapMove1MiB() {
  // Two places, with room so that neither touches the other.
  char* area = MapAnonymous(3 * kMoveBytes);
  char* from = area;
  char* to = area + 2 * kMoveBytes;
  UnmapOrDie(area + kMoveBytes, 2 * kMoveBytes);
  WritePages(from, kMoveBytes);
  const double start = NowNs();
  for (int i = 0; i < kMoveCalls; ++i) {
    if (mremap(from, kMoveBytes, kMoveBytes, MREMAP_MAYMOVE | MREMAP_FIXED,
               to) != to) {
      Die("bench: mremap");
    }
    std::swap(from, to);
  }
  const double end = NowNs();
  UnmapOrDie(from, kMoveBytes);
  return (end - start) / kMoveCalls;
}

double FindVmaAmong60000() {
  static char* const area = MapManyOnce();
  static const std::vector<uint32_t> which =
      RandomNumbers(kFindCalls, kManyVmas);
  const double start = NowNs();
  for (const uint32_t i : which) {
    if (msync(area + size_t{i} * 2 * kPageBytes, kPageBytes, MS_ASYNC) != 0) {
      Die("bench: msync");
    }
  }
  return (NowNs() - start) / kFindCalls;
}

double PageCacheReadHit() {
  const int file = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) Die("bench: a file in /var/tmp");
  std::vector<char> page(kPageBytes, 'x');
  for (int i = 0; i < kReadPages; ++i) {
    if (write(file, page.data(), kPageBytes) < 0) Die("bench: write");
  }
  const std::vector<uint32_t> order = RandomNumbers(kReadCalls, kReadPages);
  const double start = NowNs();
  for (const uint32_t i : order) {
    if (pread(file, page.data(), kPageBytes,
              static_cast<off_t>(i) * kPageBytes) < 0) {
      Die("bench: pread");
    }
  }
  const double end = NowNs();
  close(file);
  return (end - start) / kReadCalls;
}

double PipeResize() {
  int pipe[2];
  if (pipe2(pipe, O_CLOEXEC) != 0) Die("bench: pipe2");
  const double start = NowNs();
  for (int i = 0; i < kPairCalls; ++i) {
    const size_t pages = 1 + static_cast<size_t>(i) % 2;
    if (fcntl(pipe[0], F_SETPIPE_SZ, pages * kPageBytes) < 0) {
      Die("bench: F_SETPIPE_SZ");
    }
  }
  const double end = NowNs();
  close(pipe[0]);
  close(pipe[1]);
  return (end - start) / kPairCalls;
}

double TlbHitAccess() {
  static volatile char* const area = MapAnonymous(kHitPages * kPageBytes);
  static const std::vector<uint32_t> where =
      RandomNumbers(kHitAccesses, kHitPages * kPageBytes);
  const double start = NowNs();
  for (const uint32_t i : where) {
    if (i % 3 == 0) {
      area[i] = 1;
    } else {
      static_cast<void>(area[i]);
    }
  }
  return (NowNs() - start) / kHitAccesses;
}

double BytesPerPage() {
  constexpr double kStructPageBytes = 64;
  const double before = PageTableBytes();
  char* area = MapAnonymous(kResidentBytes);
  WritePages(area, kResidentBytes);
  const double tables = PageTableBytes() - before;
  UnmapOrDie(area, kResidentBytes);
  return kStructPageBytes + tables / Pages(kResidentBytes);
}

std::vector<uint32_t> RandomNumbers(int count, uint32_t below) {
  std::mt19937 random(1);
  std::vector<uint32_t> numbers(static_cast<size_t>(count));
  for (uint32_t& number : numbers) number = random() % below;
  return numbers;
}

const std::vector<NativeMeasurement>& NativeMeasurements() {
  constexpr double kFault = 1.0 / 15;
  static const auto& all = *new std::vector<NativeMeasurement>{
      {"anonymous_write_fault", "ns/fault", AnonymousWriteFault, kFault},
      {"fork_256mib", "ns/fork", Fork256MiB, 0.2},
      {"mmap_munmap", "ns/pair", MmapMunmapPair, 0.1},
      {"zero_page_read_fault", "ns/fault", ZeroPageReadFault, 0.1},
      {"cow_write_fault", "ns/fault", CopyOnWriteFault, kFault},
      {"fork_exit_wait_256mib", "ns/fork", ForkExitWait256MiB, 0.2},
      {"munmap_256mib", "ns/call", Munmap256MiB, 0.2},
      {"mprotect_split_merge", "ns/pair", MprotectSplitMerge, 0.1},
      {"mmap_munmap_60000_vmas", "ns/pair", MmapMunmapPairAmong60000, 0.1},
      {"mremap_move_1mib", "ns/call", MremapMove1MiB, 0.1},
      {"find_vma_60000", "ns/call", FindVmaAmong60000, 1},
      {"tlb_hit_access", "ns/access", TlbHitAccess, 10, WantedOf::kOurs},
      {"copy_machine_256mib", "ns/copy", Fork256MiB, 100e3, WantedOf::kOurs},
      {"bytes_per_page", "B/page", BytesPerPage, 96, WantedOf::kOurs},
      // The page allocator itself cannot be called from a process: beside ours
      // stands the kernel's call that it is the greatest part of.
      {"alloc_free_order0", "ns/pair", AnonymousWriteFault, 100,
       WantedOf::kOurs},
      {"alloc_free_order0_fragmented", "ns/pair", AnonymousWriteFault, 300,
       WantedOf::kOurs},
      // The kernel's own allocation of 40 to 80 bytes, in the call that makes
      // it; of vmalloc() the page is the greatest part.
      {"kmalloc_kfree", "ns/pair", PipeResize, 100, WantedOf::kOurs},
      {"vmalloc_vfree", "ns/pair", AnonymousWriteFault, 1000, WantedOf::kOurs},
      {"page_cache_read_hit", "ns/call", PageCacheReadHit, 1},
      // Swap that is turned on would be the whole machine's: beside ours
      // stands the kernel's write fault.
      {"swap_out_in", "ns/page", AnonymousWriteFault, 2000, WantedOf::kOurs},
      {"reclaim_of_10000", "ns/page", AnonymousWriteFault, 2000,
       WantedOf::kOurs},
      {"reclaim_of_1000000", "ns/page", AnonymousWriteFault, 2000,
       WantedOf::kOurs},
      {"reclaim_of_10000000", "ns/page", AnonymousWriteFault, 2000,
       WantedOf::kOurs},
      {"boot_64gib", "ns/boot", Fork256MiB, 1e6, WantedOf::kOurs},
      {"idle_64gib_bytes", "B", BytesPerPage, 128 * 1024, WantedOf::kOurs},
  };
  return all;
}

ReferenceProcess::ReferenceProcess(const NativeMeasurement& measurement,
                                   int cpu) {
  int requests[2];
  int answers[2];
  if (pipe2(requests, O_CLOEXEC) != 0 || pipe2(answers, O_CLOEXEC) != 0) {
    Die("bench: pipe");
  }
  pid_ = fork();
  if (pid_ < 0) Die("bench: fork");
  if (pid_ == 0) {
    close(requests[1]);
    close(answers[0]);
    Serve(measurement, requests[0], answers[1], cpu);
  }
  close(requests[0]);
  close(answers[1]);
  requests_ = requests[1];
  answers_ = answers[0];
}

ReferenceProcess::~ReferenceProcess() {
  // A later one's child holds copies of these ends, so closing is not enough.
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  close(requests_);
  close(answers_);
}

double ReferenceProcess::Measure() {
  const char request = 1;
  double ns = 0;
  if (write(requests_, &request, 1) != 1 ||
      read(answers_, &ns, sizeof(ns)) != sizeof(ns)) {
    std::fprintf(stderr, "bench: the reference process ended\n");
    std::exit(1);
  }
  return ns;
}

}  // namespace faultline::bench
