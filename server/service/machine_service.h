// MachineService: the calls of a simulated machine.
#ifndef FAULTLINE_SERVER_SERVICE_MACHINE_SERVICE_H_
#define FAULTLINE_SERVER_SERVICE_MACHINE_SERVICE_H_

#include "absl/status/statusor.h"
#include "faultline/v1/machine.grpc.pb.h"
#include "server/codec/operations.h"
#include "server/service/call.h"
#include "server/service/victim_stream.h"

namespace faultline {

// With<Of<...<Base>>>.
template <class Base, template <class> class... With>
struct Layered {
  using Type = Base;
};
template <class Base, template <class> class Outer,
          template <class> class... Inner>
struct Layered<Base, Outer, Inner...> {
  using Type = Outer<typename Layered<Base, Inner...>::Type>;
};

// All rpcs with callbacks, and Run with bytes in place of messages.
#define FAULTLINE_LAYER(Type, field) \
  , v1::MachineService::WithCallbackMethod_##Type
using MachineServiceBase = Layered<
    v1::MachineService::Service, v1::MachineService::WithRawCallbackMethod_Run,
    v1::MachineService::WithCallbackMethod_ChooseVictims FAULTLINE_OPERATIONS(
        FAULTLINE_LAYER)>::Type;
#undef FAULTLINE_LAYER

// Thread-safe; `context` must outlive it.
class MachineServiceImpl final : public MachineServiceBase {
 public:
  explicit MachineServiceImpl(const ServiceContext& context)
      : context_(context) {}

#define FAULTLINE_DECLARE(Type, field)                                 \
  grpc::ServerUnaryReactor* Type(grpc::CallbackServerContext* context, \
                                 const v1::Type##Request* request,     \
                                 v1::Type##Response* response) override;
  FAULTLINE_OPERATIONS(FAULTLINE_DECLARE)
#undef FAULTLINE_DECLARE

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Run(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<v1::ChooseVictimsRequest, v1::ChooseVictimsResponse>*
  ChooseVictims(grpc::CallbackServerContext* context) override;

 private:
  const ServiceContext context_;
  VictimStreams victim_streams_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_MACHINE_SERVICE_H_
