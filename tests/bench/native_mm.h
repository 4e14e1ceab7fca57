// What the real kernel needs for the calls that the benchmark compares. Each
// function measures once, mostly in nanoseconds, in the process that calls it:
// call them in a small process of their own (ReferenceProcess), because a fork
// copies what the caller has mapped.

#ifndef FAULTLINE_TESTS_BENCH_NATIVE_MM_H_
#define FAULTLINE_TESTS_BENCH_NATIVE_MM_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/comparison.h"

namespace faultline::bench {

// Sizes that both sides use.
inline constexpr size_t kPageBytes = 4096;
inline constexpr size_t kFaultBytes = size_t{64} << 20;
inline constexpr size_t kResidentBytes = size_t{256} << 20;
inline constexpr int kPairCalls = 20000;
inline constexpr int kManyVmas = 60000;
inline constexpr int kManyVmasPairCalls = 5000;
inline constexpr size_t kMoveBytes = size_t{1} << 20;
inline constexpr int kMoveCalls = 200;

inline constexpr int kFindCalls = 20000;
// Accesses in one go, to so few pages that the TLB holds them.
inline constexpr int kHitAccesses = 16384;
inline constexpr int kHitPages = 64;
inline constexpr int kAllocPairs = 20000;
inline constexpr int kReadCalls = 20000;
inline constexpr int kReadPages = 1024;

struct NativeMeasurement {
  const char* name;
  const char* unit;  // "ns/fault", "ns/fork", ...
  double (*measure)();
  // What is promised of ours.
  double wanted;
  WantedOf wanted_of = WantedOf::kRatio;
};

// All of them; names are unique.
const std::vector<NativeMeasurement>& NativeMeasurements();

// A write to each page of 64 MiB of fresh anonymous memory; page tables
// included. Per page.
double AnonymousWriteFault();
// A read of each page of the same: the zero page. Per page.
double ZeroPageReadFault();
// A write by the child to each of 64 MiB of pages it shares with its parent.
// Per page.
double CopyOnWriteFault();
// The fork call alone, as its caller sees it, of a process with 256 MiB
// written since its last fork.
double Fork256MiB();
// The same fork, the child's exit, and the wait for it, by the wall clock,
// since two processes take turns.
double ForkExitWait256MiB();
// munmap of 256 MiB, all of it written.
double Munmap256MiB();
// mmap of one anonymous page and munmap of it, untouched. Per pair.
double MmapMunmapPair();
// The same pair, of two pages, beside 60,000 areas of one page with holes of
// one page between them. Per pair.
double MmapMunmapPairAmong60000();
// mprotect that splits an area in three, and one that merges it again. Per
// pair.
double MprotectSplitMerge();
// mremap that moves 1 MiB of written pages. Per call.
double MremapMove1MiB();

// msync of one untouched page of an area, which is finding it: any of 60,000,
// in random order. Per call.
double FindVmaAmong60000();
// F_SETPIPE_SZ to one page and to two, in turn: an array of that many pipe
// buffers is allocated and the one before it freed. Per call.
double PipeResize();
// pread of one page of a file on a disk, any of 4 MiB that are all in the page
// cache. Per call.
double PageCacheReadHit();
// A load or store to a random one of few pages. Per access.
double TlbHitAccess();
// struct page and the page tables of each page of 256 MiB of zeros that were
// written. Bytes per page.
double BytesPerPage();

// Numbers in no order, the same for both sides.
std::vector<uint32_t> RandomNumbers(int count, uint32_t below);

// A process for one measurement, forked while the caller is still small. It is
// pinned to one CPU, uses no huge pages, and measures on request; the caller
// may then grow. One process each, so that what one measurement leaves mapped
// is no burden to another.
class ReferenceProcess {
 public:
  // Forks. Exits the program with a message when that is impossible.
  ReferenceProcess(const NativeMeasurement& measurement, int cpu);
  ~ReferenceProcess();
  ReferenceProcess(const ReferenceProcess&) = delete;
  ReferenceProcess& operator=(const ReferenceProcess&) = delete;

  // Measures once.
  double Measure();

 private:
  int pid_ = -1;
  int requests_ = -1;
  int answers_ = -1;
};

// Pins the caller to `cpu`; false when the machine does not allow it.
bool PinToCpu(int cpu);

// The processor time of the calling thread: on a busy machine a wall clock
// would count the neighbours.
double NowNs();

}  // namespace faultline::bench

#endif  // FAULTLINE_TESTS_BENCH_NATIVE_MM_H_
