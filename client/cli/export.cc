#include "client/cli/export.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "client/cli/export_chrome.h"
#include "client/cli/export_jsonl.h"
#include "client/cli/export_perfetto.h"
#include "client/cli/export_trace.h"
#include "client/cli/process_look.h"
#include "client/cli/session_tally.h"
#include "client/cli/show_counters.h"

namespace faultline::cli {
namespace {

// What is handed on at once.
constexpr size_t kPartSize = size_t{64} << 10;

// Collects small pieces into parts.
class Parts {
 public:
  explicit Parts(const ByteSink& sink) : sink_(sink) {}

  absl::Status Add(const std::string& bytes) {
    part_ += bytes;
    return part_.size() < kPartSize ? absl::OkStatus() : Flush();
  }
  absl::Status Flush() {
    absl::Status status = part_.empty() ? absl::OkStatus() : sink_(part_);
    part_.clear();
    return status;
  }

 private:
  const ByteSink& sink_;
  std::string part_;
};

absl::Status ExportJsonl(Recording& recording, const ExportRequest& request,
                         Revisions revisions, const RevisionCallback& progress,
                         Parts& parts) {
  JsonlExport lines;
  return recording.ForEachChange(revisions, request.level,
                                 [&](const v1::Change& change) {
                                   if (progress) progress(change.revision());
                                   return parts.Add(lines.Line(change));
                                 });
}

// Reads the counters of a trace as often as it is worth.
class CounterLooks {
 public:
  CounterLooks(Recording& recording, Revisions revisions)
      : recording_(recording), revisions_(revisions) {
    step_ = std::max<int64_t>(
        (revisions.count() + kCounterLooksMax - 1) / kCounterLooksMax, 1);
  }

  bool DueAfter(int64_t revision) const {
    if (revision > LastLook(recording_.session())) return false;
    return revision == revisions_.last ||
           (revision - revisions_.first + 1) % step_ == 0;
  }

  absl::StatusOr<CounterLook> Look(int64_t revision,
                                   const SessionTally& tally) {
    auto processes = LookAtStatuses(recording_, revision,
                                    PidsThatMayBe(tally, recording_.session()));
    if (!processes.ok()) return processes.status();
    auto zones = recording_.ReadProc("/proc/zoneinfo", revision);
    if (!zones.ok()) return zones.status();
    return CounterLook{*std::move(processes), ParseZoneinfo(*zones)};
  }

 private:
  Recording& recording_;
  Revisions revisions_;
  int64_t step_;
};

absl::Status ExportTrace(Recording& recording, const ExportRequest& request,
                         Revisions revisions, const RevisionCallback& progress,
                         Parts& parts) {
  const std::unique_ptr<TraceSink> sink =
      request.format == ExportFormat::kPerfetto ? MakePerfettoSink()
                                                : MakeChromeSink();
  TraceExport trace(*sink);
  SessionTally tally;
  CounterLooks looks(recording, revisions);
  auto count = [&](int64_t revision) {
    auto look = looks.Look(revision, tally);
    if (look.ok()) trace.AddCounters(*look);
    return look.status();
  };
  absl::Status status = count(0);
  if (!status.ok()) return status;
  status = recording.ForEachChange(
      revisions, request.level, [&](const v1::Change& change) {
        if (progress) progress(change.revision());
        tally.Add(change);
        trace.Add(change);
        absl::Status counted = looks.DueAfter(change.revision())
                                   ? count(change.revision())
                                   : absl::OkStatus();
        return counted.ok() ? parts.Add(sink->Take()) : counted;
      });
  if (!status.ok()) return status;
  return parts.Add(sink->Take() + sink->End());
}

}  // namespace

absl::Status ExportSession(Recording& recording, const ExportRequest& request,
                           const ByteSink& sink,
                           const RevisionCallback& progress) {
  const Revisions revisions = {1, recording.session().revision()};
  Parts parts(sink);
  absl::Status status =
      request.format == ExportFormat::kJsonl
          ? ExportJsonl(recording, request, revisions, progress, parts)
          : ExportTrace(recording, request, revisions, progress, parts);
  return status.ok() ? parts.Flush() : status;
}

}  // namespace faultline::cli
