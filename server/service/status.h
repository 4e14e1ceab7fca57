// absl::Status -> grpc::Status, with the details of google.rpc.Status.
#ifndef FAULTLINE_SERVER_SERVICE_STATUS_H_
#define FAULTLINE_SERVER_SERVICE_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace faultline {

// The one place where a failure becomes a grpc::Status. The codes have the same
// numbers. The payloads become the details; a status without ErrorInfo gets
// one, with the reason that storage gave it or else the name of its code. Text
// and details are cut so that the trailer stays below limits::kErrorBytesMax.
grpc::Status ToGrpc(const absl::Status& status);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_STATUS_H_
