// Models fs/proc/task_mmu.c (v6.18): clear_refs_write(),
// clear_refs_pte_range(), clear_soft_dirty(). Nothing is soft-dirty without
// CONFIG_MEM_SOFT_DIRTY (SysctlTable::mem_soft_dirty): 4 then does nothing, and
// succeeds.
#include "server/machine/mm/clear_refs.h"

#include "server/machine/mm/folio.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/pgtable.h"

namespace faultline {
namespace {

// enum clear_refs_types.
enum ClearRefs : uint32_t {
  kAll = 1,
  kAnon = 2,
  kMapped = 3,
  kSoftDirty = 4,
  kMmHiwaterRss = 5,
};

// clear_refs_test_walk()
bool Concerns(uint32_t type, const Vma& vma) {
  if (vma.Has(vm::kPfnMap)) return false;
  if (type == kAnon) return !vma.file;
  if (type == kMapped) return static_cast<bool>(vma.file);
  return true;
}

// clear_soft_dirty(): the next write faults, and is noticed.
void ClearSoftDirty(auto& entry) {
  const Pte pte(entry);
  if (pte.present()) entry = pte.Without(Pte::kSoftDirty | Pte::kWrite).value();
  if (pte.swapped()) entry = pte.Without(Pte::kSwpSoftDirty).value();
}

void ClearReferenced(Kernel& k, auto& entry) {
  Pte pte(entry);
  if (!pte.present() || pte.special()) return;
  entry = pte.Without(Pte::kAccessed).value();
  FolioOf(k, pte.pfn()).flags &= ~page_flag::kReferenced;
}

}  // namespace

Errno DoClearRefs(Kernel& k, Mm& mm, uint32_t type) {
  if (type < kAll || type > kMmHiwaterRss) return Errno::kEINVAL;
  MmapWriteLock(mm);
  if (type == kMmHiwaterRss) {
    mm.hiwater_rss = mm.ShownRssPages();  // reset_mm_hiwater_rss()
    return Errno::kOk;
  }
  const bool soft_dirty = k.sysctl.mem_soft_dirty != 0;
  if (type == kSoftDirty && !soft_dirty) return Errno::kOk;
  for (Id<Vma> at = mm.mmap; at; at = k.vmas[at].next) {
    Vma& vma = k.vmas[at];
    if (type == kSoftDirty) vma.flags &= ~vm::kSoftDirty;
    if (!Concerns(type, vma)) continue;
    auto clear = [&](VirtAddr, auto& entry) {
      type == kSoftDirty ? ClearSoftDirty(entry) : ClearReferenced(k, entry);
    };
    ForEachPte(k, mm, vma.start, vma.end, clear,
               [&](VirtAddr a, VirtAddr, PteRef pmd) {
                 UpdatePte(k, pmd, [&](auto& entry) { clear(a, entry); });
                 return Huge::kDone;
               });
  }
  // Linux flushes for the soft-dirty bits only. The referenced bits are cleared
  // by another process, and while that one ran this one's translations went.
  k.tlb.FlushAsid(mm.asid);
  return Errno::kOk;
}

}  // namespace faultline
