// A set-associative TLB with address-space tags (PCIDs), and the
// paging-structure cache that lets a walk start at the page table itself
// (Intel SDM vol. 3A, 4.10.2 and 4.10.3). Hardware: it knows nothing of VMAs
// and stays wrong until it is flushed, which is the kernel's duty.
#ifndef FAULTLINE_SERVER_MACHINE_HW_TLB_H_
#define FAULTLINE_SERVER_MACHINE_HW_TLB_H_

#include <array>
#include <bitset>
#include <cstdint>

#include "server/machine/base/units.h"

namespace faultline {

using Asid = uint16_t;

struct TlbEntry {
  static constexpr uint8_t kWrite = 1;
  static constexpr uint8_t kDirty = 2;  // the PTE's dirty bit is known set
  static constexpr uint8_t kNoExec = 4;
  uint64_t vpn = 0;
  Pfn pfn;
  Asid asid = 0;
  uint8_t flags = 0;
  bool valid = false;

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.vpn, s.pfn, s.asid, s.flags, s.valid);
  }
};

class Tlb {
 public:
  static constexpr int kSets = 128;
  static constexpr int kWays = 4;

  struct Counters {
    uint64_t hits = 0;
    uint64_t misses = 0;
    uint64_t walk_cache_hits = 0;
    uint64_t flushes = 0;  // of one page or of everything
  };

  // The entry for the page, or nullptr.
  const TlbEntry* Find(Asid asid, uint64_t vpn) {
    auto& set = sets_[vpn % kSets];
    uint8_t& way = way_memo_[vpn % kWayMemo];
    if (IsFor(set[way], asid, vpn)) [[likely]]
      return &set[way];
    for (uint8_t i = 0; i < kWays; i++) {
      if (IsFor(set[i], asid, vpn)) return &set[way = i];
    }
    return nullptr;
  }
  // The same, and counts the hit or the miss.
  const TlbEntry* Lookup(Asid asid, uint64_t vpn) {
    const TlbEntry* e = Find(asid, vpn);
    ++(e != nullptr ? counters_.hits : counters_.misses);
    return e;
  }
  void CountHits(uint64_t n) { counters_.hits += n; }
  // Replaces the page's own entry, else the oldest of its set.
  TlbEntry* Insert(Asid asid, uint64_t vpn, Pfn pfn, uint8_t flags);

  // INVLPG: one page of one address space, and all cached table pointers.
  void FlushPage(Asid asid, uint64_t vpn);
  // Everything of one address space (a CR3 load without the no-flush bit).
  void FlushAsid(Asid asid);

  // The page-table page that translates a region (PagingMode::RegionOf), if
  // cached.
  Pfn CachedTable(Asid asid, uint64_t region) {
    const Region& r = regions_[region % kRegions];
    if (r.region != region || r.asid != asid) return Pfn();
    if (r.table.valid()) counters_.walk_cache_hits++;
    return r.table;
  }
  void CacheTable(Asid asid, uint64_t region, Pfn table) {
    regions_[region % kRegions] = {region, table, asid};
    regions_used_ = true;
  }

  const Counters& counters() const { return counters_; }
  const auto& sets() const { return sets_; }

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.sets_, s.next_way_, s.regions_, s.counters_);
    if constexpr (Ar::kReading) {
      s.used_.set();
      s.regions_used_ = true;
    }
  }

 private:
  static constexpr int kRegions = 16;
  static constexpr int kWayMemo = 512;
  static bool IsFor(const TlbEntry& e, Asid asid, uint64_t vpn) {
    return e.vpn == vpn && e.asid == asid && e.valid;
  }
  struct Region {
    uint64_t region = 0;
    Pfn table;
    Asid asid = 0;
  };
  using Set = std::array<TlbEntry, kWays>;
  // Flushes the address space from a set; true if others have entries there.
  static bool FlushSet(Set& set, Asid asid);
  void FlushRegions(Asid asid);
  std::array<Set, kSets> sets_;
  std::array<uint8_t, kSets> next_way_{};
  std::array<Region, kRegions> regions_;
  Counters counters_;
  // Sets that may hold a valid entry, and whether a region may, and so are to
  // be looked at by a flush: as the next, accelerators without effect on any
  // result.
  std::bitset<kSets> used_;
  bool regions_used_ = false;
  // The way that a page was found in last.
  std::array<uint8_t, kWayMemo> way_memo_{};
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_HW_TLB_H_
