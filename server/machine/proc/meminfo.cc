// /proc/meminfo. Models fs/proc/meminfo.c (v6.18): meminfo_proc_show(), as
// configured on the recorded kernels. What the machine does not have is 0.
#include <algorithm>

#include "server/machine/mm/folio.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/util.h"
#include "server/machine/mm/vmap_area.h"
#include "server/machine/proc/mem_counts.h"
#include "server/machine/proc/proc_files.h"

namespace faultline {
namespace {

uint64_t Stat(const Kernel& k, NodeStat item) {
  int64_t n = k.vmstat.node[item];
  return n > 0 ? static_cast<uint64_t>(n) : 0;
}

class Meminfo {
 public:
  explicit Meminfo(const Kernel& k) : k_(k), lru_(SumOf(CountLru(k))) {}

  std::string Text() {
    Totals();
    Lru();
    if (!Is64Bit(k_)) HighMem();
    Swap();
    Kinds();
    Commit();
    Huge();
    DirectMap();
    return m_.Take();
  }

 private:
  void Pages(std::string_view label, uint64_t pages) {
    m_.Kilobytes(label, pages << (kPageShift - 10));
  }

  void Totals() {
    Pages("MemTotal:       ", k_.totalram_pages);
    Pages("MemFree:        ", NrFreePages(k_));
    Pages("MemAvailable:   ", MemAvailable(k_, lru_));
    Pages("Buffers:        ", 0);
    Pages("Cached:         ", Stat(k_, kNrFilePages) - k_.swap.cached);
    Pages("SwapCached:     ", k_.swap.cached);
  }

  void Lru() {
    const auto& lru = lru_.lru;
    Pages("Active:         ", lru[kActiveAnon] + lru[kActiveFile]);
    Pages("Inactive:       ", lru[kInactiveAnon] + lru[kInactiveFile]);
    Pages("Active(anon):   ", lru[kActiveAnon]);
    Pages("Inactive(anon): ", lru[kInactiveAnon]);
    Pages("Active(file):   ", lru[kActiveFile]);
    Pages("Inactive(file): ", lru[kInactiveFile]);
    Pages("Unevictable:    ", lru[kUnevictable]);
    Pages("Mlocked:        ", lru_.mlock);
  }

  void HighMem() {
    uint64_t total = 0, free = 0;
    for (const Zone& zone : k_.zones) {
      if (!IsHighmem(k_, zone.type)) continue;
      total += zone.managed.value();
      free += zone.nr_free_pages;
    }
    Pages("HighTotal:      ", total);
    Pages("HighFree:       ", free);
    Pages("LowTotal:       ", k_.totalram_pages - total);
    Pages("LowFree:        ", NrFreePages(k_) - free);
  }

  void Swap() {
    Pages("SwapTotal:      ", k_.swap.total);
    Pages("SwapFree:       ", k_.swap.nr_free);
    Pages("Zswap:          ", 0);
    Pages("Zswapped:       ", 0);
  }

  void Kinds() {
    Pages("Dirty:          ", Stat(k_, kNrFileDirty));
    Pages("Writeback:      ", Stat(k_, kNrWriteback));
    Pages("AnonPages:      ", Stat(k_, kNrAnonMapped));
    Pages("Mapped:         ", Stat(k_, kNrFileMapped));
    Pages("Shmem:          ", Stat(k_, kNrShmem));
    const uint64_t reclaimable = Stat(k_, kNrSlabReclaimable);
    const uint64_t unreclaimable = Stat(k_, kNrSlabUnreclaimable);
    Pages("KReclaimable:   ", reclaimable);
    Pages("Slab:           ", reclaimable + unreclaimable);
    Pages("SReclaimable:   ", reclaimable);
    Pages("SUnreclaim:     ", unreclaimable);
    Pages("KernelStack:    ", 0);
    Pages("PageTables:     ", Stat(k_, kNrPageTables));
    for (std::string_view label : {"SecPageTables:  ", "NFS_Unstable:   ",
                                   "Bounce:         ", "WritebackTmp:   "}) {
      Pages(label, 0);
    }
  }

  void Commit() {
    Pages("CommitLimit:    ", VmCommitLimit(k_));
    Pages("Committed_AS:   ", k_.vm_committed);
    // On x86-64 VMALLOC_END is the last byte, which Linux does not count.
    constexpr uint64_t kVmalloc64 = 34359738367;
    const VmapRange range = VmallocRange(k_);
    m_.Kilobytes("VmallocTotal:   ",
                 Is64Bit(k_) ? kVmalloc64 : (range.end - range.start) >> 10);
    Pages("VmallocUsed:    ", k_.kernel_maps.nr_vmalloc_pages);
    Pages("VmallocChunk:   ", 0);
    Pages("Percpu:         ", 0);
    if (!Is618(k_)) m_.Kilobytes("HardwareCorrupted: ", 0, 5);
  }

  void Huge() {
    Pages("AnonHugePages:  ", Stat(k_, kNrAnonThps) * kHugePmdNr);
    Pages("ShmemHugePages: ", Stat(k_, kNrShmemThps) * kHugePmdNr);
    Pages("ShmemPmdMapped: ", Stat(k_, kNrShmemPmdMapped) * kHugePmdNr);
    Pages("FileHugePages:  ", 0);
    Pages("FilePmdMapped:  ", 0);
    if (Is618(k_)) Pages("Balloon:        ", 0);
    m_ << "HugePages_Total:       0\n"
          "HugePages_Free:        0\n"
          "HugePages_Rsvd:        0\n"
          "HugePages_Surp:        0\n";
    m_.Kilobytes("Hugepagesize:   ", LargePageKb());
    Pages("Hugetlb:        ", 0);
  }

  // init_mem_mapping(): the first MiB whole, then what is memory.
  uint64_t DirectlyMappedBytes() const {
    constexpr Pfn kIsaEnd(0x100);  // ISA_END_ADDRESS
    uint64_t bytes = uint64_t{kIsaEnd.value()} << kPageShift;
    for (const Zone& zone : k_.zones) {
      if (IsHighmem(k_, zone.type)) continue;
      for (const PfnRange& range : zone.present_ranges) {
        if (range.end <= kIsaEnd) continue;
        bytes += (range.end - std::max(range.begin, kIsaEnd)).bytes();
      }
    }
    return bytes;
  }

  // What an entry of level 2 maps: 4 MiB where a table has 1024 entries.
  uint64_t LargePageKb() const {
    return static_cast<uint64_t>(k_.paging.entries()) << (kPageShift - 10);
  }

  // arch_report_meminfo(): low memory, in the largest pages that fit it.
  void DirectMap() {
    uint64_t kb = DirectlyMappedBytes() >> 10;
    const uint64_t large = LargePageKb();
    m_.Kilobytes("DirectMap4k:    ", kb % large);
    m_.Kilobytes(k_.paging.narrow() ? "DirectMap4M:    " : "DirectMap2M:    ",
                 kb / large * large);
    if (Is64Bit(k_)) m_.Kilobytes("DirectMap1G:    ", 0);
  }

  const Kernel& k_;
  LruCounts lru_;
  SeqFile m_;
};

}  // namespace

std::string ProcMeminfo(const Kernel& k) { return Meminfo(k).Text(); }

}  // namespace faultline
