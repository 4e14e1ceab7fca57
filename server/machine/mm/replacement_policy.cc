// The policies of the textbooks: FIFO, LRU, CLOCK, second chance, LFU, MRU,
// NRU, aging, random, OPT. They stand where Linux has its lists.
// Models mm/vmscan.c (v6.18): isolate_lru_folios(). Departure: D57.
#include "server/machine/mm/replacement_policy.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "server/machine/base/bug.h"

namespace faultline {
namespace {

using Pages = std::vector<ReplacementCandidate>;

constexpr int kAgeBits = 8;

// The slot for which key(slot, candidate) is least; of equals that which has
// been longest in memory.
template <class Key>
uint32_t Least(const Replacement& r, const Pages& pages, Key key) {
  const auto full = [&](const ReplacementCandidate& page) {
    const ReplacementSlot& slot = r.slots[page.slot];
    return std::pair(key(slot, page), slot.loaded_at);
  };
  return std::min_element(
             pages.begin(), pages.end(),
             [&](const auto& a, const auto& b) { return full(a) < full(b); })
      ->slot;
}

// The hand goes round; what it passes has its accessed bit cleared.
uint32_t Clock(Replacement& r, Pages& pages,
               const std::function<void(uint32_t)>& clear) {
  auto at = std::find_if(pages.begin(), pages.end(),
                         [&](const auto& page) { return page.slot >= r.hand; });
  for (;;) {
    if (at == pages.end()) at = pages.begin();
    if (!at->accessed) break;
    at->accessed = false;
    clear(at->slot);
    ++at;
  }
  r.hand = (at->slot + 1) % static_cast<uint32_t>(r.slots.size());
  return at->slot;
}

uint32_t SecondChance(Replacement& r, Pages& pages,
                      const std::function<void(uint32_t)>& clear) {
  for (;;) {
    const auto first = std::min_element(
        pages.begin(), pages.end(), [&](const auto& a, const auto& b) {
          return r.slots[a.slot].queued_at < r.slots[b.slot].queued_at;
        });
    if (!first->accessed) return first->slot;
    first->accessed = false;
    clear(first->slot);
    r.slots[first->slot].queued_at = ++r.queue_end;
  }
}

// How soon the page is accessed again: the first access of the future that is
// to it, counted down so that never is least.
uint64_t NextUse(const Replacement& r, uint64_t vpn) {
  const auto from =
      r.future.begin() +
      static_cast<ptrdiff_t>(std::min<uint64_t>(r.accesses, r.future.size()));
  const auto next = std::find(from, r.future.end(), vpn);
  return static_cast<uint64_t>(r.future.end() - next);
}

}  // namespace

uint32_t ChooseVictim(Replacement& r, Pages pages, Prng& prng,
                      const std::function<void(uint32_t)>& clear) {
  switch (r.policy) {
    case ReplacementPolicy::kFifo:
      return Least(r, pages,
                   [](const auto& slot, auto&) { return slot.loaded_at; });
    case ReplacementPolicy::kLru:
      return Least(r, pages,
                   [](const auto& slot, auto&) { return slot.used_at; });
    case ReplacementPolicy::kMru:
      return Least(r, pages,
                   [](const auto& slot, auto&) { return ~slot.used_at; });
    case ReplacementPolicy::kLfu:
      return Least(r, pages, [](const auto& slot, auto&) { return slot.uses; });
    case ReplacementPolicy::kNru:
      return Least(r, pages, [](const auto&, const auto& page) {
        return 2 * int{page.accessed} + int{page.dirty};
      });
    case ReplacementPolicy::kAging:
      return Least(r, pages, [](const auto& slot, auto&) { return slot.age; });
    case ReplacementPolicy::kOpt:
      return Least(r, pages, [&](const auto& slot, auto&) {
        return NextUse(r, slot.vpn);
      });
    case ReplacementPolicy::kClock:
      return Clock(r, pages, clear);
    case ReplacementPolicy::kSecondChance:
      return SecondChance(r, pages, clear);
    case ReplacementPolicy::kRandom:
      return pages[prng.Next() % pages.size()].slot;
    case ReplacementPolicy::kNone:
    case ReplacementPolicy::kClient:
      break;
  }
  VM_BUG_ON(true && "no policy of the machine's own");
  return 0;
}

uint32_t AgeAfter(uint32_t age, bool accessed, uint64_t ticks) {
  if (ticks == 0) return age;
  if (ticks > kAgeBits) return 0;
  age = age >> 1 | (accessed ? 1U << (kAgeBits - 1) : 0);
  return age >> (ticks - 1);
}

}  // namespace faultline
