// Session's calls about who is in it.

#include <utility>

#include "client/cpp/session.h"
#include "client/cpp/stubs.h"

namespace faultline::client {
namespace {

constexpr int kPageSize = 1000;

}  // namespace

absl::StatusOr<v1::Participant> Session::Join(const ParticipantSpec& spec) {
  v1::JoinSessionRequest request;
  request.set_session(name_);
  request.set_participant_id(spec.id);
  request.set_role(spec.role);
  request.set_display_name(spec.display_name);
  v1::JoinSessionResponse response;
  // Not repeated: a second attempt would find the first and call it an error.
  absl::Status status = connection_->Call(
      kDefaultDeadline, Repeat::kNo, [&](grpc::ClientContext& context) {
        return connection_->stubs().sessions.JoinSession(&context, request,
                                                         &response);
      });
  if (!status.ok()) return status;
  revision_ = response.revision();
  return std::move(*response.mutable_participant());
}

absl::StatusOr<v1::Participant> Session::Leave(absl::string_view participant) {
  v1::LeaveSessionRequest request;
  request.set_participant(std::string(participant));
  v1::LeaveSessionResponse response;
  absl::Status status = connection_->Call(
      kDefaultDeadline, Repeat::kYes, [&](grpc::ClientContext& context) {
        return connection_->stubs().sessions.LeaveSession(&context, request,
                                                          &response);
      });
  if (!status.ok()) return status;
  return std::move(*response.mutable_participant());
}

absl::StatusOr<std::vector<v1::Participant>> Session::ListParticipants(
    WhoLeft who_left) {
  std::vector<v1::Participant> participants;
  v1::ListParticipantsRequest request;
  request.set_session(name_);
  request.set_include_left(who_left == WhoLeft::kInclude);
  request.set_page_size(kPageSize);
  do {
    v1::ListParticipantsResponse response;
    absl::Status status = connection_->Call(
        kDefaultDeadline, Repeat::kYes, [&](grpc::ClientContext& context) {
          return connection_->stubs().sessions.ListParticipants(
              &context, request, &response);
        });
    if (!status.ok()) return status;
    participants.insert(participants.end(), response.participants().begin(),
                        response.participants().end());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return participants;
}

}  // namespace faultline::client
