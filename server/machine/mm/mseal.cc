// Models mm/mseal.c (v6.18): do_mseal(), range_contains_unmapped(),
// mseal_apply().
#include "server/machine/mm/mseal.h"

#include <algorithm>

#include "server/machine/mm/vma.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

bool ContainsUnmapped(Kernel& k, Mm& mm, VirtAddr start, VirtAddr end) {
  VirtAddr reached = start;
  for (Id<Vma> at = FindVma(k, mm, start); at && k.vmas[at].start < end;
       at = k.vmas[at].next) {
    if (k.vmas[at].start > reached) return true;
    reached = k.vmas[at].end;
  }
  return reached < end;
}

}  // namespace

Errno DoMseal(Kernel& k, Mm& mm, uint64_t addr, uint64_t length,
              uint64_t flags) {
  // CONFIG_64BIT
  if (!k.quirks.mseal || k.config.profile != Profile::kX86_64) {
    return Errno::kENOSYS;
  }
  if (flags != 0 || (addr & ~kPageMask) != 0) return Errno::kEINVAL;
  const uint64_t bytes = PageAlign(length);
  if (length != 0 && bytes == 0) return Errno::kEINVAL;
  const VirtAddr start(addr), end(addr + bytes);
  if (end < start) return Errno::kEINVAL;
  if (end == start) return Errno::kOk;
  if (ContainsUnmapped(k, mm, start, end)) return Errno::kENOMEM;
  VirtAddr reached = start;
  for (Id<Vma> at = FindVma(k, mm, start); at && reached < end;
       at = k.vmas[at].next) {
    Vma& vma = k.vmas[at];
    const VirtAddr stop = std::min(vma.end, end);
    if (!vma.Has(vm::kSealed)) {
      const uint64_t sealed = vma.flags | vm::kSealed;
      at = FL_TRY_VALUE(VmaModify(k, vma, reached, stop, sealed, vma.name));
      SetVmaFlags(k.vmas[at], sealed);
    }
    reached = k.vmas[at].end;
  }
  return Errno::kOk;
}

}  // namespace faultline
