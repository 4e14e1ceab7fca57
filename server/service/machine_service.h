// MachineService: the calls of a simulated machine.
#ifndef FAULTLINE_SERVER_SERVICE_MACHINE_SERVICE_H_
#define FAULTLINE_SERVER_SERVICE_MACHINE_SERVICE_H_

#include "absl/status/statusor.h"
#include "faultline/v1/machine.grpc.pb.h"
#include "server/codec/operations.h"
#include "server/service/call.h"

namespace faultline {

// Thread-safe; `context` must outlive it.
class MachineServiceImpl final : public v1::MachineService::CallbackService {
 public:
  explicit MachineServiceImpl(const ServiceContext& context)
      : context_(context) {}

#define FAULTLINE_DECLARE(Type, field)                                 \
  grpc::ServerUnaryReactor* Type(grpc::CallbackServerContext* context, \
                                 const v1::Type##Request* request,     \
                                 v1::Type##Response* response) override;
  FAULTLINE_OPERATIONS(FAULTLINE_DECLARE)
#undef FAULTLINE_DECLARE

  grpc::ServerBidiReactor<v1::RunRequest, v1::RunResponse>* Run(
      grpc::CallbackServerContext* context) override;

 private:
  const ServiceContext context_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_MACHINE_SERVICE_H_
