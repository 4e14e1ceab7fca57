// One session in memory: a machine, its revision, and what waits for it.
//
// Lock order: SessionMap, Session, then the leaves: WorkQueue, Outstanding and
// the locks inside the store. No lock is held while a machine runs, while the
// store is read, or while an answer is given.
#ifndef FAULTLINE_SERVER_SESSION_SESSION_H_
#define FAULTLINE_SERVER_SESSION_SESSION_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "server/session/automatic_snapshots.h"
#include "server/session/participant.h"
#include "server/session/replayer.h"
#include "server/session/session_map.h"
#include "server/session/session_types.h"
#include "storage/store.h"

namespace faultline {

// Thread-safe. Lives in shared_ptrs: whatever is under way for it holds one.
//
// Requests wait in one queue and are executed one after the other, by whatever
// thread has the session's turn; so a machine is only ever touched by one
// thread. That is a worker, or, when nobody else is at the session, whoever
// brings a short command: no caller waits for more than a few of those, and it
// gives their answers when it has given the turn back. Answers
// wait for the journal, the next request does not: appends of a session are
// written in the order of execution.
//
// Invariants:
//  1. live_ and waking_ belong to the thread that has the turn (turn_), or to
//     whoever retires the session while nobody has it.
//  2. Who waits while nobody has the turn waits for a write of the store, whose
//     callback gives the turn again.
//  3. A machine is rebuilt only while no append is outstanding, so that none of
//     a machine that was dropped can follow those of the new one.
//  4. What an append that is not durable yet did is shown to nobody: its answer
//     and the views taken after it wait in in_flight_.
class Session : public std::enable_shared_from_this<Session> {
 public:
  struct Run {
    std::vector<Command> commands;
    // Each as a message of the wire; empty: they have to be encoded.
    std::vector<std::string> encoded;
    ExecuteOptions options;
    Answer<BatchResult> answer;
  };
  struct Look {
    absl::optional<int64_t> expected_revision;
    Answer<std::shared_ptr<const MachineView>> answer;
  };
  struct Close {
    Answer<SessionInfo> answer;
  };
  struct Delete {
    std::function<void(absl::Status)> answer;
  };
  struct Join {
    Participant participant;
    Answer<Joined> answer;
  };
  struct Leave {
    std::string participant;
    Answer<Participant> answer;
  };
  using Request = std::variant<Run, Look, Close, Delete, Join, Leave>;

  Session(SessionContext& context, std::string id);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const std::string& id() const { return id_; }

  // Accepts a request, or refuses it with QUEUE_LIMIT. False, and `request` is
  // as it was, when this object is retired: the session needs another.
  [[nodiscard]] bool Enqueue(Request& request) ABSL_LOCKS_EXCLUDED(mutex_);

  // Retires the session if it has nothing to do. The caller then makes it Sleep
  // and forgets it.
  bool TryRetire() ABSL_LOCKS_EXCLUDED(mutex_);
  // Frees the machine. REQUIRES: TryRetire() said true.
  void Sleep();

 private:
  enum class Life : uint8_t {
    kAsleep,  // not known, or to be rebuilt
    kLive,
    kClosed,
    kPanicked,
    kGone,  // deleted
  };
  // Ids that were seen, by their hashes: what is not in here is new; what is,
  // the store is asked.
  using RequestIds = absl::flat_hash_set<size_t>;
  static size_t RequestIdHash(absl::string_view request_id);
  struct Live {
    MachineSlot slot;
    std::unique_ptr<Machine> machine;
    int64_t revision = 0;
    int64_t session_key = 0;
    RequestIds request_ids;
    std::shared_ptr<SnapshotPace> pace;
    // Of the participants that are there and have sent something.
    absl::flat_hash_map<std::string, Role> roles = {};
  };
  struct Waking {
    MachineSlot slot;
    Replayer replayer;
    RequestIds request_ids;
    absl::optional<std::string> last_id;  // read so far; absent: all are
    std::shared_ptr<SnapshotPace> pace;
  };
  // An append, and who waits for it to be durable.
  struct InFlight {
    Answer<BatchResult> answer;
    BatchResult result;
    std::string panic;  // not empty: the last command broke the simulator
    std::vector<std::pair<Look, std::shared_ptr<const MachineView>>> looks;
  };
  // While a caller has the turn, the answers to what it executed wait for the
  // end of that: the next caller shall not wait for them. Null: answer at once.
  static thread_local std::vector<std::shared_ptr<InFlight>>* answers_later_;

