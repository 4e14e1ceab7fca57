#include "storage/writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/reason.h"
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

absl::Status QueueFull(size_t entries, size_t bytes) {
  return ErrorWithReason(
      absl::StatusCode::kResourceExhausted, "QUEUE_FULL",
      absl::StrCat(entries, " commands (", bytes,
                   " bytes) wait for the disk already; try again in a moment"));
}

}  // namespace

Writer::Writer(Connections& connections)
    : connections_(connections), thread_([this] { Loop(); }) {}

Writer::~Writer() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

absl::Status Writer::Submit(Write write) {
  FAULTLINE_RETURN_IF_ERROR(CheckEntrySizes(write));
  const size_t entries = EntriesOf(write);
  const size_t bytes = BytesOf(write);
  absl::MutexLock lock(&mutex_);
  // A single write larger than the whole queue may go when it is alone.
  const bool fits = load_.entries + entries <= kQueueEntriesMax &&
                    load_.bytes + bytes <= kQueueBytesMax;
  if (!fits && !queue_.empty()) return QueueFull(load_.entries, load_.bytes);
  load_.entries += entries;
  load_.bytes += bytes;
  queue_.push_back(std::move(write));
  return absl::OkStatus();
}

absl::Status Writer::CheckRoom() const {
  absl::MutexLock lock(&mutex_);
  const bool room = load_.entries <= kQueueEntriesMax - kQueueEntriesMax / 8 &&
                    load_.bytes <= kQueueBytesMax - kQueueBytesMax / 8;
  return room ? absl::OkStatus() : QueueFull(load_.entries, load_.bytes);
}

bool Writer::HasWork() const {
  return !queue_.empty() || stopping_ || purging_;
}

void Writer::Loop() {
  while (true) {
    std::vector<Write> writes;
    bool purge;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &Writer::HasWork));
      if (queue_.empty() && stopping_) return;
      writes.swap(queue_);
      load_ = Load();
      purge = purging_;
    }
    if (!writes.empty()) Commit(writes);
    if (purge) PurgeSome();
  }
}

void Writer::Commit(absl::Span<const Write> writes) {
  absl::StatusOr<std::vector<absl::Status>> together = CommitTogether(writes);
  std::vector<absl::Status> results;
  if (together.ok()) {
    results = *std::move(together);
  } else if (writes.size() == 1) {
    results.push_back(std::move(together).status());
  } else {
    results = CommitEach(writes);
  }
  for (size_t i = 0; i < writes.size(); ++i) {
    if (LeavesRows(writes[i])) {
      absl::MutexLock lock(&mutex_);
      purging_ = true;
    }
    writes[i].done(std::move(results[i]));
  }
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

std::vector<absl::Status> Writer::CommitEach(absl::Span<const Write> writes) {
  std::vector<absl::Status> results;
  results.reserve(writes.size());
  for (const Write& write : writes) {
    absl::StatusOr<std::vector<absl::Status>> one =
        CommitTogether(absl::MakeConstSpan(&write, 1));
    results.push_back(one.ok() ? std::move(one->front())
                               : std::move(one).status());
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
