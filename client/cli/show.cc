#include "client/cli/show.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/process_look.h"
#include "client/cli/session_tally.h"
#include "client/cli/show_address_space.h"
#include "client/cli/show_counters.h"
#include "client/cli/show_timeline.h"
#include "client/cli/terminal.h"

namespace faultline::cli {
namespace {

absl::StatusOr<int64_t> RevisionToShow(const v1::Session& session,
                                       const ShowRequest& request) {
  const int64_t last = LastLook(session);
  const int64_t at = request.at.value_or(last);
  if (at < 0 || at > session.revision()) {
    return absl::OutOfRangeError(
        absl::StrCat(session.name(), " has no revision ", at, "; it is at ",
                     session.revision()));
  }
  if (at > last) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the command of revision ", at,
        " broke the simulator, so there is no machine after it: use --at ",
        last));
  }
  return at;
}

// The one that is asked for first, so that it is not among those left out.
std::vector<uint32_t> PidsToLookAt(const SessionTally& tally,
                                   const v1::Session& session,
                                   const ShowRequest& request) {
  std::vector<uint32_t> pids = PidsThatMayBe(tally, session);
  if (request.pid) {
    pids.erase(std::remove(pids.begin(), pids.end(), *request.pid), pids.end());
    pids.insert(pids.begin(), *request.pid);
  }
  return pids;
}

absl::Status NoSuchProcess(uint32_t pid, int64_t revision,
                           const std::vector<ProcessLook>& processes,
                           const SessionTally& tally) {
  std::string message =
      absl::StrCat("at revision ", revision, " there is no process ", pid);
  const SessionTally::Ended* ended = tally.EndOf(pid);
  if (ended != nullptr) {
    absl::StrAppend(&message, ": it ended at revision ", ended->revision,
                    "; look at it with --at ", ended->revision - 1);
  } else {
    absl::StrAppend(&message, "; there are: ",
                    absl::StrJoin(processes, ", ",
                                  [](std::string* out, const ProcessLook& p) {
                                    absl::StrAppend(out, p.pid);
                                  }));
  }
  return absl::NotFoundError(message);
}

std::string StateText(const v1::Session& session) {
  switch (session.state()) {
    case v1::SESSION_STATE_CLOSED:
      return ", closed";
    case v1::SESSION_STATE_PANICKED:
      return ", broken by its last command";
    default:
      return "";
  }
}

std::string Title(const v1::Session& session, int64_t at,
                  const PictureStyle& style) {
  PictureLine line(style);
  line.Add(session.name(), Paint::kBold);
  line.Add(absl::StrCat(" after revision ", at, " of ", session.revision(),
                        StateText(session)));
  return line.Take();
}

// The processes that were asked for, in the order of their pids.
std::string Pictures(const std::vector<ProcessLook>& processes,
                     const ShowRequest& request) {
  std::string text;
  size_t drawn = 0;
  size_t left_out = 0;
  for (const ProcessLook& process : processes) {
    if (request.pid && process.pid != *request.pid) continue;
    if (!request.pid && drawn == kProcessesDrawnMax) {
      ++left_out;
      continue;
    }
    ++drawn;
    absl::StrAppend(&text, "\n", AddressSpacePicture(process, request.style));
  }
  if (left_out > 0) {
    absl::StrAppend(
        &text, "\nand ",
        processes.size() == kProcessesLookedAtMax ? "at least " : "",
        Count(left_out, "more process", "more processes"),
        "; --pid shows any one\n");
  }
  if (drawn == 0) {
    return "\nNo process is left; --at shows an earlier revision.\n";
  }
  absl::StrAppend(&text, "\n", PageLegend(request.style));
  return text;
}

}  // namespace

absl::StatusOr<std::string> ShowSession(Recording& recording,
                                        const ShowRequest& request,
                                        const RevisionCallback& progress) {
  const v1::Session& session = recording.session();
  const absl::StatusOr<int64_t> at = RevisionToShow(session, request);
  if (!at.ok()) return at.status();
  // A command that broke the simulator is on the timeline all the same.
  const Revisions revisions = {1, request.at ? *at : session.revision()};
  Timeline timeline(revisions, request.style);
  SessionTally tally;
  absl::Status status = recording.ForEachChange(
      revisions, v1::EVENT_LEVEL_FAULTS, [&](const v1::Change& change) {
        timeline.Add(change);
        tally.Add(change);
        if (progress) progress(change.revision());
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  auto processes =
      LookAtProcesses(recording, *at, PidsToLookAt(tally, session, request),
                      StripColumns(request.style));
  if (!processes.ok()) return processes.status();
  const bool found =
      !request.pid || std::any_of(processes->begin(), processes->end(),
                                  [&](const ProcessLook& process) {
                                    return process.pid == *request.pid;
                                  });
  if (!found) return NoSuchProcess(*request.pid, *at, *processes, tally);
  auto zones = recording.ReadProc("/proc/zoneinfo", *at);
  if (!zones.ok()) return zones.status();
  const std::string drawn = timeline.Draw();
  return absl::StrCat(
      Title(session, *at, request.style), Pictures(*processes, request),
      drawn.empty() ? "" : "\n", drawn, "\n",
      CountersText(*processes, ParseZoneinfo(*zones), tally, request.style));
}

}  // namespace faultline::cli
