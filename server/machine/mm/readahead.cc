// Models mm/readahead.c (v6.18): page_cache_sync_ra(), page_cache_async_ra(),
// page_cache_ra_order(), do_page_cache_ra(), get_init_ra_size(),
// get_next_ra_size().
// Departures: D47 (folios of more than one page exist only here), D48 (6.1
// decides as 6.18 does).
#include "server/machine/mm/readahead.h"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "server/machine/mm/bio.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/page_alloc.h"

namespace faultline {
namespace {

// mapping_max_folio_order(): MAX_PAGECACHE_ORDER.
constexpr uint64_t kMaxPagecacheOrder = 9;

// get_init_ra_size(): of a window that `size` pages of are wanted now.
uint64_t GetInitRaSize(uint64_t size, uint64_t max) {
  constexpr uint64_t kSmall = 32, kMiddle = 4;
  const uint64_t rounded = std::bit_ceil(size);
  if (rounded <= max / kSmall) return rounded * 4;
  if (rounded <= max / kMiddle) return rounded * 2;
  return max;
}

// get_next_ra_size()
uint64_t GetNextRaSize(const FileRa& ra, uint64_t max) {
  constexpr uint64_t kSmall = 16;
  if (ra.size < max / kSmall) return uint64_t{4} * ra.size;
  if (ra.size <= max / 2) return uint64_t{2} * ra.size;
  return max;
}

// ractl_max_pages(): a request above the window may be what the device takes.
uint64_t MaxPages(const Kernel& k, const FileRa& ra, uint64_t req) {
  const uint64_t io_pages = IoPages(k);
  if (req > ra.ra_pages && io_pages > ra.ra_pages) {
    return std::min(req, io_pages);
  }
  return ra.ra_pages;
}

// page_cache_next_miss(), page_cache_prev_miss(): the first page from `index`
// on, upwards or downwards, that is not cached; of at most `max`. What lies
// below page 0 is UINT64_MAX.
uint64_t NextMiss(const Kernel& k, const Inode& inode, uint64_t index,
                  uint64_t max) {
  while (max-- > 0 && FilemapLookup(k, inode, index).valid()) index++;
  return index;
}
uint64_t PrevMiss(const Kernel& k, const Inode& inode, uint64_t index,
                  uint64_t max) {
  while (max-- > 0 && FilemapLookup(k, inode, index).valid()) {
    if (index-- == 0) break;
  }
  return index;
}

// Pages that come into the cache and are read: read_pages() of each run of
// neighbours. Until then they are held, so that the memory for one is not got
// by reclaiming another; Linux has them locked.
class ReadBatch {
 public:
  ReadBatch(Kernel& k, Id<Inode> id) : k_(k), id_(id) {}
  ReadBatch(const ReadBatch&) = delete;
  ReadBatch& operator=(const ReadBatch&) = delete;
  ~ReadBatch() {
    Submit();
    FinishPlug(k_);
    for (Pfn pfn : held_) PutPage(k_, pfn);
  }
  // False: it is there already, or there is no memory.
  bool Add(uint64_t index) {
    if (FilemapLookup(k_, k_.inodes[id_], index).valid()) return false;
    const Pfn pfn = AddToPageCache(k_, id_, index);
    if (!pfn.valid()) return false;
    k_.page(pfn).refcount++;
    held_.push_back(pfn);
    if (count_ > 0 && index == first_ + count_) {
      count_++;
    } else {
      Submit();
      first_ = index;
      count_ = 1;
    }
    return true;
  }

 private:
  void Submit() {
    SubmitPages(k_, BlockOp::kRead, id_, first_, std::exchange(count_, 0));
  }

