#include "storage/writer.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/reason.h"
#include "storage/spooled_append.h"
#include "storage/status_macros.h"
#include "storage/transaction.h"

namespace faultline::storage {
namespace {

constexpr size_t kHeadsMax = 1 << 14;
// Small enough that no append notices a session being removed.
constexpr int64_t kPurgeRows = 256;
constexpr int64_t kPurgeBlocks = 64;
constexpr int64_t kPurgeGrades = 64;

size_t EntriesOf(const Write& write) {
  const auto* append = std::get_if<AppendWrite>(&write.what);
  return append == nullptr ? 1 : std::max<size_t>(append->entries.size(), 1);
}

size_t BytesOf(const Write& write) {
  size_t bytes = sizeof(Write) + write.session.size() + GradingBytes(write);
  if (const auto* append = std::get_if<AppendWrite>(&write.what)) {
    for (const Entry& entry : append->entries) bytes += EntryBytes(entry);
  } else if (const auto* create = std::get_if<CreateWrite>(&write.what)) {
    bytes += create->record.config.size();
  } else if (const auto* part = std::get_if<BlocksWrite>(&write.what)) {
    for (const Block& block : part->blocks) {
      bytes += sizeof(Block) + block.body.size();
    }
  }
  return bytes;
}

bool LeavesRows(const Write& write) {
  return std::holds_alternative<DeleteWrite>(write.what) ||
         std::holds_alternative<SnapshotDeleteWrite>(write.what) ||
         std::holds_alternative<ExerciseDeleteWrite>(write.what);
}

absl::Status CheckBytes(absl::string_view what, size_t bytes) {
  if (bytes <= kEntryBytesMax) return absl::OkStatus();
  return ErrorWithReason(
      absl::StatusCode::kInvalidArgument, "ENTRY_TOO_LARGE",
      absl::StrCat(what, " takes ", bytes, " bytes, the limit is ",
                   kEntryBytesMax, "; split it"));
}

absl::Status CheckEntrySizes(const Write& write) {
  const auto* append = std::get_if<AppendWrite>(&write.what);
  if (append == nullptr) return CheckBytes("the row", GradingBytes(write));
  for (const Entry& entry : append->entries) {
    FAULTLINE_RETURN_IF_ERROR(
        CheckBytes("in the journal the command", EntryBytes(entry)));
  }
  return absl::OkStatus();
}

bool IsSpooled(const Write& write) {
  const auto* append = std::get_if<AppendWrite>(&write.what);
  return append != nullptr && append->spooled();
}

// How many writes at the front may only fail together: one, or spooled appends
// of one session.
size_t RunLength(absl::Span<const Write> writes) {
  size_t length = 1;
  while (length < writes.size() && IsSpooled(writes[0]) &&
         IsSpooled(writes[length]) &&
         writes[length].session == writes[0].session) {
    ++length;
  }
  return length;
}

absl::Status QueueFull(size_t entries, size_t bytes) {
  return ErrorWithReason(
      absl::StatusCode::kResourceExhausted, "QUEUE_FULL",
      absl::StrCat(entries, " commands (", bytes,
                   " bytes) wait for the disk already; try again in a moment"));
}

}  // namespace

Writer::Writer(Connections& connections, std::unique_ptr<Spool> spool,
               Checkpointer* checkpointer)
    : connections_(connections),
      checkpointer_(checkpointer),
      has_spool_(spool != nullptr),
      spool_(std::move(spool)),
      thread_([this] { Loop(); }) {}

Writer::~Writer() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    WakeThread();
  }
  thread_.join();
}

