// Models mm/mmap.c and mm/vma.c (v6.18): do_mmap(), __mmap_region(),
// __get_unmapped_area(), brk(), do_brk_flags(), expand_downwards(),
// exit_mmap(); arch/x86/kernel/sys_x86_64.c; mm/huge_memory.c:
// __thp_get_unmapped_area().
#include "server/machine/mm/mmap.h"

#include <algorithm>
#include <utility>

#include "server/machine/mm/brk_flags.h"
#include "server/machine/mm/changes.h"
#include "server/machine/mm/device_map.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/gup.h"
#include "server/machine/mm/ksm.h"
#include "server/machine/mm/memory.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/page_offset.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/shmem.h"
#include "server/machine/mm/swapfile.h"
#include "server/machine/mm/unmapped_area_2632.h"
#include "server/machine/mm/util.h"
#include "server/machine/mm/vma.h"
#include "server/machine/mm/vma_holes.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

constexpr uint64_t kHugePageSize = uint64_t{2} << 20;

// LEGACY_MAP_MASK: what MAP_SHARED_VALIDATE accepts. The sizes of
// MAP_HUGE_2MB and MAP_HUGE_1GB are bits 26-31.
constexpr uint64_t kLegacyMapMask =
    mman::kShared | mman::kPrivate | mman::kFixed | mman::kAnonymous |
    mman::kDenyWrite | mman::kExecutable | mman::kGrowsDown | mman::kLocked |
    mman::kNoReserve | mman::kPopulate | mman::kNonblock | mman::kStack |
    mman::kHugeTlb | mman::k32Bit | mman::kAbove4G | uint64_t{21} << 26 |
    uint64_t{30} << 26;

// mmap_min_addr: the sysctl (dac_mmap_min_addr), but not less than
// CONFIG_LSM_MMAP_MIN_ADDR (security/min_addr.c).
uint64_t MmapMinAddr(const Kernel& k) {
  constexpr uint64_t kLsmMmapMinAddr = 65536;
  return std::max(k.sysctl.mmap_min_addr, kLsmMmapMinAddr);
}

// round_hint_to_min()
uint64_t RoundHintToMin(const Kernel& k, uint64_t hint) {
  hint &= kPageMask;
  uint64_t min = MmapMinAddr(k);
  return hint != 0 && hint < min ? PageAlign(min) : hint;
}

// calc_vm_flag_bits()
uint64_t VmFlagsOfMap(const Kernel& k, uint64_t flags) {
  uint64_t vm_flags = 0;
  if (flags & mman::kGrowsDown) vm_flags |= vm::kGrowsDown;
  if (flags & mman::kLocked) vm_flags |= vm::kLocked;
  if (flags & mman::kSync) vm_flags |= vm::kSync;
  if ((flags & mman::kStack) && k.quirks.stack_flag_is_nohuge) {
    vm_flags |= vm::kNoHugePage;
  }
  return vm_flags;
}

std::optional<VirtAddr> Bottomup(Kernel& k, Mm& mm, uint64_t addr,
                                 uint64_t length, uint64_t flags) {
  uint64_t begin = mm.mmap_legacy_base.value(), end = mm.task_size;
  if (flags & mman::k32Bit) {
    begin = 0x40000000;
    end = 0x80000000;
  }
  if (length > end) return {};
  if (addr != 0) {
    addr = PageAlign(addr);
    Id<Vma> vma = FindVma(k, mm, VirtAddr(addr));
    if (end - length >= addr &&
        (!vma || addr + length <= VmStartGap(k, k.vmas[vma]).value())) {
      return VirtAddr(addr);
    }
  }
  return UnmappedAreaBottomup(std::as_const(k), mm, {length, begin, end});
}

// arch_get_unmapped_area_topdown()
std::optional<VirtAddr> ArchUnmappedArea(Kernel& k, Mm& mm, uint64_t addr,
                                         uint64_t length, uint64_t flags) {
  if (length > mm.task_size) return {};
  bool legacy = !(mm.flags & mmf::kTopdown) || (flags & mman::k32Bit);
  if (legacy) return Bottomup(k, mm, addr, length, flags);
  if (addr != 0 && mm.task_size - length >= (addr & kPageMask)) {
    addr &= kPageMask;
    Id<Vma> vma = FindVma(k, mm, VirtAddr(addr));
    if (!vma || addr + length <= VmStartGap(k, k.vmas[vma]).value()) {
      return VirtAddr(addr);
    }
  }
  UnmappedAreaInfo info{length, kPageSize, mm.mmap_base.value()};
  if (flags & mman::kAbove4G) info.low_limit = uint64_t{1} << 32;
  auto found = UnmappedAreaTopdown(std::as_const(k), mm, info);
  if (found) return found;
  return Bottomup(k, mm, addr, length, flags);
}

