// Looks at the processes of a machine at one revision: all that a picture of
// their address spaces shows.

#ifndef FAULTLINE_CLIENT_CLI_PROCESS_LOOK_H_
#define FAULTLINE_CLIENT_CLI_PROCESS_LOOK_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/recording.h"
#include "client/cli/residency.h"
#include "client/cli/session_tally.h"
#include "server/scenario/proc_text.h"

namespace faultline::cli {

struct VmaLook {
  scenario::SmapsEntry smaps;
  StripLayout layout;
  std::vector<PageState> cells;
  // Not every page was looked at, but a run of pages at the start of each cell.
  bool sampled = false;
  // Of the frames behind this VMA, how many another process maps too, by its
  // pid. Frames of pages that were not looked at are not among them.
  std::map<uint32_t, uint64_t> shared_with;
  uint64_t zero_pages = 0;  // of those looked at
};

struct ProcessLook {
  uint32_t pid = 0;
  uint32_t parent = 0;
  std::string name;
  bool zombie = false;
  // "VmSize" -> kilobytes, and the other numbers of /proc/PID/status.
  std::map<std::string, uint64_t> status;
  std::vector<VmaLook> vmas;  // from low addresses to high

  uint64_t Kilobytes(const std::string& field) const;
};

// A VMA of more pages is sampled: a pagemap read has one megabyte at most.
inline constexpr uint64_t kPagesReadMax = uint64_t{1} << 17;
// The pages that are read of each cell of a sampled VMA.
inline constexpr uint64_t kSampleRun = 64;

// A look at the machine takes in this many processes.
inline constexpr size_t kProcessesLookedAtMax = 64;

// The first of `pids` that are there after `revision`, in the order of their
// pids; threads and what does not exist are left out. Strips are `columns`
// cells wide.
absl::StatusOr<std::vector<ProcessLook>> LookAtProcesses(
    Recording& recording, int64_t revision, const std::vector<uint32_t>& pids,
    int columns);
// The same without their VMAs: what their status says.
absl::StatusOr<std::vector<ProcessLook>> LookAtStatuses(
    Recording& recording, int64_t revision, const std::vector<uint32_t>& pids);

// The pids at which there may be a process: those that the commands of the
// session left, the first one, and for a session that began as the copy of
// another machine, whose processes nobody told, the lowest ones.
std::vector<uint32_t> PidsThatMayBe(const SessionTally& tally,
                                    const v1::Session& session);
inline constexpr uint32_t kPidsTriedMax = 64;

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_PROCESS_LOOK_H_
