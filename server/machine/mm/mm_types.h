// mm_struct, vm_area_struct, anon_vma and its chains: the data of an address
// space. Models include/linux/{mm_types,rmap,mm}.h (v6.18), with the list and
// the red-black tree of VMAs that Linux had until 6.1.
#ifndef FAULTLINE_SERVER_MACHINE_MM_MM_TYPES_H_
#define FAULTLINE_SERVER_MACHINE_MM_MM_TYPES_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "server/machine/base/pool.h"
#include "server/machine/base/units.h"
#include "server/machine/hw/mmu.h"
#include "server/machine/mm/mempolicy_types.h"

namespace faultline {

struct Mm;
struct Vma;
struct AnonVma;
struct AnonVmaChain;
struct File;
struct Inode;
struct Task;
struct KsmMmSlot;
struct MallocState;
struct Replacement;

// VM_* of vm_flags, with Linux's values.
namespace vm {
inline constexpr uint64_t kRead = 0x1;
inline constexpr uint64_t kWrite = 0x2;
inline constexpr uint64_t kExec = 0x4;
inline constexpr uint64_t kShared = 0x8;
inline constexpr uint64_t kMayRead = 0x10;
inline constexpr uint64_t kMayWrite = 0x20;
inline constexpr uint64_t kMayExec = 0x40;
inline constexpr uint64_t kMayShare = 0x80;
inline constexpr uint64_t kGrowsDown = 0x100;
inline constexpr uint64_t kPfnMap = 0x400;
inline constexpr uint64_t kMaybeGuard = 0x800;
inline constexpr uint64_t kLocked = 0x2000;
inline constexpr uint64_t kIo = 0x4000;
inline constexpr uint64_t kSeqRead = 0x8000;
inline constexpr uint64_t kRandRead = 0x10000;
inline constexpr uint64_t kDontCopy = 0x20000;
inline constexpr uint64_t kDontExpand = 0x40000;
inline constexpr uint64_t kLockOnFault = 0x80000;
inline constexpr uint64_t kAccount = 0x100000;
inline constexpr uint64_t kNoReserve = 0x200000;
inline constexpr uint64_t kHugeTlb = 0x400000;
inline constexpr uint64_t kSync = 0x800000;
inline constexpr uint64_t kWipeOnFork = 0x2000000;
inline constexpr uint64_t kDontDump = 0x4000000;
inline constexpr uint64_t kSoftDirty = 0x8000000;
inline constexpr uint64_t kMixedMap = 0x10000000;
inline constexpr uint64_t kHugePage = 0x20000000;
inline constexpr uint64_t kNoHugePage = 0x40000000;
inline constexpr uint64_t kMergeable = 0x80000000;
inline constexpr uint64_t kDroppable = uint64_t{1} << 40;
inline constexpr uint64_t kSealed = uint64_t{1} << 42;

inline constexpr uint64_t kAccessFlags = kRead | kWrite | kExec;
inline constexpr uint64_t kMayAll = kMayRead | kMayWrite | kMayExec;
inline constexpr uint64_t kLockedMask = kLocked | kLockOnFault;
inline constexpr uint64_t kSpecial = kIo | kDontExpand | kPfnMap | kMixedMap;
// What a merge hands on to the VMA that remains (VM_STICKY).
inline constexpr uint64_t kSticky = kMaybeGuard;
// May differ between neighbours that merge (VM_IGNORE_MERGE and VM_STICKY).
inline constexpr uint64_t kIgnoreMerge = kSoftDirty | kMaybeGuard;
}  // namespace vm

// What vma->vm_ops points to.
enum class VmOps : uint8_t {
  kNone = 0,     // anonymous: vma_is_anonymous()
  kFile = 1,     // generic_file_vm_ops and the like
  kShmem = 2,    // shmem_vm_ops, shmem_anon_vm_ops
  kSpecial = 3,  // special_mapping_vmops: vdso, vvar
  kDevice = 4,   // a driver's
};

struct Vma {
  Id<Vma> id;
  Id<Mm> mm;
  VirtAddr start;
  VirtAddr end;
  uint64_t flags = 0;
  uint64_t pgoff = 0;  // pages; anonymous: start >> 12 at creation
  Id<AnonVma> anon_vma;
  Id<AnonVmaChain> anon_chain;  // anon_vma_chain, the newest first
  Id<File> file;
  VmOps ops = VmOps::kNone;
  MempolicyId policy = 0;  // vm_policy
  std::string name;        // anon_name; a special mapping's name

