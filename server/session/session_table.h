// All sessions of a server: the front of the session layer.
#ifndef FAULTLINE_SERVER_SESSION_SESSION_TABLE_H_
#define FAULTLINE_SERVER_SESSION_SESSION_TABLE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "server/limits.h"
#include "server/session/automatic_snapshots.h"
#include "server/session/execute.h"
#include "server/session/outstanding.h"
#include "server/session/participant.h"
#include "server/session/past_machines.h"
#include "server/session/replayer.h"
#include "server/session/session.h"
#include "server/session/session_map.h"
#include "server/session/session_types.h"
#include "server/session/watch.h"
#include "server/session/watch_table.h"
#include "server/session/work_queue.h"
#include "storage/store.h"

namespace faultline {

// Thread-safe. A session is named by its id, the last part of its resource
// name; the errors are those of server/codec/errors.h and say the whole name.
//
// The journal is the truth. A machine in memory is a cache of it: rebuilt on
// demand, on a thread of the table, and put to sleep when others need its
// place. What a command did is not shown to anybody, neither as its outcome nor
// in a view, before it is durable.
//
// Execute, ExecuteBatch, Look, Create, Close, Delete, Join and Leave never
// block and take effect, per session, in the order in which they were called.
// Everything else works on the calling thread, and as long as it says.
class SessionTable {
 public:
  struct Options {
    // Machines in memory at a time.
    size_t machines_max = limits::kLiveMachinesMax;
    int64_t sessions_max = limits::kSessionsMax;
    // Threads that execute, and threads that rebuild machines.
    int workers = 2;
    int wakers = 2;
    // Tests break the simulator here; empty is Machine::Apply.
    MachineRunner runner = {};
    WatchTable::Options watching = {};
    AutomaticSnapshots::Options snapshots = {};
  };

  // `store` must outlive the table.
  explicit SessionTable(storage::Store& store);
  SessionTable(storage::Store& store, Options options);
  // Finishes and answers what was accepted. No call may start any more.
  ~SessionTable();
  SessionTable(const SessionTable&) = delete;
  SessionTable& operator=(const SessionTable&) = delete;

  // A new session at revision 0; an empty id: the table chooses one.
  // INVALID_ARGUMENT for a config that is no machine, ALREADY_EXISTS,
  // RESOURCE_EXHAUSTED.
  void Create(std::string id, std::string display_name, MachineConfig config,
              Answer<SessionInfo> answer);
  // Ends the machine, keeps the history. Of a session that is not open it just
  // answers what it is.
  void Close(absl::string_view id, Answer<SessionInfo> answer);
  // Deletes the session and its history, damaged or not.
  void Delete(absl::string_view id, std::function<void(absl::Status)> answer);

  // An empty id: the table chooses one. Errors: those of the rpcs.
  void Join(absl::string_view id, Participant participant,
            Answer<Joined> answer);
  void Leave(absl::string_view id, absl::string_view participant,
             Answer<Participant> answer);

  // Executes; answers when the outcome is durable. A batch is recorded whole or
  // not at all. What the simulated program got wrong is in the outcome. Errors:
  // NOT_FOUND, FAILED_PRECONDITION (closed, panicked), ABORTED (revision,
  // request_id), RESOURCE_EXHAUSTED, CANCELLED; UNAVAILABLE when the journal
  // could not be written; DATA_LOSS when it cannot be read; INTERNAL when a
  // command broke the simulator, which ends this one session.
  void Execute(absl::string_view id, Command command, ExecuteOptions options,
               Answer<ExecuteResult> answer);
  // `encoded` are the commands as messages of the wire, if they came as such:
  // they are recorded like that.
  void ExecuteBatch(absl::string_view id, std::vector<Command> commands,
                    ExecuteOptions options, Answer<BatchResult> answer,
                    std::vector<std::string> encoded = {});

  // A copy of the machine, once all that it has executed is durable. ABORTED
  // when it is not at `expected_revision`. Sessions that are not open have no
  // machine: FAILED_PRECONDITION.
  void Look(absl::string_view id, absl::optional<int64_t> expected_revision,
            Answer<std::shared_ptr<const MachineView>> answer);

  // Tells `sink` what the commands of a session did. Its start must be 1 or
  // more, its end not before it. See WatchTable.
  std::shared_ptr<Watcher> Watch(absl::string_view id, WatchRequest request,
                                 std::shared_ptr<WatchSink> sink);

