// The TLB's entries for large pages, of 2 MiB or where tables have two levels
// of 4 MiB, of which a CPU has a few apart from those for 4 KiB: fully
// associative, the oldest is replaced. The kernel's direct map is made of such
// pages.
#ifndef FAULTLINE_SERVER_MACHINE_HW_LARGE_TLB_H_
#define FAULTLINE_SERVER_MACHINE_HW_LARGE_TLB_H_

#include <cstdint>
#include <vector>

#include "server/machine/base/units.h"
#include "server/machine/hw/paging.h"

namespace faultline {

class LargeTlb {
 public:
  static constexpr size_t kEntries = 32;  // Intel's first level has as many

  struct Entry {
    uint64_t region = 0;  // PagingMode::RegionOf() its addresses
    Pfn pfn;              // of its first page
  };

  // The frame of an address, or an invalid Pfn.
  Pfn Find(PagingMode paging, VirtAddr addr) const {
    const uint64_t region = paging.RegionOf(addr);
    for (const Entry& e : entries_) {
      if (e.region == region) {
        return e.pfn + PageCount(static_cast<uint64_t>(paging.PteIndex(addr)));
      }
    }
    return Pfn();
  }
  // REQUIRES: it has no entry for the address.
  void Insert(PagingMode paging, VirtAddr addr, Pfn first) {
    const Entry entry{paging.RegionOf(addr), first};
    if (entries_.size() < kEntries) return entries_.push_back(entry);
    entries_[oldest_] = entry;
    oldest_ = (oldest_ + 1) % kEntries;
  }
  const auto& entries() const { return entries_; }

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.entries_, s.oldest_);
  }

 private:
  std::vector<Entry> entries_;  // grows to kEntries
  uint8_t oldest_ = 0;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_HW_LARGE_TLB_H_
