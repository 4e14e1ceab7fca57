// Models mm/madvise.c (v6.18): do_madvise(), madvise_walk_vmas(),
// madvise_vma_behavior() and what it calls.
#include "server/machine/mm/madvise.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/machine/mm/gup.h"
#include "server/machine/mm/huge_memory.h"
#include "server/machine/mm/ksm.h"
#include "server/machine/mm/madvise_age.h"
#include "server/machine/mm/memory.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/readahead.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/swap.h"
#include "server/machine/mm/swap_state.h"
#include "server/machine/mm/swapfile.h"
#include "server/machine/mm/truncate.h"
#include "server/machine/mm/util.h"
#include "server/machine/mm/vma.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

enum Advice : int32_t {
  kNormal = 0,
  kRandom = 1,
  kSequential = 2,
  kWillneed = 3,
  kDontneed = 4,
  kFree = 8,
  kRemove = 9,
  kDontfork = 10,
  kDofork = 11,
  kMergeable = 12,
  kUnmergeable = 13,
  kHugepage = 14,
  kNohugepage = 15,
  kDontdump = 16,
  kDodump = 17,
  kWipeonfork = 18,
  kKeeponfork = 19,
  kCold = 20,
  kPageout = 21,
  kPopulateRead = 22,
  kPopulateWrite = 23,
  kDontneedLocked = 24,
  kCollapse = 25,
  kGuardInstall = 102,
  kGuardRemove = 103,
};

// madvise_behavior_valid(). MADV_HWPOISON and MADV_SOFT_OFFLINE are not:
// CONFIG_MEMORY_FAILURE is off.
bool KnownAdvice(const Kernel& k, int32_t a) {
  if (a == kGuardInstall || a == kGuardRemove) return k.quirks.guard_regions;
  return (a >= kNormal && a <= kDontneed) || (a >= kFree && a <= kCollapse);
}

// can_madvise_modify(): what is sealed, anonymous and not to be written is not
// to be discarded either.
bool MayModify(const Vma& vma, int32_t advice) {
  if (!vma.Has(vm::kSealed) || !vma.anonymous() || vma.Has(vm::kWrite)) {
    return true;
  }
  switch (advice) {
    case kFree:
    case kDontneed:
    case kDontneedLocked:
    case kRemove:
    case kDontfork:
    case kWipeonfork:
    case kGuardInstall:
      return false;
    default:
      return true;
  }
}

// The flags after an advice that only changes flags, or an errno.
ErrnoOr<uint64_t> FlagsAfter(const Vma& vma, int32_t advice) {
  uint64_t flags = vma.flags;
  switch (advice) {
    case kNormal:
      return flags & ~(vm::kRandRead | vm::kSeqRead);
    case kSequential:
      return (flags & ~vm::kRandRead) | vm::kSeqRead;
    case kRandom:
      return (flags & ~vm::kSeqRead) | vm::kRandRead;
    case kDontfork:
      return flags | vm::kDontCopy;
    case kDofork:
      if (flags & vm::kSpecial) return Errno::kEINVAL;
      return flags & ~vm::kDontCopy;
    case kWipeonfork:
      if (vma.file || (flags & (vm::kShared | vm::kSpecial))) {
        return Errno::kEINVAL;
      }
      return flags | vm::kWipeOnFork;
    case kKeeponfork:
      if (flags & vm::kDroppable) return Errno::kEINVAL;
      return flags & ~vm::kWipeOnFork;
    case kDontdump:
      return flags | vm::kDontDump;
    case kDodump:
      if ((flags & vm::kSpecial) || (flags & vm::kDroppable)) {
        return Errno::kEINVAL;
      }
      return flags & ~vm::kDontDump;
    case kHugepage:
      if (flags & vm::kSpecial) return Errno::kEINVAL;
      return (flags & ~vm::kNoHugePage) | vm::kHugePage;
    case kNohugepage:
      if (flags & vm::kSpecial) return Errno::kEINVAL;
      return (flags & ~vm::kHugePage) | vm::kNoHugePage;
    default:
      return Errno::kEINVAL;
  }
}