// __thp_get_unmapped_area(): asks for 2 MiB more and aligns within.
std::optional<VirtAddr> ThpUnmappedArea(Kernel& k, Mm& mm, uint64_t addr,
                                        uint64_t length, uint64_t offset,
                                        uint64_t flags) {
  // Of an offset near the last one the next multiple is, as a loff_t, below 0.
  const uint64_t off_end = offset + length;
  const uint64_t off_align =
      (offset + kHugePageSize - 1) & ~(kHugePageSize - 1);
  if (static_cast<int64_t>(off_end) <= static_cast<int64_t>(off_align) ||
      off_end - off_align < kHugePageSize) {
    return {};
  }
  uint64_t padded = length + kHugePageSize;
  if (padded < length || offset + padded < offset) return {};
  auto found = ArchUnmappedArea(k, mm, addr, padded, flags);
  if (!found || found->value() == addr) return found;
  uint64_t shift = (offset - found->value()) & (kHugePageSize - 1);
  if (shift == 0 && (mm.flags & mmf::kTopdown)) shift = kHugePageSize;
  return *found + shift;
}

// What a file's get_unmapped_area does, or THP's for anonymous memory.
std::optional<VirtAddr> FindArea(Kernel& k, Mm& mm, Id<File> file,
                                 uint64_t addr, uint64_t length, uint64_t pgoff,
                                 uint64_t flags) {
  if (PlacesAs2632(k)) return GetUnmappedArea2632(k, mm, addr, length, flags);
  bool aligns;
  if (file) {
    aligns = k.inodes[k.open_files[file].inode].fs == FsType::kExt4;
  } else {
    bool shared = flags & mman::kShared;
    aligns = k.quirks.thp_aligned_mmap && !shared && addr == 0 &&
             length % kHugePageSize == 0;
    pgoff = 0;
  }
  if (aligns && k.config.profile == Profile::kX86_64) {
    auto found =
        ThpUnmappedArea(k, mm, addr, length, pgoff << kPageShift, flags);
    if (found) return found;
  }
  return ArchUnmappedArea(k, mm, addr, length, flags);
}

// The checks and flags of a file mapping: do_mmap()'s first switch.
Errno FileMapFlags(const Kernel& k, const File& file, uint64_t pgoff,
                   uint64_t length, uint64_t prot, uint64_t map_flags,
                   uint64_t* vm_flags) {
  // file_mmap_ok(): the end must be a valid file offset.
  constexpr uint64_t kMaxLfsPages = uint64_t{0x7fffffffffffffff} >> kPageShift;
  const uint64_t max = std::min(kMaxLfsPages, PageOffsetMax(k));
  uint64_t pages = length >> kPageShift;
  if (pages > max || pgoff > max - pages) {
    return Errno::kEOVERFLOW;
  }
  uint64_t type = map_flags & mman::kTypeMask;
  if (type == mman::kShared || type == mman::kSharedValidate) {
    uint64_t known = kLegacyMapMask;
    if (file.inode && k.inodes[file.inode].fs == FsType::kExt4) {
      known |= mman::kSync;  // FOP_MMAP_SYNC
    }
    if (type == mman::kSharedValidate && (map_flags & ~known)) {
      return Errno::kEOPNOTSUPP;
    }
    if (prot & mman::kProtWrite) {
      if (!file.writable) return Errno::kEACCES;
      if (IsSwapfile(k, file.inode)) return Errno::kETXTBSY;
    }
    *vm_flags |= vm::kShared | vm::kMayShare;
    if (!file.writable) *vm_flags &= ~(vm::kMayWrite | vm::kShared);
  } else if (type != mman::kPrivate) {
    return Errno::kEINVAL;
  }
  if (!file.readable) return Errno::kEACCES;
  if (*vm_flags & vm::kGrowsDown) return Errno::kEINVAL;
  return Errno::kOk;
}

