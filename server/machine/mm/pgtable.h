// Page tables from the kernel's side: finding and making the tables whose
// pages live in simulated frames, and what protection a VMA's entries have.
#ifndef FAULTLINE_SERVER_MACHINE_MM_PGTABLE_H_
#define FAULTLINE_SERVER_MACHINE_MM_PGTABLE_H_

#include <cstdint>
#include <utility>

#include "server/machine/kernel.h"

namespace faultline {

// The place of one PTE: a page-table page and an index. ok() is false when
// there is no table there (FindPte) or no memory for one (AllocPte).
struct PteRef {
  Pfn table;
  int index = 0;
  bool ok() const { return table.valid(); }
};

bool PgdAlloc(Kernel& k, Mm& mm);  // false: no memory
void PgdFree(Kernel& k, Mm& mm);

PteRef FindPte(const Kernel& k, const Mm& mm, VirtAddr addr);
PteRef AllocPte(Kernel& k, Mm& mm, VirtAddr addr);

// The table of `level` that translates `addr`; not valid when there is none,
// or no memory for one. REQUIRES: 1 <= level <= k.pgtable_levels.
Pfn FindTable(const Kernel& k, const Mm& mm, VirtAddr addr, int level);
Pfn AllocTable(Kernel& k, Mm& mm, VirtAddr addr, int level);

inline Pte ReadPte(const Kernel& k, PteRef ref) {
  const uint64_t* table = k.frames.Table(ref.table);
  return Pte(table == nullptr ? 0 : table[ref.index]);
}
inline void SetPte(Kernel& k, PteRef ref, Pte pte) {
  k.frames.MutTable(ref.table)[ref.index] = pte.value();
}

// free_pgtables(): frees the tables that serve only [start, end), where
// nothing is mapped any more from `floor` up to `ceiling` (0: no limit).
void FreePgtables(Kernel& k, Mm& mm, VirtAddr start, VirtAddr end,
                  VirtAddr floor, VirtAddr ceiling);

// Calls f(address, entry) for the entries of [start, end) that are not none;
// `entry` is a uint64_t& into the table. Skips what has no table.
template <class F>
void ForEachPte(Kernel& k, const Mm& mm, VirtAddr start, VirtAddr end, F f) {
  uint64_t a = start.value();
  while (a < end.value()) {
    uint64_t region_end = (a & ~(kPmdSize - 1)) + kPmdSize;
    if (region_end == 0 || region_end > end.value()) region_end = end.value();
    PteRef ref = FindPte(std::as_const(k), mm, VirtAddr(a));
    if (ref.ok() && std::as_const(k.frames).Table(ref.table) != nullptr) {
      uint64_t* table = k.frames.MutTable(ref.table);
      for (int i = ref.index; a < region_end; a += kPageSize, i++) {
        if (table[i] != 0) f(VirtAddr(a), table[i]);
      }
    }
    a = region_end;
  }
}
template <class F>
void ForEachPte(const Kernel& k, const Mm& mm, VirtAddr start, VirtAddr end,
                F f) {
  uint64_t a = start.value();
  while (a < end.value()) {
    uint64_t region_end = (a & ~(kPmdSize - 1)) + kPmdSize;
    if (region_end == 0 || region_end > end.value()) region_end = end.value();
    PteRef ref = FindPte(k, mm, VirtAddr(a));
    const uint64_t* table = ref.ok() ? k.frames.Table(ref.table) : nullptr;
    for (int i = ref.index; table != nullptr && a < region_end;
         a += kPageSize, i++) {
      if (table[i] != 0) f(VirtAddr(a), Pte(table[i]));
    }
    a = region_end;
  }
}

// vma->vm_page_prot: the bits of an entry that maps a page of this VMA for
// reading. Models vm_get_page_prot() and vma_set_page_prot().
uint64_t VmPageProt(const Kernel& k, const Vma& vma);
// pte_mkdirty(): what the kernel adds to an entry that is to be written.
inline uint64_t DirtyBits(const Kernel& k) {
  return Pte::kDirty | (k.sysctl.mem_soft_dirty != 0 ? Pte::kSoftDirty : 0);
}
// The mark of a VMA that is new since CLEAR_REFS_SOFT_DIRTY.
inline uint64_t SoftDirtyVmFlag(const Kernel& k) {
  return k.sysctl.mem_soft_dirty != 0 ? vm::kSoftDirty : 0;
}
// vma_soft_dirty_enabled(): writes to the VMA are to be noticed page by page.
inline bool VmaSoftDirtyEnabled(const Kernel& k, const Vma& vma) {
  return k.sysctl.mem_soft_dirty != 0 && !vma.Has(vm::kSoftDirty);
}
// vma_wants_writenotify(): the first write to a shared page must be noticed.
bool VmaWantsWritenotify(const Kernel& k, const Vma& vma);
// vm_ops->page_mkwrite exists.
bool HasPageMkwrite(const Kernel& k, const Vma& vma);

// Flushes the TLB of the pages of [start, end), or of everything when they
// are many (tlb_single_page_flush_ceiling).
void FlushTlbRange(Kernel& k, const Mm& mm, VirtAddr start, VirtAddr end);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_PGTABLE_H_