// Gives [start, end) of the VMA new flags and a name. ENOMEM is EAGAIN here.
Errno UpdateVma(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end,
                uint64_t flags, const std::string& name, Id<Vma>* changed) {
  if (flags == vma.flags && name == vma.name) return Errno::kOk;
  auto modified = VmaModify(k, vma, start, end, flags, name);
  if (!modified.ok()) {
    Errno e = modified.error();
    return e == Errno::kENOMEM ? Errno::kEAGAIN : e;
  }
  *changed = modified.value();
  SetVmaFlags(k.vmas[*changed], flags);
  k.vmas[*changed].name = name;
  return Errno::kOk;
}

Errno Dontneed(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end,
               int32_t advice) {
  uint64_t forbidden = vm::kPfnMap;
  if (advice == kDontneed) forbidden |= vm::kLocked;
  if (vma.flags & forbidden) return Errno::kEINVAL;
  ZapPageRange(k, vma, start, end);
  if (k.quirks.dontneed_frees_tables) {
    FreeEmptyTables(k, k.mms[vma.mm], start, end);
  }
  return Errno::kOk;
}

Errno Remove(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end) {
  if (vma.Has(vm::kLocked) || !vma.file) return Errno::kEINVAL;
  constexpr uint64_t kSharedMayWrite = vm::kShared | vm::kMayWrite;
  if ((vma.flags & kSharedMayWrite) != kSharedMayWrite) return Errno::kEACCES;
  Id<Inode> inode = k.open_files[vma.file].inode;
  // ramfs has no fallocate().
  if (k.inodes[inode].fs == FsType::kRamfs) return Errno::kEOPNOTSUPP;
  if (k.inodes[inode].Sealed(seal::kAnyWrite)) return Errno::kEPERM;
  PunchHole(k, inode, vma.PageIndex(start), vma.PageIndex(end) - 1);
  return Errno::kOk;
}

// madvise_guard_install(): what is mapped goes, and every page gets a marker.
Errno GuardInstall(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end) {
  if (vma.Has(vm::kSpecial | vm::kHugeTlb | vm::kLocked)) return Errno::kEINVAL;
  vma.flags |= vm::kMaybeGuard;
  if (vma.anonymous()) AnonVmaPrepare(k, vma);
  const Mm& mm = k.mms[vma.mm];
  bool mapped = false;
  ForEachPte(std::as_const(k), mm, start, end,
             [&](VirtAddr, Pte pte) { mapped |= !pte.guard(); });
  if (mapped) ZapPageRange(k, vma, start, end);
  for (VirtAddr a = start; a < end; a = a + kPageSize) {
    PteRef ref = AllocPte(k, k.mms[vma.mm], a);
    if (!ref.ok()) return Errno::kENOMEM;
    SetPte(k, ref, Pte::Guard());
  }
  return Errno::kOk;
}

// madvise_guard_remove()
Errno GuardRemove(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end) {
  if (vma.Has(vm::kSpecial | vm::kHugeTlb)) return Errno::kEINVAL;
  ForEachPte(k, k.mms[vma.mm], start, end, [](VirtAddr, auto& entry) {
    if (Pte(entry).guard()) entry = 0;
  });
  return Errno::kOk;
}

// swapin_walk_pmd_entry(): what is swapped out comes into the swap cache.
void SwapinRange(Kernel& k, const Vma& vma, VirtAddr start, VirtAddr end) {
  const Mm& mm = k.mms[vma.mm];
  std::vector<SwpEntry> entries;
  ForEachPte(std::as_const(k), mm, start, end, [&](VirtAddr, Pte pte) {
    if (pte.swapped()) entries.push_back(SwpEntry::Of(pte));
  });
  for (const SwpEntry entry : entries) {
    // One read may have made room by the end of another process.
    if (!SlotOf(std::as_const(k), entry).free()) ReadSwapCache(k, entry);
  }
}

