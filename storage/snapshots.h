// The snapshots table, and which image a restored session started from.
//
// The functions that change something run inside the writer's transaction.
#ifndef FAULTLINE_STORAGE_SNAPSHOTS_H_
#define FAULTLINE_STORAGE_SNAPSHOTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/database.h"
#include "storage/images.h"
#include "storage/sessions.h"

namespace faultline::storage {

enum class SnapshotKind : int64_t { kUser = 1, kAutomatic = 2 };

struct SnapshotRecord {
  std::string id;  // unique within the session
  SnapshotKind kind = SnapshotKind::kUser;
  int64_t revision = 0;
  std::string display_name;
  absl::Time create_time;     // kept to the microsecond
  int64_t state_version = 0;  // of whoever wrote the bytes
  uint64_t fingerprint = 0;   // of what the bytes are; storage cannot check it
  // Of its bytes; not taken from here when the snapshot is created.
  int64_t bytes = 0;
  int64_t stored_bytes = 0;
  // False: the row is not as it was written, so nothing else is of use.
  bool whole = true;

  friend bool operator==(const SnapshotRecord&,
                         const SnapshotRecord&) = default;
};

// What a new snapshot must fit.
struct SnapshotRules {
  int64_t session_key = 0;   // of SessionRecord: the session may be another now
  int64_t count_max = 0;     // of its kind, in this session
  bool active_only = false;  // refuse for a session that is not active
};

// NOT_FOUND, reason SNAPSHOT_NOT_FOUND.
absl::Status SnapshotNotFound(absl::string_view session, absl::string_view id);
// DATA_LOSS, reason SNAPSHOT_CORRUPT.
absl::Status SnapshotCorrupt(absl::string_view session, absl::string_view id,
                             absl::string_view why);

// Makes a snapshot of a draft image. SESSION_NOT_FOUND, SESSION_NOT_ACTIVE,
// SNAPSHOT_EXISTS, SNAPSHOTS_LIMIT and REVISION_NOT_RECORDED are found before
// anything is changed.
absl::Status InsertSnapshot(Database& database, absl::string_view session,
                            const SnapshotRecord& snapshot,
                            const SnapshotRules& rules, int64_t image_key,
                            const ImageSeal& seal);
absl::Status RemoveSnapshot(Database& database, absl::string_view session,
                            absl::string_view id);

// A snapshot and where its bytes are.
struct StoredSnapshot {
  SnapshotRecord record;
  int64_t image_key = 0;
  ImageSeal seal;
};
// DATA_LOSS when its row is damaged.
absl::StatusOr<StoredSnapshot> ReadSnapshot(Database& database,
                                            absl::string_view session,
                                            absl::string_view id);
// Up to `limit` of a session, by revision and id, after the given ones.
absl::StatusOr<std::vector<SnapshotRecord>> ReadSnapshots(
    Database& database, absl::string_view session, int64_t after_revision,
    absl::string_view after_id, int64_t limit);
// Up to `limit` whole ones at or before `revision`, the newest first.
absl::StatusOr<std::vector<SnapshotRecord>> ReadSnapshotsBefore(
    Database& database, absl::string_view session, int64_t revision,
    int64_t state_version, int64_t limit);

// Gives a new session the image of `snapshot` as its base.
absl::Status InsertBase(Database& database, absl::string_view session,
                        const SessionBase& base, int64_t image_key);
// False when the session has none.
absl::StatusOr<bool> ReadBaseImage(Database& database,
                                   absl::string_view session,
                                   int64_t& image_key, ImageSeal& seal);

// Removes up to `rows_max` snapshots of a removed session, at last its base.
// False when there is nothing left.
absl::StatusOr<bool> PurgeSnapshots(Database& database, int64_t session_key,
                                    int64_t rows_max);

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_SNAPSHOTS_H_
