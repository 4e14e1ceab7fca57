// The one thread that writes, for all sessions: group commit.
#ifndef FAULTLINE_STORAGE_WRITER_H_
#define FAULTLINE_STORAGE_WRITER_H_

#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "storage/checkpointer.h"
#include "storage/connections.h"
#include "storage/spool.h"
#include "storage/spool_ledger.h"
#include "storage/write.h"

namespace faultline::storage {

// What may wait for the disk at a time, over all sessions.
inline constexpr size_t kQueueEntriesMax = 1 << 16;
inline constexpr size_t kQueueBytesMax = 256 << 20;
// One entry: a command and its outcome are each a message of the wire.
inline constexpr size_t kEntryBytesMax = 64 << 20;
// An append of more bytes, about, is not spooled.
inline constexpr size_t kSpooledBytesMax = 4 << 10;
// What is spooled is folded into the database after this time or these bytes,
// or with whatever else is written or read; after an error once more.
inline constexpr absl::Duration kFoldAfter = absl::Milliseconds(50);
inline constexpr size_t kFoldBytes = 256 << 10;
inline constexpr absl::Duration kFoldAgainAfter = absl::Seconds(1);

// Writes wait in one queue. The thread takes all that wait, executes them in
// one transaction, commits, and then reports to each. While it commits, the
// next group gathers: the more load, the more writes share a commit.
//
// When a group fails, each of its writes is tried again in a transaction of its
// own, in order, so that one that cannot be written fails alone. An append that
// does not follow its session's last revision fails: after a failed append all
// that were queued behind it fail too, and a journal never has a gap.
//
// A commit takes longer than what most calls do. So a small append is copied
// into the spool, if there is one, and is acknowledged then and there: it is
// safe from the end of the process. It waits in the queue like any other write,
// but nobody waits for it: the thread folds many of them into the database at a
// time. One that cannot be written (the disk is full) is kept and tried again.
// An append that comes while a write of its session has to wait waits, too; the
// next commit lets it into the spool.
class Writer {
 public:
  // Without a spool every write waits for its commit. Without a checkpointer,
  // which outlives this, nobody copies the write-ahead log.
  Writer(Connections& connections, std::unique_ptr<Spool> spool,
         Checkpointer* checkpointer = nullptr);
  // Writes all that is queued, then stops. What was spooled and cannot be
  // written stays in the spool.
  ~Writer();

  // Queues a write. After OK `done` runs exactly once; after an error it never
  // runs and nothing was queued: RESOURCE_EXHAUSTED with reason QUEUE_FULL, or
  // INVALID_ARGUMENT with reason ENTRY_TOO_LARGE.
  [[nodiscard]] absl::Status Submit(Write write) ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until what was spooled, of this session or of all, is in the
  // database, where readers find it. The error of the disk if it cannot be
  // written.
  absl::Status AwaitFolded(absl::optional<absl::string_view> session)
      ABSL_LOCKS_EXCLUDED(mutex_);

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

  struct Work {
    std::vector<Write> writes;
    bool purge = false;
  };

  // Spools `write` if that may be. REQUIRES: no write of its session waits in
  // front of it.
  bool TrySpool(Write& write) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsFolded(absl::optional<absl::string_view> session) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  bool IsStuck(absl::optional<absl::string_view> session) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  void Loop();
  // After whatever gives the thread something to do.
  void WakeThread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  bool IsUrgent() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Waits for it. False: there will be none any more.
  bool TakeWork(Work& work) ABSL_LOCKS_EXCLUDED(mutex_);
  void Commit(std::vector<Write>& writes);
  // After the writes were executed or could not be: keeps the spooled ones that
  // could not, and spools what may be spooled now. Whom to tell of the latter.
  std::vector<Done> Settle(std::vector<Write>& writes,
                           absl::Span<const absl::Status> results)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void SettleSpooled(Write& write, const absl::Status& result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SettleQueued(const Write& write, const absl::Status& result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<Done> SpoolTheQueue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::vector<absl::Status>> CommitTogether(
      absl::Span<const Write> writes);
  std::vector<absl::Status> CommitApart(absl::Span<const Write> writes);
  void PurgeSome();

  Connections& connections_;
  Checkpointer* const checkpointer_;
  const bool has_spool_;
  JournalHeads heads_;  // the writer thread's own

  mutable absl::Mutex mutex_;
  // For the thread. A condition of the mutex would be asked at each unlock.
  absl::CondVar work_;
  std::vector<Write> queue_ ABSL_GUARDED_BY(mutex_);
  Load load_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<int64_t> held_images_ ABSL_GUARDED_BY(mutex_);

  const std::unique_ptr<Spool> spool_ ABSL_PT_GUARDED_BY(mutex_);
  SpoolLedger ledger_ ABSL_GUARDED_BY(mutex_);
  // Of the queue: bytes that are spooled, and writes that are not.
  size_t spooled_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t not_spooled_ ABSL_GUARDED_BY(mutex_) = 0;
  // Spooled appends that could not be written; they go before the queue.
  std::vector<Write> stuck_ ABSL_GUARDED_BY(mutex_);
  absl::Status fold_status_ ABSL_GUARDED_BY(mutex_);  // why not, the last time
  // A reader waits for the next group. When nobody waits for what is in the
  // queue, it has time until fold_at_.
  bool fold_wanted_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time fold_at_ ABSL_GUARDED_BY(mutex_);
  int64_t groups_begun_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t groups_ended_ ABSL_GUARDED_BY(mutex_) = 0;

  // Removed sessions and snapshots may have left rows; true at first, for those
  // of a process that died.
  bool purging_ ABSL_GUARDED_BY(mutex_) = true;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_WRITER_H_
