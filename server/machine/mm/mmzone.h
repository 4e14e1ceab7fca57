// struct page, struct zone, the free areas and per-CPU lists. Data only; the
// algorithms are in mm/page_alloc.h. Models
// include/linux/{mm_types,mmzone,page-flags}.h.
#ifndef FAULTLINE_SERVER_MACHINE_MM_MMZONE_H_
#define FAULTLINE_SERVER_MACHINE_MM_MMZONE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/machine/base/pool_list.h"
#include "server/machine/base/units.h"

namespace faultline {

inline constexpr int kMaxPageOrder = 10;  // MAX_PAGE_ORDER, inclusive
inline constexpr int kPageBlockOrder = 9;

// enum zone_type.
enum class ZoneType : uint8_t {
  kDma = 0,
  kDma32 = 1,
  kNormal = 2,
  kHighMem = 3,
  kMovable = 4,
};
inline constexpr int kMaxNrZones = 5;
const char* ZoneName(ZoneType zone);

// enum migratetype, without CONFIG_CMA as the recorded kernels are. A page
// block of 512 pages has one; what is allocated for one use is to stay
// together. The first three have per-CPU lists and merge with each other.
enum class MigrateType : uint8_t {
  kUnmovable = 0,
  kMovable = 1,
  kReclaimable = 2,
  kHighAtomic = 3,
  kIsolate = 4,
};
inline constexpr int kMigrateTypes = 5;
const char* MigrateTypeName(MigrateType type);

// The migrate type of one page block; all are movable at first, as in
// memmap_init_range().
struct PageBlock {
  MigrateType type = MigrateType::kMovable;
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.type);
  }
};

// PG_* of struct page.
namespace page_flag {
inline constexpr uint32_t kReferenced = 1 << 0;
inline constexpr uint32_t kUptodate = 1 << 1;
inline constexpr uint32_t kDirty = 1 << 2;
inline constexpr uint32_t kLru = 1 << 3;
inline constexpr uint32_t kActive = 1 << 4;
inline constexpr uint32_t kSwapBacked = 1 << 5;
inline constexpr uint32_t kBuddy = 1 << 7;     // heads a free block
inline constexpr uint32_t kTable = 1 << 8;     // a page-table page
inline constexpr uint32_t kReserved = 1 << 9;  // kept by boot
inline constexpr uint32_t kAnonExclusive = 1 << 10;
inline constexpr uint32_t kAnon = 1 << 11;  // mapping is an anon_vma
inline constexpr uint32_t kHead = 1 << 12;  // allocated with an order > 0
inline constexpr uint32_t kUnevictable = 1 << 13;  // on that list
inline constexpr uint32_t kKernel = 1 << 14;       // given out by alloc_pages
inline constexpr uint32_t kLarge = 1 << 15;        // of a large folio
inline constexpr uint32_t kTail = 1 << 16;         // … and not its first page
inline constexpr uint32_t kKsm = 1 << 17;  // anonymous: mapping is a node
inline constexpr uint32_t kPcp = 1 << 18;  // heads a block of a per-CPU list
inline constexpr uint32_t kBad = 1 << 19;  // leaked: nobody can free it
inline constexpr uint32_t kMlocked = 1 << 20;     // and nobody will munlock it
inline constexpr uint32_t kWorkingset = 1 << 21;  // was active, or came back
inline constexpr uint32_t kSwapCache = 1 << 22;   // `swap` is its place there
inline constexpr uint32_t kSwapReadahead = 1 << 23;  // nobody asked for it yet
inline constexpr uint32_t kSlab = 1 << 24;           // each page of a slab
inline constexpr uint32_t kLargeKmalloc = 1 << 25;   // … of a large kmalloc()
inline constexpr uint32_t kVmalloc = 1 << 26;        // of an area of vmalloc
inline constexpr uint32_t kDriver = 1 << 27;         // a driver has mapped it
inline constexpr uint32_t kWriteback = 1 << 28;
// Reading it starts the next window. As in Linux it shares its bit with
// PG_reclaim, which says of a page under writeback that it is to be freed next.
inline constexpr uint32_t kReadahead = 1 << 29;
inline constexpr uint32_t kReclaim = kReadahead;
}  // namespace page_flag

// struct page. What the fields mean depends on the owner, as in Linux:
//   free (kBuddy)  order, and next/prev in the zone's free list
//   free (kPcp)    order; a per-CPU list has it
//   anonymous      mapping: anon_vma id; index: virtual page number at birth
//   KSM page       the same, but mapping: KsmStableNode id
//   page cache     mapping: inode id; index: page offset in the file; order: of
//                  the folio that Linux would have read it in with
//   page table     index: mm id; of a level-2 table, next: the tables that are
//                  deposited for its huge pages, threaded through their next
//   large folio    order: the folio's, in each page; of the second page,
//   mapping:
//                  LargeFolio id, index: mlock_count
//   slab           mapping: Slab id, in each of its pages
//   large kmalloc  mapping: the pfn of its first page, in each of its pages
// A page that is on an LRU list (kLru) has next/prev in it; of a large folio
// the head has. A page in the swap cache (kSwapCache) has its slot in `swap`.
struct Page {
  uint32_t flags = 0;
  int32_t refcount = 0;
  int32_t mapcount = 0;  // PTEs that map it (Linux keeps this less one)
  uint32_t mapping = 0;
  uint64_t index = 0;
  Pfn prev;
  Pfn next;
  uint8_t order = 0;
  uint32_t swap = 0;  // SwpEntry::value()

  bool Is(uint32_t flag) const { return (flags & flag) != 0; }
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.flags, s.refcount, s.mapcount, s.mapping, s.index, s.prev, s.next,
       s.order, s.swap);
  }
};