// memfd_check_seals_mmap()
Errno CheckSeals(const Kernel& k, const Inode& inode, uint64_t* vm_flags) {
  if (!inode.Sealed(seal::kAnyWrite) || !(*vm_flags & vm::kShared)) {
    return Errno::kOk;
  }
  // mapping_map_writable() took any shared mapping for one.
  if (!k.quirks.sealed_maps_readonly && inode.Sealed(seal::kWrite)) {
    return Errno::kEPERM;
  }
  if (*vm_flags & vm::kWrite) return Errno::kEPERM;
  *vm_flags &= ~vm::kMayWrite;
  return Errno::kOk;
}

// The same for anonymous memory: the second switch.
Errno AnonMapFlags(const Kernel& k, uint64_t map_flags, VirtAddr addr,
                   uint64_t* vm_flags, uint64_t* pgoff) {
  switch (map_flags & mman::kTypeMask) {
    case mman::kShared:
      if (*vm_flags & vm::kGrowsDown) return Errno::kEINVAL;
      *vm_flags |= vm::kShared | vm::kMayShare;
      *pgoff = 0;
      return Errno::kOk;
    case mman::kDroppable:
      if (!k.quirks.map_droppable) return Errno::kEINVAL;
      // MCL_FUTURE is no obstacle.
      if ((map_flags & (mman::kLocked | mman::kHugeTlb)) ||
          (*vm_flags & vm::kGrowsDown)) {
        return Errno::kEINVAL;
      }
      *vm_flags |=
          vm::kDroppable | vm::kNoReserve | vm::kWipeOnFork | vm::kDontDump;
      *pgoff = addr.vpn();
      return Errno::kOk;
    case mman::kPrivate:
      *pgoff = addr.vpn();
      return Errno::kOk;
    default:
      return Errno::kEINVAL;
  }
}

VmOps OpsOf(const Kernel& k, Id<File> file) {
  if (!file) return VmOps::kNone;
  const Inode& inode = k.inodes[k.open_files[file].inode];
  if (inode.special_file()) return VmOps::kDevice;
  return inode.shmem() ? VmOps::kShmem : VmOps::kFile;
}

// file->f_op->mmap(). What lay there is gone by then, so that a refusal leaves
// a gap (seen on 6.18).
Errno CallMmap(const Kernel& k, Id<File> file, uint64_t pgoff, uint64_t pages,
               uint64_t* vm_flags) {
  if (!file) return Errno::kOk;
  const Inode& inode = k.inodes[k.open_files[file].inode];
  if (inode.special_file()) {
    return DeviceMmap(k, inode, pgoff, pages, vm_flags);
  }
  // daxdev_mapping_supported(): its disk is no memory.
  const bool sync = inode.fs == FsType::kExt4 && (*vm_flags & vm::kSync);
  return sync ? Errno::kEOPNOTSUPP : Errno::kOk;
}

// __mmap_new_vma(): the VMA for a range that no neighbour absorbed.
ErrnoOr<Id<Vma>> NewMapping(Kernel& k, Mm& mm, const MergeRange& r) {
  Id<File> file = r.file;
  if (!file && (r.flags & vm::kShared)) {
    file = FL_TRY_VALUE(ShmemZeroSetup(k, mm, r.end - r.start, r.flags));
  } else if (file) {
    k.open_files[file].f_count++;
  }
  Vma& vma = NewVma(k, mm);
  vma.start = r.start;
  vma.end = r.end;
  vma.flags = r.flags | SoftDirtyVmFlag(k);
  vma.pgoff = r.pgoff;
  vma.file = file;
  if (file) {
    vma.ops = OpsOf(k, file);
  }
  InsertVma(k, vma, {r.prev, r.next});
  return vma.id;
}