absl::Status Writer::Submit(Write write) {
  FAULTLINE_RETURN_IF_ERROR(CheckEntrySizes(write));
  const size_t entries = EntriesOf(write);
  const size_t bytes = BytesOf(write);
  if (auto* append = std::get_if<AppendWrite>(&write.what)) {
    append->time = absl::Now();
    if (has_spool_ && !append->entries.empty() && bytes <= kSpooledBytesMax) {
      append->packed = PackAppend(write.session, append->time, append->entries);
    }
  }
  Done acknowledge;
  {
    absl::MutexLock lock(&mutex_);
    // A single write larger than the whole queue may go when it is alone.
    const bool fits = load_.entries + entries <= kQueueEntriesMax &&
                      load_.bytes + bytes <= kQueueBytesMax;
    if (!fits && !queue_.empty()) return QueueFull(load_.entries, load_.bytes);
    load_.entries += entries;
    load_.bytes += bytes;
    if (!ledger_.IsWaiting(write.session) && TrySpool(write)) {
      acknowledge = std::exchange(write.done, nullptr);
    } else {
      ledger_.Queued(write.session);
      ++not_spooled_;
    }
    queue_.push_back(std::move(write));
    if (queue_.size() == 1 || IsUrgent()) WakeThread();
  }
  if (acknowledge) acknowledge(absl::OkStatus());
  return absl::OkStatus();
}

bool Writer::TrySpool(Write& write) {
  auto* append = std::get_if<AppendWrite>(&write.what);
  if (append == nullptr || append->packed.empty()) return false;
  const std::string* genesis =
      ledger_.GenesisIfNext(write.session, append->entries.front().revision);
  if (genesis == nullptr) return false;
  const absl::optional<size_t> half = spool_->Add({*genesis, append->packed});
  if (!half.has_value()) return false;
  append->genesis = *genesis;
  append->half = *half;
  if (spooled_bytes_ == 0 && stuck_.empty()) {
    fold_at_ = absl::Now() + kFoldAfter;
  }
  spooled_bytes_ += append->packed.size();
  append->packed.clear();
  ledger_.Spooled(write.session, append->entries.back().revision);
  return true;
}

bool Writer::IsFolded(absl::optional<absl::string_view> session) const {
  return session.has_value() ? !ledger_.IsUnfolded(*session)
                             : !ledger_.IsAnyUnfolded();
}

absl::Status Writer::AwaitFolded(absl::optional<absl::string_view> session) {
  absl::MutexLock lock(&mutex_);
  if (IsFolded(session)) return absl::OkStatus();
  // The next group takes all that is spooled now.
  const int64_t group = groups_begun_ + 1;
  fold_wanted_ = true;
  WakeThread();
  const auto ended = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return IsFolded(session) || groups_ended_ >= group;
  };
  mutex_.Await(absl::Condition(&ended));
  // What is spooled and not stuck came while we waited.
  return IsStuck(session) ? fold_status_ : absl::OkStatus();
}

bool Writer::IsStuck(absl::optional<absl::string_view> session) const {
  if (!session.has_value()) return !stuck_.empty();
  return absl::c_any_of(
      stuck_, [&](const Write& write) { return write.session == *session; });
}

absl::Status Writer::CheckRoom() const {
  absl::MutexLock lock(&mutex_);
  const bool room = load_.entries <= kQueueEntriesMax - kQueueEntriesMax / 8 &&
                    load_.bytes <= kQueueBytesMax - kQueueBytesMax / 8;
  return room ? absl::OkStatus() : QueueFull(load_.entries, load_.bytes);
}

void Writer::WakeThread() { work_.Signal(); }

bool Writer::HasWork() const {
  return !queue_.empty() || !stuck_.empty() || IsUrgent();
}

bool Writer::IsUrgent() const {
  return not_spooled_ > 0 || fold_wanted_ || stopping_ || purging_ ||
         spooled_bytes_ >= kFoldBytes;
}

