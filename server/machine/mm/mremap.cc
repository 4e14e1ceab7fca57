// Models mm/mremap.c (v6.18): do_mremap(), remap_move(), mremap_to(),
// expand_vma(). 6.1 checks in another order (CheckParams61) and moves one VMA
// at a time.
#include "server/machine/mm/mremap.h"

#include <algorithm>
#include <utility>

#include "server/machine/mm/gup.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/mremap_move.h"
#include "server/machine/mm/page_offset.h"
#include "server/machine/mm/util.h"
#include "server/machine/mm/vma.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

using mremap::kDontUnmap;
using mremap::kFixed;
using mremap::kMayMove;

// Where a move is to: of do_mremap()'s checks the last.
Errno CheckTarget(const Kernel& k, const Remap& r) {
  if (r.new_addr.value() > r.mm.task_size - r.new_len) return Errno::kEINVAL;
  if (r.new_len > r.mm.task_size) return Errno::kEINVAL;
  if (!r.new_addr.aligned()) return Errno::kEINVAL;
  if (r.addr < r.new_addr + r.new_len && r.new_addr < r.addr + r.old_len) {
    return Errno::kEINVAL;
  }
  // A move needs up to four VMAs more.
  if (r.mm.map_count + 2 >= k.sysctl.max_map_count - 3) return Errno::kENOMEM;
  return Errno::kOk;
}

// check_mremap_params()
Errno CheckParams(const Kernel& k, const Remap& r) {
  if (r.flags & ~(kMayMove | kFixed | kDontUnmap)) return Errno::kEINVAL;
  if (!r.addr.aligned()) return Errno::kEINVAL;
  if (r.new_len == 0 || r.new_len > r.mm.task_size) return Errno::kEINVAL;
  if (!r.to_new_addr()) return Errno::kOk;
  if (!(r.flags & kMayMove)) return Errno::kEINVAL;
  if ((r.dont_unmap()) && r.old_len != r.new_len) return Errno::kEINVAL;
  return CheckTarget(k, r);
}

// What 6.1 checks before it looks for the source; where a move is to comes
// after that.
Errno CheckParams61(const Remap& r, const Mremap& call) {
  if (r.flags & ~(kMayMove | kFixed | kDontUnmap)) return Errno::kEINVAL;
  if (r.to_new_addr() && !(r.flags & kMayMove)) return Errno::kEINVAL;
  if ((r.dont_unmap()) && call.old_length != call.new_length) {
    return Errno::kEINVAL;
  }
  return !r.addr.aligned() || r.new_len == 0 ? Errno::kEINVAL : Errno::kOk;
}

// check_prep_vma()
Errno CheckVma(Kernel& k, Remap& r) {
  if (!r.vma) return Errno::kEFAULT;
  const Vma& vma = k.vmas[r.vma];
  if (vma.Has(vm::kSealed)) return Errno::kEPERM;
  if (!r.to_new_addr()) r.new_addr = r.addr;
  if (!r.expands() && !r.to_new_addr()) return Errno::kOk;
  if (r.old_len == 0 && !vma.Has(vm::kShared | vm::kMayShare)) {
    return Errno::kEINVAL;
  }
  constexpr uint64_t kRigid = vm::kDontExpand | vm::kPfnMap;
  if ((r.dont_unmap()) && vma.Has(kRigid)) return Errno::kEINVAL;
  if (std::min(r.old_len, r.new_len) > vma.end - r.addr) return Errno::kEFAULT;
  if (!r.expands()) return Errno::kOk;
  if (vma.Has(vm::kLocked)) r.populate_expand = true;
  uint64_t pgoff = vma.PageIndex(r.addr);
  if (PageOffsetWraps(k, pgoff, r.new_len >> kPageShift)) {
    return Errno::kEINVAL;
  }
  if (vma.Has(kRigid)) return Errno::kEFAULT;
  if (!MlockFutureOk(k, r.mm, vma.flags, r.delta())) return Errno::kEAGAIN;
  if (!MayExpandVm(k, r.mm, vma.flags, r.delta() >> kPageShift)) {
    return Errno::kENOMEM;
  }
  return Errno::kOk;
}

// shrink_vma(): r.vma is looked up again.
Errno Shrink(Kernel& k, Remap& r) {
  VirtAddr from = r.addr + r.new_len;
  FL_TRY(VmMunmap(k, r.mm, from.value(), r.delta()));
  r.vma = VmaLookup(k, r.mm, r.addr);
  return Errno::kOk;
}

// vma_expandable()
bool Expandable(Kernel& k, Remap& r, const Vma& vma) {
  VirtAddr end = vma.end + r.delta();
  if (end < vma.end) return false;
  if (FindVmaIntersection(k, r.mm, vma.end, end)) return false;
  return GetUnmappedArea(k, r.mm, {}, vma.start.value(), end - vma.start, 0,
                         mman::kFixed)
      .ok();
}

// expand_vma_in_place(), vma_merge_extend()
ErrnoOr<VirtAddr> ExpandInPlace(Kernel& k, Remap& r) {
  FL_TRY(ChargeRemap(k, r));
  Vma& vma = k.vmas[r.vma];
  MergeRange range{.mm = r.mm,
                   .prev = vma.id,
                   .middle = {},
                   .next = vma.next,
                   .start = vma.end,
                   .end = vma.end + r.delta(),
                   .flags = vma.flags,
                   .file = vma.file,
                   .ops = vma.ops,
                   .anon_vma = vma.anon_vma,
                   .copied_from = {},
                   .pgoff = vma.pgoff + vma.pages().value(),
                   .name = vma.name,
                   .policy = vma.policy};
  uint64_t bytes = r.delta();
  Id<Vma> merged = VmaMergeNewRange(k, range);
  if (!merged) {
    k.vm_committed -= r.charged;
    return Errno::kENOMEM;
  }
  r.vma = merged;
  StatAccount(r, k.vmas[merged], bytes);
  return r.addr;
}

