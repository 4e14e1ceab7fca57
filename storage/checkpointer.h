// Copies the write-ahead log into the database file, on a thread and with a
// connection of its own: a copy waits for the disk twice, and inside a commit
// everyone would wait with it.
//
// SQLite begins its log anew once all of it is copied and nobody reads from it.
// While commits come without a pause a copy is never of all of them, and the
// log grows: then the writer waits for one, once every kLogPagesMax.
#ifndef FAULTLINE_STORAGE_CHECKPOINTER_H_
#define FAULTLINE_STORAGE_CHECKPOINTER_H_

#include <cstdint>
#include <memory>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/database.h"

namespace faultline::storage {

// A copy begins when so many pages were added since the one before (16 MiB).
inline constexpr int64_t kCheckpointPages = 4096;
// The writer waits when the log has so many (64 MiB), and after a copy that did
// not help when it has kCheckpointPages more. So the log has at most
// kLogPagesMax pages and what one group of writes adds, unless something keeps
// it from being copied: a full or broken disk, or another program's transaction
// that reads. Then it grows as far as the disk goes.
inline constexpr int64_t kLogPagesMax = 4 * kCheckpointPages;
// What was added behind a copy is copied when nothing has come for so long.
inline constexpr absl::Duration kCheckpointRest = absl::Milliseconds(20);

class Checkpointer {
 public:
  // Opens a connection like `options`, but for writing.
  static absl::StatusOr<std::unique_ptr<Checkpointer>> Open(
      Database::Options options);
  // Ends a copy that has begun. What is not copied SQLite copies when the last
  // connection is closed.
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  // For the writer, outside of its transactions: the log has `pages` now. Waits
  // when these are too many.
  void LogHas(int64_t pages) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  explicit Checkpointer(std::unique_ptr<Database> database);

  void Loop();
  bool IsDue() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Or how long to wait for it has to be thought over.
  bool ToBeWatched() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Waits until a copy is due; false when there will be none.
  bool AwaitWork() ABSL_LOCKS_EXCLUDED(mutex_);
  void Copy() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::unique_ptr<Database> database_;  // the thread's own

  absl::Mutex mutex_;
  int64_t pages_ ABSL_GUARDED_BY(mutex_) = 0;  // in the log
  absl::Time grown_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  // A copy of this log, as it was before it grew on, was begun.
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
  bool grown_ ABSL_GUARDED_BY(mutex_) = false;    // since it was
  bool resting_ ABSL_GUARDED_BY(mutex_) = false;  // the thread waits for a rest
  bool awaited_ ABSL_GUARDED_BY(mutex_) = false;  // a copy, by the writer
  // At how many pages a copy is due, and the writer waits.
  int64_t copy_at_ ABSL_GUARDED_BY(mutex_) = kCheckpointPages;
  int64_t wait_at_ ABSL_GUARDED_BY(mutex_) = kLogPagesMax;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_CHECKPOINTER_H_
