// The generated stubs of a connection, for the files that make calls. A file of
// its own because what gRPC generates for five services takes seconds to
// compile.

#ifndef FAULTLINE_CLIENT_CPP_STUBS_H_
#define FAULTLINE_CLIENT_CPP_STUBS_H_

#include <memory>

#include "faultline/v1/grading.grpc.pb.h"
#include "faultline/v1/history.grpc.pb.h"
#include "faultline/v1/inspect.grpc.pb.h"
#include "faultline/v1/machine.grpc.pb.h"
#include "faultline/v1/session.grpc.pb.h"
#include "grpcpp/channel.h"
#include "grpcpp/support/sync_stream.h"

namespace faultline::client {

struct Stubs {
  explicit Stubs(const std::shared_ptr<grpc::Channel>& channel)
      : sessions(channel),
        machines(channel),
        inspect(channel),
        history(channel),
        grading(channel) {}

  v1::SessionService::Stub sessions;
  v1::MachineService::Stub machines;
  v1::InspectService::Stub inspect;
  v1::HistoryService::Stub history;
  v1::GradingService::Stub grading;
};

}  // namespace faultline::client

#endif  // FAULTLINE_CLIENT_CPP_STUBS_H_
