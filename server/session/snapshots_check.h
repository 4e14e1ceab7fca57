// What VerifySession checks of a session's snapshots.
#ifndef FAULTLINE_SERVER_SESSION_SNAPSHOTS_CHECK_H_
#define FAULTLINE_SERVER_SESSION_SNAPSHOTS_CHECK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "server/machine/machine.h"
#include "server/session/replayer.h"
#include "server/session/session_types.h"
#include "storage/store.h"

namespace faultline {

// Compares the snapshots that a session has when it is made with the machines
// that a replay passes through. Of one of another state version only the bytes
// can be checked. Used by one thread.
class SnapshotsCheck {
 public:
  SnapshotsCheck(storage::Store& store, const SessionInfo& info);

  // Where the replay must stop for the next of them; past every revision when
  // there is none.
  int64_t NextRevision() const;
  // Checks those of `revision`, which is not past NextRevision().
  void CheckAt(const Machine& replayed, int64_t revision);

  // Absent: the session has no snapshots.
  absl::optional<VerifyReport::Check> Result() const;

 private:
  void CheckForeign(const storage::SnapshotRecord& record);
  void CheckMachine(const storage::SnapshotRecord& record,
                    uint64_t replayed_fingerprint);
  void Fail(const storage::SnapshotRecord& record, absl::string_view why);

  storage::Store& store_;
  const std::string session_;
  std::vector<storage::SnapshotRecord> records_;  // by revision
  size_t next_ = 0;
  int64_t good_ = 0;
  int64_t foreign_ = 0;
  std::vector<std::string> problems_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_SNAPSHOTS_CHECK_H_