  // Short reads of the store.
  absl::StatusOr<SessionInfo> Get(absl::string_view id);
  // Up to `limit` sessions with ids after `after_id`, in order. Start with "".
  absl::StatusOr<std::vector<SessionInfo>> List(absl::string_view after_id,
                                                int64_t limit);
  // Up to `limit` participants with ids after `after_id`, in order.
  absl::StatusOr<std::vector<Participant>> ListParticipants(
      absl::string_view id, absl::string_view after_id, WhoLeft who_left,
      int64_t limit);
  // Up to `limit` commands from `start_revision` (at least 1) on, and no more
  // than about `bytes_max` of them, but at least one if there is one.
  // OUT_OF_RANGE beyond the session's revision + 1.
  absl::StatusOr<CommandPage> ListCommands(absl::string_view id,
                                           int64_t start_revision,
                                           int64_t limit, size_t bytes_max);

  // A machine as it was at `revision`, of any session, open or not. `field` is
  // the one that asked. The errors are those of PastMachines::At.
  absl::StatusOr<std::shared_ptr<const MachineView>> LookAt(
      absl::string_view id, int64_t revision, absl::string_view field,
      const Progress& progress);

  // Snapshots. Creating and restoring one takes a second per gigabyte that the
  // machine takes, and creating one of an older revision a replay: CANCELLED
  // when `progress` returns false. The session takes commands meanwhile.
  struct NewSnapshot {
    std::string id;  // empty: the table chooses one
    std::string display_name;
    absl::optional<int64_t> revision;  // absent: as it is
  };
  absl::StatusOr<SnapshotInfo> CreateSnapshot(absl::string_view id,
                                              NewSnapshot snapshot,
                                              const Progress& progress);
  absl::StatusOr<SnapshotInfo> GetSnapshot(absl::string_view id,
                                           absl::string_view snapshot);
  // Up to `limit`, by revision and id, after the given ones. Start with -1, "".
  absl::StatusOr<std::vector<SnapshotInfo>> ListSnapshots(
      absl::string_view id, int64_t after_revision, absl::string_view after_id,
      int64_t limit);
  absl::Status DeleteSnapshot(absl::string_view id, absl::string_view snapshot);
  // A new session at revision 0 with the machine of a snapshot. FAILED_
  // PRECONDITION when it is of another state version, DATA_LOSS when it is
  // damaged, and what Create says.
  absl::StatusOr<SessionInfo> RestoreSnapshot(absl::string_view id,
                                              absl::string_view snapshot,
                                              std::string new_id,
                                              std::string display_name);

  // These execute the whole history: seconds to minutes. They work for sessions
  // that are not open too, and hold up nobody. CANCELLED when `progress`, which
  // may be empty, returns false.
  //
  // To `to_revision`; 0: all.
  absl::StatusOr<ReplayReport> Replay(absl::string_view id, int64_t to_revision,
                                      const Progress& progress);
  absl::StatusOr<VerifyReport> Verify(absl::string_view id,
                                      const Progress& progress);
  // Of the machine at `revision`, as LookAt; absent: as it is, which takes no
  // replay when the session is open and its machine in memory.
  absl::StatusOr<FingerprintReport> Fingerprint(
      absl::string_view id, absl::optional<int64_t> revision,
      const Progress& progress);

  // Machines in memory now.
  size_t live_machines() const;
  size_t watched_sessions() const { return watches_.watched(); }

 private:
  void Submit(absl::string_view id, Session::Request request);
  void CreateNow(SessionInfo info, const Answer<SessionInfo>& answer);
  // As Look, when the session is in memory; else an error.
  void LookInMemory(absl::string_view id,
                    Answer<std::shared_ptr<const MachineView>> answer);
  absl::Status CheckRoomForSession(absl::string_view id);
  absl::Status CheckRoomForSnapshot(absl::string_view id,
                                    absl::string_view snapshot);
  static SessionInfo NewInfo(std::string id, std::string display_name,
                             MachineConfig config);
  // Views of the machine as it is. These block; the second only when the
  // session is in memory, the third works for sessions that are not open.
  absl::StatusOr<std::shared_ptr<const MachineView>> WaitForLook(
      absl::string_view id);
  std::shared_ptr<const MachineView> LookIfInMemory(absl::string_view id);
  absl::StatusOr<std::shared_ptr<const MachineView>> LookNow(
      absl::string_view id, const Progress& progress);

  storage::Store& store_;
  const Options options_;
  PastMachines past_;
  Outstanding outstanding_;
  AutomaticSnapshots snapshots_;
  SessionMap sessions_;
  WatchTable watches_;
  WorkQueue wakers_;
  WorkQueue workers_;
  SessionContext context_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_SESSION_TABLE_H_
