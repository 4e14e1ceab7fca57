// A handle on one session: its commands, its /proc, its history.

#ifndef FAULTLINE_CLIENT_CPP_SESSION_H_
#define FAULTLINE_CLIENT_CPP_SESSION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "client/cpp/connection.h"
#include "client/cpp/look.h"
#include "client/cpp/runner.h"
#include "client/cpp/victims.h"
#include "client/cpp/watch.h"

namespace faultline::client {

// The settings of one call.
struct CallSettings {
  absl::Duration deadline = kDefaultDeadline;
  // Executed only if the session is at this revision; else ABORTED.
  absl::optional<int64_t> expected_revision;
  // Empty: the library makes one, so that the call can be repeated.
  std::string request_id;
  v1::EventLevel event_level = v1::EVENT_LEVEL_FAULTS;
  // Who sends it: the name of a participant, as Session::Join gave it. Empty:
  // the address of the connection is recorded.
  std::string participant{};
};

// Who joins a session.
struct ParticipantSpec {
  std::string id{};  // empty: the server chooses
  v1::Role role = v1::ROLE_DRIVER;
  std::string display_name{};
};
enum class WhoLeft { kLeaveOut, kInclude };

// What a snapshot is to be.
struct SnapshotSpec {
  std::string id{};  // empty: the library makes one, so that it can be repeated
  std::string display_name{};
  // Of the machine after this revision, of a closed session too, which may take
  // a replay; absent: as it is.
  absl::optional<int64_t> revision{};
};

// The session that a snapshot becomes.
struct RestoreSpec {
  std::string id{};  // empty: the library makes one, so that it can be repeated
  std::string display_name{};
};
enum class Missing { kIsAnError, kIsDone };

// Called with the commands done so far and in all.
using ProgressCallback = std::function<void(int64_t done, int64_t total)>;

// One session as one client sees it. Cheap to copy. The service allows any
// number of clients in one session; one handle is for one thread.
class Session {
 public:
  Session(std::shared_ptr<Connection> connection, std::string name,
          int64_t revision)
      : connection_(std::move(connection)),
        name_(std::move(name)),
        revision_(revision) {}

  // "sessions/lab-1".
  const std::string& name() const { return name_; }
  // After the last call of this handle.
  int64_t revision() const { return revision_; }
  const std::string& address() const { return connection_->address(); }

  // Any command, by the unary rpc of its kind. INVALID_ARGUMENT for a command
  // without an operation.
  absl::StatusOr<v1::Outcome> Call(const v1::Command& command,
                                   const CallSettings& settings = {});

  // The commands that programs begin with, spelled out. `pid` 1 is the first
  // process.
  absl::StatusOr<v1::Outcome> Mmap(uint32_t pid, const v1::Mmap& mmap);
  absl::StatusOr<v1::Outcome> Munmap(uint32_t pid, uint64_t addr,
                                     uint64_t length);
  absl::StatusOr<v1::Outcome> Load(uint32_t pid, uint64_t addr);
  absl::StatusOr<v1::Outcome> Store(uint32_t pid, uint64_t addr, uint8_t value);
  absl::StatusOr<v1::Outcome> Fork(uint32_t pid);
  absl::StatusOr<v1::Outcome> Exit(uint32_t pid, int status);

  // A stream of batches, for speed; revision() does not follow it.
  Runner Run(const RunSettings& settings = {}) const {
    return Runner(connection_, name_, settings);
  }

  // Looks into the machine (client/cpp/look.h) as it was after a revision, of a
  // closed session too; Now, ReadProc and ReadProcAt look at it as it is.
  Look At(int64_t revision) const { return Look(connection_, name_, revision); }
  Look Now() const { return Look(connection_, name_, absl::nullopt); }
  absl::StatusOr<std::string> ReadProc(absl::string_view path) const {
    return Now().ReadProc(path);
  }
  absl::StatusOr<std::string> ReadProcAt(absl::string_view path,
                                         uint64_t offset,
                                         uint64_t length) const {
    return Now().ReadProcAt(path, offset, length);
  }

  // Replays the recorded commands on a fresh machine on the server. A
  // divergence is in the report, not an error. `to_revision` 0: all.
  absl::StatusOr<v1::ReplayReport> Replay(
      int64_t to_revision = 0, const ProgressCallback& progress = nullptr);
  // Checks the journal, the replay and the machine.
  absl::StatusOr<v1::VerifyReport> Verify(
      const ProgressCallback& progress = nullptr);

  // Tells what the commands did, past and future, until the session is closed,
  // `options` end it, or it is cancelled (CANCELLED). Blocks; needs a thread of
  // its own, and may be called while another one uses a copy of this handle. It
  // is resumed when it is cut off. NOT_FOUND when the session is deleted.
  absl::Status Watch(const WatchOptions& options, const WatchCallback& callback,
                     Cancellation* cancellation = nullptr);

  // Makes a function the replacement policy of a process that has
  // REPLACEMENT_POLICY_CLIENT (client/cpp/victims.h).
  absl::StatusOr<std::unique_ptr<Victims>> ChooseVictims(
      uint32_t pid, ChooseVictim choose) const {
    return Victims::Begin(connection_, name_, pid, std::move(choose));
  }

  // Enters the session; the name goes into CallSettings::participant. Not
  // repeated. ALREADY_EXISTS when it has had a participant of that id.
  absl::StatusOr<v1::Participant> Join(const ParticipantSpec& spec = {});
  // `participant` is a name, as Join gave it. Leaving twice changes nothing.
  absl::StatusOr<v1::Participant> Leave(absl::string_view participant);
  // All of them, page by page, in the order of their names.
  absl::StatusOr<std::vector<v1::Participant>> ListParticipants(
      WhoLeft who_left = WhoLeft::kLeaveOut);

  // Snapshots: a machine of this session, kept under a name. `snapshot` is
  // "before" or all of it, "sessions/lab-1/snapshots/before".
  //
  // Creating and restoring is repeated only when the library makes the name, by
  // which it knows what an attempt without an answer has done. ALREADY_EXISTS
  // when there is one of that name.
  absl::StatusOr<v1::Snapshot> CreateSnapshot(const SnapshotSpec& spec = {});
  absl::StatusOr<v1::Snapshot> GetSnapshot(absl::string_view snapshot) const;
  // All of them, page by page, in the order of their revisions; also those that
  // the server takes by itself.
  absl::StatusOr<std::vector<v1::Snapshot>> ListSnapshots() const;
  // Repeated only with Missing::kIsDone.
  absl::Status DeleteSnapshot(absl::string_view snapshot,
                              Missing missing = Missing::kIsAnError);
  // A new session with the machine of a snapshot, at revision 0. It stands
  // alone: this session and the snapshot may be deleted.
  absl::StatusOr<Session> RestoreSnapshot(absl::string_view snapshot,
                                          const RestoreSpec& spec = {}) const;
  // "sessions/lab-1/snapshots/before" for both forms.
  std::string SnapshotName(absl::string_view snapshot) const;

 private:
  std::shared_ptr<Connection> connection_;
  std::string name_;
  int64_t revision_;
};

}  // namespace faultline::client

#endif  // FAULTLINE_CLIENT_CPP_SESSION_H_