  // The sorted list. vm_rb is a VmaNode (mm/vma_node.h).
  Id<Vma> prev;
  Id<Vma> next;

  // i_mmap: the other VMAs that map the same inode.
  Id<Vma> shared_prev;
  Id<Vma> shared_next;

  uint64_t size() const { return end - start; }
  PageCount pages() const { return PagesOf(size()); }
  bool Has(uint64_t flag) const { return (flags & flag) != 0; }
  bool Contains(VirtAddr a) const { return a >= start && a < end; }
  bool anonymous() const { return ops == VmOps::kNone; }
  // linear_page_index()
  uint64_t PageIndex(VirtAddr a) const {
    return ((a - start) >> kPageShift) + pgoff;
  }
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.id, s.mm, s.start, s.end, s.flags, s.pgoff, s.anon_vma, s.anon_chain,
       s.file, s.ops, s.policy, s.name, s.prev, s.next, s.shared_prev,
       s.shared_next);
  }
};

// An identity shared by the VMAs whose anonymous pages it can find.
struct AnonVma {
  Id<AnonVma> root;
  Id<AnonVma> parent;
  uint32_t num_children = 0;     // itself included when it is a root
  uint32_t num_active_vmas = 0;  // VMAs whose anon_vma this is
  uint32_t refcount = 0;         // chains, and roots held by descendants
  Id<AnonVmaChain> chains;       // rb_root in Linux: the VMAs to search
};

// The link between one VMA and one anon_vma; on a list of either.
struct AnonVmaChain {
  Id<Vma> vma;
  Id<AnonVma> anon_vma;
  Id<AnonVmaChain> same_vma_prev;
  Id<AnonVmaChain> same_vma_next;
  Id<AnonVmaChain> same_anon_prev;
  Id<AnonVmaChain> same_anon_next;
};

// PR_MDWE_*: memory that was never to be executed stays so.
namespace mdwe {
inline constexpr uint8_t kRefuseExecGain = 1;
inline constexpr uint8_t kNoInherit = 2;
}  // namespace mdwe

// MM_FILEPAGES and its siblings: indices of Mm::rss.
enum RssKind : int { kRssFile = 0, kRssAnon = 1, kRssSwap = 2, kRssShmem = 3 };

// A percpu_counter on one CPU: `shown` is what percpu_counter_read() sees,
// which lags behind by less than percpu_counter_batch; reports that sum the
// CPUs see `exact`. lib/percpu_counter.c
struct RssCounter {
  static constexpr int64_t kBatch = 32;
  int64_t exact = 0;
  int64_t shown = 0;
  void Add(int64_t n) {
    exact += n;
    int64_t local = exact - shown;
    if (local >= kBatch || local <= -kBatch) shown = exact;
  }
};

// MMF_*: bits of mm->flags.
namespace mmf {
// get_dumpable() is SUID_DUMP_USER, and what coredump_filter says is dumped:
// anonymous memory, ELF headers, private huge pages.
inline constexpr uint64_t kInit = 0x1 | 0xcc;
inline constexpr uint64_t kTopdown = uint64_t{1} << 31;
}  // namespace mmf

// What a search downwards for a hole has shown: there is none of `length` bytes
// or more between `above` and `high_limit`. An accelerator without effect on
// any result.
struct HoleMemo {
  Id<Vma> above;  // none: nothing is known
  uint64_t length = 0;
  uint64_t high_limit = 0;
};

struct Mm {
  Id<Mm> id;
  // The VMAs.
  Id<Vma> mmap;  // the list's head: the lowest
  Id<Vma> mm_rb;
  Id<Vma> mmap_cache;  // what find_vma() found last
  uint32_t map_count = 0;
  uint64_t cache_hits = 0;  // of find_vma()
  uint64_t cache_misses = 0;
  uint64_t nodes_visited = 0;
  VirtAddr last_lookup;            // what find_vma() was asked last
  uint32_t last_lookup_nodes = 0;  // nodes it visited; 0: a cache hit
  HoleMemo hole_memo;

  // The page tables.
  Pfn pgd;
  Asid asid = 0;
  uint64_t pgtables_bytes = 0;
  uint64_t nr_ptes = 0;  // tables of the lowest level

