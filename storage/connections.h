// The connections to one database: one that writes and several that read.
#ifndef FAULTLINE_STORAGE_CONNECTIONS_H_
#define FAULTLINE_STORAGE_CONNECTIONS_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "storage/database.h"

namespace faultline::storage {

// At most this many reads run at a time; the next one waits for a connection.
inline constexpr size_t kReadersMax = 8;

// Lends connections. A database in memory exists in its one connection, so
// there the reads borrow the writer's and take turns with it.
class Connections {
 public:
  // A borrowed connection; goes back when it is destroyed.
  class Lease {
   public:
    Lease(Lease&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)),
          database_(std::exchange(other.database_, nullptr)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (owner_ != nullptr) owner_->Return(database_);
    }
    Database& operator*() const { return *database_; }
    Database* operator->() const { return database_; }

   private:
    friend class Connections;
    Lease(Connections* owner, Database* database)
        : owner_(owner), database_(database) {}

    Connections* owner_;
    Database* database_;
  };

  // `reader_options` says how further connections for reading are opened.
  // REQUIRES: the path is ":memory:" in both or in none.
  Connections(std::unique_ptr<Database> writer,
              Database::Options reader_options);

  // REQUIRES: one thread at a time holds the writer.
  Lease BorrowWriter() ABSL_LOCKS_EXCLUDED(mutex_);

  // REQUIRES: the thread holds no other lease.
  absl::StatusOr<Lease> BorrowReader() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Return(Database* database) ABSL_LOCKS_EXCLUDED(mutex_);
  bool ReaderAvailable() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const std::unique_ptr<Database> writer_;
  const Database::Options reader_options_;
  const bool shared_;  // readers use the writer's connection
  absl::Mutex mutex_;
  bool writer_lent_ ABSL_GUARDED_BY(mutex_) = false;
  size_t readers_opened_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::unique_ptr<Database>> idle_readers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_CONNECTIONS_H_
