// The session of an attempt: made so that it begins where the set-up of the
// exercise ends, and executed again when the attempt is graded.
#ifndef FAULTLINE_SERVER_GRADEBOOK_ATTEMPT_SESSION_H_
#define FAULTLINE_SERVER_GRADEBOOK_ATTEMPT_SESSION_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "faultline/v1/exercise.pb.h"
#include "server/grading/trial.h"
#include "server/session/session_table.h"

namespace faultline {

struct AttemptSession {
  std::string id;
  int64_t key = 0;  // SessionInfo::key
  int64_t start_revision = 0;
};

// Makes the session `id`, on whose machine the set-up that ran on `setup` runs
// as one recorded batch. Blocks. May be repeated: whatever a call before, or
// one at the same time, has done of it is not done again. ALREADY_EXISTS
// (SESSION_NAME_TAKEN) when there is another session of that name; else what
// SessionTable::Create and ExecuteBatch say.
absl::StatusOr<AttemptSession> MakeAttemptSession(
    SessionTable& table, const std::string& id, const std::string& display_name,
    const v1::Exercise& exercise, const grading::Trial& setup);

// The session as it is now. NOT_FOUND also when another has its id.
absl::StatusOr<SessionInfo> GetAttemptSession(SessionTable& table,
                                              const AttemptSession& session);

// Executes on `trial`, where the set-up has run, what is recorded of the
// session after it up to `revision`, as far as the rules of the exercise allow.
// What it gives is for the student: why not all of it was executed; empty: all
// was. FAILED_PRECONDITION when the session did not begin with the machine and
// the set-up of the exercise, with a sentence for graders; NOT_FOUND;
// DATA_LOSS, also when the machine does something else than is recorded;
// CANCELLED when `keep_on` says so.
absl::StatusOr<std::string> PerformSession(SessionTable& table,
                                           const AttemptSession& session,
                                           int64_t revision,
                                           const v1::Exercise& exercise,
                                           const std::function<bool()>& keep_on,
                                           grading::Trial& trial);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_GRADEBOOK_ATTEMPT_SESSION_H_
