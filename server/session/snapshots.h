// Snapshots of machines: into the store, out of it, and as what a session
// starts from.
//
// A snapshot in the store is a machine as Machine::Save writes it, with its
// state version and its fingerprint. The `origin` of a restored session is a
// faultline.v1.Origin.
#ifndef FAULTLINE_SERVER_SESSION_SNAPSHOTS_H_
#define FAULTLINE_SERVER_SESSION_SNAPSHOTS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "server/machine/machine.h"
#include "server/session/session_types.h"
#include "storage/store.h"

namespace faultline {

// "lab-1", "before" -> "sessions/lab-1/snapshots/before".
std::string SnapshotName(absl::string_view session, absl::string_view id);

// An error of the store about one snapshot, as an error of the service.
absl::Status SnapshotError(absl::string_view session, absl::string_view id,
                           const absl::Status& status);

SnapshotInfo InfoOf(absl::string_view session,
                    const storage::SnapshotRecord& record);

// What a new snapshot is to be, besides the machine.
struct SnapshotSpec {
  std::string id;
  storage::SnapshotKind kind = storage::SnapshotKind::kUser;
  std::string display_name;
  // Asked now and then: true and nothing is kept, the result is CANCELLED.
  std::function<bool()> cancelled;
};

// Saves the machine of `view` as a snapshot of its session. Blocks, for a
// second per gigabyte that the machine takes. ALREADY_EXISTS,
// RESOURCE_EXHAUSTED, NOT_FOUND when the session is gone; an automatic one is
// also refused when the session is not open: FAILED_PRECONDITION.
absl::StatusOr<SnapshotInfo> StoreSnapshot(storage::Store& store,
                                           absl::string_view session,
                                           const MachineView& view,
                                           const SnapshotSpec& spec);

// The machine of a snapshot. DATA_LOSS, FAILED_PRECONDITION for another state
// version, NOT_FOUND.
absl::StatusOr<std::unique_ptr<Machine>> LoadSnapshot(storage::Store& store,
                                                      absl::string_view session,
                                                      absl::string_view id);

// The machine that a session had at revision 0: booted from its config, or that
// of the snapshot it was restored from. INTERNAL when there is no such machine
// any more; DATA_LOSS, FAILED_PRECONDITION as above.
absl::StatusOr<std::unique_ptr<Machine>> FirstMachine(storage::Store& store,
                                                      const SessionInfo& info);

// The machine of the newest snapshot at or before `revision` that can be used;
// of those that are damaged a few are passed over. Null: there is none.
struct NearMachine {
  std::unique_ptr<Machine> machine;
  int64_t revision = 0;
  int64_t bytes = 0;  // of the snapshot
};
NearMachine FindNearMachine(storage::Store& store, absl::string_view session,
                            int64_t revision);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_SNAPSHOTS_H_
