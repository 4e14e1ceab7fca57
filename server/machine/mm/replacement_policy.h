// The choice of a victim: each policy a function over the slots of a process.
#ifndef FAULTLINE_SERVER_MACHINE_MM_REPLACEMENT_POLICY_H_
#define FAULTLINE_SERVER_MACHINE_MM_REPLACEMENT_POLICY_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "server/machine/base/prng.h"
#include "server/machine/mm/replacement_types.h"

namespace faultline {

// A page that may leave, with the bits of its entry.
struct ReplacementCandidate {
  uint32_t slot = 0;
  bool accessed = false;
  bool dirty = false;
};

// The slot of the page that leaves. `clear`: clears the accessed bit of a
// slot's page, which the policies that give a second chance do to pages that
// stay. REQUIRES: candidates by ascending slot, at least one; not kNone,
// kClient.
uint32_t ChooseVictim(Replacement& r, std::vector<ReplacementCandidate> pages,
                      Prng& prng, const std::function<void(uint32_t)>& clear);

// kAging: `accessed` goes in at the top, once; then ticks pass.
uint32_t AgeAfter(uint32_t age, bool accessed, uint64_t ticks);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_REPLACEMENT_POLICY_H_