// mmap_region() of 6.1: what lies there is gone before memory is charged.
Errno UnmapFirst(Kernel& k, Mm& mm, VirtAddr addr, uint64_t length,
                 uint64_t vm_flags) {
  const VirtAddr end = addr + length;
  uint64_t overlap = 0;  // count_vma_pages_range()
  for (Id<Vma> at = FindVma(k, mm, addr); at && k.vmas[at].start < end;) {
    const Vma& vma = std::as_const(k.vmas)[at];
    overlap +=
        PagesOf(std::min(vma.end, end) - std::max(vma.start, addr)).value();
    at = vma.next;
  }
  if (!MayExpandVm(k, mm, vm_flags, (length >> kPageShift) - overlap)) {
    return Errno::kENOMEM;
  }
  return DoMunmap(k, mm, addr, end);
}

// __mmap_region()
Errno MmapRegion(Kernel& k, Mm& mm, Id<File> file, VirtAddr addr,
                 uint64_t length, uint64_t vm_flags, uint64_t pgoff) {
  if (MapDenyWriteExec(mm, vm_flags, vm_flags)) return Errno::kEACCES;
  VirtAddr end = addr + length;
  uint64_t pages = length >> kPageShift;
  const bool unmaps_last = changes::MmapUnmapsLast(k);
  if (!unmaps_last) FL_TRY(UnmapFirst(k, mm, addr, length, vm_flags));
  MunmapSpan span = FL_TRY_VALUE(GatherMunmap(k, mm, addr, end));
  // Against the limits, as if what lies there were gone already.
  if (unmaps_last && !MayExpandVm(k, mm, vm_flags, pages - span.nr_pages)) {
    return Errno::kENOMEM;
  }
  Uncharge uncharge = Uncharge::kYes;
  if (AccountableMapping(vm_flags)) {
    uint64_t charge = pages - span.nr_accounted;
    if (charge != 0) FL_TRY(VmEnoughMemory(k, mm, charge));
    uncharge = Uncharge::kNo;  // the new mapping takes the charge over
    vm_flags |= vm::kAccount;
  }
  CompleteMunmap(k, mm, span, addr, end, uncharge);
  if (const Errno e = CallMmap(k, file, pgoff, pages, &vm_flags);
      e != Errno::kOk) {
    UpdateHiwaterRss(mm);  // unmap_region() of what was not mapped
    if (vm_flags & vm::kAccount) k.vm_committed -= pages;
    return e;
  }
  vm_flags = KsmVmaFlags(mm, vm_flags);
  MergeRange r{.mm = mm,
               .prev = span.prev,
               .middle = {},
               .next = span.next,
               .start = addr,
               .end = end,
               .flags = vm_flags,
               .file = file,
               .ops = OpsOf(k, file),
               .anon_vma = {},
               .copied_from = {},
               .pgoff = pgoff,
               .name = {}};
  // Shared anonymous memory is a file of its own, so it never merges.
  bool own_file = !file && (vm_flags & vm::kShared);
  Id<Vma> vma;
  if (!own_file) vma = VmaMergeNewRange(k, r);
  if (vma) {
    k.vmas[vma].flags |= SoftDirtyVmFlag(k);
  } else {
    auto fresh = NewMapping(k, mm, r);
    if (!fresh.ok()) {
      if (vm_flags & vm::kAccount) k.vm_committed -= pages;
      return fresh.error();
    }
    vma = fresh.value();
  }
  VmStatAccount(mm, vm_flags, static_cast<int64_t>(pages));
  if (!(vm_flags & vm::kLocked)) return Errno::kOk;
  if (vm_flags & vm::kDroppable) {
    k.vmas[vma].flags &= ~vm::kLockedMask;  // it cannot be locked
  } else {
    mm.locked_vm += pages;
  }
  return Errno::kOk;
}

