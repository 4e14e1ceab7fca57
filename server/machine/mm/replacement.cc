// Models mm/vmscan.c (v6.18): reclaim_folio_list(), of the page that a policy
// of the textbooks chooses. Departure: D57 (which page that is).
#include "server/machine/mm/replacement.h"

#include <algorithm>
#include <utility>

#include "server/machine/mm/folio.h"
#include "server/machine/mm/huge_memory.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/replacement_policy.h"
#include "server/machine/mm/vma_tree.h"
#include "server/machine/mm/vmscan.h"

namespace faultline {
namespace {

constexpr uint64_t AddrOf(uint64_t vpn) { return vpn << kPageShift; }

// The entry of a page; none where there is no table.
Pte EntryOf(const Kernel& k, const Mm& mm, uint64_t vpn) {
  return LookAtPte(k, mm, VirtAddr(AddrOf(vpn)));
}

// The page came while there was a policy, so that no huge page maps it.
void ClearAccessed(Kernel& k, const Mm& mm, uint64_t vpn) {
  const PteRef ref = FindPte(std::as_const(k), mm, VirtAddr(AddrOf(vpn)));
  SetPte(k, ref, ReadPte(std::as_const(k), ref).Without(Pte::kAccessed));
  k.tlb.FlushPage(mm.asid, vpn);
}

Replacement& Of(Kernel& k, const Mm& mm) {
  return k.replacements[mm.replacement];
}

void Release(Replacement& r, uint32_t slot) {
  r.slot_of.erase(r.slots[slot].vpn);
  r.slots[slot] = {};
}

// Lets go of what the process has unmapped since, or reclaim has taken.
void ForgetAbsent(Kernel& k, const Mm& mm) {
  Replacement& r = Of(k, mm);
  for (uint32_t i = 0; i < r.slots.size(); i++) {
    if (r.slots[i].used &&
        !EntryOf(std::as_const(k), mm, r.slots[i].vpn).present()) {
      Release(r, i);
    }
  }
}

bool HasFreeSlot(const Replacement& r) {
  return r.slot_of.size() < r.slots.size();
}

// The page has come: gives it a free slot, or, where all pages are locked, one
// more than the process was given.
uint32_t Place(Replacement& r, uint64_t vpn) {
  // Reclaim, or the process itself, may have sent it away.
  const auto old = r.slot_of.find(vpn);
  if (old != r.slot_of.end()) Release(r, old->second);
  if (!HasFreeSlot(r)) r.slots.emplace_back();
  const auto slot = static_cast<uint32_t>(
      std::find_if(r.slots.begin(), r.slots.end(),
                   [](const ReplacementSlot& s) { return !s.used; }) -
      r.slots.begin());
  r.slots[slot] = {.used = true,
                   .vpn = vpn,
                   .loaded_at = r.accesses,
                   .queued_at = ++r.queue_end};
  r.slot_of[vpn] = slot;
  r.faults++;
  return slot;
}

PageReplaced EventOf(const Replacement& r, uint64_t address, uint64_t victim) {
  PageReplaced event{.policy = r.policy,
                     .address = address,
                     .victim = victim,
                     .faults = r.faults,
                     .frames = {}};
  for (const ReplacementSlot& slot : r.slots) {
    event.frames.push_back(slot.used ? AddrOf(slot.vpn) : 0);
  }
  return event;
}

// Will the access bring a page in? Not where it is signalled.
bool BringsIn(Kernel& k, Mm& mm, VirtAddr addr) {
  if (EntryOf(std::as_const(k), mm, addr.vpn()).present()) return false;
  const Id<Vma> id = FindVma(k, mm, addr);
  return id && k.vmas[id].start <= addr && VmaIsAccessible(k.vmas[id]);
}

bool MayLeave(Kernel& k, Mm& mm, uint64_t vpn) {
  const Id<Vma> id = FindVma(k, mm, VirtAddr(AddrOf(vpn)));
  return id && !k.vmas[id].Has(vm::kLocked);
}

std::vector<ReplacementCandidate> Candidates(Kernel& k, Mm& mm) {
  std::vector<ReplacementCandidate> pages;
  const Replacement& r = std::as_const(k).replacements[mm.replacement];
  for (uint32_t i = 0; i < r.slots.size(); i++) {
    if (!r.slots[i].used || !MayLeave(k, mm, r.slots[i].vpn)) continue;
    const Pte pte = EntryOf(std::as_const(k), mm, r.slots[i].vpn);
    pages.push_back({i, pte.young(), pte.dirty()});
  }
  return pages;
}

}  // namespace

Errno DoSetReplacement(Kernel& k, Mm& mm, const SetReplacement& call) {
  const bool none = call.policy == ReplacementPolicy::kNone;
  if (!none && (call.frames == 0 || call.frames > kReplacementFramesMax)) {
    return Errno::kEINVAL;
  }
  if (!none && k.swap.total == 0) return Errno::kENXIO;
  if (mm.replacement) k.replacements.Delete(mm.replacement);
  mm.replacement = {};
  if (none) return Errno::kOk;
  mm.replacement = k.replacements.New();
  Replacement& r = Of(k, mm);
  r.policy = call.policy;
  r.slots.resize(call.frames);
  for (const uint64_t addr : call.future) {
    r.future.push_back(addr >> kPageShift);
  }
  return Errno::kOk;
}

Errno DoEvictPage(Kernel& k, Mm& mm, uint64_t addr) {
  const uint64_t vpn = addr >> kPageShift;
  const Pte pte = EntryOf(std::as_const(k), mm, vpn);
  if (!pte.present() || pte.special()) return Errno::kENOENT;
  if (!MayLeave(k, mm, vpn)) return Errno::kEBUSY;
  // A page of a huge one leaves alone, as with MADV_PAGEOUT of a part of it.
  if (std::as_const(k).page(pte.pfn()).Is(page_flag::kLarge)) {
    if (MaybeMappedShared(std::as_const(k), pte.pfn())) return Errno::kEBUSY;
    SplitFolio(k, pte.pfn());
    if (EntryOf(std::as_const(k), mm, vpn).special()) return Errno::kOk;
  }
  ReclaimPages(k, {pte.pfn()});
  if (EntryOf(std::as_const(k), mm, vpn).present()) return Errno::kEBUSY;
  if (!mm.replacement) return Errno::kOk;
  Replacement& r = Of(k, mm);
  const auto slot = r.slot_of.find(vpn);
  if (slot != r.slot_of.end()) Release(r, slot->second);
  return Errno::kOk;
}

ReplacedAccess::ReplacedAccess(Kernel& k, Mm& mm,
                               const std::vector<uint64_t>& victims)
    : k_(k), mm_(mm), victims_(victims) {}

bool ReplacedAccess::Admit(VirtAddr addr, VictimWanted* wanted) {
  victim_ = 0;
  arriving_ = BringsIn(k_, mm_, addr);
  if (!arriving_) return true;
  if (!HasFreeSlot(Of(k_, mm_))) ForgetAbsent(k_, mm_);
  return HasFreeSlot(Of(k_, mm_)) || MakeRoom(addr, wanted);
}

bool ReplacedAccess::MakeRoom(VirtAddr addr, VictimWanted* wanted) {
  Replacement& r = Of(k_, mm_);
  std::vector<ReplacementCandidate> pages = Candidates(k_, mm_);
  if (pages.empty()) return true;  // all are locked: it takes one frame more
  uint32_t victim = 0;
  if (r.policy == ReplacementPolicy::kClient) {
    if (!ClientChooses(addr, wanted, &victim)) return false;
  } else {
    // The access that wants a frame is under way: the future begins behind it.
    r.accesses++;
    victim = ChooseVictim(r, std::move(pages), k_.prng, [&](uint32_t slot) {
      ClearAccessed(k_, mm_, r.slots[slot].vpn);
    });
    r.accesses--;
  }
  const uint64_t gone = AddrOf(r.slots[victim].vpn);
  if (DoEvictPage(k_, mm_, gone) != Errno::kOk) return true;  // swap is full
  victim_ = gone;
  r.replacements++;
  return true;
}

bool ReplacedAccess::ClientChooses(VirtAddr addr, VictimWanted* wanted,
                                   uint32_t* victim) {
  const Replacement& r = Of(k_, mm_);
  if (next_victim_ < victims_.size()) {
    const auto slot = r.slot_of.find(victims_[next_victim_++] >> kPageShift);
    if (slot != r.slot_of.end() && MayLeave(k_, mm_, slot->first)) {
      *victim = slot->second;
      return true;
    }
  }
  wanted->address = addr.value();
  wanted->frames = ReplacementFrames(k_, mm_);
  return false;
}

void ReplacedAccess::Note(VirtAddr addr) {
  Replacement& r = Of(k_, mm_);
  r.accesses++;
  const uint64_t vpn = addr.vpn();
  if (arriving_) {
    Place(r, vpn);
    k_.Emit(EventLevel::kFaults, EventOf(r, AddrOf(vpn), victim_));
  }
  const auto known = r.slot_of.find(vpn);
  // It was in memory before the policy was.
  if (known == r.slot_of.end()) return;
  ReplacementSlot& slot = r.slots[known->second];
  slot.used_at = r.accesses;
  slot.uses++;
}

std::vector<ReplacementFrame> ReplacementFrames(const Kernel& k, const Mm& mm) {
  std::vector<ReplacementFrame> frames;
  const Replacement& r = k.replacements[mm.replacement];
  for (uint32_t i = 0; i < r.slots.size(); i++) {
    const ReplacementSlot& slot = r.slots[i];
    if (!slot.used) continue;
    const Pte pte = EntryOf(k, mm, slot.vpn);
    if (!pte.present()) continue;
    frames.push_back({.slot = i,
                      .addr = AddrOf(slot.vpn),
                      .pfn = pte.pfn().value(),
                      .accessed = pte.young(),
                      .dirty = pte.dirty(),
                      .loaded_at = slot.loaded_at,
                      .used_at = slot.used_at,
                      .uses = slot.uses,
                      .age = slot.age});
  }
  return frames;
}

void ReplacementTick(Kernel& k, uint64_t ticks) {
  std::vector<Id<Mm>> governed;
  std::as_const(k.mms).ForEach([&](Id<Mm> id, const Mm& mm) {
    if (mm.replacement) governed.push_back(id);
  });
  for (const Id<Mm> id : governed) {
    Mm& mm = k.mms[id];
    Replacement& r = Of(k, mm);
    if (r.policy != ReplacementPolicy::kNru &&
        r.policy != ReplacementPolicy::kAging) {
      continue;
    }
    for (ReplacementSlot& slot : r.slots) {
      if (!slot.used) continue;
      const Pte pte = EntryOf(std::as_const(k), mm, slot.vpn);
      if (!pte.present()) continue;
      if (r.policy == ReplacementPolicy::kAging) {
        slot.age = AgeAfter(slot.age, pte.young(), ticks);
      }
      if (pte.young()) ClearAccessed(k, mm, slot.vpn);
    }
  }
}

}  // namespace faultline
