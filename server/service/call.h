// What every handler does around its work.
#ifndef FAULTLINE_SERVER_SERVICE_CALL_H_
#define FAULTLINE_SERVER_SERVICE_CALL_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "server/codec/errors.h"
#include "server/codec/status_macros.h"
#include "server/machine/base/bug.h"
#include "server/service/drain.h"
#include "server/service/request.h"
#include "server/service/status.h"
#include "server/service/workers.h"
#include "server/session/session_table.h"

namespace faultline {

// What the handlers work with. All of it outlives them.
struct ServiceContext {
  SessionTable& table;
  DrainList& drain;
  Workers& quick;  // for what reads the database or copies a machine
  Workers& slow;   // for what executes a history
};

// A call whose client is gone is not worth starting.
inline absl::Status CheckWanted(grpc::CallbackServerContext& context) {
  if (context.deadline() <= std::chrono::system_clock::now()) {
    return errors::DeadlineExceeded();
  }
  return context.IsCancelled() ? errors::Cancelled() : absl::OkStatus();
}

// For work that goes on as long as its client wants it.
inline Progress WhileWanted(grpc::CallbackServerContext& context) {
  return [&context](int64_t, int64_t) { return CheckWanted(context).ok(); };
}

// Ends a unary call.
inline void Finish(grpc::ServerUnaryReactor* reactor,
                   const absl::Status& status) {
  reactor->Finish(ToGrpc(status));
}

// Why work was stopped: whoever stopped it knows only that nobody wants it.
inline absl::Status Explain(grpc::CallbackServerContext& context,
                            const absl::Status& status) {
  if (!absl::IsCancelled(status)) return status;
  const absl::Status why = CheckWanted(context);
  return why.ok() ? status : why;
}

// A unary call that the session table answers: `start(reactor)` hands the work
// over, or returns what is wrong with the request.
template <class Start>
grpc::ServerUnaryReactor* StartCall(grpc::CallbackServerContext* context,
                                    Start start) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::Status refused = start(reactor);
  if (!refused.ok()) Finish(reactor, refused);
  return reactor;
}

// Answers a unary call with `work(request, response)`, an absl::Status, on one
// of `workers`.
template <class Request, class Response, class Work>
grpc::ServerUnaryReactor* AnswerOn(Workers& workers,
                                   grpc::CallbackServerContext* context,
                                   const Request* request, Response* response,
                                   Work work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::Status size = CheckSize(*request);
  if (!size.ok()) {
    Finish(reactor, size);
    return reactor;
  }
  const bool accepted = workers.Submit(
      [context, request, response, reactor, work = std::move(work)] {
        absl::Status status = CheckWanted(*context);
        if (status.ok()) status = work(*request, response);
        Finish(reactor, Explain(*context, status));
      });
  if (!accepted) Finish(reactor, errors::WorkLimit(workers.queue_max()));
  return reactor;
}

// A look that breaks the simulator ends the look, not the server.
template <class Request, class Response, class Look>
absl::Status LookInto(grpc::CallbackServerContext& context,
                      const Request& request, const MachineView& view,
                      Response* response, const Look& look) {
  FL_RETURN_IF_ERROR(CheckWanted(context));
  try {
    return look(request, view, response);
  } catch (const KernelBug& bug) {
    return errors::SimulatorBug(request.session(), bug.what());
  }
}

// The same, into a machine of the past: on a slow worker, since it may take a
// replay.
template <class Request, class Response, class Look>
absl::Status LookIntoPast(const ServiceContext& service,
                          grpc::CallbackServerContext* context,
                          const Request* request, Response* response,
                          grpc::ServerUnaryReactor* reactor,
                          const std::string& id, Look look) {
  const int64_t revision = request->at_revision();
  FL_RETURN_IF_ERROR(CheckRevision("at_revision", revision));
  const bool accepted = service.slow.Submit([=, &service] {
    absl::Status status = CheckWanted(*context);
    if (!status.ok()) return Finish(reactor, status);
    const auto view = service.table.LookAt(id, revision, "at_revision",
                                           WhileWanted(*context));
    if (!view.ok()) return Finish(reactor, Explain(*context, view.status()));
    response->set_revision(revision);
    Finish(reactor, LookInto(*context, *request, **view, response, look));
  });
  return accepted ? absl::OkStatus()
                  : errors::WorkLimit(service.slow.queue_max());
}

// Answers a unary call with `look(request, view, response)`, an absl::Status,
// on one of `workers`: a look into a copy of the machine. The request has
// `session`, `expected_revision` and `at_revision`, the response `revision`.
template <class Request, class Response, class Look>
grpc::ServerUnaryReactor* AnswerWithView(const ServiceContext& service,
                                         Workers& workers,
                                         grpc::CallbackServerContext* context,
                                         const Request* request,
                                         Response* response, Look look) {
  return StartCall(context, [&](auto* reactor) -> absl::Status {
    FL_RETURN_IF_ERROR(CheckSize(*request));
    FL_ASSIGN_OR_RETURN(const std::string id, SessionIdOf(request->session()));
    if (request->has_at_revision()) {
      if (request->has_expected_revision()) {
        return errors::InvalidField(
            "at_revision",
            "must not be there together with expected_revision: leave one out");
      }
      return LookIntoPast(service, context, request, response, reactor, id,
                          look);
    }
    absl::optional<int64_t> revision;
    if (request->has_expected_revision()) {
      revision = request->expected_revision();
      FL_RETURN_IF_ERROR(CheckRevision("expected_revision", *revision));
    }
    service.table.Look(
        id, revision,
        [=, &workers](absl::StatusOr<std::shared_ptr<const MachineView>> view) {
          if (!view.ok()) return Finish(reactor, view.status());
          const bool accepted = workers.Submit([=, view = *std::move(view)] {
            response->set_revision(view->revision);
            Finish(reactor,
                   LookInto(*context, *request, *view, response, look));
          });
          if (!accepted) {
            Finish(reactor, errors::WorkLimit(workers.queue_max()));
          }
        });
    return absl::OkStatus();
  });
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_CALL_H_