bool Writer::TakeWork(Work& work) {
  absl::MutexLock lock(&mutex_);
  while (!HasWork()) work_.Wait(&mutex_);
  while (!IsUrgent()) {
    if (work_.WaitWithDeadline(&mutex_, fold_at_)) break;
  }
  if (stopping_ && queue_.empty()) return false;
  work.writes = stuck_;  // still stuck, to readers, until this group has ended
  std::move(queue_.begin(), queue_.end(), std::back_inserter(work.writes));
  queue_.clear();
  load_ = Load();
  spooled_bytes_ = 0;
  not_spooled_ = 0;
  fold_wanted_ = false;
  work.purge = purging_;
  ++groups_begun_;
  return true;
}

void Writer::Loop() {
  Work work;
  while (TakeWork(work)) {
    Commit(work.writes);
    work.writes.clear();
    if (work.purge) PurgeSome();
    if (checkpointer_ != nullptr) {
      checkpointer_->LogHas(connections_.BorrowWriter()->log_pages());
    }
  }
}

void Writer::Commit(std::vector<Write>& writes) {
  std::vector<absl::Status> results;
  if (!writes.empty()) {
    absl::StatusOr<std::vector<absl::Status>> together = CommitTogether(writes);
    if (together.ok()) {
      results = *std::move(together);
    } else if (ReasonOf(together.status()) == "DATABASE_BUSY") {
      // It took seconds to find out, and is no fault of one of them.
      results.assign(writes.size(), together.status());
    } else {
      results = CommitApart(writes);
    }
  }
  const std::vector<Done> spooled = Settle(writes, results);
  for (size_t i = 0; i < writes.size(); ++i) {
    if (writes[i].done) writes[i].done(results[i]);
  }
  for (const Done& done : spooled) done(absl::OkStatus());
}

std::vector<Done> Writer::Settle(std::vector<Write>& writes,
                                 absl::Span<const absl::Status> results) {
  absl::MutexLock lock(&mutex_);
  fold_status_ = absl::OkStatus();
  stuck_.clear();  // they are among the writes
  for (size_t i = 0; i < writes.size(); ++i) {
    if (IsSpooled(writes[i])) {
      SettleSpooled(writes[i], results[i]);
    } else {
      SettleQueued(writes[i], results[i]);
    }
  }
  ++groups_ended_;
  return SpoolTheQueue();
}

void Writer::SettleSpooled(Write& write, const absl::Status& result) {
  if (!result.ok() && !ConcernsOneWrite(result)) {
    fold_status_ = result;
    fold_at_ = absl::Now() + kFoldAgainAfter;
    stuck_.push_back(std::move(write));
    return;
  }
  // Its session is gone, or its journal was changed by others.
  if (!result.ok()) ledger_.Forget(write.session);
  ledger_.Folded(write.session);
  spool_->Fold(std::get<AppendWrite>(write.what).half);
}

void Writer::SettleQueued(const Write& write, const absl::Status& result) {
  ledger_.Executed(write.session);
  const bool is_append = std::holds_alternative<AppendWrite>(write.what);
  const auto head = heads_.find(write.session);
  if (is_append && result.ok() && head != heads_.end()) {
    ledger_.Learn(write.session, head->second);
  } else if (is_append || std::holds_alternative<DeleteWrite>(write.what)) {
    ledger_.Forget(write.session);
  }
  if (LeavesRows(write)) purging_ = true;
}

std::vector<Done> Writer::SpoolTheQueue() {
  std::vector<Done> spooled;
  if (!has_spool_ || not_spooled_ == 0) return spooled;
  // Those of which a write in front has to wait.
  absl::flat_hash_set<absl::string_view> waiting;
  for (Write& write : queue_) {
    if (IsSpooled(write)) continue;
    // Of its session nothing else is in the way but what is behind it.
    if (!waiting.contains(write.session) && TrySpool(write)) {
      ledger_.Executed(write.session);
      --not_spooled_;
      spooled.push_back(std::exchange(write.done, nullptr));
    } else {
      waiting.insert(write.session);
    }
  }
  return spooled;
}