// MAP_HUGETLB, as far as it gets: the pool of huge pages is empty (departure
// D7). What was mapped there is gone by then.
struct HugetlbArea {
  VirtAddr addr;
  uint64_t length;
  uint64_t vm_flags;
};
Errno MapHugetlb(Kernel& k, Mm& mm, const MmapArgs& args, HugetlbArea area) {
  File file;  // of hugetlbfs
  file.writable = true;
  FL_TRY(FileMapFlags(k, file, args.pgoff, area.length, args.prot, args.flags,
                      &area.vm_flags));
  if (MapDenyWriteExec(mm, area.vm_flags, area.vm_flags)) {
    return Errno::kEACCES;
  }
  const VirtAddr end = area.addr + area.length;
  const bool unmaps_last = changes::MmapUnmapsLast(k);
  if (!unmaps_last) {
    FL_TRY(UnmapFirst(k, mm, area.addr, area.length, area.vm_flags));
  }
  MunmapSpan span = FL_TRY_VALUE(GatherMunmap(k, mm, area.addr, end));
  const uint64_t pages = area.length >> kPageShift;
  if (unmaps_last &&
      !MayExpandVm(k, mm, area.vm_flags, pages - span.nr_pages)) {
    return Errno::kENOMEM;
  }
  CompleteMunmap(k, mm, span, area.addr, end, Uncharge::kYes);
  UpdateHiwaterRss(mm);  // unmap_region() of what was not mapped
  const bool aligned = (args.pgoff << kPageShift) % args.huge_bytes == 0;
  return aligned ? Errno::kENOMEM : Errno::kEINVAL;
}

}  // namespace

uint64_t VmFlagsOfProt(uint64_t prot) { return prot & vm::kAccessFlags; }

bool CanDoMlock(Kernel& k) {
  return k.Current().rlim[kRlimitMemlock].soft != 0 || k.Capable(Cap::kIpcLock);
}

ErrnoOr<VirtAddr> GetUnmappedArea(Kernel& k, Mm& mm, Id<File> file,
                                  uint64_t addr, uint64_t length,
                                  uint64_t pgoff, uint64_t flags) {
  if (length > mm.task_size) return Errno::kENOMEM;
  VirtAddr at(addr);
  if (!(flags & mman::kFixed)) {
    auto found = FindArea(k, mm, file, addr, length, pgoff, flags);
    if (!found) {
      k.Emit(EventLevel::kAll, VmUnmappedArea{0, 12, length});
      return Errno::kENOMEM;
    }
    at = *found;
    if (!PlacesAs2632(k) && at.value() != addr) {
      RememberArea(mm, at, length, flags);
    }
    k.Emit(EventLevel::kAll, VmUnmappedArea{at.value(), 0, length});
  }
  // A fixed address in the last page is taken for an error: IS_ERR_VALUE().
  constexpr uint64_t kMaxErrno = 4095;
  if (at.value() >= -kMaxErrno) return static_cast<Errno>(-at.value());
  if (at.value() > mm.task_size - length) return Errno::kENOMEM;
  if (!at.aligned()) return Errno::kEINVAL;
  if (at.value() < k.sysctl.mmap_min_addr && !k.Capable(Cap::kSysRawio)) {
    return Errno::kEPERM;
  }
  return at;
}

ErrnoOr<uint64_t> HugetlbPageBytes(uint64_t map_flags) {
  constexpr int kShift = 26;  // MAP_HUGE_SHIFT
  constexpr uint64_t kMask = 63, kDefault = 21, kGigantic = 30;
  uint64_t log = map_flags >> kShift & kMask;
  if (log == 0) log = kDefault;
  if (log != kDefault && log != kGigantic) return Errno::kEINVAL;
  return uint64_t{1} << log;
}

