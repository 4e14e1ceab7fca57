#include "server/service/session_service.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/codec/config.h"
#include "server/codec/status_macros.h"
#include "server/limits.h"
#include "server/service/session_message.h"

namespace faultline {
namespace {

constexpr char kPageKind[] = "sessions";

// As many of `infos` as a page may hold.
void FillPage(const std::vector<SessionInfo>& infos, int size,
              v1::ListSessionsResponse* response) {
  size_t bytes = 0;
  for (size_t i = 0; i < infos.size(); ++i) {
    if (response->sessions_size() == size || bytes > limits::kChunkBytes) {
      response->set_next_page_token(PageToken(kPageKind, "", infos[i - 1].id));
      return;
    }
    InfoToProto(infos[i], response->add_sessions());
    bytes += response->sessions().rbegin()->ByteSizeLong();
  }
}

// Ends a call with the session that it was about.
template <class Response>
Answer<SessionInfo> AnswerWithSession(grpc::ServerUnaryReactor* reactor,
                                      Response* response) {
  return [reactor, response](absl::StatusOr<SessionInfo> info) {
    if (info.ok()) InfoToProto(*info, response->mutable_session());
    Finish(reactor, info.status());
  };
}

}  // namespace

grpc::ServerUnaryReactor* SessionServiceImpl::CreateSession(
    grpc::CallbackServerContext* context,
    const v1::CreateSessionRequest* request,
    v1::CreateSessionResponse* response) {
  return StartCall(context, [&](auto* reactor) -> absl::Status {
    FL_RETURN_IF_ERROR(CheckSize(*request));
    if (!request->session_id().empty()) {
      FL_RETURN_IF_ERROR(CheckSessionId("session_id", request->session_id()));
    }
    FL_RETURN_IF_ERROR(CheckDisplayName(request->display_name()));
    FL_ASSIGN_OR_RETURN(MachineConfig config,
                        ConfigFromProto(request->config(), "config"));
    context_.table.Create(request->session_id(), request->display_name(),
                          std::move(config),
                          AnswerWithSession(reactor, response));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* SessionServiceImpl::GetSession(
    grpc::CallbackServerContext* context, const v1::GetSessionRequest* request,
    v1::GetSessionResponse* response) {
  return AnswerOn(context_.quick, context, request, response,
                  [this](const auto& request, auto* response) -> absl::Status {
                    FL_ASSIGN_OR_RETURN(const std::string id,
                                        SessionIdOf(request.session()));
                    FL_ASSIGN_OR_RETURN(const SessionInfo info,
                                        context_.table.Get(id));
                    InfoToProto(info, response->mutable_session());
                    return absl::OkStatus();
                  });
}

grpc::ServerUnaryReactor* SessionServiceImpl::ListSessions(
    grpc::CallbackServerContext* context,
    const v1::ListSessionsRequest* request,
    v1::ListSessionsResponse* response) {
  return AnswerOn(
      context_.quick, context, request, response,
      [this](const auto& request, auto* response) -> absl::Status {
        FL_ASSIGN_OR_RETURN(
            const int size,
            PageSize(request.page_size(), limits::kSessionPageDefault,
                     limits::kSessionPageMax));
        FL_ASSIGN_OR_RETURN(const std::string after,
                            PageCursor(request.page_token(), kPageKind, ""));
        // One more tells whether there is another page.
        FL_ASSIGN_OR_RETURN(const std::vector<SessionInfo> infos,
                            context_.table.List(after, size + 1));
        FillPage(infos, size, response);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* SessionServiceImpl::CloseSession(
    grpc::CallbackServerContext* context,
    const v1::CloseSessionRequest* request,
    v1::CloseSessionResponse* response) {
  return StartCall(context, [&](auto* reactor) -> absl::Status {
    FL_ASSIGN_OR_RETURN(const std::string id, SessionIdOf(request->session()));
    context_.table.Close(id, AnswerWithSession(reactor, response));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* SessionServiceImpl::DeleteSession(
    grpc::CallbackServerContext* context,
    const v1::DeleteSessionRequest* request, v1::DeleteSessionResponse*) {
  return StartCall(context, [&](auto* reactor) -> absl::Status {
    FL_ASSIGN_OR_RETURN(const std::string id, SessionIdOf(request->session()));
    const bool allow_missing = request->allow_missing();
    context_.table.Delete(id, [reactor, allow_missing](absl::Status deleted) {
      const bool missing = absl::IsNotFound(deleted);
      Finish(reactor, missing && allow_missing ? absl::OkStatus() : deleted);
    });
    return absl::OkStatus();
  });
}

}  // namespace faultline