// Either all of it is durable and the results of each are returned, or nothing
// is and the reason is.
absl::StatusOr<std::vector<absl::Status>> Writer::CommitTogether(
    absl::Span<const Write> writes) {
  if (heads_.size() > kHeadsMax) heads_.clear();
  const Connections::Lease database = connections_.BorrowWriter();
  WriteGroup group(*database, heads_, absl::Now());
  const auto execute = [&]() -> absl::StatusOr<std::vector<absl::Status>> {
    FAULTLINE_ASSIGN_OR_RETURN(
        Transaction transaction,
        Transaction::Begin(*database, Transaction::Mode::kWrite));
    FAULTLINE_ASSIGN_OR_RETURN(std::vector<absl::Status> results,
                               group.Execute(writes));
    FAULTLINE_RETURN_IF_ERROR(transaction.Commit());
    return results;
  };
  absl::StatusOr<std::vector<absl::Status>> results = execute();
  if (results.ok()) {
    std::move(group).MergeInto(heads_);
  } else {
    heads_.clear();  // read again what the database says
  }
  return results;
}

std::vector<absl::Status> Writer::CommitApart(absl::Span<const Write> writes) {
  std::vector<absl::Status> results;
  results.reserve(writes.size());
  // Of sessions with a spooled append that could not be written: those behind
  // it must not be taken for a gap.
  absl::flat_hash_map<absl::string_view, absl::Status> failed;
  absl::Status busy;  // it took seconds to find out
  while (!writes.empty()) {
    const absl::Span<const Write> run = writes.first(RunLength(writes));
    writes.remove_prefix(run.size());
    const auto before =
        IsSpooled(run[0]) ? failed.find(run[0].session) : failed.end();
    if (before != failed.end()) {
      results.insert(results.end(), run.size(), before->second);
      continue;
    }
    absl::StatusOr<std::vector<absl::Status>> one =
        busy.ok() ? CommitTogether(run) : busy;
    if (one.ok()) {
      std::move(one->begin(), one->end(), std::back_inserter(results));
      continue;
    }
    results.insert(results.end(), run.size(), one.status());
    if (ReasonOf(one.status()) == "DATABASE_BUSY") busy = one.status();
    if (IsSpooled(run[0])) failed.try_emplace(run[0].session, one.status());
  }
  return results;
}

void Writer::HoldImage(int64_t image_key) {
  absl::MutexLock lock(&mutex_);
  held_images_.insert(image_key);
}

void Writer::LetGoOfImage(int64_t image_key) {
  absl::MutexLock lock(&mutex_);
  held_images_.erase(image_key);
  purging_ = true;  // it may have been given up
  WakeThread();
}

void Writer::PurgeSome() {
  absl::flat_hash_set<int64_t> held;
  {
    absl::MutexLock lock(&mutex_);
    held = held_images_;
    purging_ = false;  // unless there is more, or becomes more meanwhile
  }
  const auto purge = [&]() -> absl::StatusOr<bool> {
    const Connections::Lease database = connections_.BorrowWriter();
    FAULTLINE_ASSIGN_OR_RETURN(
        Transaction transaction,
        Transaction::Begin(*database, Transaction::Mode::kWrite));
    FAULTLINE_ASSIGN_OR_RETURN(bool more, PurgeSessions(*database, kPurgeRows));
    if (!more) {
      FAULTLINE_ASSIGN_OR_RETURN(more,
                                 PurgeImages(*database, held, kPurgeBlocks));
    }
    if (!more) {
      FAULTLINE_ASSIGN_OR_RETURN(more, PurgeExercises(*database, kPurgeGrades));
    }
    FAULTLINE_RETURN_IF_ERROR(transaction.Commit());
    return more;
  };
  // After an error the rows wait for the next removal or the next start: they
  // only take space.
  const absl::StatusOr<bool> more = purge();
  if (!more.ok() || !*more) return;
  absl::MutexLock lock(&mutex_);
  purging_ = true;
}

}  // namespace faultline::storage