ErrnoOr<VirtAddr> DoMmap(Kernel& k, Mm& mm, MmapArgs args) {
  MmapWriteLock(mm);
  if (args.length == 0) return Errno::kEINVAL;
  uint64_t flags = args.flags;
  if (flags & mman::kFixedNoReplace) flags |= mman::kFixed;
  uint64_t hint = args.addr;
  if (!(flags & mman::kFixed)) hint = RoundHintToMin(k, hint);
  uint64_t length = PageAlign(args.length);
  if (length == 0) return Errno::kENOMEM;
  if (PageOffsetWraps(k, args.pgoff, length >> kPageShift)) {
    return Errno::kEOVERFLOW;
  }
  if (mm.map_count > k.sysctl.max_map_count) return Errno::kENOMEM;
  uint64_t vm_flags = VmFlagsOfProt(args.prot) | VmFlagsOfMap(k, flags) |
                      mm.def_flags | vm::kMayAll;
  // hugetlb_get_unmapped_area()
  if ((flags & mman::kFixed) && args.huge_bytes > 0 && length <= mm.task_size &&
      hint % args.huge_bytes != 0) {
    return Errno::kEINVAL;
  }
  VirtAddr addr = FL_TRY_VALUE(
      GetUnmappedArea(k, mm, args.file, hint, length, args.pgoff, flags));
  if ((flags & mman::kFixedNoReplace) &&
      FindVmaIntersection(k, mm, addr, addr + length)) {
    return Errno::kEEXIST;
  }
  if ((flags & mman::kLocked) && !CanDoMlock(k)) return Errno::kEPERM;
  if (!MlockFutureOk(k, mm, vm_flags, length)) return Errno::kEAGAIN;
  uint64_t pgoff = args.pgoff;
  if (args.file) {
    FL_TRY(FileMapFlags(k, k.open_files[args.file], pgoff, length, args.prot,
                        flags, &vm_flags));
    FL_TRY(CheckSeals(k, k.inodes[k.open_files[args.file].inode], &vm_flags));
  } else if (args.huge_bytes > 0) {
    return MapHugetlb(k, mm, args, {addr, length, vm_flags});
  } else {
    FL_TRY(AnonMapFlags(k, flags, addr, &vm_flags, &pgoff));
  }
  if ((flags & mman::kNoReserve) && k.sysctl.overcommit_memory != 2) {
    vm_flags |= vm::kNoReserve;
  }
  FL_TRY(MmapRegion(k, mm, args.file, addr, length, vm_flags, pgoff));
  bool populate =
      (flags & (mman::kPopulate | mman::kNonblock)) == mman::kPopulate;
  if (populate || (vm_flags & vm::kLocked)) {
    (void)MmPopulate(k, mm, addr, length, OnError::kIgnore);
  }
  return addr;
}

Errno VmMunmap(Kernel& k, Mm& mm, uint64_t addr, uint64_t length) {
  MmapWriteLock(mm);
  if ((addr & ~kPageMask) != 0 || addr > mm.task_size ||
      length > mm.task_size - addr) {
    return Errno::kEINVAL;
  }
  uint64_t aligned = PageAlign(length);
  if (aligned == 0) return Errno::kEINVAL;
  return DoMunmap(k, mm, VirtAddr(addr), VirtAddr(addr + aligned));
}

Errno DoBrkFlags(Kernel& k, Mm& mm, Id<Vma> below, VirtAddr addr,
                 uint64_t length) {
  return DoBrkFlags(k, mm, below, addr, length, 0);
}

Errno DoBrkFlags(Kernel& k, Mm& mm, Id<Vma> below, VirtAddr addr,
                 uint64_t length, uint64_t flags) {
  flags |= vm::kRead | vm::kWrite | vm::kMayAll | vm::kAccount | mm.def_flags;
  flags = KsmVmaFlags(mm, flags);
  uint64_t pages = length >> kPageShift;
  if (!MayExpandVm(k, mm, flags, pages)) return Errno::kENOMEM;
  if (mm.map_count > k.sysctl.max_map_count) return Errno::kENOMEM;
  FL_TRY(VmEnoughMemory(k, mm, pages));
  MergeRange r{.mm = mm,
               .prev = below,
               .middle = {},
               .next = {},
               .start = addr,
               .end = addr + length,
               .flags = flags,
               .file = {},
               .anon_vma = {},
               .copied_from = {},
               .pgoff = addr.vpn(),
               .name = {},
               .just_expand = true};
  Id<Vma> merged;
  if (below && k.vmas[below].end == addr) merged = VmaMergeNewRange(k, r);
  if (merged) {
    k.vmas[merged].flags |= SoftDirtyVmFlag(k);
  } else {
    Vma& vma = NewVma(k, mm);
    vma.start = r.start;
    vma.end = r.end;
    vma.flags = flags | SoftDirtyVmFlag(k);
    vma.pgoff = r.pgoff;
    InsertVma(k, vma);
  }
  VmStatAccount(mm, flags, static_cast<int64_t>(pages));
  if (flags & vm::kLocked) mm.locked_vm += pages;
  return Errno::kOk;
}

