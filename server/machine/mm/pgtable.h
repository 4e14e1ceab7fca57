// Page tables from the kernel's side: finding and making the tables whose
// pages live in simulated frames, and what protection a VMA's entries have.
#ifndef FAULTLINE_SERVER_MACHINE_MM_PGTABLE_H_
#define FAULTLINE_SERVER_MACHINE_MM_PGTABLE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

PteRef AllocPte(Kernel& k, Mm& mm, VirtAddr addr);

// pte_alloc_one(), pte_free(): a level-1 table that is in no address space yet;
// the caller counts it in pgtables_bytes when it is.
Pfn PteAllocOne(Kernel& k, Mm& mm, VirtAddr addr);
void PteFree(Kernel& k, Pfn table);
// pmd_populate(): the entry that points to a table.
Pte TableEntry(Pfn table);

// The table of `level` that translates `addr`; not valid when there is none,
// or no memory for one. REQUIRES: 1 <= level <= k.paging.levels().
Pfn FindTable(const Kernel& k, const Mm& mm, VirtAddr addr, int level);
Pfn AllocTable(Kernel& k, Mm& mm, VirtAddr addr, int level);

inline Pte ReadPte(const Kernel& k, PteRef ref) {
  const uint64_t* table = k.frames.Table(ref.table);
  return table == nullptr ? Pte() : k.paging.Load(table, ref.index);
}
inline void SetPte(Kernel& k, PteRef ref, Pte pte) {
  k.paging.Store(k.frames.MutTable(ref.table), ref.index, pte);
}

// An entry of a table of 4-byte entries, as a place: what is assigned to it is
// in the table at once.
class NarrowSlot {
 public:
  NarrowSlot(uint64_t* table, int index) : table_(table), index_(index) {}
  NarrowSlot(const NarrowSlot&) = delete;
  operator uint64_t() const { return LoadNarrowPte(table_, index_).value(); }
  NarrowSlot& operator=(uint64_t entry) {
    StoreNarrowPte(table_, index_, Pte(entry));
    return *this;
  }

 private:
  uint64_t* table_;
  int index_;
};

// f(entry), where `entry` is a place: a uint64_t& in the table, or a
// NarrowSlot&.
template <class F>
void UpdatePte(Kernel& k, PteRef ref, F f) {
  uint64_t* table = k.frames.MutTable(ref.table);
  if (k.paging.narrow()) [[unlikely]] {
    NarrowSlot slot(table, ref.index);
    return f(slot);
  }
  f(table[ref.index]);
}

// Is the level-1 table of `addr` the one in k.table_memo?
inline bool RemembersTable(const Kernel& k, const Mm& mm, VirtAddr addr) {
  return k.table_memo.region == addr.value() / kPmdSize &&
         k.table_memo.pgd == mm.pgd;
}

inline PteRef FindPte(const Kernel& k, const Mm& mm, VirtAddr addr) {
  const int index = k.paging.PteIndex(addr);
  if (RemembersTable(k, mm, addr)) return {k.table_memo.table, index};
  return {FindTable(k, mm, addr, 1), index};
}

// The entry that translates `addr`: a PTE, or the entry of a level-2 table that
// maps 2 MiB (pmd_trans_huge()). !at.ok(): there is no level-1 table either.
struct Leaf {
  PteRef at;
  bool huge = false;
};
inline Leaf FindLeaf(const Kernel& k, const Mm& mm, VirtAddr addr) {
  const int index = k.paging.PteIndex(addr);
  if (RemembersTable(k, mm, addr)) return {{k.table_memo.table, index}};
  const PteRef pmd{FindTable(k, mm, addr, 2), k.paging.IndexAt(addr, 2)};
  if (!pmd.ok()) return {};
  const Pte entry = ReadPte(k, pmd);
  if (entry.huge()) return {pmd, true};
  if (!entry.hw_present()) return {};
  return {{entry.pfn(), index}};
}

// free_pgtables(): frees the tables that serve only [start, end), where
// nothing is mapped any more from `floor` up to `ceiling` (0: no limit).
void FreePgtables(Kernel& k, Mm& mm, VirtAddr start, VirtAddr end,
                  VirtAddr floor, VirtAddr ceiling);

// try_to_free_pte(): frees the level-1 tables that [start, end) has for itself
// and that hold nothing.
void FreeEmptyTables(Kernel& k, Mm& mm, VirtAddr start, VirtAddr end);

// Are all entries of the table none? It is given as its words, or nullptr.
bool TableIsEmpty(const uint64_t* table);

// Are entries [i, end) of 8 bytes none? REQUIRES: i < end.
inline bool AllNone(const uint64_t* table, int i, int end) {
  // Each is as the one before it, and the first is none.
  const auto others = static_cast<size_t>(end - i - 1);
  return table[i] == 0 &&
         std::memcmp(table + i, table + i + 1, others * sizeof(uint64_t)) == 0;
}

