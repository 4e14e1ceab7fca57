// Models mm/util.c (v6.18): __vm_enough_memory(), vm_commit_limit(); and of
// mm/mmap.c: may_expand_vm(), vm_stat_account(), mlock_future_ok().
#include "server/machine/mm/util.h"

#include <algorithm>

namespace faultline {
namespace {

bool IsExecMapping(uint64_t f) {
  return (f & (vm::kExec | vm::kWrite | vm::kGrowsDown)) == vm::kExec;
}
bool IsStackMapping(uint64_t f) { return f & vm::kGrowsDown; }
bool IsDataMapping(uint64_t f) {
  return (f & (vm::kWrite | vm::kShared | vm::kGrowsDown)) == vm::kWrite;
}

}  // namespace

void VmStatAccount(Mm& mm, uint64_t flags, int64_t pages) {
  uint64_t n = static_cast<uint64_t>(pages);
  mm.total_vm += n;
  if (IsExecMapping(flags)) {
    mm.exec_vm += n;
  } else if (IsStackMapping(flags)) {
    mm.stack_vm += n;
  } else if (IsDataMapping(flags)) {
    mm.data_vm += n;
  }
}

bool MayExpandVm(Kernel& k, const Mm& mm, uint64_t flags, uint64_t pages) {
  const auto& rlim = k.Current().rlim;
  if (mm.total_vm + pages > rlim[kRlimitAs].soft >> kPageShift) return false;
  if (!IsDataMapping(flags)) return true;
  const Rlimit& data = rlim[kRlimitData];
  if (mm.data_vm + pages <= data.soft >> kPageShift) return true;
  // A soft limit of 0 is Valgrind's, and is taken for the hard one.
  return data.soft == 0 && mm.data_vm + pages <= data.hard >> kPageShift;
}

uint64_t VmCommitLimit(const Kernel& k) {
  const uint64_t swap = k.swap.total;
  if (k.sysctl.overcommit_kbytes != 0) {
    return (k.sysctl.overcommit_kbytes >> (kPageShift - 10)) + swap;
  }
  return k.totalram_pages * k.sysctl.overcommit_ratio / 100 + swap;
}

Errno VmEnoughMemory(Kernel& k, const Mm& mm, uint64_t pages) {
  k.vm_committed += pages;
  const SysctlTable& s = k.sysctl;
  bool ok = true;
  if (s.overcommit_memory == 0) {
    ok = pages <= k.totalram_pages + k.swap.total;
  } else if (s.overcommit_memory != 1) {
    uint64_t allowed = VmCommitLimit(k);
    constexpr int kKbytesToPages = kPageShift - 10;
    auto less = [&](uint64_t n) { allowed -= std::min(allowed, n); };
    if (!k.Capable(Cap::kSysAdmin))
      less(s.admin_reserve_kbytes >> kKbytesToPages);
    less(std::min(mm.total_vm / 32, s.user_reserve_kbytes >> kKbytesToPages));
    ok = k.vm_committed < allowed;
  }
  if (ok) return Errno::kOk;
  k.vm_committed -= pages;
  return Errno::kENOMEM;
}

bool AccountableMapping(uint64_t flags) {
  return (flags & (vm::kNoReserve | vm::kShared | vm::kWrite)) == vm::kWrite;
}

bool MapDenyWriteExec(const Mm& mm, uint64_t before, uint64_t after) {
  if (mm.mdwe == 0 || !(after & vm::kExec)) return false;
  return (after & vm::kWrite) != 0 || !(before & vm::kExec);
}

bool MlockFutureOk(Kernel& k, const Mm& mm, uint64_t flags, uint64_t bytes) {
  if (!(flags & vm::kLocked) || k.Capable(Cap::kIpcLock)) return true;
  uint64_t limit = k.Current().rlim[kRlimitMemlock].soft;
  return (bytes >> kPageShift) + mm.locked_vm <= limit >> kPageShift;
}

bool MayTellOfCache(const Kernel& k, const Vma& vma) {
  if (!vma.file || k.tasks[k.current].uid == 0) return true;
  return (k.inodes[k.open_files[vma.file].inode].mode & 0002) != 0;
}

void UpdateHiwaterRss(Mm& mm) {
  mm.hiwater_rss = std::max(mm.hiwater_rss, mm.ShownRssPages());
}

void UpdateHiwaterVm(Mm& mm) {
  mm.hiwater_vm = std::max(mm.hiwater_vm, mm.total_vm);
}

}  // namespace faultline