struct Mm;

// What struct folio has for a large one (mm/folio.h).
struct LargeFolio {
  // An address space that maps it, and by how many entries.
  struct Owner {
    Id<Mm> mm;
    int32_t mapcount = 0;
    template <class Ar, class Self>
    static void Describe(Ar& ar, Self& s) {
      ar(s.mm, s.mapcount);
    }
  };
  Pfn head;
  int32_t entire_mapcount = 0;    // level-2 entries that map all of it
  int32_t large_mapcount = 0;     // entries of both levels
  int32_t nr_pages_mapped = 0;    // pages that have a PTE
  std::array<Owner, 2> owners{};  // _mm_id[]
  bool maybe_shared = false;      // FOLIO_MM_IDS_SHARED_BIT
  bool partially_mapped = false;  // PG_partially_mapped
  ListNode<LargeFolio> deferred;  // _deferred_list: to be split when need be

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.head, s.entire_mapcount, s.large_mapcount, s.nr_pages_mapped, s.owners,
       s.maybe_shared, s.partially_mapped, s.deferred);
  }
};

// A run of pages: [begin, end).
struct PfnRange {
  Pfn begin{0};
  Pfn end{0};
  PageCount size() const { return end - begin; }
};

// The free blocks of one order and one migrate type. The list is threaded
// through the head pages of the blocks; what was freed last is at its head.
struct FreeList {
  Pfn head;
  Pfn tail;
  bool empty() const { return !head.valid(); }
};

// struct free_area: the free blocks of one order.
struct FreeArea {
  std::array<FreeList, kMigrateTypes> lists;
  uint64_t nr_free = 0;
};

// One list of struct per_cpu_pages. pages[first] is its tail, the last its
// head, so that both ends are cheap.
struct PcpList {
  std::vector<Pfn> pages;
  uint64_t first = 0;

  bool empty() const { return first == pages.size(); }
  uint64_t size() const { return pages.size() - first; }
  void PushHead(Pfn pfn) { pages.push_back(pfn); }
  Pfn PopHead() {
    const Pfn pfn = pages.back();
    pages.pop_back();
    if (empty()) Reset();
    return pfn;
  }
  Pfn PopTail() {
    const Pfn pfn = pages[first++];
    if (first * 2 > pages.size()) Reset();
    return pfn;
  }
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.pages, s.first);
  }

 private:
  void Reset() {
    pages.erase(pages.begin(), pages.begin() + static_cast<ptrdiff_t>(first));
    first = 0;
  }
};

// Lists of struct per_cpu_pages: three migrate types of each order up to 3,
// then huge pages that do not move, and those that do.
inline constexpr int kCostlyOrder = 3;      // PAGE_ALLOC_COSTLY_ORDER
inline constexpr int kMigratePcpTypes = 3;  // MIGRATE_PCPTYPES
inline constexpr int kLowOrderPcpLists = kMigratePcpTypes * (kCostlyOrder + 1);
inline constexpr int kPcpLists = kLowOrderPcpLists + 2;

// struct per_cpu_pages, of the one CPU that the machine runs on.
struct PerCpuPages {
  int64_t count = 0;  // pages, not blocks
  int64_t high = 0;
  int64_t high_min = 0;
  int64_t high_max = 0;
  int64_t batch = 0;
  int64_t free_count = 0;
  uint8_t alloc_factor = 0;
  bool prev_free_high_order = false;  // PCPF_PREV_FREE_HIGH_ORDER
  std::array<PcpList, kPcpLists> lists;

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.count, s.high, s.high_min, s.high_max, s.batch, s.free_count,
       s.alloc_factor, s.prev_free_high_order, s.lists);
  }
};

// WMARK_* of a zone, in pages.
struct Watermarks {
  uint64_t min = 0;
  uint64_t low = 0;
  uint64_t high = 0;
  uint64_t promo = 0;
};

// struct zone.
struct Zone {
  ZoneType type = ZoneType::kNormal;
  Pfn start{0};  // zone_start_pfn
  PageCount spanned;
  PageCount present;
  PageCount managed;
  uint64_t nr_free_pages = 0;
  uint64_t nr_free_highatomic = 0;
  uint64_t nr_reserved_highatomic = 0;  // pages of blocks of that type
  uint64_t watermark_boost = 0;
  bool boosted_watermark = false;  // ZONE_BOOSTED_WATERMARK: kswapd is called
  bool below_high = false;         // ZONE_BELOW_HIGH
  // Since when compaction has failed, and for which orders: it is deferred.
  uint32_t compact_considered = 0;
  uint32_t compact_defer_shift = 0;
  int32_t compact_order_failed = 0;
  Watermarks wmark;
  std::array<uint64_t, kMaxNrZones> lowmem_reserve{};
  std::array<FreeArea, kMaxPageOrder + 1> free_area;
  PerCpuPages pcp;
  // Order-10 blocks that boot handed to the allocator and nobody has taken
  // yet. They are the tail of the movable list of that order, lowest address
  // first, kept as ranges so that booting a large machine touches no page of
  // it.
  std::vector<PfnRange> pristine;
  std::vector<PfnRange> present_ranges;

  bool populated() const { return present > PageCount(0); }
  bool Contains(Pfn p) const { return p >= start && p < start + spanned; }
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.type, s.start, s.spanned, s.present, s.managed, s.nr_free_pages,
       s.nr_free_highatomic, s.nr_reserved_highatomic, s.watermark_boost,
       s.boosted_watermark, s.below_high, s.compact_considered,
       s.compact_defer_shift, s.compact_order_failed, s.wmark, s.lowmem_reserve,
       s.free_area, s.pcp, s.pristine, s.present_ranges);
  }
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_MMZONE_H_
