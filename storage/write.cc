#include "storage/write.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

// Errors found before anything was changed: they concern one write alone.
bool ConcernsOneWrite(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  return reason == "SESSION_NOT_FOUND" || reason == "SESSION_EXISTS" ||
         reason == "JOURNAL_GAP" || reason == "PARTICIPANT_EXISTS" ||
         reason == "PARTICIPANT_NOT_FOUND";
}

absl::Status Gap(absl::string_view session, int64_t revision, int64_t last) {
  return ErrorWithReason(
      absl::StatusCode::kAborted, "JOURNAL_GAP",
      absl::StrCat("session \"", session, "\": revision ", revision,
                   " does not follow the last recorded revision ", last,
                   ", since an earlier append failed; send the command again"));
}

}  // namespace

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
  auto pending = pending_.find(session);
  if (pending == pending_.end()) {
    FAULTLINE_ASSIGN_OR_RETURN(JournalHead head, HeadOf(session));
    const int64_t last_revision = head.last_revision;
    pending =
        pending_
            .try_emplace(session, Pending{std::move(head), last_revision, {}})
            .first;
  }
  int64_t last = pending->second.last_revision;
  for (const Entry& entry : append.entries) {
    if (entry.revision != last + 1) return Gap(session, entry.revision, last);
    ++last;
  }
  for (const Entry& entry : append.entries) {
    pending->second.entries.push_back(&entry);
  }
  pending->second.last_revision = last;
  return absl::OkStatus();
}

absl::Status WriteGroup::Change(const Write& write) {
  FAULTLINE_RETURN_IF_ERROR(Flush(write.session));
  if (const auto* create = std::get_if<CreateWrite>(&write.what)) {
    return InsertSession(database_, create->record);
  }
  if (const auto* state = std::get_if<StateWrite>(&write.what)) {
    return UpdateSessionState(database_, write.session, state->state,
                              state->detail, now_);
  }
  if (const auto* join = std::get_if<JoinWrite>(&write.what)) {
    return InsertParticipant(database_, write.session, join->participant);
  }
  if (const auto* leave = std::get_if<LeaveWrite>(&write.what)) {
    return SetLeaveTime(database_, write.session, leave->participant,
                        leave->time);
  }
  FAULTLINE_RETURN_IF_ERROR(RemoveSession(database_, write.session));
  pending_.erase(write.session);
  removed_.insert(write.session);
  return absl::OkStatus();
}

absl::Status WriteGroup::Flush(const std::string& session) {
  const auto pending = pending_.find(session);
  if (pending == pending_.end() || pending->second.entries.empty()) {
    return absl::OkStatus();
  }
  const absl::Status status = AppendEntries(
      database_, session, pending->second.entries, now_, pending->second.head);
  pending->second.entries.clear();
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
