#include "server/service/machine_service.h"

#include <string>
#include <utility>

#include "server/codec/command.h"
#include "server/codec/outcome.h"
#include "server/codec/status_macros.h"
#include "server/service/run_stream.h"
#include "server/service/victim_plan.h"

namespace faultline {
namespace {

// The life of every unary call: check, decode, hand over; when the outcome is
// in the journal: encode, reply.
template <class Request, class Response, class Arguments>
grpc::ServerUnaryReactor* Execute(const ServiceContext& service,
                                  VictimStreams& victim_streams,
                                  grpc::CallbackServerContext* context,
                                  const Request& request,
                                  const Arguments* arguments,
                                  Response* response) {
  return StartCall(context, [&](auto* reactor) -> absl::Status {
    FL_RETURN_IF_ERROR(CheckSize(request));
    FL_ASSIGN_OR_RETURN(const std::string session,
                        SessionIdOf(request.session()));
    FL_ASSIGN_OR_RETURN(
        ExecuteOptions options,
        OptionsOf(request.options(), session, PeerOf(context->peer())));
    FL_ASSIGN_OR_RETURN(Command command,
                        CommandFromArguments(request.pid(), arguments));
    options.on_this_thread = true;
    options.cancelled = [context] { return !CheckWanted(*context).ok(); };
    const auto answer = [=](absl::StatusOr<ExecuteResult> result) {
      if (result.ok()) {
        response->set_revision(result->revision);
        OutcomeToProto(result->outcome, response->mutable_outcome());
      }
      Finish(reactor, Explain(*context, result.status()));
    };
    if (!VictimPlan::Start(service, victim_streams, session, command, options,
                           answer)) {
      service.table.Execute(session, std::move(command), std::move(options),
                            answer);
    }
    return absl::OkStatus();
  });
}

}  // namespace

#define FAULTLINE_DEFINE(Type, field)                                         \
  grpc::ServerUnaryReactor* MachineServiceImpl::Type(                         \
      grpc::CallbackServerContext* context, const v1::Type##Request* request, \
      v1::Type##Response* response) {                                         \
    return Execute(context_, victim_streams_, context, *request,              \
                   request->has_##field() ? &request->field() : nullptr,      \
                   response);                                                 \
  }
FAULTLINE_OPERATIONS(FAULTLINE_DEFINE)
#undef FAULTLINE_DEFINE

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>*
MachineServiceImpl::Run(grpc::CallbackServerContext* context) {
  return RunStream::Start(context_.table, context_.drain,
                          PeerOf(context->peer()));
}

grpc::ServerBidiReactor<v1::ChooseVictimsRequest, v1::ChooseVictimsResponse>*
MachineServiceImpl::ChooseVictims(grpc::CallbackServerContext* context) {
  return VictimStream::Start(victim_streams_, context_.drain, *context);
}

}  // namespace faultline
