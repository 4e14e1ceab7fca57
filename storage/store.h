// Everything a server keeps: sessions and their journals, in one SQLite file.
//
// The store knows bytes and revisions; it cannot tell mmap from munmap. What
// an acknowledgement survives and what the tables look like stands in
// storage/README.md.
#ifndef FAULTLINE_STORAGE_STORE_H_
#define FAULTLINE_STORAGE_STORE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "storage/attempts.h"
#include "storage/checkpointer.h"
#include "storage/chunk.h"
#include "storage/connections.h"
#include "storage/data_directory.h"
#include "storage/exercises.h"
#include "storage/grades.h"
#include "storage/image_reader.h"
#include "storage/journal.h"
#include "storage/participants.h"
#include "storage/sessions.h"
#include "storage/snapshot_writer.h"
#include "storage/snapshots.h"
#include "storage/spool.h"
#include "storage/writer.h"

namespace faultline::storage {

// Thread-safe. Writes are queued and answered through `Done` once they are
// durable: on the writer's thread, or, of a small Append, on the caller's
// before it returns. Reads run on the caller's thread, beside the writer. A
// write that is refused (the queue is full, the store is read-only) says so at
// once, and its `Done` never runs.
class Store {
 public:
  // What an acknowledged write survives.
  enum class Durability {
    kProcessDeath,  // the end of the server, by SIGKILL too
    kPowerLoss,     // also the loss of power or a crash of the kernel
  };
  enum class Access { kReadWrite, kReadOnly };

  struct Options {
    // The data directory; it is created, its parents are not. ":memory:" keeps
    // everything in memory, for tests and for runs nobody wants to keep.
    std::string path;
    Durability durability = Durability::kProcessDeath;
    Access access = Access::kReadWrite;
    std::string vfs;  // an SQLite VFS to use; tests inject faults here
  };

  // Takes the lock on the directory, creates or migrates the database.
  // Read-only takes no lock and may look at what a running server keeps. The
  // errors and their reasons are listed in storage/reason.h.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const Options& options);

  // Executes all queued writes, then closes.
  ~Store();

  // Sessions. An id is whatever the caller finds right.
  [[nodiscard]] absl::Status CreateSession(SessionRecord session, Done done);
  // The same, but it starts from a snapshot, whose bytes it then has a share
  // in. SNAPSHOT_NOT_FOUND also when the snapshot is not the one that
  // `session.base` describes. REQUIRES: `session` has a base.
  [[nodiscard]] absl::Status RestoreSession(SessionRecord session,
                                            absl::string_view source_session,
                                            absl::string_view source_snapshot,
                                            Done done);
  [[nodiscard]] absl::Status SetSessionState(absl::string_view id,
                                             SessionState state,
                                             std::string detail, Done done);
  // Also removes its journal and its snapshots. The space is given back bit by
  // bit afterwards.
  [[nodiscard]] absl::Status DeleteSession(absl::string_view id, Done done);
  absl::StatusOr<SessionRecord> GetSession(absl::string_view id);
  // Up to `limit` sessions with ids after `after_id`, in order. Start with "".
  absl::StatusOr<std::vector<SessionRecord>> ListSessions(
      absl::string_view after_id, int64_t limit);
  absl::StatusOr<int64_t> CountSessions();

  // Participants. Nobody's id is used again in its session. Errors: see
  // storage/participants.h.
  [[nodiscard]] absl::Status JoinSession(absl::string_view session,
                                         ParticipantRecord participant,
                                         Done done);
  // Of one that has left it changes nothing.
  [[nodiscard]] absl::Status LeaveSession(absl::string_view session,
                                          absl::string_view participant,
                                          absl::Time time, Done done);
  absl::StatusOr<ParticipantRecord> GetParticipant(
      absl::string_view session, absl::string_view participant);
  absl::StatusOr<std::vector<ParticipantRecord>> ListParticipants(
      absl::string_view session, absl::string_view after_id, WhoLeft who_left,
      int64_t limit);
  // Of the session, those that left included.
  absl::StatusOr<int64_t> CountParticipants(absl::string_view session);

  // The journal. All entries of one Append are written or none. An append that
  // does not follow the last revision fails with ABORTED, reason JOURNAL_GAP:
  // once one append failed, those queued behind it fail too. An append that
  // failed may still turn out to be written after the server died just then.
  // The caller sees to it that no request id comes twice: REQUEST_ID_EXISTS
  // refuses one, but where the append was acknowledged at once it stays with
  // its first revision.
  [[nodiscard]] absl::Status Append(absl::string_view session, Entry entry,
                                    Done done);
  [[nodiscard]] absl::Status Append(absl::string_view session,
                                    std::vector<Entry> entries, Done done);
  // RESOURCE_EXHAUSTED when an Append now would likely find the queue full.
  absl::Status CheckRoom() const;

