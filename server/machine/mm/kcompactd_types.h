// What kcompactd was asked for: fields of pg_data_t. Models
// include/linux/mmzone.h (v6.18).
#ifndef FAULTLINE_SERVER_MACHINE_MM_KCOMPACTD_TYPES_H_
#define FAULTLINE_SERVER_MACHINE_MM_KCOMPACTD_TYPES_H_

#include <cstdint>

namespace faultline {

// HPAGE_FRAG_CHECK_INTERVAL_MSEC: how often it looks for fragmentation.
inline constexpr uint64_t kFragCheckNs = 500'000'000;

struct Kcompactd {
  int32_t max_order = 0;  // kcompactd_max_order; 0: no work
  int32_t highest = 0;    // kcompactd_highest_zoneidx
  bool woken = false;
  bool proactive_trigger = false;   // proactive_compact_trigger
  uint64_t look_ns = kFragCheckNs;  // when its sleep times out
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_KCOMPACTD_TYPES_H_
