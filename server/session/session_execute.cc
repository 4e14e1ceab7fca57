// How a session executes a batch: the checks before it, the append to the
// journal, the answer when that is durable.

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/codec/errors.h"
#include "server/codec/outcome.h"
#include "server/codec/status_macros.h"
#include "server/limits.h"
#include "server/session/record.h"
#include "server/session/session.h"
#include "server/session/watch_table.h"

namespace faultline {
namespace {

// An answer that takes longer to encode is not given on the writer's thread.
constexpr size_t kQuickOutcomesMax = 8;
constexpr size_t kQuickEventsMax = 64;

absl::StatusOr<std::vector<std::string>> Encode(
    const std::vector<Command>& commands) {
  std::vector<std::string> encoded;
  encoded.reserve(commands.size());
  for (const Command& command : commands) {
    FL_ASSIGN_OR_RETURN(std::string bytes, CommandBytes(command));
    encoded.push_back(std::move(bytes));
  }
  return encoded;
}

// The most that the commands can answer in Outcome::data.
absl::Status CheckDataBytes(const std::vector<Command>& commands) {
  uint64_t bytes = 0;
  for (const Command& command : commands) {
    if (const auto* read = std::get_if<Read>(&command.op)) {
      bytes += std::min(read->length, limits::kBatchDataBytesMax + 1);
    } else if (const auto* mincore = std::get_if<Mincore>(&command.op)) {
      bytes += std::min(mincore->length / 4096, limits::kBatchDataBytesMax + 1);
    } else if (const auto* many = std::get_if<AccessMany>(&command.op)) {
      bytes += many->data ? AccessesOf(*many) : 0;
    }
  }
  if (bytes <= limits::kBatchDataBytesMax) return absl::OkStatus();
  return errors::InvalidField(
      "commands",
      absl::StrCat("ask for ", bytes, " bytes of data together: at most ",
                   limits::kBatchDataBytesMax, " in one batch"));
}

// Keeps at most `room` events and one that says how many are lost.
void KeepRoom(std::vector<Event>& events, size_t& room) {
  const size_t keep = std::min(room, limits::kEventsPerOutcomeMax - 1);
  if (events.size() > keep) TrimEvents(&events, keep + 1);
  room -= std::min(room, events.size());
}

// `sent` is one as it would be recorded. The victims of an access may have been
// added to the recorded one, when a client was asked for them.
bool SameCommand(Command recorded, const std::string& sent) {
  const absl::StatusOr<std::string> bytes = CommandBytes(recorded);
  if (!bytes.ok() || *bytes == sent) return bytes.ok();
  std::vector<uint64_t>* victims = VictimsOf(recorded);
  if (victims == nullptr || victims->empty()) return false;
  victims->clear();
  const absl::StatusOr<std::string> without = CommandBytes(recorded);
  return without.ok() && *without == sent;
}

bool IsQuick(const BatchResult& result) {
  size_t events = 0;
  for (const Outcome& outcome : result.outcomes) {
    events += outcome.events.size();
  }
  return result.outcomes.size() <= kQuickOutcomesMax &&
         events <= kQuickEventsMax;
}

}  // namespace

absl::Status Session::CheckLife() const {
  absl::MutexLock lock(&mutex_);
  switch (life_) {
    case Life::kClosed:
      return errors::SessionClosed(name_);
    case Life::kPanicked:
      return errors::SessionPanicked(name_, panic_);
    case Life::kGone:
      return errors::SessionNotFound(name_);
    case Life::kAsleep:
    case Life::kLive:
      break;
  }
  return absl::OkStatus();
}

absl::Status Session::CheckRun(const Run& run) {
  FL_RETURN_IF_ERROR(CheckLife());
  FL_RETURN_IF_ERROR(CheckSender(run));
  const auto& expected = run.options.expected_revision;
  if (expected && *expected != live_->revision) {
    return errors::RevisionMismatch(name_, *expected, live_->revision);
  }
  FL_RETURN_IF_ERROR(CheckDataBytes(run.commands));
  // Later it would cost the machine.
  const absl::Status room = context_.store.CheckRoom();
  return room.ok() ? absl::OkStatus()
                   : errors::JournalUnavailable(room.message());
}

bool Session::MayBeRepeated(const Run& run) const {
  const std::string& id = run.options.request_id;
  if (id.empty()) return false;
  return live_ == nullptr || live_->request_ids.contains(RequestIdHash(id));
}

void Session::Do(Run run) {
  if (IsGone()) return run.answer(errors::SessionNotFound(name_));
  if (run.options.cancelled && run.options.cancelled()) {
    return run.answer(errors::Cancelled());
  }
  const bool may_be_repeated = MayBeRepeated(run);
  // Two encodings of one command are compared as ours.
  absl::StatusOr<std::vector<std::string>> commands =
      run.encoded.empty() || may_be_repeated ? Encode(run.commands)
                                             : std::move(run.encoded);
  if (!commands.ok()) return run.answer(std::move(commands).status());
  if (may_be_repeated) {
    const bool undecided = [this] {
      absl::MutexLock lock(&mutex_);
      return !in_flight_.empty();
    }();
    if (undecided) return PutBack(std::move(run));
    absl::StatusOr<absl::optional<BatchResult>> found =
        FindAnswer(run.options.request_id, *commands);
    if (!found.ok()) return run.answer(std::move(found).status());
    if (*found) return run.answer(**std::move(found));
  }
  absl::Status status = CheckRun(run);
  if (!status.ok()) return run.answer(std::move(status));
  Execute(std::move(run), *std::move(commands));
}

absl::StatusOr<absl::optional<BatchResult>> Session::FindAnswer(
    absl::string_view request_id, const std::vector<std::string>& commands) {
  absl::StatusOr<absl::optional<storage::StoredEntry>> found =
      context_.store.FindRequest(id_, request_id);
  if (!found.ok()) return StorageError(id_, found.status());
  if (!found->has_value()) return absl::optional<BatchResult>();
  const storage::Entry& entry = (*found)->entry;
  if (entry.digest.empty()) {
    absl::MutexLock lock(&mutex_);
    return errors::SimulatorBug(name_, panic_);
  }
  FL_ASSIGN_OR_RETURN(BatchResult result, ResultOf(id_, entry));
  bool same = result.outcomes.size() == commands.size();
  if (same) {
    FL_ASSIGN_OR_RETURN(same, SameCommands(entry, commands));
  }
  if (!same) return errors::RequestIdReused(name_, request_id);
  return absl::optional<BatchResult>(std::move(result));
}

// Compares them as they would be recorded today.
absl::StatusOr<bool> Session::SameCommands(
    const storage::Entry& last, const std::vector<std::string>& commands) {
  const auto count = static_cast<int64_t>(commands.size());
  size_t equal = 0;
  absl::Status status;
  const auto compare = [&](const storage::Entry& entry) {
    const absl::StatusOr<Command> command = CommandOf(id_, entry);
    if (!command.ok()) {
      status = command.status();
      return false;
    }
    if (!SameCommand(*command, commands[equal])) return false;
    return ++equal < commands.size();
  };
  if (count == 1) {
    compare(last);
  } else {
    const absl::Status read =
        context_.store.ReadJournal(id_, last.revision - count + 1,
                                   [&](const storage::StoredEntry& stored) {
                                     return compare(stored.entry);
                                   });
    if (!read.ok()) return StorageError(id_, read);
  }
  FL_RETURN_IF_ERROR(status);
  return equal == commands.size();
}

void Session::Execute(Run run, std::vector<std::string> commands) {
  auto record = std::make_shared<InFlight>();
  record->answer = std::move(run.answer);
  const std::string sender =
      run.options.participant.empty()
          ? std::move(run.options.peer)
          : ParticipantName(id_, run.options.participant);
  std::vector<storage::Entry> entries(commands.size());
  size_t events_room = limits::kEventsPerBatchMax;
  for (size_t i = 0; i < commands.size(); ++i) {
    Executed executed = RunCommand(context_.runner, *live_->machine,
                                   run.commands[i], run.options.event_level);
    if (executed.ended == Ended::kOutOfMemory) {
      live_.reset();
      SetLife(Life::kAsleep);
      return record->answer(OutOfMemory());
    }
    entries[i].revision = ++live_->revision;
    entries[i].command = std::move(commands[i]);
    entries[i].sender = sender;
    if (executed.ended != Ended::kWell) {
      record->panic = executed.what.empty() ? "unknown" : executed.what;
      entries.resize(i + 1);
      break;
    }
    entries[i].digest = DigestBytes(executed.outcome.Digest());
    KeepRoom(executed.outcome.events, events_room);
    record->result.outcomes.push_back(std::move(executed.outcome));
  }
  record->result.revision = live_->revision;
  if (!run.options.request_id.empty()) {
    live_->request_ids.insert(RequestIdHash(run.options.request_id));
    if (record->panic.empty()) {
      entries.back().outcome = ResultBytes(record->result);
    }
    entries.back().request_id = std::move(run.options.request_id);
  }
  for (const storage::Entry& entry : entries) live_->pace->Add(entry);
  Append(std::move(entries), record);
  TakeSnapshotIfDue();
}

// As somebody who looks would: the copy waits until what it shows is durable.
void Session::TakeSnapshotIfDue() {
  if (live_ == nullptr || !context_.snapshots.Due(*live_->pace)) return;
  Do(Look{absl::nullopt, context_.snapshots.Begin(id_, live_->pace)});
}

void Session::Append(std::vector<storage::Entry> entries,
                     const std::shared_ptr<InFlight>& record) {
  const bool panicked = !record->panic.empty();
  if (panicked) live_.reset();
  {
    absl::MutexLock lock(&mutex_);
    in_flight_.push_back(record);
    if (panicked) {
      changing_ = true;
      life_ = Life::kAsleep;
    }
  }
  const absl::Status refused = context_.store.Append(
      id_, std::move(entries),
      [self = shared_from_this(), record](const absl::Status& status) {
        self->Appended(record, status);
      });
  if (refused.ok()) return;
  {
    absl::MutexLock lock(&mutex_);
    in_flight_.pop_back();
    append_failed_ = true;
    if (panicked) changing_ = false;
  }
  AnswerAppended(*record, refused);
}

void Session::Appended(const std::shared_ptr<InFlight>& record,
                       const absl::Status& status) {
  if (!status.ok()) return AppendFailed(record, status);
  context_.watches.Grew(id_, record->result.revision);
  bool turn = false;
  {
    absl::MutexLock lock(&mutex_);
    // It may be durable before an earlier one is known to be.
    in_flight_.erase(absl::c_find(in_flight_, record));
    turn = TakeTurn();
  }
  if (turn) GiveTurn();
  if (!record->panic.empty()) {
    const absl::Status refused = context_.store.SetSessionState(
        id_, storage::SessionState::kPanicked, record->panic,
        [self = shared_from_this(), record](const absl::Status&) {
          self->Panicked(record);
        });
    // The journal says it as well, to whoever rebuilds the machine.
    if (!refused.ok()) Panicked(record);
  } else if (answers_later_ != nullptr) {
    answers_later_->push_back(record);
  } else if (!IsQuick(record->result)) {
    context_.workers.Submit([self = shared_from_this(), record] {
      self->AnswerAppended(*record, absl::OkStatus());
    });
  } else {
    AnswerAppended(*record, absl::OkStatus());
  }
}

// What was sent behind it may be withdrawn when it is answered, and goes on
// only then.
void Session::AppendFailed(const std::shared_ptr<InFlight>& record,
                           const absl::Status& status) {
  {
    absl::MutexLock lock(&mutex_);
    append_failed_ = true;
  }
  AnswerAppended(*record, status);
  bool turn = false;
  {
    absl::MutexLock lock(&mutex_);
    in_flight_.erase(absl::c_find(in_flight_, record));
    if (!record->panic.empty()) changing_ = false;
    turn = TakeTurn();
  }
  if (turn) GiveTurn();
}

void Session::Panicked(const std::shared_ptr<InFlight>& record) {
  bool turn = false;
  {
    absl::MutexLock lock(&mutex_);
    changing_ = false;
    life_ = Life::kPanicked;
    panic_ = record->panic;
    turn = TakeTurn();
  }
  if (turn) GiveTurn();
  context_.watches.Ended(id_);
  AnswerAppended(*record, absl::OkStatus());
}

void Session::AnswerAppended(InFlight& record, const absl::Status& status) {
  if (!status.ok()) {
    record.answer(StorageError(id_, status));
    for (auto& [look, view] : record.looks) {
      look.answer(StorageError(id_, status));
    }
    return;
  }
  if (record.panic.empty()) {
    record.answer(std::move(record.result));
  } else {
    record.answer(errors::SimulatorBug(name_, record.panic));
  }
  for (auto& [look, view] : record.looks) look.answer(std::move(view));
}

void Session::Do(Look look) {
  absl::Status status = CheckLife();
  if (status.ok() && look.expected_revision &&
      *look.expected_revision != live_->revision) {
    status = errors::RevisionMismatch(name_, *look.expected_revision,
                                      live_->revision);
  }
  if (!status.ok()) return look.answer(std::move(status));
  const auto start = std::chrono::steady_clock::now();
  std::unique_ptr<Machine> machine = CopyMachine(*live_->machine);
  if (machine == nullptr) return look.answer(OutOfMemory());
  auto view = std::make_shared<const MachineView>(
      MachineView{std::move(*machine), live_->revision, live_->session_key,
                  absl::FromChrono(std::chrono::steady_clock::now() - start)});
  bool stale = false;
  {
    absl::MutexLock lock(&mutex_);
    stale = append_failed_;
    if (!stale && !in_flight_.empty()) {
      in_flight_.back()->looks.emplace_back(std::move(look), std::move(view));
      return;
    }
  }
  if (stale) return PutBack(std::move(look));
  look.answer(std::move(view));
}

}  // namespace faultline