  // Calls `visit` for each entry from `from_revision` on that is in the journal
  // now, in order and verified, until it returns false. No connection is held
  // while `visit` runs. DATA_LOSS, reason JOURNAL_CORRUPT, at the first damage,
  // after all entries before it were visited.
  absl::Status ReadJournal(absl::string_view session, int64_t from_revision,
                           absl::FunctionRef<bool(const StoredEntry&)> visit);
  // 0 for an empty journal.
  absl::StatusOr<int64_t> LastRevision(absl::string_view session);
  // The entry that was written with `request_id`.
  absl::StatusOr<absl::optional<StoredEntry>> FindRequest(
      absl::string_view session, absl::string_view request_id);
  // Up to `limit` request ids of the session after `after_id`, in order.
  absl::StatusOr<std::vector<std::string>> ListRequestIds(
      absl::string_view session, absl::string_view after_id, int64_t limit);

  // Snapshots: bytes of the caller's, kept beside the journal. What they have
  // in common is stored once. Taking one in: see SnapshotWriter.
  absl::StatusOr<std::unique_ptr<SnapshotWriter>> WriteSnapshot();
  [[nodiscard]] absl::Status DeleteSnapshot(absl::string_view session,
                                            absl::string_view id, Done done);
  // NOT_FOUND; DATA_LOSS, reason SNAPSHOT_CORRUPT.
  absl::StatusOr<SnapshotRecord> GetSnapshot(absl::string_view session,
                                             absl::string_view id);
  // Up to `limit`, by revision and id, after the given ones. Start with -1, "".
  absl::StatusOr<std::vector<SnapshotRecord>> ListSnapshots(
      absl::string_view session, int64_t after_revision,
      absl::string_view after_id, int64_t limit);
  // Up to `limit` at or before `revision`, the newest first; no damaged ones.
  absl::StatusOr<std::vector<SnapshotRecord>> ListSnapshotsBefore(
      absl::string_view session, int64_t revision, int64_t state_version,
      int64_t limit);
  // Their bytes, and those that a restored session started from (nullopt of any
  // other). The reader's errors are theirs.
  absl::StatusOr<ImageReader> ReadSnapshot(absl::string_view session,
                                           absl::string_view id);
  absl::StatusOr<absl::optional<ImageReader>> ReadBase(
      absl::string_view session);

  // Exercises, their attempts and grades. Errors: see storage/exercises.h,
  // storage/attempts.h and storage/grades.h. What is larger than
  // kEntryBytesMax is refused at once: INVALID_ARGUMENT, ENTRY_TOO_LARGE.
  [[nodiscard]] absl::Status CreateExercise(ExerciseRecord exercise,
                                            Replace replace, int64_t count_max,
                                            Done done);
  // Attempts and grades go with it. The space is given back bit by bit.
  [[nodiscard]] absl::Status DeleteExercise(absl::string_view id, Force force,
                                            Done done);
  absl::StatusOr<ExerciseRecord> GetExercise(absl::string_view id);
  absl::StatusOr<std::vector<ExerciseRecord>> ListExercises(
      absl::string_view after_id, int64_t limit);
  [[nodiscard]] absl::Status StartAttempt(AttemptRecord attempt,
                                          int64_t attempts_max, Done done);
  [[nodiscard]] absl::Status SubmitAttempt(absl::string_view exercise,
                                           absl::string_view attempt,
                                           std::string submission, Done done);
  absl::StatusOr<AttemptRecord> GetAttempt(absl::string_view exercise,
                                           absl::string_view attempt);
  absl::StatusOr<absl::optional<AttemptRecord>> FindAttempt(
      absl::string_view exercise, absl::string_view request_id);
  absl::StatusOr<int64_t> CountAttempts(absl::string_view exercise,
                                        absl::string_view student);
  absl::StatusOr<int64_t> CountUngradedAttempts(absl::string_view exercise,
                                                absl::string_view student);
  // Of all exercises; for seldom use.
  absl::StatusOr<int64_t> CountAllAttempts();
  [[nodiscard]] absl::Status GiveGrade(GradeRecord grade, int64_t of_submission,
                                       int64_t grades_max, Done done);
  absl::StatusOr<GradeRecord> GetGrade(absl::string_view exercise,
                                       absl::string_view attempt,
                                       absl::string_view id);
  absl::StatusOr<absl::optional<GradeRecord>> FindGrade(
      absl::string_view exercise, absl::string_view request_id);
  absl::StatusOr<std::vector<GradeRecord>> ListGrades(
      absl::string_view exercise, absl::string_view student,
      int64_t after_position, int64_t limit);

 private:
  // Read-only without a writer.
  Store(absl::optional<DirectoryLock> lock,
        std::unique_ptr<Connections> connections,
        std::unique_ptr<Checkpointer> checkpointer,
        std::unique_ptr<Writer> writer);

  absl::Status CheckWritable() const;
  // A connection that sees all that was acknowledged of a session.
  absl::StatusOr<Connections::Lease> BorrowReader(absl::string_view session);
  absl::Status Submit(Write write);

  const absl::optional<DirectoryLock> lock_;
  const std::unique_ptr<Connections> connections_;
  const std::unique_ptr<Checkpointer> checkpointer_;  // null without a log
  std::atomic<int64_t> next_image_key_{0};  // 0: the database has to say
  const std::unique_ptr<Writer> writer_;    // null when read-only
};

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_STORE_H_
