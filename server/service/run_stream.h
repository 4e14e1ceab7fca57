// MachineService.Run: a stream of batches, executed one after the other.
#ifndef FAULTLINE_SERVER_SERVICE_RUN_STREAM_H_
#define FAULTLINE_SERVER_SERVICE_RUN_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "faultline/v1/machine.pb.h"
#include "server/service/drain.h"
#include "server/session/session_table.h"

namespace faultline {

// Reads ahead at most limits::kBatchesInFlightMax batches (received and not yet
// answered), so that a client which does not read its answers is slowed down by
// flow control. One batch at a time is with the session: so a batch that fails
// is the last one that did anything.
//
// Shared by gRPC, until the call is over, and the batch that is executed.
class RunStream
    : public grpc::ServerBidiReactor<v1::RunRequest, v1::RunResponse>,
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

  // Hands the batch to the session.
  void Execute(const v1::RunRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  // The session of the stream; the first request names it.
  absl::StatusOr<std::string> SessionOf(const v1::RunRequest& request);
  void Executed(bool packed, absl::StatusOr<BatchResult> result)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Fail(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  SessionTable& table_;
  DrainList& drain_;
  const std::string peer_;
  std::shared_ptr<RunStream> self_;  // until OnDone
  std::atomic<bool> cancelled_{false};
  std::string session_;  // of the batch being executed and those after it

  absl::Mutex mutex_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool read_all_ ABSL_GUARDED_BY(mutex_) = false;  // no further request
  bool executing_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t batch_ ABSL_GUARDED_BY(mutex_) = 0;  // the next one to execute
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::deque<v1::RunRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::deque<v1::RunResponse> responses_ ABSL_GUARDED_BY(mutex_);
  v1::RunRequest incoming_;  // gRPC's while reading_
};

// Splits the outcomes of a batch into responses of about limits::kChunkBytes.
// `revision` is the one after the last of them.
std::vector<v1::RunResponse> RunResponses(int64_t batch, int64_t revision,
                                          bool packed,
                                          const std::vector<Outcome>& outcomes);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_RUN_STREAM_H_
