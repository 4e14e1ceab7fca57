#include "storage/checkpointer.h"

#include "absl/memory/memory.h"
#include "absl/time/clock.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

// A connection opens the log when it first reads.
constexpr char kReadSomething[] = "PRAGMA user_version";

}  // namespace

absl::StatusOr<std::unique_ptr<Checkpointer>> Checkpointer::Open(
    Database::Options options) {
  options.access = Database::Access::kReadWrite;
  FAULTLINE_ASSIGN_OR_RETURN(std::unique_ptr<Database> database,
                             Database::Open(options));
  FAULTLINE_RETURN_IF_ERROR(database->QueryInt64(kReadSomething).status());
  return absl::WrapUnique(new Checkpointer(std::move(database)));
}

Checkpointer::Checkpointer(std::unique_ptr<Database> database)
    : database_(std::move(database)), thread_([this] { Loop(); }) {}

Checkpointer::~Checkpointer() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void Checkpointer::LogHas(int64_t pages) {
  absl::MutexLock lock(&mutex_);
  if (pages == pages_) return;
  if (pages < pages_) {  // it began anew
    begun_ = false;
    copy_at_ = kCheckpointPages;
    wait_at_ = kLogPagesMax;
  }
  pages_ = pages;
  grown_ = true;
  grown_at_ = absl::Now();
  if (pages_ < wait_at_) return;
  awaited_ = true;
  mutex_.Await(absl::Condition(
      +[](bool* awaited) { return !*awaited; }, &awaited_));
  wait_at_ = pages_ + kCheckpointPages;
}

void Checkpointer::Loop() {
  while (AwaitWork()) Copy();
}

bool Checkpointer::IsDue() const {
  return stopping_ || awaited_ || pages_ >= copy_at_;
}

bool Checkpointer::ToBeWatched() const {
  return IsDue() || (begun_ && grown_ && !resting_);
}

bool Checkpointer::AwaitWork() {
  absl::MutexLock lock(&mutex_);
  while (true) {
    resting_ = begun_ && grown_;
    mutex_.AwaitWithDeadline(
        absl::Condition(this, &Checkpointer::ToBeWatched),
        resting_ ? grown_at_ + kCheckpointRest : absl::InfiniteFuture());
    if (IsDue()) return !stopping_;
    if (resting_ && absl::Now() >= grown_at_ + kCheckpointRest) return true;
  }
}

// Errors are no news: the writer meets a full or broken disk itself, and what
// was not copied stays in the log, where it is as safe.
void Checkpointer::Copy() {
  bool awaited = false;
  {
    absl::MutexLock lock(&mutex_);
    begun_ = true;
    grown_ = false;
    copy_at_ = pages_ + kCheckpointPages;
    awaited = awaited_;
  }
  database_->CopyLog().IgnoreError();
  absl::MutexLock lock(&mutex_);
  if (awaited) awaited_ = false;
}

}  // namespace faultline::storage
