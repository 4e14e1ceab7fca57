// Replaying what is recorded: the same commands on a fresh machine must give
// outcomes with the recorded digests.
#ifndef FAULTLINE_SERVER_SESSION_REPLAYER_H_
#define FAULTLINE_SERVER_SESSION_REPLAYER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "server/machine/machine.h"
#include "server/session/execute.h"
#include "server/session/session_types.h"
#include "storage/store.h"

namespace faultline {

// The hashes of a machine's whole state.
struct FingerprintReport {
  int64_t revision = 0;
  uint64_t total = 0;
  std::vector<Machine::SubsystemFingerprint> subsystems;
};
FingerprintReport FingerprintOf(const Machine& machine, int64_t revision);

// How a replay differs from what is recorded.
enum class DivergenceKind : uint8_t {
  kDifferent,  // another outcome
  kMissing,    // an outcome is recorded, the replay broke the simulator
  kExtra,      // the command broke the simulator, in the replay it does not
};

// The first place where they differ.
struct Divergence {
  DivergenceKind kind = DivergenceKind::kDifferent;
  int64_t revision = 0;
  v1::Command command;
  absl::optional<uint64_t> recorded_digest;  // absent with kExtra
  absl::optional<Outcome> outcome;           // absent with kMissing
  absl::optional<uint64_t> digest;           // of `outcome`
  std::string panic;                         // with kMissing: what broke
  // Of the machine after the command, for comparing with another build's;
  // absent with kMissing.
  absl::optional<FingerprintReport> after;

  // In one line: revision, call, expected and actual.
  std::string Say() const;
};

struct ReplayReport {
  int64_t commands = 0;  // recorded, up to the revision asked for
  int64_t equal = 0;     // executed, and as recorded
  absl::optional<Divergence> divergence;
  // After the last command that was executed. Absent when it broke the
  // simulator: such a machine has no state to speak of.
  absl::optional<FingerprintReport> fingerprint;
};

struct VerifyReport {
  struct Check {
    // "journal", "replay", "invariants", "live" or "snapshots"
    std::string name;
    bool ok = false;
    std::string text;  // what was checked, or what is wrong and where
  };
  std::vector<Check> checks;            // those that could be made
  absl::optional<ReplayReport> replay;  // absent: nothing could be read

  bool ok() const;
};

// Executes the journal of one session, from the first command on, step by step.
// It reads the store and changes nothing. Used by one thread at a time.
class Replayer {
 public:
  // Starts with the machine that the session had at revision 0. The errors are
  // FirstMachine's. `store` and `runner` must outlive the replayer.
  static absl::StatusOr<Replayer> Boot(storage::Store& store, SessionInfo info,
                                       const MachineRunner& runner);
  // Starts with that of the newest snapshot at or before `revision` that can be
  // used, if there is one.
  static absl::StatusOr<Replayer> Near(storage::Store& store, SessionInfo info,
                                       const MachineRunner& runner,
                                       int64_t revision);
  // Starts with the session's machine at `revision`.
  static Replayer From(storage::Store& store, SessionInfo info,
                       const MachineRunner& runner,
                       std::unique_ptr<Machine> machine, int64_t revision);

  // Called after each command that was executed as recorded. False: pause.
  using Visit = std::function<bool(const storage::Entry&)>;

  // Goes on to `to_revision`, at most to what is recorded. Stops early at a
  // divergence, at a command that breaks the simulator, and when `visit` says
  // so. DATA_LOSS when a stored record fails its checks; NOT_FOUND when the
  // session is gone, or another one has its id.
  absl::Status Advance(int64_t to_revision, const Visit& visit);
  // The same, until `progress` (of `total` commands) has enough: CANCELLED.
  absl::Status Run(int64_t to_revision, int64_t total,
                   const Progress& progress);

  // The same, with everything that each command gave: `outcome` is null for one
  // that broke the simulator when it was recorded, whether it does now or not.
  struct Observed {
    const storage::StoredEntry& stored;
    const Command& command;
    Outcome* outcome;  // with all its events; may be taken
  };
  using Observe = std::function<bool(const Observed&)>;
  absl::Status AdvanceObserved(int64_t to_revision, const Observe& observe);

  // The first divergence, once there is one. Nothing is executed after it.
  const absl::optional<Divergence>& divergence() const { return divergence_; }
  // What the simulator said when a command broke it as recorded.
  const absl::optional<std::string>& panic() const { return panic_; }

  int64_t revision() const { return revision_; }  // executed as recorded
  // The size of the snapshot that it started from, 0 of none.
  int64_t start_bytes() const { return start_bytes_; }
  const SessionInfo& info() const { return info_; }
  // Null once a command broke the simulator.
  const Machine* machine() const { return machine_.get(); }
  std::unique_ptr<Machine> TakeMachine() { return std::move(machine_); }

 private:
  Replayer(storage::Store& store, SessionInfo info, const MachineRunner& runner,
           std::unique_ptr<Machine> machine, int64_t revision)
      : store_(&store),
        runner_(&runner),
        info_(std::move(info)),
        machine_(std::move(machine)),
        revision_(revision) {}

  // Calls `after` after each command, whatever it did; false: pause.
  absl::Status Walk(int64_t to_revision,
                    absl::FunctionRef<bool(const storage::StoredEntry&)> after);
  absl::Status Step(const storage::Entry& entry);
  absl::Status CheckIsTheSession() const;

  storage::Store* store_;
  const MachineRunner* runner_;
  SessionInfo info_;
  std::unique_ptr<Machine> machine_;
  int64_t revision_;
  int64_t start_bytes_ = 0;
  absl::optional<Divergence> divergence_;
  absl::optional<std::string> panic_;
  // Of the last step, for who observes.
  EventLevel event_level_ = EventLevel::kNone;
  Command command_;
  Outcome outcome_;
};

// Replays up to `to_revision` (0: all). A divergence is a report, not an error.
// OUT_OF_RANGE when the session has no such revision yet.
absl::StatusOr<ReplayReport> Replay(storage::Store& store, absl::string_view id,
                                    const MachineRunner& runner,
                                    int64_t to_revision,
                                    const Progress& progress);

// Checks the stored journal, replays all of it, and checks the machine that it
// ends in, and that the replay passes through the machines of the snapshots.
// With `live`, a copy of the machine in memory, also through that. Damage is a
// failed check, not an error.
absl::StatusOr<VerifyReport> Verify(storage::Store& store, absl::string_view id,
                                    const MachineRunner& runner,
                                    const MachineView* live,
                                    const Progress& progress);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_REPLAYER_H_