  Kernel& k_;
  const Id<Inode> id_;
  uint64_t first_ = 0;
  uint64_t count_ = 0;
  std::vector<Pfn> held_;
};

Page& PageAt(Kernel& k, Id<Inode> id, uint64_t index) {
  return k.page(FilemapLookup(k, k.inodes[id], index));
}

// do_page_cache_ra() and page_cache_ra_unbounded(): page by page, around what
// is there. The page `lookahead` before the end is marked, if it is new.
void DoPageCacheRa(Kernel& k, Id<Inode> id, uint64_t index, uint64_t count,
                   uint64_t lookahead) {
  const uint64_t size = k.inodes[id].size;
  if (size == 0) return;
  const uint64_t end_index = (size - 1) >> kPageShift;
  if (index > end_index) return;
  count = std::min(count, end_index - index + 1);
  ReadBatch batch(k, id);
  for (uint64_t i = index; i < index + count; i++) {
    if (FilemapLookup(k, k.inodes[id], i).valid()) continue;
    if (!batch.Add(i)) return;
    if (lookahead <= count && i == index + count - lookahead) {
      PageAt(k, id, i).flags |= page_flag::kReadahead;
    }
  }
}

// ra_alloc_folio()
bool RaAllocFolio(Kernel& k, Id<Inode> id, ReadBatch& batch, uint64_t index,
                  uint64_t mark, uint64_t order) {
  const uint64_t pages = uint64_t{1} << order;
  for (uint64_t i = 0; i < pages; i++) {
    if (FilemapLookup(k, k.inodes[id], index + i).valid()) return false;
  }
  for (uint64_t i = 0; i < pages; i++) {
    // Linux takes the block whole or not; these pages stay single ones.
    if (!batch.Add(index + i)) return false;
  }
  for (uint64_t i = 0; i < pages; i++) {
    PageAt(k, id, index + i).order = static_cast<uint8_t>(order);
  }
  if (index == (mark & ~(pages - 1))) {
    PageAt(k, id, index).flags |= page_flag::kReadahead;
  }
  return true;
}

bool LargeFolioSupport(const Kernel& k, const Inode& inode) {
  return k.quirks.ext4_large_folios && inode.fs == FsType::kExt4;
}

}  // namespace

FileRa FileRaInit(const Kernel& k, const Inode& inode) {
  FileRa ra;
  // noop_backing_dev_info reads nothing ahead.
  if (inode.fs == FsType::kExt4) {
    ra.ra_pages =
        static_cast<uint32_t>(k.sysctl.bdi.read_ahead_kb * 1024 / kPageSize);
  }
  return ra;
}

CacheFolio CacheFolioOf(const Kernel& k, const Inode& inode, uint64_t index) {
  const Page& page = k.page(FilemapLookup(k, inode, index));
  const uint64_t pages = uint64_t{1} << page.order;
  const uint64_t first = index & ~(pages - 1);
  const Page& head = k.page(FilemapLookup(k, inode, first));
  return {first, pages, head.Is(page_flag::kReadahead)};
}

void SplitCacheFolio(Kernel& k, const Inode& inode, uint64_t index) {
  if (k.page(FilemapLookup(k, inode, index)).order == 0) return;
  const CacheFolio folio = CacheFolioOf(std::as_const(k), inode, index);
  for (uint64_t i = folio.index; i < folio.index + folio.pages; i++) {
    k.page(FilemapLookup(k, inode, i)).order = 0;
  }
}

void ForcePageCacheRa(Kernel& k, Id<Inode> id, const FileRa& ra, uint64_t index,
                      uint64_t count) {
  count = std::min(count, std::max<uint64_t>(IoPages(k), ra.ra_pages));
  constexpr uint64_t kChunk = (uint64_t{2} << 20) / kPageSize;
  while (count > 0) {
    const uint64_t n = std::min(count, kChunk);
    DoPageCacheRa(k, id, index, n, 0);
    index += n;
    count -= n;
  }
}

void PageCacheRaOrder(Kernel& k, Id<Inode> id, FileRa& ra) {
  const Inode& inode = k.inodes[id];
  k.Emit(EventLevel::kAll,
         PageCacheRa{inode.ino, ra.start, ra.size, ra.async_size, ra.ra_pages,
                     ra.order, ra.mmap_miss});
  uint64_t index = ra.start;
  if (!LargeFolioSupport(k, inode)) {
    ra.order = 0;
    return DoPageCacheRa(k, id, index, ra.size, ra.async_size);
  }
  if (inode.size == 0 || ra.size == 0) return;
  const uint64_t mark = index + ra.size - ra.async_size;
  const uint64_t limit =
      std::min((inode.size - 1) >> kPageShift, index + ra.size - 1);
  const uint64_t order_max = std::min<uint64_t>(
      {kMaxPagecacheOrder, ra.order,
       static_cast<uint64_t>(std::bit_width(uint64_t{ra.size}) - 1)});
  ra.order = static_cast<uint16_t>(order_max);
  {
    ReadBatch batch(k, id);
    while (index <= limit) {
      uint64_t order = order_max;
      if (index & ((uint64_t{1} << order) - 1)) {
        order = static_cast<uint64_t>(std::countr_zero(index));
      }
      while (order > 0 && index + (uint64_t{1} << order) - 1 > limit) order--;
      if (!RaAllocFolio(k, id, batch, index, mark, order)) break;
      index += uint64_t{1} << order;
    }
  }
  if (index > limit) return;
  // Something was there already; the rest goes page by page around it.
  const uint64_t done = index - ra.start;
  if (ra.size > done) {
    DoPageCacheRa(k, id, index, ra.size - done, ra.async_size);
  }
}

void PageCacheSyncRa(Kernel& k, Id<Inode> id, FileRa& ra, uint64_t index,
                     uint64_t req) {
  if (ra.ra_pages == 0) return ForcePageCacheRa(k, id, ra, index, 1);
  if (ra.random) return ForcePageCacheRa(k, id, ra, index, req);
  const uint64_t max_pages = MaxPages(k, ra, req);
  const uint64_t prev_index = static_cast<uint64_t>(ra.prev_pos) >> kPageShift;
  if (index == 0 || req > max_pages || index - prev_index <= 1) {
    // The start of the file, a read above the window, or on from the last one.
    ra.start = index;
    ra.size = static_cast<uint32_t>(GetInitRaSize(req, max_pages));
    ra.async_size =
        ra.size > req ? ra.size - static_cast<uint32_t>(req) : ra.size >> 1;
  } else {
    // What a sequential reader would have left behind says that this is one.
    const uint64_t miss = PrevMiss(k, k.inodes[id], index - 1, max_pages);
    uint64_t contiguous = index - miss - 1;
    if (contiguous <= req) return DoPageCacheRa(k, id, index, req, 0);
    if (miss == ~uint64_t{0}) contiguous *= 2;  // cached from the beginning
    ra.start = index;
    ra.size = static_cast<uint32_t>(std::min(contiguous + req, max_pages));
    ra.async_size = 1;
  }
  ra.order = 0;
  PageCacheRaOrder(k, id, ra);
}

void PageCacheAsyncRa(Kernel& k, Id<Inode> id, FileRa& ra, uint64_t index,
                      uint64_t req) {
  if (ra.ra_pages == 0) return;
  const CacheFolio folio = CacheFolioOf(k, k.inodes[id], index);
  Page& head = PageAt(k, id, folio.index);
  if (head.Is(page_flag::kWriteback)) return;  // the bit is PG_reclaim's
  head.flags &= ~page_flag::kReadahead;
  const uint64_t max_pages = MaxPages(k, ra, req);
  const uint64_t expected =
      (ra.start + ra.size - ra.async_size) & ~(folio.pages - 1);
  if (index == expected) {
    ra.start += ra.size;
    ra.size = static_cast<uint32_t>(
        std::max<uint64_t>(ra.size, GetNextRaSize(ra, max_pages)));
  } else {
    // A mark that another reader left, as when two read by turns.
    const uint64_t start = NextMiss(k, k.inodes[id], index + 1, max_pages);
    if (start == 0 || start - index > max_pages) return;
    ra.start = start;
    ra.size = static_cast<uint32_t>(start - index + req);
    ra.size = static_cast<uint32_t>(GetNextRaSize(ra, max_pages));
  }
  constexpr uint16_t kOrderStep = 2;
  ra.order = static_cast<uint16_t>(ra.order + kOrderStep);
  const int align_bits = std::min<int>(
      ra.order, std::countr_zero(std::max<uint64_t>(max_pages, 1)));
  const uint64_t end = ra.start + ra.size;
  const uint64_t aligned_end = end & ~((uint64_t{1} << align_bits) - 1);
  if (aligned_end > ra.start) {
    ra.size -= static_cast<uint32_t>(end - aligned_end);
  }
  ra.async_size = ra.size;
  PageCacheRaOrder(k, id, ra);
}

}  // namespace faultline
