// HistoryService.WatchEvents: a stream of what many others get as well.
#ifndef FAULTLINE_SERVER_SERVICE_WATCH_STREAM_H_
#define FAULTLINE_SERVER_SERVICE_WATCH_STREAM_H_

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "faultline/v1/watch.pb.h"
#include "server/service/drain.h"
#include "server/session/session_table.h"

namespace faultline {

// INVALID_ARGUMENT says which field cannot be.
absl::StatusOr<WatchRequest> WatchRequestOf(
    const v1::WatchEventsRequest& request);

// Sends bytes that were encoded once for all who want the same, without copying
// them. One message at a time is with gRPC, so that a client which does not
// read costs no more.
//
// Shared by gRPC, until the call is over, and the watcher.
class WatchStream : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                    public WatchSink,
                    public Drainable,
                    public std::enable_shared_from_this<WatchStream> {
 public:
  // `request` is a v1::WatchEventsRequest.
  static WatchStream* Start(SessionTable& table, DrainList& drain,
                            grpc::CallbackServerContext* context,
                            const grpc::ByteBuffer& request);

  void Send(std::vector<SharedBytes> parts) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void End(absl::Status status) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Drain() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  WatchStream(DrainList& drain, grpc::CallbackServerContext* context);

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override;
  void OnDone() override;

  void CutOff() ABSL_LOCKS_EXCLUDED(mutex_);
  void FinishIfDone() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  DrainList& drain_;
  std::shared_ptr<WatchStream> self_;  // until OnDone
  std::shared_ptr<Watcher> watcher_;   // null when the request was refused

  absl::Mutex mutex_;
  grpc::CallbackServerContext* context_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  absl::optional<absl::Status> status_ ABSL_GUARDED_BY(mutex_);  // its end
  grpc::ByteBuffer message_;  // gRPC's while writing_
  grpc::Alarm patience_;      // of the server that stops
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_WATCH_STREAM_H_
