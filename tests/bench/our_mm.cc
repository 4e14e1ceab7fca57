#include "tests/bench/our_mm.h"

#include <malloc.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/machine/command.h"
#include "server/machine/machine.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/pcp.h"
#include "server/machine/mm/slab_common.h"
#include "server/machine/mm/vmalloc.h"
#include "server/machine/mm/vmscan.h"
#include "server/machine/outcome.h"
#include "tests/bench/native_mm.h"

namespace faultline::bench {
namespace {

constexpr uint64_t kProtNone = 0;
constexpr uint64_t kProtReadWrite = 3;
constexpr uint64_t kAnonymous = 0x22;  // MAP_PRIVATE | MAP_ANONYMOUS
constexpr uint64_t kFixedNoReplace = 0x100000;
constexpr uint64_t kMayMoveFixed = 3;
constexpr Pid kParent = 1;

double Pages(uint64_t bytes) { return static_cast<double>(bytes / kPageBytes); }

// A machine and the verbs that the measurements are made of.
class Bench {
 public:
  Bench() : machine_(Config()) {}

  template <class Op>
  uint64_t Do(Pid pid, Op op) {
    const Command command{pid, Operation(std::move(op))};
    const Outcome outcome = machine_.Apply(command, EventLevel::kCounters);
    if (outcome.error != Errno::kOk || outcome.signal.signal != 0 ||
        outcome.no_process) {
      std::fprintf(stderr, "bench: a simulated call failed with value %lld\n",
                   static_cast<long long>(outcome.value));
      std::_Exit(1);
    }
    return static_cast<uint64_t>(outcome.value);
  }

  uint64_t Map(uint64_t bytes, uint64_t addr = 0, uint64_t flags = 0) {
    return Do(kParent, Mmap{.addr = addr,
                            .length = bytes,
                            .prot = kProtReadWrite,
                            .flags = kAnonymous | flags});
  }
  void Unmap(uint64_t addr, uint64_t bytes) {
    Do(kParent, Munmap{.addr = addr, .length = bytes});
  }
  void Touch(Pid pid, AccessKind kind, uint64_t addr, uint64_t bytes,
             uint8_t value = 1) {
    Do(pid, Access{.kind = kind,
                   .addr = addr,
                   .count = bytes / kPageBytes,
                   .stride = kPageBytes,
                   .value = value});
  }
  // 60,000 areas of a page, with a hole of a page after each.
  void MapMany() {
    constexpr uint64_t kSpan = uint64_t{kManyVmas} * 2 * kPageBytes;
    many_ = Map(kSpan);
    Unmap(many_, kSpan);
    for (uint64_t i = 0; i < kManyVmas; ++i) {
      Map(kPageBytes, many_ + i * 2 * kPageBytes, kFixedNoReplace);
    }
  }
  uint64_t many() const { return many_; }
  const Machine& machine() const { return machine_; }
  Pid ForkParent() { return static_cast<Pid>(Do(kParent, Fork{})); }
  void ExitAndReap(Pid child) {
    Do(child, Exit{});
    Do(kParent, Wait{.pid = child});
  }

 private:
  static MachineConfig Config() {
    MachineConfig config;
    config.ram_bytes = uint64_t{2} << 30;
    return config;
  }

