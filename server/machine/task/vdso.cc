// Models arch/x86/entry/vdso/vma.c (v6.18): map_vdso().
#include "server/machine/task/vdso.h"

#include "server/machine/mm/mmap.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/util.h"
#include "server/machine/mm/vma.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

Errno SpecialMapping(Kernel& k, Mm& mm, VirtAddr addr, uint64_t pages,
                     uint64_t flags, uint64_t first_page, const char* name) {
  Vma& vma = NewVma(k, mm);
  vma.start = addr;
  vma.end = addr + (pages << kPageShift);
  vma.flags = (flags | mm.def_flags | vm::kDontExpand) & ~vm::kLockedMask;
  vma.flags |= SoftDirtyVmFlag(k);
  vma.pgoff = first_page;
  vma.ops = VmOps::kSpecial;
  vma.name = name;
  if (!MayExpandVm(k, mm, vma.flags, pages)) {
    k.vmas.Delete(vma.id);
    return Errno::kENOMEM;
  }
  InsertVma(k, vma);
  VmStatAccount(mm, vma.flags, static_cast<int64_t>(pages));
  return Errno::kOk;
}

}  // namespace

ErrnoOr<VirtAddr> MapVdso(Kernel& k, Mm& mm) {
  MmapWriteLock(mm);
  constexpr uint64_t kVdsoPages = 2, kVvarPages = 4;
  // Where each stands in the machine's block of special frames.
  constexpr uint64_t kVdsoFirst = 0, kVvarFirst = 2, kClockFirst = 6;
  uint64_t clock_pages = k.quirks.vvar_vclock_pages;
  uint64_t total = (kVvarPages + clock_pages + kVdsoPages) << kPageShift;
  VirtAddr at = FL_TRY_VALUE(GetUnmappedArea(k, mm, {}, 0, total, 0, 0));
  VirtAddr clock = at + (kVvarPages << kPageShift);
  VirtAddr text = clock + (clock_pages << kPageShift);
  FL_TRY(SpecialMapping(k, mm, text, kVdsoPages,
                        vm::kRead | vm::kExec | vm::kMayAll, kVdsoFirst,
                        "[vdso]"));
  constexpr uint64_t kVvarFlags =
      vm::kRead | vm::kMayRead | vm::kIo | vm::kDontDump | vm::kPfnMap;
  FL_TRY(
      SpecialMapping(k, mm, at, kVvarPages, kVvarFlags, kVvarFirst, "[vvar]"));
  if (clock_pages == 0) return text;
  FL_TRY(SpecialMapping(k, mm, clock, clock_pages, kVvarFlags, kClockFirst,
                        "[vvar_vclock]"));
  return text;
}

}  // namespace faultline
