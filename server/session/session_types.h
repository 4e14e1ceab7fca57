// What the session layer takes and gives.
#ifndef FAULTLINE_SERVER_SESSION_SESSION_TYPES_H_
#define FAULTLINE_SERVER_SESSION_SESSION_TYPES_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "faultline/v1/command.pb.h"
#include "server/machine/command.h"
#include "server/machine/machine.h"
#include "server/machine/outcome.h"

namespace faultline {

// Called exactly once, on any thread, perhaps before the call that it was given
// to returns; then that thread holds no lock of ours. It must not block.
template <class T>
using Answer = std::function<void(absl::StatusOr<T>)>;

enum class SessionLife : uint8_t {
  kOpen,      // it takes commands
  kClosed,    // it can be read, replayed and verified
  kPanicked,  // the simulator found a fault of its own; as closed
};

// Where the machine of a restored session comes from; all of it may be gone.
struct SessionOrigin {
  std::string snapshot;  // its resource name
  int64_t revision = 0;  // of that session
  uint64_t fingerprint = 0;
  int64_t state_version = 0;
};

// What is recorded of a session. Its revision is that of the last command that
// is durable.
struct SessionInfo {
  std::string id;  // the last part of sessions/{session}
  std::string display_name;
  MachineConfig config;
  SessionLife life = SessionLife::kOpen;
  std::string panic;  // with kPanicked: what the simulator found
  absl::optional<SessionOrigin> origin;  // of a restored one
  int64_t revision = 0;
  absl::Time create_time;
  absl::Time update_time;
  // Tells it from others of the same id, before and after it; 0 before it was
  // read from the store.
  int64_t key = 0;
};

struct ExecuteOptions {
  // Makes a repetition harmless: a request with an id that the session has seen
  // is not executed again, it is answered as the first was, without events. It
  // names the whole batch. Empty: none.
  std::string request_id;
  // ABORTED when the session is at another revision.
  absl::optional<int64_t> expected_revision;
  EventLevel event_level = EventLevel::kFaults;
  // Who sends it: the id of a participant, who must be there as a driver;
  // empty: whoever is at `peer`. One of them is recorded.
  std::string participant;
  std::string peer;
  // True: a short command may be executed on the thread that brings it, with
  // those that others bring meanwhile: mostly the answer is there sooner.
  bool on_this_thread = false;
  // Asked just before the work starts: true and nothing is done,
  // the answer is CANCELLED. It must not block. Empty: never.
  std::function<bool()> cancelled;
};

struct ExecuteResult {
  int64_t revision = 0;  // after the command
  Outcome outcome;
};

struct BatchResult {
  int64_t revision = 0;  // after the last command
  std::vector<Outcome> outcomes;
};

// A machine as it was at a revision: a copy that nobody changes any more.
struct MachineView {
  Machine machine;
  int64_t revision = 0;
  int64_t session_key = 0;  // SessionInfo::key
  // How long its session stood still for it; absent: it did not.
  absl::optional<absl::Duration> session_pause = {};
};

// A machine that is kept in the store.
struct SnapshotInfo {
  std::string session;  // the id of its session
  std::string id;       // the last part of its resource name
  bool automatic = false;
  int64_t revision = 0;
  std::string display_name;
  absl::Time create_time;
  int64_t bytes = 0;
  int64_t stored_bytes = 0;  // that were new to the store
  uint64_t fingerprint = 0;
  // Of a new one: MachineView::session_pause.
  absl::optional<absl::Duration> session_pause;
};

// One recorded command.
struct RecordedCommand {
  int64_t revision = 0;  // after it
  v1::Command command;
  // Of its outcome; absent for a command that made the simulator panic.
  absl::optional<uint64_t> digest;
  std::string sender;  // the name of a participant, or where it came from
  absl::Time time;     // when it was recorded
};

struct CommandPage {
  int64_t revision = 0;  // of the session
  std::vector<RecordedCommand> commands;
};

// How much of a long work is done, in commands. False stops the work: it ends
// with CANCELLED. Called often.
using Progress = std::function<bool(int64_t done, int64_t total)>;

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_SESSION_TYPES_H_