  uint32_t mm_users = 0;
  uint32_t mm_count = 0;  // its users are one; who only needs the struct
  Id<Task> owner;
  uint64_t flags = mmf::kInit;
  // How often each lock was taken: mm/mmap_lock.h.
  uint64_t mmap_sem_reads = 0, mmap_sem_writes = 0, page_table_locks = 0;
  // Layout.
  VirtAddr mmap_base;
  VirtAddr mmap_legacy_base;
  uint64_t task_size = 0;
  VirtAddr free_area_cache;            // mm/unmapped_area_2632.h
  uint64_t cached_hole_size = 0;       // bytes
  bool cached_hole_is_sought = false;  // not kept, but counted when asked for
  VirtAddr start_code, end_code, start_data, end_data;
  VirtAddr start_brk, brk, start_stack;
  VirtAddr arg_start, arg_end, env_start, env_end;
  Id<File> exe_file;
  std::vector<uint64_t> saved_auxv;  // AT_* and value, in turn

  Id<MallocState> heap;  // of the program's allocator; none before its first
  Id<Replacement> replacement;  // its own frames, and who leaves them

  // Accounting, in pages.
  uint64_t total_vm = 0, data_vm = 0, exec_vm = 0, stack_vm = 0;
  uint64_t locked_vm = 0;
  uint64_t hiwater_rss = 0, hiwater_vm = 0;
  std::array<RssCounter, 4> rss{};
  uint64_t def_flags = 0;
  bool thp_disabled = false;  // PR_SET_THP_DISABLE
  bool huge_zero = false;     // MMF_HUGE_ZERO_FOLIO: it keeps that one
  // KSM: the slot is MMF_VM_MERGEABLE; MMF_VM_MERGE_ANY; what ksm_stat shows.
  Id<KsmMmSlot> ksm_slot;
  bool ksm_merge_any = false;
  uint64_t ksm_rmap_items = 0, ksm_merging_pages = 0;
  int64_t ksm_zero_pages = 0;
  // Of mm->flags: MMF_DUMPABLE, and MMF_HAS_MDWE as prctl(2) has it.
  bool dumpable = true;
  uint8_t mdwe = 0;
  bool on_mmlist = false;  // some page of it was swapped out
  // Of the swap token (mm/swap_token.h).
  uint32_t faultstamp = 0, token_priority = 0, last_interval = 0;

  uint64_t Rss(RssKind kind) const {
    return static_cast<uint64_t>(rss[kind].exact);
  }
  uint64_t RssPages() const {
    return Rss(kRssFile) + Rss(kRssAnon) + Rss(kRssShmem);
  }
  // get_mm_rss(): the sum of what the counters show.
  uint64_t ShownRssPages() const {
    int64_t sum = 0;
    for (RssKind kind : {kRssFile, kRssAnon, kRssShmem}) {
      sum += rss[kind].shown > 0 ? rss[kind].shown : 0;
    }
    return static_cast<uint64_t>(sum);
  }
  Cr3 cr3(PagingMode paging) const { return {pgd, asid, paging}; }
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.id, s.mmap, s.mm_rb, s.mmap_cache, s.map_count, s.cache_hits,
       s.cache_misses, s.nodes_visited, s.last_lookup, s.last_lookup_nodes,
       s.pgd, s.asid, s.pgtables_bytes, s.nr_ptes, s.mm_users, s.mm_count,
       s.owner, s.flags, s.mmap_sem_reads, s.mmap_sem_writes,
       s.page_table_locks, s.mmap_base, s.mmap_legacy_base, s.task_size,
       s.free_area_cache, s.cached_hole_size, s.cached_hole_is_sought,
       s.saved_auxv, s.start_code, s.end_code, s.start_data, s.end_data,
       s.start_brk, s.brk, s.start_stack, s.arg_start, s.arg_end, s.env_start,
       s.env_end, s.exe_file, s.heap, s.total_vm, s.data_vm, s.exec_vm,
       s.stack_vm, s.locked_vm, s.hiwater_rss, s.hiwater_vm, s.rss, s.def_flags,
       s.dumpable, s.mdwe, s.thp_disabled, s.huge_zero, s.ksm_slot,
       s.ksm_merge_any, s.ksm_rmap_items, s.ksm_merging_pages, s.ksm_zero_pages,
       s.on_mmlist, s.faultstamp, s.token_priority, s.last_interval,
       s.replacement);
  }
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_MM_TYPES_H_
