// The one thread that writes, for all sessions: group commit.
#ifndef FAULTLINE_STORAGE_WRITER_H_
#define FAULTLINE_STORAGE_WRITER_H_

#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "storage/connections.h"
#include "storage/write.h"

namespace faultline::storage {

// What may wait for the disk at a time, over all sessions.
inline constexpr size_t kQueueEntriesMax = 1 << 16;
inline constexpr size_t kQueueBytesMax = 256 << 20;
// One entry: a command and its outcome are each a message of the wire.
inline constexpr size_t kEntryBytesMax = 64 << 20;

// Writes wait in one queue. The thread takes all that wait, executes them in
// one transaction, commits, and then reports to each. While it commits, the
// next group gathers: the more load, the more writes share a commit.
//
// When a group fails, each of its writes is tried again in a transaction of its
// own, in order, so that one that cannot be written fails alone. An append that
// does not follow its session's last revision fails: after a failed append all
// that were queued behind it fail too, and a journal never has a gap.
class Writer {
 public:
  explicit Writer(Connections& connections);
  // Writes all that is queued, then stops.
  ~Writer();

  // Queues a write. After OK `done` runs exactly once; after an error it never
  // runs and nothing was queued: RESOURCE_EXHAUSTED with reason QUEUE_FULL, or
  // INVALID_ARGUMENT with reason ENTRY_TOO_LARGE.
  [[nodiscard]] absl::Status Submit(Write write) ABSL_LOCKS_EXCLUDED(mutex_);

  // RESOURCE_EXHAUSTED when the queue is nearly full. Whoever asks this before
  // an expensive step rarely finds the queue full after it.
  absl::Status CheckRoom() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Keeps a draft image from being removed as garbage, and no longer.
  void HoldImage(int64_t image_key) ABSL_LOCKS_EXCLUDED(mutex_);
  void LetGoOfImage(int64_t image_key) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Load {
    size_t entries = 0;
    size_t bytes = 0;
  };

  void Loop();
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void Commit(absl::Span<const Write> writes);
  absl::StatusOr<std::vector<absl::Status>> CommitTogether(
      absl::Span<const Write> writes);
  std::vector<absl::Status> CommitEach(absl::Span<const Write> writes);
  void PurgeSome();

  Connections& connections_;
  JournalHeads heads_;  // the writer thread's own

  mutable absl::Mutex mutex_;
  std::vector<Write> queue_ ABSL_GUARDED_BY(mutex_);
  Load load_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<int64_t> held_images_ ABSL_GUARDED_BY(mutex_);
  // Removed sessions and snapshots may have left rows; true at first, for those
  // of a process that died.
  bool purging_ ABSL_GUARDED_BY(mutex_) = true;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_WRITER_H_
