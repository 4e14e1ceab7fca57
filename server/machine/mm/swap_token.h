// The swap token of 2.6: one address space at a time that faults a lot keeps
// its pages, so that somebody makes progress when all are thrashing. Off unless
// vm.swap_token is 1. Models mm/thrash.c (v2.6.32): grab_swap_token(). Its
// holder is spared while others reclaim, whether or not it is in a fault: one
// CPU would never find it there.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SWAP_TOKEN_H_
#define FAULTLINE_SERVER_MACHINE_MM_SWAP_TOKEN_H_

#include "server/machine/kernel.h"

namespace faultline {

// A page of this address space had to be read from swap.
inline void GrabSwapToken(Kernel& k, Mm& mm) {
  constexpr uint32_t kBoost = 2;
  Swap& swap = k.swap;
  if (k.sysctl.swap_token == 0) return;
  const uint32_t interval = ++swap.global_faults - mm.faultstamp;
  if (!swap.token_mm || swap.token_mm == mm.id) {
    mm.token_priority += kBoost;
    swap.token_mm = mm.id;
  } else {
    if (interval < mm.last_interval) {
      mm.token_priority++;
    } else if (mm.token_priority > 0) {
      mm.token_priority--;
    }
    if (mm.token_priority > k.mms[swap.token_mm].token_priority) {
      mm.token_priority += kBoost;
      swap.token_mm = mm.id;
    }
  }
  mm.faultstamp = swap.global_faults;
  mm.last_interval = interval;
}

// put_swap_token(): at the end of an address space.
inline void PutSwapToken(Kernel& k, Id<Mm> mm) {
  if (k.swap.token_mm == mm) k.swap.token_mm = {};
}
// disable_swap_token(): reclaim is at its last.
inline void DisableSwapToken(Kernel& k) { k.swap.token_mm = {}; }

// page_referenced_one(): is it to be spared, because others reclaim?
inline bool HoldsSwapToken(const Kernel& k, Id<Mm> mm) {
  if (!k.swap.token_mm || k.swap.token_mm != mm) return false;
  return !k.current || k.tasks[k.current].mm != mm;
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SWAP_TOKEN_H_
