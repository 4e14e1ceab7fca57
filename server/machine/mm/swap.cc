// Models mm/swap.c (v6.18): folio_mark_accessed().
#include "server/machine/mm/swap.h"

namespace faultline {
namespace {

// Pages of ramfs are never reclaimed: AS_UNEVICTABLE.
bool Unevictable(const Kernel& k, const Page& page) {
  if (page.Is(page_flag::kUnevictable)) return true;
  if (page.Is(page_flag::kAnon) || page.mapping == 0) return false;
  return k.inodes[Id<Inode>(page.mapping)].fs == FsType::kRamfs;
}

}  // namespace

void MarkPageAccessed(Kernel& k, Pfn pfn, OnLru where) {
  Page& page = k.page(pfn);
  if (page.Is(page_flag::kReserved | page_flag::kKernel)) return;
  if (!page.Is(page_flag::kReferenced)) {
    page.flags |= page_flag::kReferenced;
  } else if (where == OnLru::kAny && !page.Is(page_flag::kActive) &&
             !Unevictable(k, page)) {
    page.flags |= page_flag::kActive;
    page.flags &= ~page_flag::kReferenced;
  }
}

}  // namespace faultline
