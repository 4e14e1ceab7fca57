// Models mm/swap.c (v6.18): folio_mark_accessed().
#include "server/machine/mm/swap.h"

#include <algorithm>

#include "server/machine/mm/folio.h"
#include "server/machine/mm/ksm.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/vma_tree.h"
#include "server/machine/mm/workingset.h"

namespace faultline {
namespace {

// Does the locked VMA hold the page?
bool Mlocks(const Kernel& k, const Vma& vma, VirtAddr addr, Pfn pfn) {
  const Pte pte = LookAtPte(k, k.mms[vma.mm], addr);
  return pte.present() && pte.pfn() == pfn;
}

// Does any locked VMA hold the KSM page? A fork maps it where ksmd has not
// been, and when the process has ended that it was forked from no item leads
// there.
bool AnyMlocksKsmPage(const Kernel& k, Pfn pfn) {
  bool found = false;
  k.mms.ForEach([&](Id<Mm>, const Mm& mm) {
    if (mm.locked_vm == 0) return;
    for (Id<Vma> at = mm.mmap; at && !found; at = k.vmas[at].next) {
      const Vma& vma = k.vmas[at];
      if (!vma.Has(vm::kLocked) || !vma.anon_vma) continue;
      ForEachPte(k, mm, vma.start, vma.end, [&](VirtAddr, Pte pte) {
        found = found || (pte.present() && pte.pfn() == pfn);
      });
    }
  });
  return found;
}

}  // namespace

bool PageUnevictable(const Kernel& k, Pfn pfn, const Vma* by) {
  Page page = FolioOf(k, pfn);
  if (page.Is(page_flag::kMlocked)) return true;
  if (page.mapping == 0 || page.Is(page_flag::kLarge)) return false;
  const bool anon = page.Is(page_flag::kAnon);
  // What is only in the swap cache may outlive its anon_vma.
  if (anon && page.mapcount == 0) return false;
  bool locked = by != nullptr && by->Has(vm::kLocked);
  const auto look = [&](const Vma& vma, VirtAddr addr) {
    locked = locked || (vma.Has(vm::kLocked) && Mlocks(k, vma, addr, pfn));
  };
  if (page.Is(page_flag::kKsm)) {
    ForEachKsmMapping(k, page, look);
    // PG_mlocked needs nobody to find the VMA.
    locked = locked || AnyMlocksKsmPage(k, pfn);
  } else if (anon) {
    ForEachAnonMapping(k, page, look);
  } else {
    const Inode& inode = k.inodes[Id<Inode>(page.mapping)];
    if (inode.fs == FsType::kRamfs) return true;
    ForEachFileMapping(k, inode, page.index, look);
  }
  const auto& batch = k.mlock_batch;
  return locked && std::find(batch.begin(), batch.end(), pfn) == batch.end();
}

void MarkPageAccessed(Kernel& k, Pfn pfn, const Vma* by) {
  Page& page = FolioOf(k, pfn);
  if (page.Is(page_flag::kReserved | page_flag::kKernel)) return;
  if (!page.Is(page_flag::kReferenced)) {
    page.flags |= page_flag::kReferenced;
  } else if (!page.Is(page_flag::kActive) && !PageUnevictable(k, pfn, by)) {
    ActivatePage(k, FolioHead(page, pfn));
    page.flags &= ~page_flag::kReferenced;
    WorkingsetActivation(k, FolioPages(page));
  }
}

}  // namespace faultline