// vrm_set_new_addr()
Errno SetNewAddr(Kernel& k, Remap& r) {
  const Vma& vma = k.vmas[r.vma];
  uint64_t map_flags = 0;
  if (r.flags & kFixed) map_flags |= mman::kFixed;
  if (vma.Has(vm::kMayShare)) map_flags |= mman::kShared;
  uint64_t wanted = r.to_new_addr() ? r.new_addr.value() : 0;
  r.new_addr = FL_TRY_VALUE(GetUnmappedArea(
      k, r.mm, vma.file, wanted, r.new_len, vma.PageIndex(r.addr), map_flags));
  return Errno::kOk;
}

// mremap_to()
ErrnoOr<VirtAddr> RemapTo(Kernel& k, Remap& r) {
  if (r.flags & kFixed) {
    FL_TRY(DoMunmap(k, r.mm, r.new_addr, r.new_addr + r.new_len));
    r.vma = VmaLookup(k, r.mm, r.addr);
    if (!r.vma) return Errno::kEFAULT;
  }
  if (r.shrinks()) {
    FL_TRY(Shrink(k, r));
    if (!r.vma) return Errno::kEFAULT;
    r.old_len = r.new_len;
  }
  // 6.1 looks at the source only now: vma_to_resize().
  if (!k.quirks.mremap_checks_first) FL_TRY(CheckVma(k, r));
  if ((r.dont_unmap()) &&
      !MayExpandVm(k, r.mm, k.vmas[r.vma].flags, r.old_len >> kPageShift)) {
    return Errno::kENOMEM;
  }
  FL_TRY(SetNewAddr(k, r));
  return MoveVma(k, r);
}

// mremap_at(), expand_vma()
ErrnoOr<VirtAddr> RemapAt(Kernel& k, Remap& r) {
  if (r.old_len == r.new_len) return r.addr;
  if (r.shrinks()) {
    FL_TRY(Shrink(k, r));
    return r.addr;
  }
  const Vma& vma = k.vmas[r.vma];
  if (vma.end - r.addr == r.old_len && Expandable(k, r, vma)) {
    return ExpandInPlace(k, r);
  }
  if (!(r.flags & kMayMove)) return Errno::kENOMEM;
  FL_TRY(SetNewAddr(k, r));
  return MoveVma(k, r);
}

// vma_multi_allowed(): a file system that places its own mappings (ramfs
// does) might not put the pieces where they belong.
bool MultiAllowed(const Kernel& k, const Vma& vma) {
  if (!vma.file) return true;
  return k.inodes[k.open_files[vma.file].inode].fs != FsType::kRamfs;
}

// remap_move(): every VMA of the range, with the holes between them.
ErrnoOr<VirtAddr> RemapMove(Kernel& k, const Remap& whole) {
  const VirtAddr end = whole.addr + whole.old_len;
  VirtAddr target = whole.new_addr, last_end, result;
  bool seen = false;
  Id<Vma> at = FindVmaIntersection(k, whole.mm, whole.addr, end);
  while (at && k.vmas[at].start < end) {
    const Vma& vma = k.vmas[at];
    if (!seen && whole.addr < vma.start) return Errno::kEFAULT;
    Remap r = whole;
    r.vma = at;
    r.addr = std::max(vma.start, whole.addr);
    r.new_addr = target + (seen ? vma.start - last_end : 0);
    r.old_len = r.new_len = std::min(end, vma.end) - r.addr;
    last_end = vma.end;
    if (!MultiAllowed(k, vma) && (seen || vma.end < end)) {
      return Errno::kEFAULT;
    }
    VirtAddr resume = std::min(end, vma.end);
    FL_TRY(CheckVma(k, r));
    VirtAddr moved = FL_TRY_VALUE(RemapTo(k, r));
    if (!seen) result = moved;
    seen = true;
    target = moved + r.new_len;
    at = resume < end ? FindVmaIntersection(k, whole.mm, resume, end)
                      : Id<Vma>();
  }
  if (!seen) return Errno::kEFAULT;
  return result;
}

}  // namespace

ErrnoOr<VirtAddr> DoMremap(Kernel& k, Mm& mm, const Mremap& call) {
  Remap r{.mm = mm,
          .addr = VirtAddr(call.addr),
          .old_len = PageAlign(call.old_length),
          .new_len = PageAlign(call.new_length),
          .flags = call.flags,
          .new_addr = VirtAddr(call.new_addr),
          .vma = {}};
  const bool checks_first = k.quirks.mremap_checks_first;
  FL_TRY(checks_first ? CheckParams(k, r) : CheckParams61(r, call));
  MmapWriteLock(mm);
  if (checks_first && (r.flags & kFixed) && r.old_len == r.new_len) {
    return RemapMove(k, r);
  }
  const uint64_t grown_from = r.old_len, grown_by = r.delta();
  r.vma = VmaLookup(k, mm, r.addr);
  if (checks_first || !r.to_new_addr()) {
    FL_TRY(CheckVma(k, r));
  } else {
    if (!r.vma) return Errno::kEFAULT;
    FL_TRY(CheckTarget(k, r));
  }
  VirtAddr at = FL_TRY_VALUE(r.to_new_addr() ? RemapTo(k, r) : RemapAt(k, r));
  if (r.populate_expand) {
    (void)MmPopulate(k, mm, at + grown_from, grown_by, OnError::kIgnore);
  }
  return at;
}

}  // namespace faultline
