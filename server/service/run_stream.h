// MachineService.Run: a stream of batches, executed one after the other.
#ifndef FAULTLINE_SERVER_SERVICE_RUN_STREAM_H_
#define FAULTLINE_SERVER_SERVICE_RUN_STREAM_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>
#include <grpcpp/support/slice.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "faultline/v1/machine.pb.h"
#include "server/codec/batch.h"
#include "server/service/drain.h"
#include "server/session/session_table.h"

namespace faultline {

// Reads ahead at most limits::kBatchesInFlightMax batches (received and not yet
// answered), so that a client which does not read its answers is slowed down by
// flow control. The session gets them one after the other and need not have
// answered the one before: it executes in that order, and a batch is cancelled
// when one before it was refused. So a batch that fails is the last one that
// did anything, since a failed append fails those behind it, too. The session's
// answers may come in another order; they are sent in that of the batches.
//
// Shared by gRPC, until the call is over, and the batches with the session.
//
// It reads bytes and not messages: the journal keeps the commands as they came,
// unless they may be a repetition.
class RunStream
    : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
      public Drainable {
 public:
  // Starts reading.
  static RunStream* Start(SessionTable& table, DrainList& drain,
                          std::string peer);

  // Answers what was read, then ends the stream.
  void Drain() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  RunStream(SessionTable& table, DrainList& drain, std::string peer);

  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override;

  // Starts whatever can be started now: a read, a batch, a write, the end.
  void Advance() ABSL_LOCKS_EXCLUDED(mutex_);
  void ReadNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishIfDone() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // A batch that was read.
  struct Request {
    // Where they stay: a short slice holds its bytes itself.
    std::unique_ptr<const grpc::Slice> bytes;
    absl::StatusOr<BatchParts> parts;  // of the bytes
    size_t commands() const { return parts.ok() ? parts->commands.size() : 0; }
  };
  // A batch with the session.
  struct Batch {
    size_t commands = 0;
    bool packed = false;
    absl::optional<absl::StatusOr<BatchResult>> result;
  };

  bool MaySubmit() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  static Request Received(const grpc::ByteBuffer& buffer);
  // Hands batch `number` to the session, or says why not.
  void Execute(int64_t number, const Request& request)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Submit(int64_t number, const Request& request);
  // The session of the stream; the first request names it.
  absl::StatusOr<std::string> SessionOf(const v1::RunRequest& head);
  void Executed(int64_t number, absl::StatusOr<BatchResult> result)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void AnswerInOrder() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Fail(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  SessionTable& table_;
  DrainList& drain_;
  const std::string peer_;
  std::shared_ptr<RunStream> self_;  // until OnDone
  std::atomic<bool> cancelled_{false};
  // The first batch that failed: those after it do nothing.
  std::atomic<int64_t> failed_at_{std::numeric_limits<int64_t>::max()};
  std::string session_;  // of the batch being submitted and those after it

  absl::Mutex mutex_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool read_all_ ABSL_GUARDED_BY(mutex_) = false;    // no further request
  bool submitting_ ABSL_GUARDED_BY(mutex_) = false;  // one thread at a time
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t batch_ ABSL_GUARDED_BY(mutex_) = 0;  // of the first of batches_
  std::deque<Batch> batches_ ABSL_GUARDED_BY(mutex_);
  size_t commands_ ABSL_GUARDED_BY(mutex_) = 0;  // of batches_
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::deque<Request> requests_ ABSL_GUARDED_BY(mutex_);
  std::deque<v1::RunResponse> responses_ ABSL_GUARDED_BY(mutex_);
  grpc::ByteBuffer incoming_;  // gRPC's while reading_
  grpc::ByteBuffer outgoing_;  // the same while writing_
};

// Splits the outcomes of a batch into responses of about limits::kChunkBytes.
// `revision` is the one after the last of them.
std::vector<v1::RunResponse> RunResponses(int64_t batch, int64_t revision,
                                          bool packed,
                                          const std::vector<Outcome>& outcomes);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_RUN_STREAM_H_
