#include "storage/connections.h"

namespace faultline::storage {

Connections::Connections(std::unique_ptr<Database> writer,
                         Database::Options reader_options)
    : writer_(std::move(writer)),
      reader_options_(std::move(reader_options)),
      shared_(reader_options_.path == ":memory:") {}

Connections::Lease Connections::BorrowWriter() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](bool* lent) { return !*lent; }, &writer_lent_));
  writer_lent_ = true;
  return Lease(this, writer_.get());
}

bool Connections::ReaderAvailable() const {
  return !idle_readers_.empty() || readers_opened_ < kReadersMax;
}

absl::StatusOr<Connections::Lease> Connections::BorrowReader() {
  if (shared_) return BorrowWriter();
  {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &Connections::ReaderAvailable));
    if (!idle_readers_.empty()) {
      Database* reader = idle_readers_.back().release();
      idle_readers_.pop_back();
      return Lease(this, reader);
    }
    ++readers_opened_;
  }
  absl::StatusOr<std::unique_ptr<Database>> reader =
      Database::Open(reader_options_);
  if (!reader.ok()) {
    absl::MutexLock lock(&mutex_);
    --readers_opened_;
    return reader.status();
  }
  return Lease(this, reader->release());
}

void Connections::Return(Database* database) {
  absl::MutexLock lock(&mutex_);
  if (database == writer_.get()) {
    writer_lent_ = false;
  } else {
    idle_readers_.emplace_back(database);
  }
}

}  // namespace faultline::storage
