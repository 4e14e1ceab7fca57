#include "server/session/automatic_snapshots.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/machine/machine.h"
#include "server/session/snapshots.h"

namespace faultline {
namespace {

using Snapshots = std::vector<storage::SnapshotRecord>;

bool Exceeds(int64_t count, int64_t wanted, int64_t weight) {
  return wanted > 0 && count / weight >= wanted;
}

Snapshots::const_iterator NextToDrop(const Snapshots& snapshots,
                                     int64_t state_version) {
  const auto newest = std::prev(snapshots.end());
  const auto foreign =
      std::find_if(snapshots.begin(), newest, [&](const auto& snapshot) {
        return snapshot.state_version != state_version;
      });
  if (foreign != newest) return foreign;
  auto drop = snapshots.begin();
  int64_t gap_min = 0;
  for (auto i = snapshots.begin(); i != newest; ++i) {
    const int64_t before = i == snapshots.begin() ? 0 : std::prev(i)->revision;
    const int64_t gap = std::next(i)->revision - before;
    if (i == snapshots.begin() || gap < gap_min) {
      drop = i;
      gap_min = gap;
    }
  }
  return drop;
}

}  // namespace

void SnapshotPace::Add(const storage::Entry& entry) {
  ++commands;
  bytes += static_cast<int64_t>(storage::EntryBytes(entry));
}

std::vector<std::string> SnapshotsToDrop(
    absl::Span<const storage::SnapshotRecord> snapshots, int64_t state_version,
    size_t keep_max) {
  Snapshots kept(snapshots.begin(), snapshots.end());
  std::vector<std::string> dropped;
  while (kept.size() > std::max<size_t>(keep_max, 1)) {
    const auto drop = NextToDrop(kept, state_version);
    dropped.push_back(drop->id);
    kept.erase(drop);
  }
  return dropped;
}

// Counts itself among those that wait.
class AutomaticSnapshots::UnderWay {
 public:
  UnderWay(std::shared_ptr<std::atomic<size_t>> waiting,
           std::shared_ptr<SnapshotPace> pace)
      : waiting_(std::move(waiting)), pace_(std::move(pace)) {
    ++*waiting_;
    pace_->under_way = true;
  }
  ~UnderWay() {
    pace_->under_way = false;
    --*waiting_;
  }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;

  SnapshotPace& pace() { return *pace_; }

 private:
  const std::shared_ptr<std::atomic<size_t>> waiting_;
  const std::shared_ptr<SnapshotPace> pace_;
};

AutomaticSnapshots::~AutomaticSnapshots() { stopping_ = true; }

bool AutomaticSnapshots::Due(const SnapshotPace& pace) const {
  const int64_t weight =
      std::max<int64_t>(1, pace.machine_bytes / limits::kSnapshotWorthBytes);
  const bool due = Exceeds(pace.commands, options_.commands, weight) ||
                   Exceeds(pace.bytes, options_.bytes, weight);
  return due && !pace.under_way && *waiting_ < limits::kSnapshotsWaitingMax;
}

Answer<std::shared_ptr<const MachineView>> AutomaticSnapshots::Begin(
    std::string session, const std::shared_ptr<SnapshotPace>& pace) {
  pace->commands = 0;
  pace->bytes = 0;
  auto under_way = std::make_shared<UnderWay>(waiting_, pace);
  return [this, session = std::move(session),
          under_way](absl::StatusOr<std::shared_ptr<const MachineView>> view) {
    if (!view.ok()) return;
    saver_.Submit([this, session, under_way, view = *std::move(view)] {
      Save(session, *view, under_way->pace());
    });
  };
}

// After an error the session goes on without one: the next may succeed.
void AutomaticSnapshots::Save(const std::string& session,
                              const MachineView& view, SnapshotPace& pace) {
  if (stopping_) return;
  const absl::StatusOr<SnapshotInfo> taken =
      StoreSnapshot(store_, session, view,
                    {.id = absl::StrCat("auto-", view.revision),
                     .kind = storage::SnapshotKind::kAutomatic,
                     .display_name = "",
                     .cancelled = [this] { return stopping_.load(); }});
  if (taken.ok()) pace.machine_bytes = taken->bytes;
  Thin(session);
}

void AutomaticSnapshots::Thin(const std::string& session) {
  absl::StatusOr<Snapshots> snapshots =
      store_.ListSnapshots(session, -1, "", limits::kSnapshotsMax);
  if (!snapshots.ok()) return;
  snapshots->erase(std::remove_if(snapshots->begin(), snapshots->end(),
                                  [](const storage::SnapshotRecord& snapshot) {
                                    return snapshot.kind !=
                                           storage::SnapshotKind::kAutomatic;
                                  }),
                   snapshots->end());
  for (const std::string& id :
       SnapshotsToDrop(*snapshots, static_cast<int64_t>(kStateVersion),
                       static_cast<size_t>(limits::kAutomaticSnapshotsMax))) {
    store_.DeleteSnapshot(session, id, [](const absl::Status&) {})
        .IgnoreError();
  }
}

}  // namespace faultline
