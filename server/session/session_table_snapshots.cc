// What the table does about snapshots, and about machines of the past.

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/codec/errors.h"
#include "server/codec/status_macros.h"
#include "server/limits.h"
#include "server/session/random_id.h"
#include "server/session/record.h"
#include "server/session/session_table.h"
#include "server/session/snapshots.h"
#include "server/session/wait_for.h"

namespace faultline {
namespace {

std::string ChooseSnapshotId(int64_t revision) {
  constexpr int kRandomLength = 6;
  return absl::StrCat("r", revision, "-", RandomId(kRandomLength));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const MachineView>> SessionTable::LookAt(
    absl::string_view id, int64_t revision, absl::string_view field,
    const Progress& progress) {
  return past_.At(id, revision, field, progress);
}

absl::StatusOr<std::shared_ptr<const MachineView>> SessionTable::LookNow(
    absl::string_view id, const Progress& progress) {
  FL_ASSIGN_OR_RETURN(const SessionInfo info, Get(id));
  if (info.life == SessionLife::kOpen) return WaitForLook(id);
  return past_.At(id, info.revision, "revision", progress);
}

// What the store would refuse is refused before the replay and the saving. The
// store has the last word: others take snapshots meanwhile.
absl::Status SessionTable::CheckRoomForSnapshot(absl::string_view id,
                                                absl::string_view snapshot) {
  FL_ASSIGN_OR_RETURN(const std::vector<SnapshotInfo> taken,
                      ListSnapshots(id, -1, "", limits::kSnapshotsMax));
  int64_t of_users = 0;
  for (const SnapshotInfo& one : taken) {
    if (one.id == snapshot) {
      return errors::SnapshotAlreadyExists(SnapshotName(id, snapshot));
    }
    if (!one.automatic) ++of_users;
  }
  return of_users < limits::kUserSnapshotsMax
             ? absl::OkStatus()
             : errors::SnapshotsLimit(ResourceName(id),
                                      limits::kUserSnapshotsMax);
}

absl::StatusOr<SnapshotInfo> SessionTable::CreateSnapshot(
    absl::string_view id, NewSnapshot snapshot, const Progress& progress) {
  FL_RETURN_IF_ERROR(CheckRoomForSnapshot(id, snapshot.id));
  FL_ASSIGN_OR_RETURN(const std::shared_ptr<const MachineView> view,
                      snapshot.revision
                          ? LookAt(id, *snapshot.revision, "revision", progress)
                          : LookNow(id, progress));
  const int64_t revision = view->revision;
  return StoreSnapshot(
      store_, id, *view,
      {.id = snapshot.id.empty() ? ChooseSnapshotId(revision)
                                 : std::move(snapshot.id),
       .kind = storage::SnapshotKind::kUser,
       .display_name = std::move(snapshot.display_name),
       .cancelled = [&] { return progress && !progress(revision, revision); }});
}

absl::StatusOr<SnapshotInfo> SessionTable::GetSnapshot(
    absl::string_view id, absl::string_view snapshot) {
  const auto record = store_.GetSnapshot(id, snapshot);
  if (!record.ok()) return SnapshotError(id, snapshot, record.status());
  return InfoOf(id, *record);
}

absl::StatusOr<std::vector<SnapshotInfo>> SessionTable::ListSnapshots(
    absl::string_view id, int64_t after_revision, absl::string_view after_id,
    int64_t limit) {
  const auto records =
      store_.ListSnapshots(id, after_revision, after_id, limit);
  if (!records.ok()) return StorageError(id, records.status());
  std::vector<SnapshotInfo> infos;
  for (const storage::SnapshotRecord& record : *records) {
    infos.push_back(InfoOf(id, record));
  }
  return infos;
}

absl::Status SessionTable::DeleteSnapshot(absl::string_view id,
                                          absl::string_view snapshot) {
  const absl::Status deleted = WaitForWrite([&](storage::Done done) {
    return store_.DeleteSnapshot(id, snapshot, std::move(done));
  });
  return deleted.ok() ? absl::OkStatus() : SnapshotError(id, snapshot, deleted);
}

// The machine is loaded to see that it can be: a session that cannot start is
// not made.
absl::StatusOr<SessionInfo> SessionTable::RestoreSnapshot(
    absl::string_view id, absl::string_view snapshot, std::string new_id,
    std::string display_name) {
  FL_ASSIGN_OR_RETURN(const SessionInfo source, Get(id));
  FL_ASSIGN_OR_RETURN(const SnapshotInfo taken, GetSnapshot(id, snapshot));
  FL_RETURN_IF_ERROR(CheckRoomForSession(new_id));
  FL_ASSIGN_OR_RETURN(const std::unique_ptr<Machine> machine,
                      LoadSnapshot(store_, id, snapshot));
  const std::string name = SnapshotName(id, snapshot);
  if (machine->Fingerprint() != taken.fingerprint) {
    return errors::SnapshotCorrupt(name, "it holds another machine");
  }
  SessionInfo info =
      NewInfo(std::move(new_id), std::move(display_name), source.config);
  info.origin =
      SessionOrigin{.snapshot = name,
                    .revision = taken.revision,
                    .fingerprint = taken.fingerprint,
                    .state_version = static_cast<int64_t>(kStateVersion)};
  const absl::Status restored = WaitForWrite([&](storage::Done done) {
    return store_.RestoreSession(RecordOf(info), id, snapshot, std::move(done));
  });
  if (restored.ok()) return info;
  if (absl::IsAlreadyExists(restored)) return StorageError(info.id, restored);
  return SnapshotError(id, snapshot, restored);
}

}  // namespace faultline
