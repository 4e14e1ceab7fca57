// The event counters of /proc/vmstat. Models include/linux/vm_event_item.h.
#ifndef FAULTLINE_SERVER_MACHINE_MM_VMSTAT_H_
#define FAULTLINE_SERVER_MACHINE_MM_VMSTAT_H_

#include <array>
#include <cstdint>

namespace faultline {

enum VmEvent : int {
  kPgAllocDma,
  kPgAllocDma32,
  kPgAllocNormal,
  kPgAllocHigh,
  kPgAllocMovable,
  kPgFree,
  kPgFault,
  kPgMajFault,
  kPgPgIn,   // sectors
  kPgPgOut,  // sectors
  kDropPagecache,
  kDropSlab,
  kOomKill,
  kThpFaultAlloc,
  kThpFaultFallback,
  kThpCollapseAlloc,
  kThpCollapseAllocFailed,
  kThpFileMapped,
  kThpSplitPage,
  kThpDeferredSplitPage,
  kThpSplitPmd,
  kThpZeroPageAlloc,
  kThpZeroPageAllocFailed,
  kCowKsm,
  kPgMigrateSuccess,
  kPgMigrateFail,
  kCompactMigrateScanned,
  kCompactFreeScanned,
  kCompactIsolated,
  kCompactStall,
  kCompactFail,
  kCompactSuccess,
  kCompactDaemonWake,
  kCompactDaemonMigrateScanned,
  kCompactDaemonFreeScanned,
  kPswpIn,
  kPswpOut,
  kSwpInZero,
  kSwpOutZero,
  kSwapRa,
  kSwapRaHit,
  kKsmSwpInCopy,
  kAllocStallDma,
  kAllocStallDma32,
  kAllocStallNormal,
  kAllocStallHigh,
  kAllocStallMovable,
  kPgSkipDma,
  kPgSkipDma32,
  kPgSkipNormal,
  kPgSkipHigh,
  kPgSkipMovable,
  kPgActivate,
  kPgDeactivate,
  kPgLazyFree,
  kPgLazyFreed,
  kPgRefill,
  kPgReuse,
  kPgStealKswapd,
  kPgStealDirect,
  kPgStealProactive,
  kPgScanKswapd,
  kPgScanDirect,
  kPgScanProactive,
  kPgScanAnon,
  kPgScanFile,
  kPgStealAnon,
  kPgStealFile,
  kPgRotated,
  kPgInodeSteal,
  kSlabsScanned,
  kKswapdInodeSteal,
  kKswapdLowWmarkHitQuickly,
  kKswapdHighWmarkHitQuickly,
  kPageOutRun,
  kUnevictablePgsCulled,
  kUnevictablePgsScanned,
  kUnevictablePgsRescued,
  kUnevictablePgsMlocked,
  kUnevictablePgsMunlocked,
  kThpSwpOutFallback,
  // Of enum node_stat_item, but they only rise.
  kWorkingsetRefaultAnon,
  kWorkingsetRefaultFile,
  kWorkingsetActivateAnon,
  kWorkingsetActivateFile,
  kWorkingsetRestoreAnon,
  kWorkingsetRestoreFile,
  kWorkingsetNodeReclaim,
  kNrVmscanWrite,
  kNrVmscanImmediate,
  kVmEventCount,
};

// Pages in a state, over the whole machine (enum node_stat_item).
enum NodeStat : int {
  kNrAnonMapped,
  kNrFileMapped,
  kNrFilePages,
  kNrShmem,
  kNrFileDirty,
  kNrWriteback,
  kNrDirtied,  // ever, as kNrWritten
  kNrWritten,
  kNrPageTables,
  kNrAnonThps,        // large folios that a level-2 entry maps
  kNrShmemThps,       // folios of 2 MiB in the page cache
  kNrShmemPmdMapped,  // … that a level-2 entry maps
  kNrSlabReclaimable,
  kNrSlabUnreclaimable,
  kNodeStatCount,
};

struct Vmstat {
  std::array<uint64_t, kVmEventCount> events{};
  std::array<int64_t, kNodeStatCount> node{};
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_VMSTAT_H_
