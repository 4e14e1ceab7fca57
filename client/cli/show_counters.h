// The counters under the pictures of a session: memory of each process, faults
// by how they were resolved, free pages, simulated time.

#ifndef FAULTLINE_CLIENT_CLI_SHOW_COUNTERS_H_
#define FAULTLINE_CLIENT_CLI_SHOW_COUNTERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/cli/picture.h"
#include "client/cli/process_look.h"
#include "client/cli/session_tally.h"

namespace faultline::cli {

struct ZoneLook {
  std::string name;  // "DMA32"
  uint64_t free_pages = 0;
  uint64_t managed_pages = 0;

  friend bool operator==(const ZoneLook&, const ZoneLook&) = default;
};

// The zones of /proc/zoneinfo that hold any memory.
std::vector<ZoneLook> ParseZoneinfo(absl::string_view text);

// "1.5 ms", of simulated nanoseconds.
std::string TimeText(uint64_t nanoseconds);

std::string CountersText(const std::vector<ProcessLook>& processes,
                         const std::vector<ZoneLook>& zones,
                         const SessionTally& tally, const PictureStyle& style);

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_SHOW_COUNTERS_H_
