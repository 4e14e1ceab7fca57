// kswapd, as far as there is one: it takes back a boost of the watermarks.
#ifndef FAULTLINE_SERVER_MACHINE_MM_KSWAPD_H_
#define FAULTLINE_SERVER_MACHINE_MM_KSWAPD_H_

#include "server/machine/kernel.h"

namespace faultline {

// wakeup_kswapd(): it runs when an allocation needs it, or when time passes.
inline void WakeupKswapd(Kernel& k) { k.kswapd_woken = true; }

// balance_pgdat(), once it was woken. Departure: D4 (it reclaims nothing).
inline void RunKswapd(Kernel& k) {
  if (!k.kswapd_woken) return;
  k.kswapd_woken = false;
  for (Zone& zone : k.zones) zone.watermark_boost = 0;
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_KSWAPD_H_
