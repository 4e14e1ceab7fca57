#include "server/machine/hw/tlb.h"

namespace faultline {

TlbEntry* Tlb::Insert(Asid asid, uint64_t vpn, Pfn pfn, uint8_t flags) {
  auto& set = sets_[vpn % kSets];
  TlbEntry* slot = nullptr;
  for (TlbEntry& e : set) {
    if (e.valid && e.vpn == vpn && e.asid == asid) slot = &e;
  }
  if (slot == nullptr) {
    uint8_t& way = next_way_[vpn % kSets];
    slot = &set[way];
    way = (way + 1) % kWays;
  }
  *slot = {vpn, pfn, asid, flags, true};
  used_.set(vpn % kSets);
  return slot;
}

void Tlb::FlushPage(Asid asid, uint64_t vpn) {
  counters_.flushes++;
  for (TlbEntry& e : sets_[vpn % kSets]) {
    if (e.vpn == vpn && e.asid == asid) e.valid = false;
  }
  FlushRegions(asid);
}

bool Tlb::FlushSet(Set& set, Asid asid) {
  bool others = false;
  for (TlbEntry& e : set) {
    if (e.asid == asid) e.valid = false;
    others |= e.valid;
  }
  return others;
}

void Tlb::FlushRegions(Asid asid) {
  if (!regions_used_) return;
  bool others = false;
  for (Region& r : regions_) {
    if (r.asid == asid) r = {};
    others |= r.table.valid();
  }
  regions_used_ = others;
}

void Tlb::FlushAsid(Asid asid) {
  counters_.flushes++;
  if (used_.any()) {
    for (size_t i = 0; i < kSets; i++) {
      if (used_[i]) used_[i] = FlushSet(sets_[i], asid);
    }
  }
  FlushRegions(asid);
}

}  // namespace faultline
