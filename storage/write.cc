#include "storage/write.h"

#include <type_traits>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

absl::Status Gap(absl::string_view session, int64_t revision, int64_t last) {
  return ErrorWithReason(
      absl::StatusCode::kAborted, "JOURNAL_GAP",
      absl::StrCat("session \"", session, "\": revision ", revision,
                   " does not follow the last recorded revision ", last,
                   ", since an earlier append failed; send the command again"));
}

}  // namespace

bool ConcernsOneWrite(const absl::Status& status) {
  static constexpr absl::string_view kReasons[] = {
      "SESSION_NOT_FOUND",    "SESSION_EXISTS",        "JOURNAL_GAP",
      "SNAPSHOT_NOT_FOUND",   "SNAPSHOT_EXISTS",       "SNAPSHOT_CORRUPT",
      "SNAPSHOTS_LIMIT",      "REVISION_NOT_RECORDED", "SESSION_NOT_ACTIVE",
      "BLOCK_GONE",           "PARTICIPANT_EXISTS",    "PARTICIPANT_NOT_FOUND",
      "EXERCISE_EXISTS",      "EXERCISE_NOT_FOUND",    "EXERCISE_HAS_ATTEMPTS",
      "EXERCISES_LIMIT",      "ATTEMPT_EXISTS",        "ATTEMPT_NOT_FOUND",
      "ATTEMPT_NUMBER_TAKEN", "ATTEMPTS_USED",         "ATTEMPT_GRADED",
      "ATTEMPT_CORRUPT",      "REQUEST_ID_REUSED",     "SUBMISSION_REPLACED",
      "GRADE_EXISTS",         "GRADES_LIMIT"};
  return absl::c_linear_search(kReasons, ReasonOf(status));
}

absl::StatusOr<std::vector<absl::Status>> WriteGroup::Execute(
    absl::Span<const Write> writes) {
  std::vector<absl::Status> results;
  results.reserve(writes.size());
  for (const Write& write : writes) {
    const auto* append = std::get_if<AppendWrite>(&write.what);
    absl::Status status =
        append != nullptr ? Accept(write.session, *append) : Change(write);
    if (!status.ok() && !ConcernsOneWrite(status)) return status;
    results.push_back(std::move(status));
  }
  FAULTLINE_RETURN_IF_ERROR(FlushAll());
  return results;
}

absl::Status WriteGroup::Accept(const std::string& session,
                                const AppendWrite& append) {
  const TakenRequestId taken =
      append.spooled() ? TakenRequestId::kKeep : TakenRequestId::kRefuse;
  auto found = pending_.find(session);
  if (found != pending_.end() && found->second.taken != taken) {
    FAULTLINE_RETURN_IF_ERROR(Flush(session));
  }
  if (found == pending_.end()) {
    FAULTLINE_ASSIGN_OR_RETURN(JournalHead head, HeadOf(session));
    const int64_t last_revision = head.last_revision;
    found = pending_
                .try_emplace(session,
                             Pending{std::move(head), last_revision, {}, {}})
                .first;
  }
  Pending& pending = found->second;
  if (append.spooled() && append.genesis != pending.head.genesis) {
    return SessionNotFound(session);  // another has its id now
  }
  int64_t last = pending.last_revision;
  for (const Entry& entry : append.entries) {
    if (entry.revision != last + 1) return Gap(session, entry.revision, last);
    ++last;
  }
  for (const Entry& entry : append.entries) pending.entries.push_back(&entry);
  pending.last_revision = last;
  pending.time = append.time;
  pending.taken = taken;
  return absl::OkStatus();
}

absl::Status WriteGroup::Change(const Write& write) {
  FAULTLINE_RETURN_IF_ERROR(Flush(write.session));
  return std::visit(
      [&](const auto& what) -> absl::Status {
        if constexpr (std::is_same_v<decltype(what), const AppendWrite&>) {
          return absl::InternalError("an append is no change");
        } else {
          return Do(write.session, what);
        }
      },
      write.what);
}

absl::Status WriteGroup::Do(const std::string& session,
                            const CreateWrite& create) {
  if (!create.record.base.has_value()) {
    return InsertSession(database_, create.record);
  }
  const SessionBase& base = *create.record.base;
  FAULTLINE_ASSIGN_OR_RETURN(
      const StoredSnapshot source,
      ReadSnapshot(database_, create.base_session, create.base_snapshot));
  if (source.record.fingerprint != base.fingerprint ||
      source.record.state_version != base.state_version) {
    return SnapshotNotFound(create.base_session, create.base_snapshot);
  }
  FAULTLINE_RETURN_IF_ERROR(InsertSession(database_, create.record));
  return InsertBase(database_, session, base, source.image_key);
}

absl::Status WriteGroup::Do(const std::string& session,
                            const StateWrite& state) {
  return UpdateSessionState(database_, session, state.state, state.detail,
                            now_);
}

absl::Status WriteGroup::Do(const std::string& session, const JoinWrite& join) {
  return InsertParticipant(database_, session, join.participant);
}

absl::Status WriteGroup::Do(const std::string& session,
                            const LeaveWrite& leave) {
  return SetLeaveTime(database_, session, leave.participant, leave.time);
}

absl::Status WriteGroup::Do(const std::string& session, const DeleteWrite&) {
  FAULTLINE_RETURN_IF_ERROR(RemoveSession(database_, session));
  pending_.erase(session);
  removed_.insert(session);
  return absl::OkStatus();
}

absl::Status WriteGroup::Do(const std::string&, const BlocksWrite& blocks) {
  FAULTLINE_ASSIGN_OR_RETURN(
      *blocks.stored_bytes, InsertBlocks(database_, blocks.image_key,
                                         blocks.first_position, blocks.blocks));
  return absl::OkStatus();
}

absl::Status WriteGroup::Do(const std::string&,
                            const BlockDamagedWrite& block) {
  return SetBlockApart(database_, block.hash);
}

absl::Status WriteGroup::Do(const std::string& session,
                            const SnapshotWrite& snapshot) {
  return InsertSnapshot(database_, session, snapshot.record, snapshot.rules,
                        snapshot.image_key, snapshot.seal);
}

absl::Status WriteGroup::Do(const std::string& session,
                            const SnapshotDeleteWrite& remove) {
  return RemoveSnapshot(database_, session, remove.id);
}

absl::Status WriteGroup::Flush(const std::string& session) {
  const auto pending = pending_.find(session);
  if (pending == pending_.end() || pending->second.entries.empty()) {
    return absl::OkStatus();
  }
  Pending& appends = pending->second;
  const absl::Status status =
      AppendEntries(database_, session, appends.entries, appends.time,
                    appends.taken, appends.head);
  appends.entries.clear();
  if (status.ok() || !ConcernsOneWrite(status)) return status;
  // Too late for an error of one write: some of its rows are there.
  return absl::AbortedError(status.message());
}

absl::Status WriteGroup::FlushAll() {
  for (const auto& [session, pending] : pending_) {
    FAULTLINE_RETURN_IF_ERROR(Flush(session));
  }
  return absl::OkStatus();
}

absl::StatusOr<JournalHead> WriteGroup::HeadOf(const std::string& session) {
  // A session that was removed and created again has another key.
  const auto known = heads_.find(session);
  if (known != heads_.end() && !removed_.contains(session)) {
    return known->second;
  }
  return ReadJournalHead(database_, session);
}

void WriteGroup::MergeInto(JournalHeads& heads) && {
  for (const std::string& session : removed_) heads.erase(session);
  for (auto& [session, pending] : pending_) {
    heads.insert_or_assign(session, std::move(pending.head));
  }
}

}  // namespace faultline::storage
