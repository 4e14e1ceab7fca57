// Verifies the LRU lists: each page that has PG_lru is on the list that its
// flags say, once; the sizes by zone; and that what is unevictable is on that
// list, and nothing else.
#include "server/machine/mm/lru.h"

#include <algorithm>
#include <array>
#include <vector>

#include "server/machine/verify/verifier.h"

namespace faultline::verify {

void Verifier::CheckLru() {
  std::array<std::array<uint64_t, kNrLru>, kMaxNrZones> sizes{};
  uint64_t listed = 0;
  std::sort(locked_.begin(), locked_.end());
  for (int i = 0; i < kNrLru; i++) {
    const Lru lru = static_cast<Lru>(i);
    const LruList& list = k_.lruvec.lists[lru];
    Pfn prev;
    for (Pfn pfn = list.head; pfn.valid(); pfn = k_.page(pfn).next) {
      const Page& page = k_.page(pfn);
      const bool live = page.refcount > 0;
      if (!page.Is(page_flag::kLru) || !live || LruOf(page) != lru ||
          page.prev != prev) {
        return Fail("frame %u is on the list %s, but has flags %x, refcount %d",
                    pfn.value(), LruName(lru), page.flags, page.refcount);
      }
      sizes[ZoneNumberOf(k_, pfn)][lru] += FolioPages(page);
      prev = pfn;
      listed++;
    }
    if (list.tail != prev) {
      return Fail("the list %s ends with frame %u, not %u", LruName(lru),
                  prev.value(), list.tail.value());
    }
  }
  for (int zone = 0; zone < kMaxNrZones; zone++) {
    for (int i = 0; i < kNrLru; i++) {
      Expect(LruName(static_cast<Lru>(i)), "zone", static_cast<uint64_t>(zone),
             sizes[zone][i], k_.lruvec.zone_size[zone][i]);
    }
  }
  uint64_t marked = 0;
  k_.mem_map.ForEach([&](size_t number, const Page& page) {
    if (!ok()) return;
    marked += page.Is(page_flag::kLru);
    CheckLruPage(Pfn(static_cast<uint32_t>(number)), page);
  });
  Expect("PG_lru", "the machine; pages on lists:", listed, listed, marked);
}

void Verifier::CheckLruPage(Pfn pfn, const Page& page) {
  constexpr uint32_t kKernelUse = page_flag::kTable | page_flag::kKernel |
                                  page_flag::kSlab | page_flag::kLargeKmalloc |
                                  page_flag::kVmalloc | page_flag::kDriver;
  const bool user = page.refcount > 0 && !page.Is(page_flag::kReserved) &&
                    (page.Is(page_flag::kAnon | page_flag::kSwapCache) ||
                     (page.mapping != 0 && !page.Is(kKernelUse)));
  if (page.Is(page_flag::kTail)) return;
  if (user != page.Is(page_flag::kLru)) {
    return Fail("frame %u has flags %x: is it to be on an LRU list?",
                pfn.value(), page.flags);
  }
  if (!user) return;
  if (page.Is(page_flag::kLarge) &&
      page.Is(page_flag::kMlocked) != (MlockCount(k_, pfn) > 0)) {
    return Fail("frame %u has flags %x, and a mlock_count of %llu", pfn.value(),
                page.flags, ull{MlockCount(k_, pfn)});
  }
  bool unevictable = page.Is(page_flag::kMlocked) ||
                     std::binary_search(locked_.begin(), locked_.end(), pfn);
  if (!page.Is(page_flag::kAnon) && page.mapping != 0) {
    unevictable =
        unevictable || k_.inodes[Id<Inode>(page.mapping)].fs == FsType::kRamfs;
  }
  if (unevictable != page.Is(page_flag::kUnevictable)) {
    Fail("frame %u has flags %x, but is %sevictable", pfn.value(), page.flags,
         unevictable ? "un" : "");
  }
}

}  // namespace faultline::verify