VirtAddr DoBrk(Kernel& k, Mm& mm, VirtAddr brk) {
  MmapWriteLock(mm);
  if (brk < mm.start_brk) return mm.brk;
  uint64_t data_limit = k.Current().rlim[kRlimitData].soft;
  if (data_limit != kRlimInfinity &&
      (brk - mm.start_brk) + (mm.end_data - mm.start_data) > data_limit) {
    return mm.brk;
  }
  uint64_t wanted = PageAlign(brk.value());
  VirtAddr fresh(wanted), old(PageAlign(mm.brk.value()));
  if (fresh == old) return mm.brk = brk;
  if (brk <= mm.brk) {
    Id<Vma> heap = FindVma(k, mm, fresh);
    if (!heap || k.vmas[heap].start >= old) return mm.brk;
    if (DoMunmap(k, mm, fresh, old) != Errno::kOk) return mm.brk;
    return mm.brk = brk;
  }
  uint64_t grow = fresh - old;
  if (wanted == 0 ||
      !GetUnmappedArea(k, mm, {}, old.value(), grow, 0, mman::kFixed).ok() ||
      !MlockFutureOk(k, mm, mm.def_flags, grow)) {
    return mm.brk;
  }
  Id<Vma> next;
  Id<Vma> below = FindVmaPrev(k, mm, old, &next);
  if (next && wanted + kPageSize > VmStartGap(k, k.vmas[next]).value()) {
    return mm.brk;
  }
  if (below && k.vmas[below].end <= mm.start_brk) below = Id<Vma>();
  if (DoBrkFlags(k, mm, below, old, grow) != Errno::kOk) return mm.brk;
  mm.brk = brk;
  if (mm.def_flags & vm::kLocked) {
    (void)MmPopulate(k, mm, old, grow, OnError::kIgnore);
  }
  return brk;
}

Errno ExpandDownwards(Kernel& k, Vma& vma, VirtAddr addr) {
  if (!vma.Has(vm::kGrowsDown)) return Errno::kEFAULT;
  addr = addr.Floor();
  if (addr.value() < MmapMinAddr(k)) return Errno::kEPERM;
  uint64_t guard = k.sysctl.stack_guard_gap << kPageShift;
  if (vma.prev) {
    const Vma& prev = k.vmas[vma.prev];
    if (!prev.Has(vm::kGrowsDown) && VmaIsAccessible(prev) &&
        addr - prev.end < guard) {
      return Errno::kENOMEM;
    }
  }
  AnonVmaPrepare(k, vma);
  if (addr >= vma.start) return Errno::kOk;
  Mm& mm = k.mms[vma.mm];
  uint64_t bytes = vma.start - addr, pages = bytes >> kPageShift;
  if (pages > vma.pgoff) return Errno::kENOMEM;
  if (!MayExpandVm(k, mm, vma.flags, pages)) return Errno::kENOMEM;
  if (vma.end - addr > k.Current().rlim[kRlimitStack].soft) {
    return Errno::kENOMEM;
  }
  if (!MlockFutureOk(k, mm, vma.flags, bytes)) return Errno::kENOMEM;
  // Linux charges any stack here and gives back only what is VM_ACCOUNT; here
  // the others are asked for, and give it back at once (D22).
  FL_TRY(VmEnoughMemory(k, mm, pages));
  if (!vma.Has(vm::kAccount)) k.vm_committed -= pages;
  if (vma.Has(vm::kLocked)) mm.locked_vm += pages;
  VmStatAccount(mm, vma.flags, static_cast<int64_t>(pages));
  k.Emit(EventLevel::kAll, VmaExpand{addr.value(), vma.end.value(),
                                     vma.start.value(), vma.end.value()});
  vma.pgoff -= pages;
  SetVmaRange(k, vma, addr, vma.end);
  return Errno::kOk;
}

void ExitMmap(Kernel& k, Mm& mm) {
  if (mm.mmap) {
    MunmapSpan all{.first = mm.mmap, .prev = {}, .next = {}};
    for (Id<Vma> at = mm.mmap; at; at = k.vmas[at].next) {
      const Vma& vma = k.vmas[at];
      if (vma.Has(vm::kAccount)) all.nr_accounted += vma.pages().value();
    }
    CompleteMunmap(k, mm, all, VirtAddr(0), VirtAddr(~uint64_t{0}),
                   Uncharge::kYes);
  }
  VM_BUG_ON(mm.nr_ptes != 0);
  VM_BUG_ON(mm.RssPages() != 0);
  k.tlb.FlushAsid(mm.asid);
  PgdFree(k, mm);
  VM_BUG_ON(mm.pgtables_bytes != 0);
}

}  // namespace faultline