void Willneed(Kernel& k, const Vma& vma, VirtAddr start, VirtAddr end) {
  if (!vma.file) return SwapinRange(k, vma, start, end);
  Id<Inode> inode = k.open_files[vma.file].inode;
  if (k.inodes[inode].fs != FsType::kExt4) return;
  // vfs_fadvise(POSIX_FADV_WILLNEED)
  const FileRa& ra = k.open_files[vma.file].ra;
  ForcePageCacheRa(k, inode, ra, vma.PageIndex(start),
                   vma.PageIndex(end) - vma.PageIndex(start));
}

// faultin_page_range(): MADV_POPULATE_*.
Errno Populate(Kernel& k, Mm& mm, VirtAddr start, VirtAddr end, bool write) {
  // Until 6.9 what had to wait was begun anew, and not tried again.
  const Retry retry =
      k.quirks.populate_stops_at_hole ? Retry::kTried : Retry::kAnew;
  VirtAddr at = start;
  while (at < end) {
    Id<Vma> id = FindVma(k, mm, at);
    if (!id || k.vmas[id].start > at) return Errno::kENOMEM;
    Vma& vma = k.vmas[id];
    if (vma.Has(vm::kIo | vm::kPfnMap)) return Errno::kEINVAL;
    if (!vma.Has(write ? vm::kWrite : vm::kRead)) return Errno::kEINVAL;
    VirtAddr stop = std::min(vma.end, end);
    for (; at < stop; at = at + kPageSize) {
      FL_TRY(FaultIn(k, vma, at, write, retry));
    }
  }
  return Errno::kOk;
}

// madvise_vma_behavior()
Errno VmaBehavior(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end,
                  int32_t advice, Id<Vma>* changed) {
  if (!MayModify(vma, advice)) return Errno::kEPERM;
  switch (advice) {
    case kWillneed:
      Willneed(k, vma, start, end);
      return Errno::kOk;
    case kRemove:
      return Remove(k, vma, start, end);
    case kCold:
    case kPageout:
      return MadviseAge(k, vma, start, end,
                        advice == kCold ? Aging::kCold : Aging::kPageout);
    case kFree:
      return MadviseFree(k, vma, start, end);
    case kDontneed:
    case kDontneedLocked:
      return Dontneed(k, vma, start, end, advice);
    case kCollapse:
      return MadviseCollapse(k, vma, start, end);
    case kGuardInstall:
      return GuardInstall(k, vma, start, end);
    case kGuardRemove:
      return GuardRemove(k, vma, start, end);
    default:
      break;
  }
  uint64_t flags = vma.flags;
  Errno e = Errno::kOk;
  if (advice == kMergeable) {
    e = KsmMadviseMergeable(k, vma, &flags);
  } else if (advice == kUnmergeable) {
    e = KsmMadviseUnmergeable(k, vma, start, end, &flags);
  } else {
    flags = FL_TRY_VALUE(FlagsAfter(vma, advice));
  }
  if (e != Errno::kOk) return e == Errno::kENOMEM ? Errno::kEAGAIN : e;
  return UpdateVma(k, vma, start, end, flags, vma.name, changed);
}

// get_lock_mode(): the advice that needs more than to look at VMAs. What 6.18
// does under the VMA's own lock counts as looking, as page faults do.
bool ChangesVmas(int32_t advice) {
  switch (advice) {
    case kWillneed:
    case kRemove:
    case kCold:
    case kPageout:
    case kFree:
    case kDontneed:
    case kDontneedLocked:
    case kPopulateRead:
    case kPopulateWrite:
    case kCollapse:
    case kGuardInstall:
    case kGuardRemove:
      return false;
    default:
      return true;
  }
}

