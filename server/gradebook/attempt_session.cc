#include "server/gradebook/attempt_session.h"

#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "server/codec/command.h"
#include "server/codec/config.h"
#include "server/codec/errors.h"
#include "server/codec/grading_errors.h"
#include "server/codec/status_macros.h"
#include "server/grading/grade.h"
#include "server/limits.h"
#include "server/session/record.h"
#include "server/session/wait_for.h"

namespace faultline {
namespace {

// Of the batch with the set-up: whoever sends it again gets the first answer.
constexpr char kSetupRequestId[] = "set-up";

bool SameConfig(const MachineConfig& a, const MachineConfig& b) {
  v1::MachineConfig left, right;
  ConfigToProto(a, &left);
  ConfigToProto(b, &right);
  return left.SerializeAsString() == right.SerializeAsString();
}

absl::StatusOr<std::vector<Command>> CommandsOf(const grading::Trial& setup) {
  std::vector<Command> commands;
  for (const grading::Step& step : setup.steps()) {
    FL_ASSIGN_OR_RETURN(Command command, CommandFromProto(step.command));
    commands.push_back(std::move(command));
  }
  return commands;
}

// As it is in the journal.
absl::StatusOr<std::string> RecordedForm(const v1::Command& command) {
  FL_ASSIGN_OR_RETURN(const Command decoded, CommandFromProto(command));
  return CommandBytes(decoded);
}

// Whether this call made it. Where there is no room for another session, one
// that is there can still be gone on with.
absl::StatusOr<bool> CreateIfMissing(SessionTable& table, const std::string& id,
                                     const std::string& display_name,
                                     const MachineConfig& config) {
  if (table.Get(id).ok()) return false;
  const absl::StatusOr<SessionInfo> created =
      WaitForAnswer<SessionInfo>([&](auto answer) {
        table.Create(id, display_name, config, std::move(answer));
      });
  if (created.ok()) return true;
  if (absl::IsAlreadyExists(created.status())) return false;
  return created.status();
}

absl::Status RunSetup(SessionTable& table, const std::string& id,
                      std::vector<Command> commands, std::string sender) {
  if (commands.empty()) return absl::OkStatus();
  ExecuteOptions options;
  options.request_id = kSetupRequestId;
  options.expected_revision = 0;
  options.event_level = EventLevel::kNone;
  options.peer = std::move(sender);
  return WaitForAnswer<BatchResult>([&](auto answer) {
           table.ExecuteBatch(id, std::move(commands), std::move(options),
                              std::move(answer));
         })
      .status();
}

// What a session says that is not the one of the attempt, or is no more of use.
bool IsAnother(const absl::Status& status) {
  const std::string reason = errors::ReasonOf(status);
  return reason == "REVISION_MISMATCH" || reason == "REQUEST_ID_REUSED" ||
         reason == "SESSION_CLOSED" || reason == "SESSION_PANICKED";
}

// Calls `visit` for the recorded commands `first` to `last` of a session, until
// it says so.
absl::Status ForEachRecorded(
    SessionTable& table, const std::string& id, int64_t first, int64_t last,
    absl::FunctionRef<absl::StatusOr<bool>(const RecordedCommand&)> visit) {
  while (first <= last) {
    FL_ASSIGN_OR_RETURN(
        const CommandPage page,
        table.ListCommands(id, first, last - first + 1, limits::kChunkBytes));
    if (page.commands.empty()) {
      return errors::HistoryCorrupt(ResourceName(id), "its end is missing");
    }
    for (const RecordedCommand& recorded : page.commands) {
      FL_ASSIGN_OR_RETURN(const bool go_on, visit(recorded));
      if (!go_on) return absl::OkStatus();
    }
    first = page.commands.back().revision + 1;
  }
  return absl::OkStatus();
}

absl::Status OtherSetup(absl::string_view what) {
  return absl::FailedPreconditionError(what);
}

absl::Status CheckConfig(const SessionInfo& info,
                         const v1::Exercise& exercise) {
  FL_ASSIGN_OR_RETURN(const MachineConfig config,
                      ConfigFromProto(exercise.machine(), "machine"));
  return SameConfig(info.config, config)
             ? absl::OkStatus()
             : OtherSetup("its machine is another now");
}

// Whether the session began with what ran on the trial.
absl::Status CheckSetup(SessionTable& table, const AttemptSession& session,
                        const grading::Trial& trial) {
  const auto& steps = trial.steps();
  if (static_cast<size_t>(session.start_revision) != steps.size()) {
    return OtherSetup(absl::StrCat("its set-up has ", steps.size(),
                                   " commands, that of the attempt had ",
                                   session.start_revision));
  }
  return ForEachRecorded(
      table, session.id, 1, session.start_revision,
      [&](const RecordedCommand& recorded) -> absl::StatusOr<bool> {
        const auto i = static_cast<size_t>(recorded.revision) - 1;
        FL_ASSIGN_OR_RETURN(const std::string now,
                            RecordedForm(steps[i].command));
        FL_ASSIGN_OR_RETURN(const std::string then,
                            RecordedForm(recorded.command));
        if (now == then) return true;
        return OtherSetup(absl::StrCat("command ", recorded.revision,
                                       " of its set-up is another now: `",
                                       steps[i].text, "`"));
      });
}

// What a refusal by a rule or a bound is, in contrast to a failure.
bool IsRefusal(const absl::Status& status) {
  return absl::IsPermissionDenied(status) || absl::IsResourceExhausted(status);
}

absl::Status Diverged(const AttemptSession& session, int64_t revision,
                      absl::string_view how) {
  return errors::HistoryCorrupt(ResourceName(session.id),
                                absl::StrCat("revision ", revision, ": ", how));
}

// Executes one command; why the submission ends before it, if it does.
absl::StatusOr<std::string> Perform(const AttemptSession& session,
                                    const RecordedCommand& recorded,
                                    grading::Trial& trial) {
  const int64_t revision = recorded.revision;
  if (!recorded.digest) {
    return absl::StrCat("revision ", revision,
                        ": the simulator found a fault of its own, which "
                        "ended the machine");
  }
  const absl::StatusOr<v1::Outcome> outcome = trial.Apply(recorded.command);
  if (IsRefusal(outcome.status())) {
    return absl::StrCat("revision ", revision, ": ",
                        outcome.status().message());
  }
  if (!outcome.ok()) {
    return Diverged(session, revision, outcome.status().message());
  }
  if (outcome->digest() != *recorded.digest) {
    return Diverged(session, revision,
                    "executed again the command does something else");
  }
  return std::string();
}

}  // namespace

absl::StatusOr<AttemptSession> MakeAttemptSession(
    SessionTable& table, const std::string& id, const std::string& display_name,
    const v1::Exercise& exercise, const grading::Trial& setup) {
  FL_ASSIGN_OR_RETURN(const MachineConfig config,
                      ConfigFromProto(exercise.machine(), "machine"));
  FL_ASSIGN_OR_RETURN(std::vector<Command> commands, CommandsOf(setup));
  const auto start_revision = static_cast<int64_t>(commands.size());
  FL_ASSIGN_OR_RETURN(const bool made,
                      CreateIfMissing(table, id, display_name, config));
  // Looked at before it is used: one that was there may be another's.
  FL_ASSIGN_OR_RETURN(const SessionInfo info, table.Get(id));
  const bool another =
      info.origin.has_value() || !SameConfig(info.config, config);
  if (another) return errors::SessionNameTaken(ResourceName(id));
  const absl::Status ran = RunSetup(table, id, std::move(commands),
                                    absl::StrCat("exercises/", exercise.id()));
  if (!made && IsAnother(ran)) {
    return errors::SessionNameTaken(ResourceName(id));
  }
  FL_RETURN_IF_ERROR(ran);
  return AttemptSession{id, info.key, start_revision};
}

absl::StatusOr<SessionInfo> GetAttemptSession(SessionTable& table,
                                              const AttemptSession& session) {
  FL_ASSIGN_OR_RETURN(SessionInfo info, table.Get(session.id));
  if (info.key == session.key) return info;
  return errors::SessionNotFound(ResourceName(session.id));
}

absl::StatusOr<std::string> PerformSession(SessionTable& table,
                                           const AttemptSession& session,
                                           int64_t revision,
                                           const v1::Exercise& exercise,
                                           const std::function<bool()>& keep_on,
                                           grading::Trial& trial) {
  FL_ASSIGN_OR_RETURN(const SessionInfo info,
                      GetAttemptSession(table, session));
  FL_RETURN_IF_ERROR(CheckConfig(info, exercise));
  FL_RETURN_IF_ERROR(CheckSetup(table, session, trial));
  trial.EndSetup(grading::MakeReferee(exercise.rules()));
  std::string stopped;
  FL_RETURN_IF_ERROR(ForEachRecorded(
      table, session.id, session.start_revision + 1, revision,
      [&](const RecordedCommand& recorded) -> absl::StatusOr<bool> {
        if (keep_on && !keep_on()) return errors::Cancelled();
        FL_ASSIGN_OR_RETURN(stopped, Perform(session, recorded, trial));
        return stopped.empty();
      }));
  // What was read may be of another session that has the id by now.
  FL_RETURN_IF_ERROR(GetAttemptSession(table, session).status());
  return stopped;
}

}  // namespace faultline
