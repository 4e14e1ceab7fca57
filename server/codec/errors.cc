#include "server/codec/errors.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "server/codec/error_parts.h"
#include "server/codec/utf8.h"
#include "server/limits.h"

namespace faultline::errors {

absl::Status InvalidFields(const std::vector<FieldViolation>& violations) {
  const FieldViolation& first = violations.front();
  const bool missing =
      std::all_of(violations.begin(), violations.end(),
                  [](const FieldViolation& v) { return v.missing; });
  std::string message =
      absl::StrCat(Quote(first.field), ": ", first.description);
  if (violations.size() > 1) {
    absl::StrAppend(&message, " (and ", violations.size() - 1, " more)");
  }
  absl::Status status = Make(absl::StatusCode::kInvalidArgument, message,
                             missing ? "FIELD_MISSING" : "FIELD_INVALID",
                             {{"field", first.field}});
  google::rpc::BadRequest bad;
  for (const FieldViolation& v : violations) {
    if (bad.field_violations_size() == limits::kFieldViolationsMax) break;
    auto* violation = bad.add_field_violations();
    violation->set_field(Quote(v.field));
    violation->set_description(
        std::string(Utf8Prefix(v.description, limits::kErrorTextBytesMax)));
    if (bad.ByteSizeLong() <= limits::kFieldViolationsBytesMax) continue;
    bad.mutable_field_violations()->RemoveLast();
    break;
  }
  SetDetail(status, bad);
  return status;
}

absl::Status InvalidField(absl::string_view field,
                          absl::string_view description) {
  return InvalidFields({{std::string(field), std::string(description)}});
}

absl::Status MissingField(absl::string_view field,
                          absl::string_view description) {
  return InvalidFields({{std::string(field), std::string(description), true}});
}

absl::Status RequestTooLarge(size_t bytes, size_t bytes_max) {
  absl::Status status = Make(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("the request has ", bytes, " bytes, the limit is ",
                   bytes_max, ": send it in parts"),
      "REQUEST_TOO_LARGE",
      {{"bytes", absl::StrCat(bytes)}, {"bytes-max", absl::StrCat(bytes_max)}});
  SetQuota(status, "server",
           absl::StrCat("a request has at most ", bytes_max, " bytes"));
  return status;
}

absl::Status SessionNotFound(absl::string_view session) {
  absl::Status status =
      Make(absl::StatusCode::kNotFound,
           absl::StrCat("there is no session ", Quote(session),
                        ": ListSessions shows those there are, CreateSession "
                        "makes one"),
           "SESSION_NOT_FOUND", {{"session", std::string(session)}});
  SetResource(status, "Session", session, "not found");
  return status;
}

absl::Status ProcessNotFound(absl::string_view session, uint32_t pid) {
  absl::Status status =
      Make(absl::StatusCode::kNotFound,
           absl::StrCat("there is no process ", pid, " in ", Quote(session),
                        ": its machine may have reaped it, or never had it"),
           "PROCESS_NOT_FOUND",
           {{"session", std::string(session)}, {"pid", absl::StrCat(pid)}});
  SetResource(status, "Process", absl::StrCat(session, "/processes/", pid),
              "not found");
  return status;
}

absl::Status PageNotFound(absl::string_view session, uint64_t pfn) {
  absl::Status status =
      Make(absl::StatusCode::kNotFound,
           absl::StrCat("there is no page frame ", pfn, " in ", Quote(session),
                        ": ListZones shows the frames there are"),
           "PAGE_NOT_FOUND",
           {{"session", std::string(session)}, {"pfn", absl::StrCat(pfn)}});
  SetResource(status, "Page", absl::StrCat(session, "/pages/", pfn),
              "not found");
  return status;
}

absl::Status FileNotFound(absl::string_view session, absl::string_view file) {
  absl::Status status =
      Make(absl::StatusCode::kNotFound,
           absl::StrCat("there is no file ", file, " in ", Quote(session),
                        ": /proc/PID/maps shows those that are mapped"),
           "FILE_NOT_FOUND",
           {{"session", std::string(session)}, {"file", std::string(file)}});
  SetResource(status, "File", absl::StrCat(session, "/files", file),
              "not found");
  return status;
}

absl::Status ParticipantNotFound(absl::string_view participant) {
  absl::Status status = Make(
      absl::StatusCode::kNotFound,
      absl::StrCat("there is no participant ", Quote(participant),
                   ", or it has left: nothing was done; ListParticipants shows "
                   "those there are, JoinSession makes one"),
      "PARTICIPANT_NOT_FOUND", {{"participant", std::string(participant)}});
  SetResource(status, "Participant", participant, "not found");
  return status;
}

absl::Status SnapshotNotFound(absl::string_view snapshot) {
  absl::Status status =
      Make(absl::StatusCode::kNotFound,
           absl::StrCat("there is no snapshot ", Quote(snapshot),
                        ": ListSnapshots shows those there are, CreateSnapshot "
                        "takes one"),
           "SNAPSHOT_NOT_FOUND", {{"snapshot", std::string(snapshot)}});
  SetResource(status, "Snapshot", snapshot, "not found");
  return status;
}

absl::Status SessionAlreadyExists(absl::string_view session) {
  absl::Status status =
      Make(absl::StatusCode::kAlreadyExists,
           absl::StrCat("there is a session ", Quote(session),
                        " already: choose another session_id, leave it empty, "
                        "or use that session"),
           "SESSION_ALREADY_EXISTS", {{"session", std::string(session)}});
  SetResource(status, "Session", session, "already exists");
  return status;
}

absl::Status ParticipantAlreadyExists(absl::string_view participant) {
  absl::Status status = Make(
      absl::StatusCode::kAlreadyExists,
      absl::StrCat("the session has had a participant ", Quote(participant),
                   " already: choose another participant_id, or leave it "
                   "empty"),
      "PARTICIPANT_ALREADY_EXISTS",
      {{"participant", std::string(participant)}});
  SetResource(status, "Participant", participant, "already exists");
  return status;
}

absl::Status ParticipantIsObserver(absl::string_view participant) {
  absl::Status status = Make(
      absl::StatusCode::kPermissionDenied,
      absl::StrCat(Quote(participant),
                   " is an observer and sends no commands: nothing was "
                   "done; join again as a driver"),
      "PARTICIPANT_IS_OBSERVER", {{"participant", std::string(participant)}});
  SetResource(status, "Participant", participant, "is an observer");
  return status;
}

absl::Status SnapshotAlreadyExists(absl::string_view snapshot) {
  absl::Status status =
      Make(absl::StatusCode::kAlreadyExists,
           absl::StrCat("there is a snapshot ", Quote(snapshot),
                        " already: choose another snapshot_id, leave it empty, "
                        "or delete that one"),
           "SNAPSHOT_ALREADY_EXISTS", {{"snapshot", std::string(snapshot)}});
  SetResource(status, "Snapshot", snapshot, "already exists");
  return status;
}

absl::Status VictimStreamExists(absl::string_view session, uint32_t pid) {
  absl::Status status = Make(
      absl::StatusCode::kAlreadyExists,
      absl::StrCat("another client is the replacement policy of process ", pid,
                   " of ", Quote(session), ": end its ChooseVictims first"),
      "VICTIM_STREAM_EXISTS",
      {{"session", std::string(session)}, {"pid", absl::StrCat(pid)}});
  SetResource(status, "Process", absl::StrCat(session, "/processes/", pid),
              "has a client that chooses");
  return status;
}

absl::Status VictimTooLate(int64_t seconds_max) {
  return Make(absl::StatusCode::kAborted,
              absl::StrCat("no victim was named within ", seconds_max,
                           " seconds: the access has stopped; call "
                           "ChooseVictims again"),
              "VICTIM_TOO_LATE", {{"seconds-max", absl::StrCat(seconds_max)}});
}

absl::Status NoReplacement(absl::string_view session, uint32_t pid) {
  absl::Status status = Make(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat("process ", pid, " of ", Quote(session),
                   " has no replacement policy: call SetReplacement first"),
      "NO_REPLACEMENT_POLICY",
      {{"session", std::string(session)}, {"pid", absl::StrCat(pid)}});
  SetPrecondition(status, "REPLACEMENT_POLICY",
                  absl::StrCat(session, "/processes/", pid), "must have one");
  return status;
}

absl::Status SessionClosed(absl::string_view session) {
  absl::Status status =
      Make(absl::StatusCode::kFailedPrecondition,
           absl::StrCat(Quote(session),
                        " is closed: it can be listed, replayed, verified and "
                        "looked at by revision, but has no machine any more; "
                        "create another session"),
           "SESSION_CLOSED", {{"session", std::string(session)}});
  SetPrecondition(status, "SESSION_STATE", session, "must be open");
  return status;
}

absl::Status SessionPanicked(absl::string_view session,
                             absl::string_view what) {
  absl::Status status = Make(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat("the simulator found a fault of its own in ", Quote(session),
                   " (", Quote(what),
                   "): its history can be read and replayed; create another "
                   "session, and please report this"),
      "SESSION_PANICKED",
      {{"session", std::string(session)}, {"panic", std::string(what)}});
  SetPrecondition(status, "SESSION_STATE", session, "must be open");
  return status;
}

absl::Status StateVersionMismatch(absl::string_view name, int64_t version,
                                  int64_t our_version) {
  absl::Status status =
      Make(absl::StatusCode::kFailedPrecondition,
           absl::StrCat(
               "the machine that ", Quote(name), " keeps is of state version ",
               version, ", this server knows version ", our_version,
               ": take a snapshot of that revision anew from the recorded "
               "commands, or use a server of that version"),
           "STATE_VERSION_MISMATCH",
           {{"name", std::string(name)},
            {"state-version", absl::StrCat(version)},
            {"server-state-version", absl::StrCat(our_version)}});
  SetPrecondition(status, "STATE_VERSION", name,
                  absl::StrCat("must be of state version ", our_version));
  return status;
}

absl::Status RevisionMismatch(absl::string_view session, int64_t expected,
                              int64_t actual) {
  absl::Status status = Make(
      absl::StatusCode::kAborted,
      absl::StrCat(Quote(session), " is at revision ", actual,
                   ", not at the expected ", expected,
                   ": nothing was done; read the session again and decide"),
      "REVISION_MISMATCH",
      {{"session", std::string(session)},
       {"expected-revision", absl::StrCat(expected)},
       {"revision", absl::StrCat(actual)}});
  SetPrecondition(status, "REVISION", session,
                  absl::StrCat("must be at revision ", expected));
  return status;
}

absl::Status RequestIdReused(absl::string_view session,
                             absl::string_view request_id) {
  return Make(absl::StatusCode::kAborted,
              absl::StrCat("request_id ", Quote(request_id), " was used in ",
                           Quote(session),
                           " for a different request: nothing was done; take a "
                           "new request_id for a new request"),
              "REQUEST_ID_REUSED",
              {{"session", std::string(session)},
               {"request-id", std::string(request_id)}});
}

absl::Status RevisionOutOfRange(absl::string_view session,
                                absl::string_view field, int64_t asked,
                                int64_t current) {
  absl::Status status =
      Make(absl::StatusCode::kOutOfRange,
           absl::StrCat(field, ": ", asked, " is beyond the history of ",
                        Quote(session), ", which is at revision ", current),
           "REVISION_OUT_OF_RANGE",
           {{"session", std::string(session)},
            {"field", std::string(field)},
            {"asked", absl::StrCat(asked)},
            {"revision", absl::StrCat(current)}});
  google::rpc::BadRequest bad;
  auto* violation = bad.add_field_violations();
  violation->set_field(std::string(field));
  violation->set_description(
      absl::StrCat("must not be beyond revision ", current));
  SetDetail(status, bad);
  return status;
}

absl::Status SessionsLimit(int64_t sessions_max) {
  absl::Status status =
      Make(absl::StatusCode::kResourceExhausted,
           absl::StrCat("the server keeps at most ", sessions_max,
                        " sessions: delete one with DeleteSession"),
           "SESSIONS_LIMIT", {{"sessions-max", absl::StrCat(sessions_max)}});
  SetQuota(status, "server",
           absl::StrCat("at most ", sessions_max, " sessions"));
  return status;
}

absl::Status MachinesLimit(int64_t machines_max) {
  absl::Status status =
      Make(absl::StatusCode::kResourceExhausted,
           absl::StrCat("all ", machines_max,
                        " machines that the server keeps in memory are busy: "
                        "try again later, or ask the operator for a higher "
                        "limit"),
           "MACHINES_LIMIT", {{"machines-max", absl::StrCat(machines_max)}});
  SetQuota(status, "server",
           absl::StrCat("at most ", machines_max, " machines in memory"));
  return status;
}

absl::Status SnapshotsLimit(absl::string_view session, int64_t snapshots_max) {
  absl::Status status =
      Make(absl::StatusCode::kResourceExhausted,
           absl::StrCat(Quote(session), " may have at most ", snapshots_max,
                        " snapshots: delete one with DeleteSnapshot"),
           "SNAPSHOTS_LIMIT",
           {{"session", std::string(session)},
            {"snapshots-max", absl::StrCat(snapshots_max)}});
  SetQuota(status, session,
           absl::StrCat("at most ", snapshots_max, " snapshots"));
  return status;
}

absl::Status QueueLimit(absl::string_view session, int64_t commands_max) {
  absl::Status status =
      Make(absl::StatusCode::kResourceExhausted,
           absl::StrCat(commands_max, " commands wait for ", Quote(session),
                        " already: this one was not accepted; wait for answers "
                        "before sending more"),
           "QUEUE_LIMIT",
           {{"session", std::string(session)},
            {"commands-max", absl::StrCat(commands_max)}});
  SetQuota(status, session,
           absl::StrCat("at most ", commands_max, " commands waiting"));
  return status;
}

absl::Status WorkLimit(int64_t requests_max) {
  absl::Status status =
      Make(absl::StatusCode::kResourceExhausted,
           absl::StrCat(requests_max,
                        " requests of this kind wait already: this "
                        "one was not accepted; try again later"),
           "WORK_LIMIT", {{"requests-max", absl::StrCat(requests_max)}});
  SetQuota(status, "server",
           absl::StrCat("at most ", requests_max, " requests waiting"));
  return status;
}

absl::Status WatchersLimit(int64_t watchers_max) {
  absl::Status status =
      Make(absl::StatusCode::kResourceExhausted,
           absl::StrCat("the server has ", watchers_max,
                        " watchers, which is as many as it may: try again "
                        "later, or end another watch"),
           "WATCHERS_LIMIT", {{"watchers-max", absl::StrCat(watchers_max)}});
  SetQuota(status, "server",
           absl::StrCat("at most ", watchers_max, " watchers"));
  return status;
}

absl::Status WatchedSessionsLimit(int64_t sessions_max) {
  absl::Status status = Make(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat(sessions_max,
                   " sessions are watched, which is as many as may be: "
                   "try again later, or end another watch"),
      "WATCHED_SESSIONS_LIMIT", {{"sessions-max", absl::StrCat(sessions_max)}});
  SetQuota(status, "server",
           absl::StrCat("at most ", sessions_max, " watched sessions"));
  return status;
}

absl::Status ParticipantsLimit(absl::string_view session,
                               int64_t participants_max) {
  absl::Status status =
      Make(absl::StatusCode::kResourceExhausted,
           absl::StrCat(Quote(session), " has had ", participants_max,
                        " participants, which is as many as it may: use one "
                        "that is there, or send commands without one"),
           "PARTICIPANTS_LIMIT",
           {{"session", std::string(session)},
            {"participants-max", absl::StrCat(participants_max)}});
  SetQuota(status, session,
           absl::StrCat("at most ", participants_max, " participants"));
  return status;
}

absl::Status ShuttingDown() {
  absl::Status status = Make(
      absl::StatusCode::kUnavailable,
      "the server is shutting down and did not start this request: repeat it "
      "when the server is back",
      "SHUTTING_DOWN", {});
  SetRetry(status);
  return status;
}

absl::Status JournalUnavailable(absl::string_view why) {
  absl::Status status = Make(
      absl::StatusCode::kUnavailable,
      absl::StrCat("the journal cannot be written (", Quote(why),
                   "), so the command is not acknowledged: repeat it with the "
                   "same request_id; the operator should look at the data "
                   "directory"),
      "JOURNAL_UNAVAILABLE", {{"cause", std::string(why)}});
  SetRetry(status);
  return status;
}

absl::Status HistoryCorrupt(absl::string_view session, absl::string_view why) {
  absl::Status status =
      Make(absl::StatusCode::kDataLoss,
           absl::StrCat("the stored history of ", Quote(session),
                        " fails its checks (", Quote(why),
                        "): VerifySession shows how far it is good; restore a "
                        "backup of the data directory"),
           "HISTORY_CORRUPT",
           {{"session", std::string(session)}, {"cause", std::string(why)}});
  SetResource(status, "Session", session, "history is damaged");
  return status;
}

absl::Status SnapshotCorrupt(absl::string_view snapshot,
                             absl::string_view why) {
  absl::Status status =
      Make(absl::StatusCode::kDataLoss,
           absl::StrCat("the stored machine of ", Quote(snapshot),
                        " fails its checks (", Quote(why),
                        "): delete the snapshot and take it again, the "
                        "recorded commands are kept apart from it"),
           "SNAPSHOT_CORRUPT",
           {{"snapshot", std::string(snapshot)}, {"cause", std::string(why)}});
  SetResource(status, "Snapshot", snapshot, "is damaged");
  return status;
}

absl::Status SimulatorBug(absl::string_view session, absl::string_view what) {
  absl::Status status =
      Make(absl::StatusCode::kInternal,
           absl::StrCat("the simulator broke a rule of its own in ",
                        Quote(session), " (", Quote(what),
                        "): this machine has stopped, the others go on; please "
                        "report it with the session's history"),
           "SIMULATOR_BUG",
           {{"session", std::string(session)}, {"panic", std::string(what)}});
  return status;
}

absl::Status Cancelled() {
  return Make(absl::StatusCode::kCancelled, "the client cancelled the call",
              "CANCELLED", {});
}

absl::Status DeadlineExceeded() {
  return Make(absl::StatusCode::kDeadlineExceeded,
              "the call's deadline passed before it was done: repeat it with "
              "the same request_id and more time",
              "DEADLINE_EXCEEDED", {});
}

absl::Status NoSuchMethod(absl::string_view method) {
  return Make(absl::StatusCode::kUnimplemented,
              absl::StrCat("this server has no method ", Quote(method),
                           ": reflection lists those it has; the client may be "
                           "newer than the server"),
              "NO_SUCH_METHOD", {{"method", std::string(method)}});
}

}  // namespace faultline::errors
