#include "server/service/server.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/codec/errors.h"
#include "server/codec/status_macros.h"
#include "server/limits.h"
#include "server/service/call.h"
#include "server/service/grading_service.h"
#include "server/service/history_service.h"
#include "server/service/inspect_service.h"
#include "server/service/listen.h"
#include "server/service/machine_service.h"
#include "server/service/session_service.h"
#include "server/service/status.h"
#include "server/service/transport.h"

namespace faultline {
namespace {

constexpr size_t kQuickThreads = 4;

// Answers what no service has: a newer client, a misspelt method.
class UnknownMethods final : public grpc::CallbackGenericService {
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    class Refuse final : public grpc::ServerGenericBidiReactor {
     public:
      explicit Refuse(const std::string& method) {
        Finish(ToGrpc(errors::NoSuchMethod(method)));
      }
      void OnDone() override { delete this; }
    };
    return new Refuse(context->method());
  }
};

}  // namespace

struct Server::Services {
  Services(SessionTable& table, Gradebook& gradebook, DrainList& drain,
           int slow_threads)
      : quick(kQuickThreads, limits::kQuickRequestsMax),
        slow(static_cast<size_t>(slow_threads), limits::kSlowRequestsMax),
        context{table, drain, quick, slow},
        sessions(context),
        machines(context),
        inspect(context),
        history(context),
        grading(context, gradebook) {}

  Workers quick;
  Workers slow;
  const ServiceContext context;
  SessionServiceImpl sessions;
  MachineServiceImpl machines;
  InspectServiceImpl inspect;
  HistoryServiceImpl history;
  GradingServiceImpl grading;
  UnknownMethods unknown;
};

Server::Server() = default;

Server::~Server() { Shutdown(absl::ZeroDuration()); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(SessionTable& table,
                                                      Gradebook& gradebook,
                                                      const Options& options) {
  std::unique_ptr<Server> server(new Server);
  FL_RETURN_IF_ERROR(server->Listen(table, gradebook, options));
  return server;
}

absl::Status Server::Check(const Options& options) {
  FL_ASSIGN_OR_RETURN(const ListenAddress listen,
                      ParseListenAddress(options.listen));
  if (!listen.loopback && !options.allow_remote) return RemoteRefused(listen);
  return CheckFree(listen);
}

absl::Status Server::Listen(SessionTable& table, Gradebook& gradebook,
                            const Options& options) {
  FL_RETURN_IF_ERROR(Check(options));
  FL_ASSIGN_OR_RETURN(const ListenAddress listen,
                      ParseListenAddress(options.listen));
  services_ =
      std::make_unique<Services>(table, gradebook, drain_, options.workers);

  EnablePlugins(options.reflection);
  grpc::ServerBuilder builder;
  SetTransport(builder);
  builder.AddListeningPort(listen.text, grpc::InsecureServerCredentials(),
                           &port_);
  const std::vector<grpc::Service*> services = {
      &services_->sessions, &services_->machines, &services_->inspect,
      &services_->history, &services_->grading};
  for (grpc::Service* service : services) builder.RegisterService(service);
  builder.RegisterCallbackGenericService(&services_->unknown);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) return ListenFailed(listen);

  address_ =
      listen.is_unix ? listen.text : absl::StrCat(listen.host, ":", port_);
  for (const char* name : {v1::SessionService::service_full_name(),
                           v1::MachineService::service_full_name(),
                           v1::InspectService::service_full_name(),
                           v1::HistoryService::service_full_name(),
                           v1::GradingService::service_full_name()}) {
    server_->GetHealthCheckService()->SetServingStatus(name, true);
  }
  return absl::OkStatus();
}

void Server::Shutdown(absl::Duration patience) {
  if (server_ == nullptr) return;
  server_->GetHealthCheckService()->SetServingStatus(false);
  drain_.Start();
  server_->Shutdown(std::chrono::system_clock::now() +
                    absl::ToChronoNanoseconds(patience));
  server_->Wait();
}

}  // namespace faultline
