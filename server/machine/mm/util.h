// Accounting of address space: what may grow, what is charged.
#ifndef FAULTLINE_SERVER_MACHINE_MM_UTIL_H_
#define FAULTLINE_SERVER_MACHINE_MM_UTIL_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// vm_stat_account(): total_vm and its shares, by the VMA's flags.
void VmStatAccount(Mm& mm, uint64_t flags, int64_t pages);
// may_expand_vm(): within RLIMIT_AS and RLIMIT_DATA of the current task.
bool MayExpandVm(Kernel& k, const Mm& mm, uint64_t flags, uint64_t pages);
// __vm_enough_memory(): charges `pages` to vm_committed, or says ENOMEM as
// vm.overcommit_memory demands.
Errno VmEnoughMemory(Kernel& k, const Mm& mm, uint64_t pages);
// vm_commit_limit(), pages.
uint64_t VmCommitLimit(const Kernel& k);
// accountable_mapping(): private, writable, reserved.
bool AccountableMapping(uint64_t flags);
// map_deny_write_exec()
bool MapDenyWriteExec(const Mm& mm, uint64_t before, uint64_t after);
// mlock_future_ok()
bool MlockFutureOk(Kernel& k, const Mm& mm, uint64_t flags, uint64_t bytes);
// can_do_mincore(), can_do_file_pageout(): may the current task know, or
// decide, what of the VMA's file is cached? Its owner may, who is root, and who
// could open it for writing, however it is open now.
bool MayTellOfCache(const Kernel& k, const Vma& vma);
// update_hiwater_rss(), update_hiwater_vm()
void UpdateHiwaterRss(Mm& mm);
void UpdateHiwaterVm(Mm& mm);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_UTIL_H_