// The index of the first entry of [i, end), of 8 bytes, that is not none, or
// end.
inline int NextUsed(const uint64_t* table, int i, int end) {
  constexpr int kRun = 16;  // none for so long: perhaps to the end
  const int run_end = std::min(end, i + kRun);
  while (i < run_end && table[i] == 0) i++;
  if (i < run_end) return i;
  if (i == end || AllNone(table, i, end)) return end;
  while (table[i] == 0) i++;
  return i;
}

// Whether a huge page is done with, or has become PTEs.
enum class Huge : uint8_t { kDone, kSplit };

// Calls f(address, entry) for the entries of [first, end) that are not none, of
// which the first is that of `addr`. To each width its own loop: that of 8
// bytes is the hot one.
template <class F>
inline void ForEachUsed(PagingMode paging, uint64_t* table, int first, int end,
                        VirtAddr addr, F& f) {
  auto address = [&](int i) {
    return addr + static_cast<uint64_t>(i - first) * kPageSize;
  };
  if (paging.narrow()) [[unlikely]] {
    for (int i = first; i < end; i++) {
      NarrowSlot slot(table, i);
      if (slot != 0) f(address(i), slot);
    }
    return;
  }
  for (int i = NextUsed(table, first, end); i < end;
       i = NextUsed(table, i + 1, end)) {
    f(address(i), table[i]);
  }
}

// Calls f(address, entry) for the entries of [start, end) that are not none;
// `entry` is a place, as in UpdatePte(). For a huge page, calls huge(from, to,
// PteRef) first, where [from, to) is what lies in the range. Skips what has no
// table.
template <class F, class OnHuge>
void ForEachPte(Kernel& k, const Mm& mm, VirtAddr start, VirtAddr end, F f,
                OnHuge huge) {
  uint64_t a = start.value();
  while (a < end.value()) {
    uint64_t region_end = k.paging.RegionEnd(VirtAddr(a)).value();
    if (region_end == 0 || region_end > end.value()) region_end = end.value();
    Leaf leaf = FindLeaf(std::as_const(k), mm, VirtAddr(a));
    PteRef ref = leaf.at;
    if (leaf.huge) {
      ref = {};
      if (huge(VirtAddr(a), VirtAddr(region_end), leaf.at) == Huge::kSplit) {
        ref = FindPte(std::as_const(k), mm, VirtAddr(a));
      }
    }
    if (ref.ok() && std::as_const(k.frames).Table(ref.table) != nullptr) {
      uint64_t* table = k.frames.MutTable(ref.table);
      const int last =
          ref.index + static_cast<int>((region_end - a) >> kPageShift);
      ForEachUsed(k.paging, table, ref.index, last, VirtAddr(a), f);
    }
    a = region_end;
  }
}
// The same where huge pages do not matter.
template <class F>
void ForEachPte(Kernel& k, const Mm& mm, VirtAddr start, VirtAddr end, F f) {
  ForEachPte(k, mm, start, end, f,
             [](VirtAddr, VirtAddr, PteRef) { return Huge::kDone; });
}
// The PTE that page `i` of a huge page would have if it were split.
inline Pte PteOfHuge(Pte pmd, int i) {
  return Pte::Make(pmd.pfn() + PageCount(static_cast<uint64_t>(i)),
                   pmd.Without(Pte::kPageSizeBit).value() & Pte::kFlagsMask);
}
// To look, f(address, Pte): a huge page is shown as its 512 PTEs.
template <class F>
void ForEachPte(const Kernel& k, const Mm& mm, VirtAddr start, VirtAddr end,
                F f) {
  uint64_t a = start.value();
  while (a < end.value()) {
    uint64_t region_end = k.paging.RegionEnd(VirtAddr(a)).value();
    if (region_end == 0 || region_end > end.value()) region_end = end.value();
    const Leaf leaf = FindLeaf(k, mm, VirtAddr(a));
    if (leaf.huge) {
      const Pte pmd = ReadPte(k, leaf.at);
      for (; a < region_end; a += kPageSize) {
        f(VirtAddr(a), PteOfHuge(pmd, k.paging.PteIndex(VirtAddr(a))));
      }
      continue;
    }
    const PteRef ref = leaf.at;
    const uint64_t* table = ref.ok() ? k.frames.Table(ref.table) : nullptr;
    const PagingMode paging = k.paging;
    for (int i = ref.index; table != nullptr && a < region_end;
         a += kPageSize, i++) {
      const Pte pte = paging.Load(table, i);
      if (!pte.none()) f(VirtAddr(a), pte);
    }
    a = region_end;
  }
}

// The PTE of the address, or of its part of a huge page; none without a table.
inline Pte LookAtPte(const Kernel& k, const Mm& mm, VirtAddr addr) {
  const Leaf leaf = FindLeaf(k, mm, addr);
  if (!leaf.at.ok()) return Pte();
  const Pte entry = ReadPte(k, leaf.at);
  return leaf.huge ? PteOfHuge(entry, k.paging.PteIndex(addr)) : entry;
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
