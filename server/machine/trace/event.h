// The events of a simulated kernel, named after Linux's tracepoints, with the
// tracepoints' field names. Where Linux has no tracepoint the comment says so.
// Each event can say itself in one plain sentence (Say).
#ifndef FAULTLINE_SERVER_MACHINE_TRACE_EVENT_H_
#define FAULTLINE_SERVER_MACHINE_TRACE_EVENT_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "server/machine/trace/compaction_event.h"
#include "server/machine/trace/reclaim_event.h"

namespace faultline {

// exceptions:page_fault_user. error_code bits: 1 protection (page present),
// 2 write, 4 user, 0x10 instruction fetch.
struct PageFaultUser {
  static constexpr const char* kName = "page_fault_user";
  uint64_t address = 0;
  uint64_t error_code = 0;
};

// How the kernel resolved a fault. Linux has no tracepoint for it; the names
// are the functions of mm/memory.c that end the path.
enum class FaultResolution : uint8_t {
  kAnonZeroPage = 0,   // do_anonymous_page, read: the shared zero page
  kAnonPage = 1,       // do_anonymous_page, write: a new zeroed page
  kCowCopy = 2,        // wp_page_copy: a private copy of a shared page
  kCowZeroPage = 3,    // wp_page_copy from the zero page: a new zeroed page
  kCowReuse = 4,       // wp_page_reuse: the last owner writes in place
  kFileRead = 5,       // do_read_fault: a page-cache page is mapped
  kFileAround = 6,     // do_fault_around: cached neighbours mapped as well
  kFileCow = 7,        // do_cow_fault: a private copy of a file page
  kFileShared = 8,     // do_shared_fault: a shared file page made writable
  kSharedMkwrite = 9,  // wp_page_shared: page_mkwrite on a mapped page
  kSpurious = 10,      // the PTE already allowed it
  kGup = 11,           // reserved for a pin by the kernel
  kSwapIn = 12,        // do_swap_page: from the swap cache or a swap area
};
// handle_mm_fault's result for one address.
struct FaultResolved {
  static constexpr const char* kName = "fault_resolved";
  uint64_t address = 0;
  FaultResolution how = FaultResolution::kAnonPage;
  uint32_t pfn = 0;         // the frame now mapped
  bool major = false;       // had to wait for a block device
  uint32_t pages = 1;       // 4 KiB pages mapped: many with fault-around, 512
                            // with a huge page
  uint32_t copied_pfn = 0;  // the frame that was copied into pfn; 0: none was
};

// A fault that no mapping or permission allows, and a page beyond the end of
// its file: what signal_generate will carry. No tracepoint in Linux.
struct FaultRefused {
  static constexpr const char* kName = "fault_refused";
  uint64_t address = 0;
  int32_t signal = 0;
  int32_t code = 0;
};

// kmem:mm_page_alloc
struct MmPageAlloc {
  static constexpr const char* kName = "mm_page_alloc";
  uint32_t pfn = 0;
  uint32_t order = 0;
  uint32_t gfp_flags = 0;
  uint32_t migratetype = 0;
  uint32_t zone = 0;  // index in enum zone_type
};
// kmem:mm_page_alloc_extfrag: a page of another migrate type's block was
// taken, and the block with it when change_ownership is set.
struct MmPageAllocExtfrag {
  static constexpr const char* kName = "mm_page_alloc_extfrag";
  uint32_t pfn = 0;
  uint32_t alloc_order = 0;
  uint32_t fallback_order = 0;
  uint32_t alloc_migratetype = 0;
  uint32_t fallback_migratetype = 0;
  bool change_ownership = false;
};
// A message of the kernel's log, without its time; several lines are one
// message. Linux: printk:console.
struct Console {
  static constexpr const char* kName = "console";
  std::string msg;
};
// kmem:mm_page_free
struct MmPageFree {
  static constexpr const char* kName = "mm_page_free";
  uint32_t pfn = 0;
  uint32_t order = 0;
};
// kmem:mm_page_alloc_zone_locked has no meaning here; this is its neighbour:
// a block was split (expand()) or two buddies were merged (__free_one_page()).
struct BuddySplit {
  static constexpr const char* kName = "buddy_split";
  uint32_t pfn = 0;
  uint32_t from_order = 0;
  uint32_t to_order = 0;
};
struct BuddyMerge {
  static constexpr const char* kName = "buddy_merge";
  uint32_t pfn = 0;
  uint32_t from_order = 0;
  uint32_t to_order = 0;
};

// mmap:vm_unmapped_area
struct VmUnmappedArea {
  static constexpr const char* kName = "vm_unmapped_area";
  uint64_t addr = 0;  // 0 with a non-zero error
  int32_t err = 0;
  uint64_t length = 0;
};

// The life of VMAs. Linux traces only mmap:vma_store; these say what the store
// was for. Addresses are the VMA after the change; flags are VM_*.
struct VmaCreate {
  static constexpr const char* kName = "vma_create";
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t flags = 0;
};
struct VmaMerge {
  static constexpr const char* kName = "vma_merge";
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t flags = 0;
  uint32_t absorbed = 0;  // VMAs that ceased to exist
};
struct VmaSplit {
  static constexpr const char* kName = "vma_split";
  uint64_t start = 0;  // of the whole before
  uint64_t at = 0;
  uint64_t end = 0;
};
struct VmaChange {
  static constexpr const char* kName = "vma_change";
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t old_flags = 0;
  uint64_t flags = 0;
};
struct VmaExpand {
  static constexpr const char* kName = "vma_expand";
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t old_start = 0;
  uint64_t old_end = 0;
};
struct VmaRemove {
  static constexpr const char* kName = "vma_remove";
  uint64_t start = 0;
  uint64_t end = 0;
};
struct VmaMove {
  static constexpr const char* kName = "vma_move";
  uint64_t from = 0;
  uint64_t to = 0;
  uint64_t length = 0;
};

// A page-table page came or went (level 1 PTE … 4 PGD). No tracepoint.
struct PageTableAlloc {
  static constexpr const char* kName = "page_table_alloc";
  uint32_t level = 0;
  uint32_t pfn = 0;
  uint64_t address = 0;  // first address it translates
};
struct PageTableFree {
  static constexpr const char* kName = "page_table_free";
  uint32_t level = 0;
  uint32_t pfn = 0;
};

// tlb:tlb_flush. reason: 0 task switch, 1 remote shootdown, 2 local shootdown,
// 3 local mm shootdown; pages -1 means everything of the address space.
struct TlbFlush {
  static constexpr const char* kName = "tlb_flush";
  int32_t reason = 0;
  int64_t pages = 0;
};

// filemap:mm_filemap_add_to_page_cache
struct MmFilemapAddToPageCache {
  static constexpr const char* kName = "mm_filemap_add_to_page_cache";
  uint64_t i_ino = 0;
  uint64_t index = 0;  // page offset
  uint32_t pfn = 0;
};
// filemap:mm_filemap_delete_from_page_cache
struct MmFilemapDeleteFromPageCache {
  static constexpr const char* kName = "mm_filemap_delete_from_page_cache";
  uint64_t i_ino = 0;
  uint64_t index = 0;
  uint32_t pfn = 0;
};

// A window of a file is read ahead (page_cache_ra_order()). No tracepoint.
struct PageCacheRa {
  static constexpr const char* kName = "page_cache_ra";
  uint64_t i_ino = 0;
  uint64_t start = 0;
  uint32_t size = 0;        // pages
  uint32_t async_size = 0;  // from its end: where the next window is begun
  uint32_t ra_pages = 0;
  uint32_t order = 0;
  uint32_t mmap_miss = 0;
};
// writeback:writeback_dirty_folio
struct WritebackDirtyFolio {
  static constexpr const char* kName = "writeback_dirty_folio";
  uint64_t ino = 0;
  uint64_t index = 0;
};
// writeback:writeback_single_inode. state: I_DIRTY_SYNC 1, I_DIRTY_DATASYNC 2,
// I_DIRTY_PAGES 4.
struct WritebackSingleInode {
  static constexpr const char* kName = "writeback_single_inode";
  uint64_t ino = 0;
  uint32_t state = 0;
  uint64_t dirtied_when = 0;  // simulated nanoseconds
  uint64_t writeback_index = 0;
  uint64_t nr_to_write = 0;
  uint64_t wrote = 0;
};
// writeback:balance_dirty_pages. Pages, pages a second, nanoseconds.
struct BalanceDirtyPages {
  static constexpr const char* kName = "balance_dirty_pages";
  uint64_t limit = 0;
  uint64_t setpoint = 0;
  uint64_t dirty = 0;
  uint64_t task_ratelimit = 0;
  uint64_t dirtied = 0;
  uint64_t pause = 0;
};
// block:block_rq_issue, block:block_rq_complete
struct BlockRqIssue {
  static constexpr const char* kName = "block_rq_issue";
  uint64_t sector = 0;
  uint64_t nr_sector = 0;
  bool write = false;
};
struct BlockRqComplete {
  static constexpr const char* kName = "block_rq_complete";
  uint64_t sector = 0;
  uint64_t nr_sector = 0;
  bool write = false;
  uint64_t wait_ns = 0;  // since it was queued
};

// sched:sched_process_fork
struct SchedProcessFork {
  static constexpr const char* kName = "sched_process_fork";
  uint32_t parent_pid = 0;
  uint32_t child_pid = 0;
};
// sched:sched_process_exec
struct SchedProcessExec {
  static constexpr const char* kName = "sched_process_exec";
  std::string filename;
  uint32_t pid = 0;
};
// sched:sched_process_exit
struct SchedProcessExit {
  static constexpr const char* kName = "sched_process_exit";
  uint32_t pid = 0;
  int32_t status = 0;  // as wait4 would report it
};
// signal:signal_generate
struct SignalGenerate {
  static constexpr const char* kName = "signal_generate";
  int32_t sig = 0;
  int32_t code = 0;
  uint32_t pid = 0;
};
// Which page of a process leaves memory (mm/replacement.h).
enum class ReplacementPolicy : uint8_t {
  kNone = 0,
  kFifo,
  kLru,
  kClock,
  kSecondChance,
  kLfu,
  kMru,
  kNru,
  kAging,
  kRandom,
  kOpt,
  kClient,
};

// A page took a frame of a process that has a replacement policy. No
// tracepoint.
struct PageReplaced {
  static constexpr const char* kName = "page_replaced";
  ReplacementPolicy policy = ReplacementPolicy::kNone;
  uint64_t address = 0;  // the page that was needed
  uint64_t victim = 0;   // the page that left; 0: a frame was free
  uint64_t faults = 0;
  std::vector<uint64_t> frames;  // the pages in memory afterwards, by slot
};
// Events were dropped because a command made more than the buffer holds.
struct EventsLost {
  static constexpr const char* kName = "events_lost";
  uint64_t count = 0;
};

using EventBody = std::variant<
    PageFaultUser, FaultResolved, FaultRefused, MmPageAlloc, MmPageFree,
    BuddySplit, BuddyMerge, VmUnmappedArea, VmaCreate, VmaMerge, VmaSplit,
    VmaChange, VmaExpand, VmaRemove, VmaMove, PageTableAlloc, PageTableFree,
    TlbFlush, MmFilemapAddToPageCache, MmFilemapDeleteFromPageCache,
    SchedProcessFork, SchedProcessExec, SchedProcessExit, SignalGenerate,
    EventsLost, MmPageAllocExtfrag, Console, PageReplaced, PageCacheRa,
    WritebackDirtyFolio, WritebackSingleInode, BalanceDirtyPages, BlockRqIssue,
    BlockRqComplete, MmVmscanWakeupKswapd, MmVmscanKswapdWake,
    MmVmscanKswapdSleep, MmVmscanDirectReclaimBegin, MmVmscanDirectReclaimEnd,
    MmVmscanLruIsolate, MmVmscanLruShrinkInactive, MmVmscanLruShrinkActive,
    SwapWrite, SwapRead, MarkVictim, MmShrinkSlabStart, MmShrinkSlabEnd,
    MmCompactionBegin, MmCompactionEnd, MmCompactionWakeupKcompactd,
    MmCompactionKcompactdWake, MmCompactionKcompactdSleep>;

struct Event {
  uint32_t pid = 0;
  EventBody body;

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.pid, s.body);
  }
};

// How much a machine tells. Counters (min_flt, vmstat …) are always kept.
enum class EventLevel : uint8_t {
  kNone = 0,      // no event
  kCounters = 1,  // no event; the counters of the outcome
  kFaults = 2,    // page_fault_user, fault_resolved, fault_refused, signals,
                  // processes
  kAll = 3,
};
EventLevel LevelOf(const EventBody& body);

// The tracepoint's name.
const char* EventName(const EventBody& body);
// One plain English sentence.
std::string Say(const Event& event);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_TRACE_EVENT_H_
