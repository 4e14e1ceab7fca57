// A server stream that tells how far a long work has come, and then its result.
#ifndef FAULTLINE_SERVER_SERVICE_PROGRESS_STREAM_H_
#define FAULTLINE_SERVER_SERVICE_PROGRESS_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "faultline/v1/history.pb.h"
#include "server/codec/errors.h"
#include "server/limits.h"
#include "server/service/drain.h"
#include "server/service/status.h"

namespace faultline {

// `Response` has `progress`. The work runs on a thread of its own; it calls
// Report from time to time and FinishWith once, at the end. Shared by gRPC,
// until the call is over, and the working thread.
//
// A client that reads slowly holds nothing up: of several reports it gets the
// newest.
template <class Response>
class ProgressStream : public grpc::ServerWriteReactor<Response>,
                       public Drainable {
 public:
  static std::shared_ptr<ProgressStream> Make(DrainList& drain) {
    auto stream = std::shared_ptr<ProgressStream>(new ProgressStream(drain));
    stream->self_ = stream;
    return stream;
  }

  // False: nobody waits for the result, or the server stops; the work should
  // end soon.
  bool Report(int64_t done, int64_t total) ABSL_LOCKS_EXCLUDED(mutex_) {
    if (stopped()) return false;
    const absl::Time now = absl::Now();
    if (now < next_report_) return true;
    next_report_ = now + absl::Milliseconds(limits::kProgressMillis);
    Response response;
    response.mutable_progress()->set_done(done);
    response.mutable_progress()->set_total(total);
    absl::MutexLock lock(&mutex_);
    next_ = std::move(response);
    WriteNext();
    return true;
  }

  void FinishWith(absl::StatusOr<Response> last) ABSL_LOCKS_EXCLUDED(mutex_) {
    if (draining_) last = errors::ShuttingDown();
    if (cancelled_) last = errors::Cancelled();
    absl::MutexLock lock(&mutex_);
    next_.reset();
    status_ = last.status();
    if (last.ok()) next_ = *std::move(last);
    finishing_ = true;
    WriteNext();
  }

  bool stopped() const { return cancelled_ || draining_; }
  void Drain() override { draining_ = true; }

 private:
  explicit ProgressStream(DrainList& drain) : drain_(drain) {
    drain_.Add(this);
  }

  void OnCancel() override { cancelled_ = true; }

  void OnWriteDone(bool) override {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    WriteNext();
  }

  void OnDone() override {
    drain_.Remove(this);
    self_.reset();
  }

  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_) return;
    if (next_) {
      current_ = *std::exchange(next_, absl::nullopt);
      writing_ = true;
      this->StartWrite(&current_);
    } else if (finishing_) {
      this->Finish(ToGrpc(status_));
    }
  }

  DrainList& drain_;
  std::shared_ptr<ProgressStream> self_;  // until OnDone
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> draining_{false};
  // Of the working thread.
  absl::Time next_report_ = absl::Now();

  absl::Mutex mutex_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  absl::optional<Response> next_ ABSL_GUARDED_BY(mutex_);
  Response current_;  // gRPC reads it while writing_
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_PROGRESS_STREAM_H_
