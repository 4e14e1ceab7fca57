#include "server/machine/verify/free_areas.h"

#include <algorithm>
#include <array>

#include "server/machine/mm/buddy.h"
#include "server/machine/mm/pcp.h"

namespace faultline {
namespace {

class ZoneCheck {
 public:
  ZoneCheck(const Kernel& k, const Zone& zone) : k_(k), zone_(zone) {}

  std::string Run() {
    ForEachFreeBlock(k_, zone_, [this](Pfn pfn, int order, MigrateType type) {
      CheckBlock(pfn, order, type);
    });
    CheckCounters();
    CheckPcp();
    CheckReserve();
    CheckMarks();
    return wrong_.empty()
               ? ""
               : "zone " + std::string(ZoneName(zone_.type)) + ": " + wrong_;
  }

 private:
  void Expect(bool right, const char* otherwise) {
    if (!right && wrong_.empty()) wrong_ = otherwise;
  }

  void CheckBlock(Pfn pfn, int order, MigrateType type) {
    const uint32_t pages = uint32_t{1} << order;
    blocks_[order]++;
    if (type != MigrateType::kIsolate) pages_ += pages;
    if (type == MigrateType::kHighAtomic) highatomic_ += pages;
    Expect((pfn.value() & (pages - 1)) == 0,
           "a free block is not aligned to its order");
    Expect(zone_.Contains(pfn) && zone_.Contains(pfn + PageCount(pages - 1)),
           "a free block lies outside its zone");
    Expect(k_.page(pfn).refcount == 0, "a free page has references");
    for (uint32_t i = 0; i < pages; i += kPageBlockPages) {
      Expect(PageblockType(k_, pfn + PageCount(i)) == type,
             "a free block is on the list of another migrate type than its "
             "page block's");
    }
    // Whole page blocks can change their type without being merged anew.
    Expect(order >= kPageBlockOrder ||
               !IsFreeBuddy(k_, zone_, BuddyOf(pfn, order), order),
           "two free buddies were not merged");
  }

  void CheckCounters() {
    for (int order = 0; order <= kMaxPageOrder; order++) {
      Expect(blocks_[order] == zone_.free_area[order].nr_free,
             "nr_free is not the length of its free lists");
    }
    Expect(pages_ == zone_.nr_free_pages,
           "nr_free_pages is not the sum of the free lists");
    Expect(highatomic_ == zone_.nr_free_highatomic,
           "nr_free_highatomic is not the sum of its free lists");
    Expect(pages_ <= zone_.managed.value(), "more is free than managed");
  }

  void CheckPcp() {
    const PerCpuPages& pcp = zone_.pcp;
    int64_t count = 0;
    for (int i = 0; i < kPcpLists; i++) {
      const PcpList& list = pcp.lists[i];
      const int order = PcpListOrder(i);
      count += static_cast<int64_t>(list.size()) << order;
      for (size_t at = list.first; at < list.pages.size(); at++) {
        const Pfn pfn = list.pages[at];
        const Page& page = k_.page(pfn);
        Expect(zone_.Contains(pfn), "a per-CPU page lies outside its zone");
        Expect(page.Is(page_flag::kPcp) && page.order == order,
               "a page of a per-CPU list does not say so");
        Expect(page.refcount == 0 && page.mapcount == 0,
               "a page of a per-CPU list has references");
      }
    }
    Expect(count == pcp.count, "the per-CPU count is not that of its lists");
  }

  void CheckReserve() {
    uint64_t reserved = 0;
    k_.page_blocks.ForEach([&](size_t number, const PageBlock& block) {
      const Pfn first(static_cast<uint32_t>(number << kPageBlockOrder));
      reserved +=
          block.type == MigrateType::kHighAtomic && zone_.Contains(first);
    });
    Expect(reserved * kPageBlockPages == zone_.nr_reserved_highatomic,
           "nr_reserved_highatomic is not the size of the blocks");
  }

  void CheckMarks() {
    const Watermarks& w = zone_.wmark;
    Expect(w.min <= w.low && w.low <= w.high && w.high <= w.promo,
           "the watermarks do not ascend");
    const uint64_t most = std::max<uint64_t>(
        kPageBlockPages, w.high * k_.sysctl.watermark_boost_factor / 10000);
    Expect(zone_.watermark_boost <= most, "the boost is above its bound");
  }

  const Kernel& k_;
  const Zone& zone_;
  std::string wrong_;
  std::array<uint64_t, kMaxPageOrder + 1> blocks_{};
  uint64_t pages_ = 0;
  uint64_t highatomic_ = 0;
};

}  // namespace

std::string VerifyFreeAreas(const Kernel& k) {
  for (const Zone& zone : k.zones) {
    std::string wrong = ZoneCheck(k, zone).Run();
    if (!wrong.empty()) return wrong;
  }
  return "";
}

std::vector<std::pair<uint32_t, uint32_t>> FreeRuns(const Kernel& k) {
  std::vector<std::pair<uint32_t, uint32_t>> runs;
  auto add = [&runs](Pfn pfn, int order) {
    runs.push_back({pfn.value(), pfn.value() + (uint32_t{1} << order)});
  };
  for (const Zone& zone : k.zones) {
    for (int order = 0; order <= kMaxPageOrder; order++) {
      for (const FreeList& list : zone.free_area[order].lists) {
        for (Pfn p = list.head; p.valid(); p = k.page(p).next) add(p, order);
      }
    }
    for (int i = 0; i < kPcpLists; i++) {
      const PcpList& list = zone.pcp.lists[i];
      for (size_t at = list.first; at < list.pages.size(); at++) {
        add(list.pages[at], PcpListOrder(i));
      }
    }
    for (const PfnRange& range : zone.pristine) {
      runs.push_back({range.begin.value(), range.end.value()});
    }
  }
  std::sort(runs.begin(), runs.end());
  return runs;
}

}  // namespace faultline
