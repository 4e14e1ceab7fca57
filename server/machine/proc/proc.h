// The simulated /proc: each file as Linux would print it, byte for byte, from
// a machine that is only looked at. Models fs/proc/{root,base}.c (v6.18).
//
// Files: /proc/PID/{maps,smaps,smaps_rollup,pagemap,status,stat,statm,
// oom_score,oom_score_adj,ksm_stat,ksm_merging_pages} and
// /proc/{meminfo,zoneinfo,buddyinfo,vmstat,diskstats,slabinfo,vmallocinfo,
// devices,modules,kpagecount,kpageflags}. PID is a number; nobody reads, so
// there is no self. And what KSM shows of itself:
// /sys/kernel/mm/ksm/NAME.
#ifndef FAULTLINE_SERVER_MACHINE_PROC_PROC_H_
#define FAULTLINE_SERVER_MACHINE_PROC_PROC_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "server/machine/kernel.h"

namespace faultline {

// What one read of a binary file returns at most.
inline constexpr uint64_t kProcReadMax = uint64_t{4} << 20;

// The whole file, as cat(1) prints it. ENOENT: no such file or process;
// ESRCH: the process has no address space any more; EFBIG: a binary file of
// more than kProcReadMax bytes, to be read in parts with ReadProcAt().
ErrnoOr<std::string> ReadProc(const Kernel& k, std::string_view path);

// pread(2): at most `length` bytes from `offset` on; "" at the end. EINVAL:
// an offset or length that cuts an entry of pagemap, kpagecount or kpageflags.
ErrnoOr<std::string> ReadProcAt(const Kernel& k, std::string_view path,
                                uint64_t offset, uint64_t length);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_PROC_PROC_H_
