// The events of compaction, with the fields of Linux's tracepoints.
#ifndef FAULTLINE_SERVER_MACHINE_TRACE_COMPACTION_EVENT_H_
#define FAULTLINE_SERVER_MACHINE_TRACE_COMPACTION_EVENT_H_

#include <cstdint>
#include <string>

namespace faultline {

// compaction:mm_compaction_begin
struct MmCompactionBegin {
  static constexpr const char* kName = "mm_compaction_begin";
  uint32_t zone_start = 0;
  uint32_t migrate_pfn = 0;  // where the scanners begin
  uint32_t free_pfn = 0;
  uint32_t zone_end = 0;
};
// compaction:mm_compaction_end. status: "complete", "success"
struct MmCompactionEnd {
  static constexpr const char* kName = "mm_compaction_end";
  uint32_t zone_start = 0;
  uint32_t migrate_pfn = 0;  // where they have come to
  uint32_t free_pfn = 0;
  uint32_t zone_end = 0;
  std::string status;
};
// compaction:mm_compaction_wakeup_kcompactd
struct MmCompactionWakeupKcompactd {
  static constexpr const char* kName = "mm_compaction_wakeup_kcompactd";
  uint32_t nid = 0;
  uint32_t order = 0;
  uint32_t highest_zoneidx = 0;
};
// compaction:mm_compaction_kcompactd_wake
struct MmCompactionKcompactdWake {
  static constexpr const char* kName = "mm_compaction_kcompactd_wake";
  uint32_t nid = 0;
  uint32_t order = 0;
  uint32_t highest_zoneidx = 0;
};
// compaction:mm_compaction_kcompactd_sleep
struct MmCompactionKcompactdSleep {
  static constexpr const char* kName = "mm_compaction_kcompactd_sleep";
  uint32_t nid = 0;
};

std::string SayEvent(const MmCompactionBegin& e);
std::string SayEvent(const MmCompactionEnd& e);
std::string SayEvent(const MmCompactionWakeupKcompactd& e);
std::string SayEvent(const MmCompactionKcompactdWake& e);
std::string SayEvent(const MmCompactionKcompactdSleep& e);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_TRACE_COMPACTION_EVENT_H_