  enum class Worker : uint8_t { kOurs, kCaller };
  enum class Next : uint8_t { kRequest, kWake, kYield, kPark, kRetire };

  // The turn: held by one thread at a time.
  bool TakeTurn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveTurn();  // to a worker
  void Work(Worker worker);
  void WorkAsCaller();
  Next ChooseNext(Worker worker, size_t budget,
                  absl::optional<Request>& request,
                  std::unique_ptr<Live>& stale) ABSL_LOCKS_EXCLUDED(mutex_);
  // What a caller may execute: it takes no look at the store.
  bool IsForCaller(const Request& request) const;
  bool MustSettle() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void PutBack(Request request) ABSL_LOCKS_EXCLUDED(mutex_);

  // Waking: on a waker, a slice at a time.
  void WakeSome();
  // Both: true when there is more to do.
  absl::StatusOr<bool> StartWaking() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<bool> WakeSlice() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status ReadRequestIds();
  absl::Status FinishWaking() ABSL_LOCKS_EXCLUDED(mutex_);
  void FailWaiting(const absl::Status& error) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetLife(Life life, std::string panic = "") ABSL_LOCKS_EXCLUDED(mutex_);

  bool IsGone() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Requests, with the turn.
  void Do(Run run);
  void Do(Look look);
  void Do(const Close& close);
  void Do(const Delete& request);
  void Do(const Join& join);
  void Do(const Leave& leave);
  absl::Status CheckLife() const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status CheckRun(const Run& run) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status CheckSender(const Run& run);
  absl::Status CheckJoin() const;
  bool MayBeRepeated(const Run& run) const;
  // The answer that was given to this request id, if any was.
  absl::StatusOr<absl::optional<BatchResult>> FindAnswer(
      absl::string_view request_id, const std::vector<std::string>& commands);
  absl::StatusOr<bool> SameCommands(const storage::Entry& last,
                                    const std::vector<std::string>& commands);
  void Execute(Run run, std::vector<std::string> commands);
  void Append(std::vector<storage::Entry> entries,
              const std::shared_ptr<InFlight>& record)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void TakeSnapshotIfDue();

  // Callbacks of the store, on its writer's thread or within its call.
  void Appended(const std::shared_ptr<InFlight>& record,
                const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void AppendFailed(const std::shared_ptr<InFlight>& record,
                    const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void Panicked(const std::shared_ptr<InFlight>& record)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Closed(const Close& close, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Deleted(const Delete& request, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void HasJoined(const Join& join, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void HasLeft(const Leave& leave, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Around a write during which nothing else may happen.
  void StartChange() ABSL_LOCKS_EXCLUDED(mutex_);
  void EndChange() ABSL_LOCKS_EXCLUDED(mutex_);
  void AnswerAppended(InFlight& record, const absl::Status& status);

  const Outstanding::Token token_;  // first: it ends last
  SessionContext& context_;
  const std::string id_;
  const std::string name_;  // sessions/{id}

  std::unique_ptr<Live> live_;     // see invariant 1
  absl::optional<Waking> waking_;  // see invariant 1

  mutable absl::Mutex mutex_;
  bool turn_ ABSL_GUARDED_BY(mutex_) = false;
  bool retired_ ABSL_GUARDED_BY(mutex_) = false;
  Life life_ ABSL_GUARDED_BY(mutex_) = Life::kAsleep;
  std::string panic_ ABSL_GUARDED_BY(mutex_);
  std::deque<Request> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queued_commands_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<std::shared_ptr<InFlight>> in_flight_ ABSL_GUARDED_BY(mutex_);
  // An append failed: the machine is ahead of the journal.
  bool append_failed_ ABSL_GUARDED_BY(mutex_) = false;
  // The next request waits until no append is outstanding.
  bool settling_ ABSL_GUARDED_BY(mutex_) = false;
  // A change of state is being written: nothing may happen meanwhile.
  bool changing_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_SESSION_H_