  Machine machine_;
  uint64_t many_ = 0;
};

double FirstTouch(Bench& bench, AccessKind kind) {
  const uint64_t area = bench.Map(kFaultBytes);
  const double start = NowNs();
  bench.Touch(kParent, kind, area, kFaultBytes);
  const double end = NowNs();
  bench.Unmap(area, kFaultBytes);
  return (end - start) / Pages(kFaultBytes);
}

double CopyOnWrite(Bench& bench) {
  const uint64_t area = bench.Map(kFaultBytes);
  bench.Touch(kParent, AccessKind::kWrite, area, kFaultBytes);
  const Pid child = bench.ForkParent();
  const double start = NowNs();
  bench.Touch(child, AccessKind::kWrite, area, kFaultBytes);
  const double end = NowNs();
  bench.ExitAndReap(child);
  bench.Unmap(area, kFaultBytes);
  return (end - start) / Pages(kFaultBytes);
}

// Written again before each fork, as the native side does.
double ForkTime(Bench& bench, bool with_exit) {
  const uint64_t area = bench.Map(kResidentBytes);
  bench.Touch(kParent, AccessKind::kWrite, area, kResidentBytes);
  const double start = NowNs();
  const Pid child = bench.ForkParent();
  const double forked = NowNs();
  bench.ExitAndReap(child);
  const double reaped = NowNs();
  bench.Unmap(area, kResidentBytes);
  return (with_exit ? reaped : forked) - start;
}

double UnmapAll(Bench& bench) {
  const uint64_t area = bench.Map(kResidentBytes);
  bench.Touch(kParent, AccessKind::kWrite, area, kResidentBytes);
  const double start = NowNs();
  bench.Unmap(area, kResidentBytes);
  return NowNs() - start;
}

double MapUnmap(Bench& bench, int calls, uint64_t bytes) {
  const double start = NowNs();
  for (int i = 0; i < calls; ++i) bench.Unmap(bench.Map(bytes), bytes);
  return (NowNs() - start) / calls;
}

double SplitMerge(Bench& bench) {
  const uint64_t area = bench.Map(16 * kPageBytes);
  const uint64_t middle = area + 8 * kPageBytes;
  const double start = NowNs();
  for (int i = 0; i < kPairCalls; ++i) {
    for (const uint64_t prot : {kProtNone, kProtReadWrite}) {
      bench.Do(kParent,
               Mprotect{.addr = middle, .length = kPageBytes, .prot = prot});
    }
  }
  const double end = NowNs();
  bench.Unmap(area, 16 * kPageBytes);
  return (end - start) / kPairCalls;
}

double Move(Bench& bench) {
  uint64_t from = bench.Map(3 * kMoveBytes);
  uint64_t to = from + 2 * kMoveBytes;
  bench.Unmap(from + kMoveBytes, 2 * kMoveBytes);
  bench.Touch(kParent, AccessKind::kWrite, from, kMoveBytes);
  const double start = NowNs();
  for (int i = 0; i < kMoveCalls; ++i) {
    bench.Do(kParent, Mremap{.addr = from,
                             .old_length = kMoveBytes,
                             .new_length = kMoveBytes,
                             .flags = kMayMoveFixed,
                             .new_addr = to});
    std::swap(from, to);
  }
  const double end = NowNs();
  bench.Unmap(from, kMoveBytes);
  return (end - start) / kMoveCalls;
}

double FindVma(Bench& bench) {
  static const std::vector<uint32_t> which =
      RandomNumbers(kFindCalls, kManyVmas);
  constexpr uint64_t kAsync = 1;
  const double start = NowNs();
  for (const uint32_t i : which) {
    bench.Do(kParent, Msync{.addr = bench.many() + uint64_t{i} * 2 * kPageBytes,
                            .length = kPageBytes,
                            .flags = kAsync});
  }
  return (NowNs() - start) / kFindCalls;
}

// As one command, as a client sends it.
double HitTlb(Bench& bench) {
  AccessMany many;
  many.base = bench.Map(kHitPages * kPageBytes);
  bench.Touch(kParent, AccessKind::kWrite, many.base, kHitPages * kPageBytes);
  for (const uint32_t i : RandomNumbers(kHitAccesses, kHitPages * kPageBytes)) {
    many.addr.push_back(i);
    many.kind.push_back(i % 3 == 0 ? AccessKind::kWrite : AccessKind::kRead);
  }
  many.value = std::string(1, '\1');
  const uint64_t area = many.base;
  bench.Do(kParent, many);  // the bytes that differ need memory
  const double start = NowNs();
  bench.Do(kParent, std::move(many));
  const double end = NowNs();
  bench.Unmap(area, kHitPages * kPageBytes);
  return (end - start) / kHitAccesses;
}

double CopyMachine(Bench& bench) {
  const uint64_t area = bench.Map(kResidentBytes);
  bench.Touch(kParent, AccessKind::kWrite, area, kResidentBytes);
  const double start = NowNs();
  {
    const Machine copy = bench.machine();
    const double end = NowNs();
    bench.Unmap(area, kResidentBytes);
    return end - start;
  }
}

// An order-0 page and back, as most are: the last one freed is handed out.
double AllocFree(Bench& bench) {
  static Kernel k = bench.machine().kernel();
  const double start = NowNs();
  for (int i = 0; i < kAllocPairs; ++i) {
    FreePages(k, AllocPages(k, gfp::kHighUserMovable, 0), 0);
  }
  return (NowNs() - start) / kAllocPairs;
}

// 256 MiB of single pages, of which every second one was freed: what is freed
// merges with nothing, and what is allocated splits nothing.
Kernel FragmentedKernel(const Machine& machine) {
  Kernel k = machine.kernel();
  std::vector<Pfn> pages;
  for (uint64_t i = 0; i < kResidentBytes / kPageBytes; ++i) {
    pages.push_back(AllocPages(k, gfp::kHighUserMovable, 0));
  }
  for (const Pfn p : pages) {
    if (p.value() % 2 == 0) FreePages(k, p, 0);
  }
  DrainAllPages(k);
  return k;
}

// As many as no per-CPU list holds, and all of them back.
double AllocFreeFragmented(Bench& bench) {
  static Kernel k = FragmentedKernel(bench.machine());
  static std::vector<Pfn> pages(kAllocPairs);
  const double start = NowNs();
  for (Pfn& p : pages) p = AllocPages(k, gfp::kHighUserMovable, 0);
  for (const Pfn p : pages) FreePages(k, p, 0);
  const double end = NowNs();
  DrainAllPages(k);
  return (end - start) / kAllocPairs;
}

// An object of 64 bytes from the CPU's slab, and back.
double KmallocKfree(Bench& bench) {
  static Kernel k = bench.machine().kernel();
  const double start = NowNs();
  for (int i = 0; i < kAllocPairs; ++i) {
    (void)DoKfree(k, DoKmalloc(k, 64, gfp::kKernel).value());
  }
  return (NowNs() - start) / kAllocPairs;
}

// A page with its area, beside a thousand others; purges included.
double VmallocVfree(Bench& bench) {
  static Kernel k = bench.machine().kernel();
  static const bool filled = [] {
    constexpr int kAreas = 1000;
    for (int i = 0; i < kAreas; ++i) (void)DoVmalloc(k, kPageBytes, 0);
    return true;
  }();
  (void)filled;
  const double start = NowNs();
  for (int i = 0; i < kAllocPairs; ++i) {
    (void)DoVfree(k, DoVmalloc(k, kPageBytes, 0).value());
  }
  return (NowNs() - start) / kAllocPairs;
}

// The same pread, of a file whose pages hold different bytes.
double ReadHit(Bench& bench) {
  static const int fd = [&] {
    bench.Do(kParent, CreateFile{.path = "/data",
                                 .size = kReadPages * kPageBytes,
                                 .data = {},
                                 .fs = FsType::kExt4});
    const auto opened =
        static_cast<int32_t>(bench.Do(kParent, Open{"/data", 2, -1}));
    std::string page(kPageBytes, 'x');
    page[1] = 'y';
    page[2] = 'z';
    for (uint64_t i = 0; i < kReadPages; ++i) {
      bench.Do(kParent, Write{opened, i * kPageBytes, page});
    }
    bench.Do(kParent, Fsync{opened});
    return opened;
  }();
  const std::vector<uint32_t> order = RandomNumbers(kReadCalls, kReadPages);
  const double start = NowNs();
  for (const uint32_t i : order) {
    bench.Do(kParent, Read{fd, uint64_t{i} * kPageBytes, kPageBytes});
  }
  return (NowNs() - start) / kReadCalls;
}

constexpr uint64_t kSwapBytes = uint64_t{8} << 30;
constexpr uint64_t kReclaimBytes = uint64_t{64} << 30;

// 64 MiB to swap and back, eight pages at a read. Per page.
double SwapOutIn(Bench&) {
  Bench bench;
  bench.Do(kParent, Swapon{.path = "", .size = kSwapBytes, .flags = 0});
  const uint64_t area = bench.Map(kFaultBytes);
  bench.Touch(kParent, AccessKind::kWrite, area, kFaultBytes);
  constexpr int32_t kPageout = 21;
  const double start = NowNs();
  bench.Do(kParent,
           Madvise{.addr = area, .length = kFaultBytes, .advice = kPageout});
  bench.Touch(kParent, AccessKind::kRead, area, kFaultBytes);
  return (NowNs() - start) / Pages(kFaultBytes);
}

// A machine with so many pages that were used once.
Kernel WithUsedPages(uint64_t pages) {
  MachineConfig config;
  config.ram_bytes = kReclaimBytes;
  config.swap_bytes = kReclaimBytes;
  Machine machine(config);
  const auto apply = [&](Operation op) {
    return machine.Apply({kParent, std::move(op)}, EventLevel::kNone).value;
  };
  const auto area =
      static_cast<uint64_t>(apply(Mmap{.addr = 0,
                                       .length = pages * kPageBytes,
                                       .prot = kProtReadWrite,
                                       .flags = kAnonymous}));
  apply(Access{.kind = AccessKind::kWrite,
               .addr = area,
               .count = pages,
               .stride = kPageBytes,
               .value = 1});
  return machine.kernel();
}

// Reclaim of so many anonymous pages that were used once: all of them are
// looked at twice and written to swap. Per page.
double Reclaim(uint64_t pages) {
  Kernel k = WithUsedPages(pages);
  ScanControl sc;
  sc.gfp = gfp::kKernel;
  sc.kswapd = true;
  sc.priority = 0;
  sc.nr_to_reclaim = pages;
  const double start = NowNs();
  while (sc.nr_reclaimed < pages) ShrinkNode(k, sc);
  return (NowNs() - start) / static_cast<double>(pages);
}

MachineConfig Large() {
  MachineConfig config;
  config.ram_bytes = uint64_t{64} << 30;
  return config;
}

double BootLarge(Bench&) {
  const double start = NowNs();
  const Machine machine(Large());
  return NowNs() - start;
}

double HostBytesAllocated() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

// Of the host's memory, for a machine of 64 GiB that does nothing.
double IdleLargeBytes(Bench&) {
  const double before = HostBytesAllocated();
  const auto machine = std::make_unique<Machine>(Large());
  return HostBytesAllocated() - before;
}

// Of the host's memory, for pages that are written with zeros.
double HostBytesPerPage(Bench&) {
  Bench bench;
  const uint64_t area = bench.Map(kResidentBytes);
  const double before = HostBytesAllocated();
  bench.Touch(kParent, AccessKind::kWrite, area, kResidentBytes, 0);
  return (HostBytesAllocated() - before) / Pages(kResidentBytes);
}

using Measure = double (*)(Bench&);

const std::map<std::string, Measure>& Measures() {
  static const auto& measures = *new std::map<std::string, Measure>{
      {"anonymous_write_fault",
       [](Bench& b) { return FirstTouch(b, AccessKind::kWrite); }},
      {"zero_page_read_fault",
       [](Bench& b) { return FirstTouch(b, AccessKind::kRead); }},
      {"cow_write_fault", CopyOnWrite},
      {"fork_256mib", [](Bench& b) { return ForkTime(b, false); }},
      {"fork_exit_wait_256mib", [](Bench& b) { return ForkTime(b, true); }},
      {"munmap_256mib", UnmapAll},
      {"mmap_munmap",
       [](Bench& b) { return MapUnmap(b, kPairCalls, kPageBytes); }},
      {"mmap_munmap_60000_vmas",
       [](Bench& b) {
         return MapUnmap(b, kManyVmasPairCalls, 2 * kPageBytes);
       }},
      {"mprotect_split_merge", SplitMerge},
      {"mremap_move_1mib", Move},
      {"find_vma_60000", FindVma},
      {"tlb_hit_access", HitTlb},
      {"copy_machine_256mib", CopyMachine},
      {"bytes_per_page", HostBytesPerPage},
      {"alloc_free_order0", AllocFree},
      {"alloc_free_order0_fragmented", AllocFreeFragmented},
      {"kmalloc_kfree", KmallocKfree},
      {"vmalloc_vfree", VmallocVfree},
      {"page_cache_read_hit", ReadHit},
      {"swap_out_in", SwapOutIn},
      {"reclaim_of_10000", [](Bench&) { return Reclaim(10'000); }},
      {"reclaim_of_1000000", [](Bench&) { return Reclaim(1'000'000); }},
      {"reclaim_of_10000000", [](Bench&) { return Reclaim(10'000'000); }},
      {"boot_64gib", BootLarge},
      {"idle_64gib_bytes", IdleLargeBytes},
  };
  return measures;
}

}  // namespace

std::function<double()> OurMeasurement(const std::string& name) {
  const Measure measure = Measures().at(name);
  auto bench = std::make_shared<Bench>();
  if (name == "mmap_munmap_60000_vmas" || name == "find_vma_60000") {
    bench->MapMany();
  }
  return [bench, measure] { return measure(*bench); };
}

}  // namespace faultline::bench
