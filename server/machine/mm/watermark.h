// The watermarks of the zones, and what follows from them.
#ifndef FAULTLINE_SERVER_MACHINE_MM_WATERMARK_H_
#define FAULTLINE_SERVER_MACHINE_MM_WATERMARK_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// init_per_zone_wmark_min(), and what khugepaged's start makes of it.
void InitWatermarks(Kernel& k);
// set_recommended_min_free_kbytes(): when thp.enabled was written.
void SetRecommendedMinFreeKbytes(Kernel& k);
// setup_per_zone_wmarks(), from sysctl.min_free_kbytes and the zones' managed
// pages.
void SetupPerZoneWmarks(Kernel& k);
// setup_per_zone_lowmem_reserve().
void SetupPerZoneLowmemReserve(Kernel& k);
// lowmem_reserve_ratio_sysctl_handler(): a number for each zone of the
// machine's kernel, from the lowest up. As in Linux the write never fails: what
// follows the first number that is no int stays, and so does what is not given.
inline constexpr char kLowmemReserveRatio[] = "vm.lowmem_reserve_ratio";
void SetLowmemReserveRatio(Kernel& k, const Sysctl& sysctl);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_WATERMARK_H_
