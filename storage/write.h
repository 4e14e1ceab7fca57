// What can be written, and how one group of writes is executed.
#ifndef FAULTLINE_STORAGE_WRITE_H_
#define FAULTLINE_STORAGE_WRITE_H_

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "storage/attempts.h"
#include "storage/database.h"
#include "storage/exercises.h"
#include "storage/grades.h"
#include "storage/images.h"
#include "storage/journal.h"
#include "storage/participants.h"
#include "storage/sessions.h"
#include "storage/snapshots.h"

namespace faultline::storage {

// Runs once the write is durable or has failed; of two appends perhaps that of
// the later one first. It runs on the writer's thread and must not block: every
// session waits for it. Of an append that is spooled at once it runs on the
// caller's thread, before the call that submits it returns.
using Done = std::function<void(absl::Status)>;

struct AppendWrite {
  std::vector<Entry> entries;
  absl::Time time = {};
  std::string packed = {};  // for the spool; empty: it does not go there
  // Of one that is in the spool: the session that it is of, by its genesis
  // hash, and the half that it is in.
  std::string genesis = {};
  size_t half = 0;

  bool spooled() const { return !genesis.empty(); }
};
// With a base in the record it is that of a snapshot, which must still be the
// one with this fingerprint.
struct CreateWrite {
  SessionRecord record;
  std::string base_session;
  std::string base_snapshot;
};
struct StateWrite {
  SessionState state;
  std::string detail;
};
struct DeleteWrite {};
struct JoinWrite {
  ParticipantRecord participant;
};
struct LeaveWrite {
  std::string participant;
  absl::Time time;
};
// A part of a draft image; of no session yet.
struct BlocksWrite {
  int64_t image_key = 0;
  int64_t first_position = 0;
  std::vector<Block> blocks;
  std::shared_ptr<int64_t> stored_bytes;  // set before `done`
};
// A damaged block was read.
struct BlockDamagedWrite {
  std::string hash;
};
struct SnapshotWrite {
  SnapshotRecord record;
  SnapshotRules rules;
  int64_t image_key = 0;
  ImageSeal seal;
};
struct SnapshotDeleteWrite {
  std::string id;
};
// These are of no session.
struct ExerciseWrite {
  ExerciseRecord record;
  Replace replace = Replace::kNo;
  int64_t count_max = 0;
};
struct ExerciseDeleteWrite {
  std::string id;
  Force force = Force::kNo;
};
struct AttemptWrite {
  AttemptRecord record;
  int64_t attempts_max = 0;
};
struct SubmissionWrite {
  std::string exercise;
  std::string attempt;
  std::string submission;
};
struct GradeWrite {
  GradeRecord record;  // whose report is empty
  Compressed report;
  GradeRules rules;
};

struct Write {
  std::string session;
  std::variant<AppendWrite, CreateWrite, StateWrite, DeleteWrite, JoinWrite,
               LeaveWrite, BlocksWrite, BlockDamagedWrite, SnapshotWrite,
               SnapshotDeleteWrite, ExerciseWrite, ExerciseDeleteWrite,
               AttemptWrite, SubmissionWrite, GradeWrite>
      what;
  Done done;
};

// What the row takes that a write of exercises, attempts and grades writes,
// before compression; 0 of any other write.
size_t GradingBytes(const Write& write);

// True of errors that are found before anything was changed: they concern one
// write alone, and no repetition of it would fare better.
bool ConcernsOneWrite(const absl::Status& status);

// Where the journals of some sessions end; saves a query per append.
using JournalHeads = absl::flat_hash_map<std::string, JournalHead>;

// Executes writes inside a transaction that its owner begins and commits.
// Appends to one session that stand next to each other share their chunks.
class WriteGroup {
 public:
  // `heads` is the truth before the transaction.
  WriteGroup(Database& database, const JournalHeads& heads, absl::Time now)
      : database_(database), heads_(heads), now_(now) {}

  // The result of each write. A write with an error among them has changed
  // nothing. An error of Execute itself means that the transaction must be
  // rolled back. A spooled append that is in the journal already is a gap.
  absl::StatusOr<std::vector<absl::Status>> Execute(
      absl::Span<const Write> writes);

  // Once the transaction is committed: brings `heads` up to date.
  void MergeInto(JournalHeads& heads) &&;

 private:
  // Entries accepted for a session and not yet written.
  struct Pending {
    JournalHead head;
    int64_t last_revision = 0;
    std::vector<const Entry*> entries;
    absl::Time time;            // of the last of them
    TakenRequestId taken = {};  // for all of them
  };

  absl::Status Accept(const std::string& session, const AppendWrite& append);
  absl::Status Change(const Write& write);
  absl::Status Do(const std::string& session, const CreateWrite& create);
  absl::Status Do(const std::string& session, const StateWrite& state);
  absl::Status Do(const std::string& session, const DeleteWrite& remove);
  absl::Status Do(const std::string& session, const JoinWrite& join);
  absl::Status Do(const std::string& session, const LeaveWrite& leave);
  absl::Status Do(const std::string& session, const BlocksWrite& blocks);
  absl::Status Do(const std::string& session, const BlockDamagedWrite& block);
  absl::Status Do(const std::string& session, const SnapshotWrite& snapshot);
  absl::Status Do(const std::string& session,
                  const SnapshotDeleteWrite& remove);
  absl::Status Do(const std::string&, const ExerciseWrite& write);
  absl::Status Do(const std::string&, const ExerciseDeleteWrite& remove);
  absl::Status Do(const std::string&, const AttemptWrite& write);
  absl::Status Do(const std::string&, const SubmissionWrite& write);
  absl::Status Do(const std::string&, const GradeWrite& write);
  absl::Status Flush(const std::string& session);
  absl::Status FlushAll();
  absl::StatusOr<JournalHead> HeadOf(const std::string& session);

  Database& database_;
  const JournalHeads& heads_;
  const absl::Time now_;
  absl::flat_hash_map<std::string, Pending> pending_;
  absl::flat_hash_set<std::string> removed_;
};

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_WRITE_H_
