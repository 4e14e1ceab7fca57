// SessionService: creating, finding and ending sessions.
#ifndef FAULTLINE_SERVER_SERVICE_SESSION_SERVICE_H_
#define FAULTLINE_SERVER_SERVICE_SESSION_SERVICE_H_

#include "faultline/v1/session.grpc.pb.h"
#include "server/service/call.h"

namespace faultline {

// Thread-safe; what `context` holds must outlive it.
class SessionServiceImpl final : public v1::SessionService::CallbackService {
 public:
  explicit SessionServiceImpl(const ServiceContext& context)
      : context_(context) {}

  grpc::ServerUnaryReactor* CreateSession(
      grpc::CallbackServerContext* context,
      const v1::CreateSessionRequest* request,
      v1::CreateSessionResponse* response) override;
  grpc::ServerUnaryReactor* GetSession(
      grpc::CallbackServerContext* context,
      const v1::GetSessionRequest* request,
      v1::GetSessionResponse* response) override;
  grpc::ServerUnaryReactor* ListSessions(
      grpc::CallbackServerContext* context,
      const v1::ListSessionsRequest* request,
      v1::ListSessionsResponse* response) override;
  grpc::ServerUnaryReactor* CloseSession(
      grpc::CallbackServerContext* context,
      const v1::CloseSessionRequest* request,
      v1::CloseSessionResponse* response) override;
  grpc::ServerUnaryReactor* DeleteSession(
      grpc::CallbackServerContext* context,
      const v1::DeleteSessionRequest* request,
      v1::DeleteSessionResponse* response) override;

  grpc::ServerUnaryReactor* JoinSession(
      grpc::CallbackServerContext* context,
      const v1::JoinSessionRequest* request,
      v1::JoinSessionResponse* response) override;
  grpc::ServerUnaryReactor* LeaveSession(
      grpc::CallbackServerContext* context,
      const v1::LeaveSessionRequest* request,
      v1::LeaveSessionResponse* response) override;
  grpc::ServerUnaryReactor* ListParticipants(
      grpc::CallbackServerContext* context,
      const v1::ListParticipantsRequest* request,
      v1::ListParticipantsResponse* response) override;

 private:
  const ServiceContext context_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_SESSION_SERVICE_H_
