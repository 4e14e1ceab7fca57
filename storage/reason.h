// A reason is the machine-readable name of an error, carried inside its
// absl::Status from the place that knows it to the place that tells the caller.
//
// The message of a status is for people and may change; its reason is part of
// the contract: the service copies it into google.rpc.ErrorInfo, tests compare
// it. Reasons are UPPER_SNAKE_CASE. Those of this layer:
//
//   DATA_DIRECTORY_MISSING        it is not there and cannot be created
//   DATA_DIRECTORY_NOT_WRITABLE   no permission
//   DATA_DIRECTORY_READ_ONLY      on a file system mounted read-only
//   DATA_DIRECTORY_IN_USE         another process serves it
//   NOT_A_DATABASE                faultline.db is not an SQLite file
//   FOREIGN_DATABASE              faultline.db belongs to another program
//   SCHEMA_TOO_NEW                written by a newer faultline
//   SCHEMA_TOO_OLD                opened read-only, and it needs a migration
//   STORE_READ_ONLY               a write to a store opened read-only
//   DISK_FULL, DISK_ERROR, DATABASE_BUSY, DATABASE_CORRUPT, OUT_OF_MEMORY
//   JOURNAL_CORRUPT               the hash chain or the packing does not hold
//   SPOOL_CORRUPT                 faultline.spool holds something else
//   JOURNAL_GAP                   an append does not follow the last revision
//   QUEUE_FULL                    more is written than the disk takes
//   ENTRY_TOO_LARGE
//   SESSION_NOT_FOUND, SESSION_EXISTS, REQUEST_ID_EXISTS
//   PARTICIPANT_NOT_FOUND, PARTICIPANT_EXISTS
//   SNAPSHOT_NOT_FOUND, SNAPSHOT_EXISTS
//   SNAPSHOT_CORRUPT              its row or one of its blocks is damaged
//   SNAPSHOTS_LIMIT               the session has as many as the caller allows
//   REVISION_NOT_RECORDED         a snapshot of a revision that is not there
//   SESSION_NOT_ACTIVE            closed or panicked, and it must not be
//   EXERCISE_NOT_FOUND, EXERCISE_EXISTS, EXERCISE_CORRUPT
//   EXERCISE_HAS_ATTEMPTS         and its deletion was not forced
//   EXERCISES_LIMIT               there are as many as the caller allows
//   ATTEMPT_NOT_FOUND, ATTEMPT_EXISTS, ATTEMPT_CORRUPT
//   ATTEMPT_NUMBER_TAKEN          another one was started meanwhile
//   ATTEMPTS_USED                 the student has had all the caller allows
//   ATTEMPT_GRADED                something was handed in after a grade
//   GRADE_NOT_FOUND, GRADE_EXISTS, GRADE_CORRUPT
//   SUBMISSION_REPLACED           what was graded is not what is handed in now
//   GRADES_LIMIT                  the attempt has as many as the caller allows
//   REQUEST_ID_REUSED             it made an attempt, or a grade, before
//   BLOCK_GONE                    internal: a block has to be sent after all
#ifndef FAULTLINE_STORAGE_REASON_H_
#define FAULTLINE_STORAGE_REASON_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace faultline {

// An error of `code` that carries `reason`. REQUIRES: code is not kOk.
absl::Status ErrorWithReason(absl::StatusCode code, absl::string_view reason,
                             absl::string_view message);

// The reason carried by `status`, or "" when there is none.
std::string ReasonOf(const absl::Status& status);

}  // namespace faultline

#endif  // FAULTLINE_STORAGE_REASON_H_
