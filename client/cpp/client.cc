#include "client/cpp/client.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/diagnosis.h"
#include "client/cpp/stubs.h"

namespace faultline::client {
namespace {

constexpr int kPageSize = 1000;

}  // namespace

std::string SessionName(absl::string_view id_or_name) {
  if (absl::StartsWith(id_or_name, "sessions/")) return std::string(id_or_name);
  return absl::StrCat("sessions/", id_or_name);
}

absl::StatusOr<Client> Client::Connect(absl::string_view address) {
  absl::StatusOr<std::string> normal = NormalizeAddress(address);
  if (!normal.ok()) return normal.status();
  return Client(std::make_shared<Connection>(*std::move(normal)));
}

absl::StatusOr<Session> Client::CreateSession(const SessionSpec& spec) {
  v1::CreateSessionRequest request;
  request.set_session_id(spec.id);
  request.set_display_name(spec.display_name);
  *request.mutable_config() = spec.config;
  v1::CreateSessionResponse response;
  absl::Status status = connection_->Call(
      kDefaultDeadline, Repeat::kNo, [&](grpc::ClientContext& context) {
        return connection_->stubs().sessions.CreateSession(&context, request,
                                                           &response);
      });
  if (!status.ok()) return status;
  return Session(connection_, response.session().name(),
                 response.session().revision());
}

absl::StatusOr<Session> Client::OpenSession(absl::string_view name) {
  absl::StatusOr<v1::Session> session = GetSession(name);
  if (!session.ok()) return session.status();
  return Session(connection_, session->name(), session->revision());
}

absl::StatusOr<v1::Session> Client::GetSession(absl::string_view name) {
  v1::GetSessionRequest request;
  request.set_session(SessionName(name));
  v1::GetSessionResponse response;
  absl::Status status = connection_->Call(
      kDefaultDeadline, Repeat::kYes, [&](grpc::ClientContext& context) {
        return connection_->stubs().sessions.GetSession(&context, request,
                                                        &response);
      });
  if (!status.ok()) return status;
  return response.session();
}

absl::StatusOr<std::vector<v1::Session>> Client::ListSessions() {
  std::vector<v1::Session> sessions;
  v1::ListSessionsRequest request;
  request.set_page_size(kPageSize);
  do {
    v1::ListSessionsResponse response;
    absl::Status status = connection_->Call(
        kDefaultDeadline, Repeat::kYes, [&](grpc::ClientContext& context) {
          return connection_->stubs().sessions.ListSessions(&context, request,
                                                            &response);
        });
    if (!status.ok()) return status;
    sessions.insert(sessions.end(), response.sessions().begin(),
                    response.sessions().end());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return sessions;
}

absl::StatusOr<v1::Session> Client::CloseSession(absl::string_view name) {
  v1::CloseSessionRequest request;
  request.set_session(SessionName(name));
  v1::CloseSessionResponse response;
  absl::Status status = connection_->Call(
      kDefaultDeadline, Repeat::kYes, [&](grpc::ClientContext& context) {
        return connection_->stubs().sessions.CloseSession(&context, request,
                                                          &response);
      });
  if (!status.ok()) return status;
  return response.session();
}

absl::Status Client::DeleteSession(absl::string_view name) {
  v1::DeleteSessionRequest request;
  request.set_session(SessionName(name));
  v1::DeleteSessionResponse response;
  // Not repeated: a second attempt would find nothing and call it an error.
  return connection_->Call(kDefaultDeadline, Repeat::kNo,
                           [&](grpc::ClientContext& context) {
                             return connection_->stubs().sessions.DeleteSession(
                                 &context, request, &response);
                           });
}

}  // namespace faultline::client
