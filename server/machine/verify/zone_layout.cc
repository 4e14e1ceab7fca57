// Verifies that the zones lie one above the other, that each has the memory
// that it says, and that what cannot be moved is in none for movable pages.
#include "server/machine/mm/page_alloc.h"
#include "server/machine/verify/verifier.h"

namespace faultline::verify {

void Verifier::CheckZoneLayout() {
  Pfn end(0);
  for (const Zone& zone : k_.zones) {
    PageCount present(0);
    for (const PfnRange& range : zone.present_ranges) {
      present += range.size();
      if (range.begin < zone.start || range.begin >= range.end ||
          range.end > zone.start + zone.spanned) {
        return Fail("zone %s has memory outside its span", ZoneName(zone.type));
      }
    }
    if (present != zone.present || zone.managed > zone.present ||
        zone.present > zone.spanned) {
      return Fail("zone %s: %llu spanned, %llu present, %llu managed",
                  ZoneName(zone.type), ull{zone.spanned.value()},
                  ull{zone.present.value()}, ull{zone.managed.value()});
    }
    if (!zone.populated()) continue;
    if (zone.start < end) {
      return Fail("zone %s begins within the one below it",
                  ZoneName(zone.type));
    }
    end = zone.start + zone.spanned;
  }
  if (!k_.zone(ZoneType::kMovable).populated()) return;
  for (const Zone& zone : k_.zones) {
    if (zone.type <= k_.movable_zone || zone.type == ZoneType::kMovable ||
        !zone.populated()) {
      continue;
    }
    return Fail("ZONE_MOVABLE is cut out of %s, but zone %s lies above that",
                ZoneName(k_.movable_zone), ZoneName(zone.type));
  }
  constexpr uint32_t kUnmovable = page_flag::kTable | page_flag::kSlab |
                                  page_flag::kLargeKmalloc |
                                  page_flag::kReserved;
  for (const Pfn pfn : allocated_) {
    if (ZoneOf(k_, pfn) == ZoneType::kMovable && k_.page(pfn).Is(kUnmovable)) {
      return Fail("frame %u of ZONE_MOVABLE holds what cannot be moved",
                  pfn.value());
    }
  }
}

}  // namespace faultline::verify
