// Through the reverse map to every entry that maps a page: was it used, and
// taking it away.
#ifndef FAULTLINE_SERVER_MACHINE_MM_UNMAP_H_
#define FAULTLINE_SERVER_MACHINE_MM_UNMAP_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

struct PageReferences {
  uint32_t ptes = 0;      // entries that were young; they are not any more
  uint64_t vm_flags = 0;  // of the VMAs that have them
};
// folio_referenced(): of a page or the head of a large folio. VM_LOCKED in
// vm_flags: a locked VMA maps it, and nothing else was looked at.
PageReferences FolioReferenced(Kernel& k, Pfn pfn);

// try_to_unmap(): takes away every entry that maps the page, or the folio that
// it heads. An anonymous one leaves swap entries behind; one that MADV_FREE
// gave up goes without, unless it was written since. False: it is still mapped,
// by a VMA that is locked, unless that is no reason (TTU_IGNORE_MLOCK).
// REQUIRES: the caller holds a reference; no large anonymous folio; an
// anonymous page that is swap-backed is in the swap cache.
enum class Locks : uint8_t { kRespect, kIgnore };
bool TryToUnmap(Kernel& k, Pfn pfn, Locks locks = Locks::kRespect);

// vma_has_recency(): an access says that another one will follow.
inline bool VmaHasRecency(const Kernel& k, const Vma& vma) {
  if (vma.Has(vm::kSeqRead)) return false;
  if (!k.quirks.vma_has_recency) return true;
  return !vma.Has(vm::kRandRead) &&
         !(vma.file && k.open_files[vma.file].noreuse);
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_UNMAP_H_
