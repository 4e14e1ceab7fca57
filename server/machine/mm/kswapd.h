// kswapd: reclaims ahead of need, from the low watermark to the high one, and
// takes back boosts of the watermarks. It runs at two points: when an
// allocation that found too little has woken it, before that tries again; and
// when time passes.
#ifndef FAULTLINE_SERVER_MACHINE_MM_KSWAPD_H_
#define FAULTLINE_SERVER_MACHINE_MM_KSWAPD_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// wakeup_kswapd(): for a block of this order from zones up to `highest`.
void WakeupKswapd(Kernel& k, uint32_t gfp, int order, int highest);
// What kswapd was woken for, if it was: balance_pgdat().
void RunKswapd(Kernel& k);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_KSWAPD_H_