// madvise_walk_vmas()
template <class Visit>
Errno WalkVmas(Kernel& k, Mm& mm, VirtAddr start, VirtAddr end, Visit visit) {
  bool hole = false;
  Id<Vma> at = FindVma(k, mm, start);
  while (true) {
    if (!at) return Errno::kENOMEM;
    Vma& vma = k.vmas[at];
    if (start < vma.start) {
      hole = true;
      start = vma.start;
      if (start >= end) break;
    }
    VirtAddr stop = std::min(vma.end, end);
    Id<Vma> changed = at;
    FL_TRY(visit(vma, start, stop, &changed));
    start = std::max(stop, std::min(k.vmas[changed].end, end));
    if (start >= end) break;
    at = FindVma(k, mm, start);
  }
  return hole ? Errno::kENOMEM : Errno::kOk;
}

// Private memory without a file, and vma_is_anon_shmem().
bool MayHaveName(const Kernel& k, const Vma& vma) {
  if (!vma.file) return true;
  const Inode& inode = k.inodes[k.open_files[vma.file].inode];
  return k.quirks.names_shared_anon && inode.shmem() && !inode.linked &&
         inode.path == "/dev/zero";
}

}  // namespace

Errno DoMadvise(Kernel& k, Mm& mm, uint64_t addr, uint64_t length,
                int32_t advice) {
  if (!KnownAdvice(k, advice)) return Errno::kEINVAL;
  if (addr & ~kPageMask) return Errno::kEINVAL;
  uint64_t bytes = PageAlign(length);
  if (length != 0 && bytes == 0) return Errno::kEINVAL;
  VirtAddr start(addr), end(addr + bytes);
  if (end < start) return Errno::kEINVAL;
  if (end == start) return Errno::kOk;
  ChangesVmas(advice) ? MmapWriteLock(mm) : MmapReadLock(mm);
  const bool populates = advice == kPopulateRead || advice == kPopulateWrite;
  if (populates && k.quirks.populate_stops_at_hole) {
    return Populate(k, mm, start, end, advice == kPopulateWrite);
  }
  return WalkVmas(k, mm, start, end,
                  [&](Vma& vma, VirtAddr from, VirtAddr to, Id<Vma>* changed) {
                    if (populates) {
                      return Populate(k, mm, from, to,
                                      advice == kPopulateWrite);
                    }
                    return VmaBehavior(k, vma, from, to, advice, changed);
                  });
}

bool IsRemoteAdvice(int32_t advice) {
  return advice == kCold || advice == kPageout || advice == kWillneed ||
         advice == kCollapse;
}

Errno SetAnonVmaName(Kernel& k, Mm& mm, uint64_t addr, uint64_t length,
                     const std::string& name) {
  // ANON_VMA_NAME_MAX_LEN counts the final zero.
  constexpr size_t kNameMax = 80;
  if (name.size() >= kNameMax) return Errno::kEINVAL;
  for (char c : name) {
    if (c < 0x20 || c > 0x7e ||
        std::string("\\`$[]").find(c) != std::string::npos) {
      return Errno::kEINVAL;
    }
  }
  if (addr & ~kPageMask) return Errno::kEINVAL;
  uint64_t bytes = PageAlign(length);
  if (length != 0 && bytes == 0) return Errno::kEINVAL;
  VirtAddr start(addr), end(addr + bytes);
  if (end < start) return Errno::kEINVAL;
  if (end == start) return Errno::kOk;
  MmapWriteLock(mm);
  return WalkVmas(k, mm, start, end,
                  [&](Vma& vma, VirtAddr from, VirtAddr to, Id<Vma>* changed) {
                    if (!MayHaveName(std::as_const(k), vma)) {
                      return Errno::kEBADF;
                    }
                    return UpdateVma(k, vma, from, to, vma.flags, name,
                                     changed);
                  });
}

}  // namespace faultline
