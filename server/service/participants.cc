// SessionService's rpcs about participants.

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/codec/status_macros.h"
#include "server/codec/time.h"
#include "server/limits.h"
#include "server/service/session_service.h"

namespace faultline {
namespace {

constexpr char kPageKind[] = "participants";

absl::StatusOr<Role> RoleOf(v1::Role role) {
  switch (role) {
    case v1::ROLE_UNSPECIFIED:
    case v1::ROLE_DRIVER:
      return Role::kDriver;
    case v1::ROLE_OBSERVER:
      return Role::kObserver;
    default:
      return errors::InvalidField(
          "role", absl::StrCat(static_cast<int>(role),
                               " is no role: 1 driver, 2 observer"));
  }
}

void ParticipantToProto(absl::string_view session,
                        const Participant& participant,
                        v1::Participant* proto) {
  proto->set_name(ParticipantName(session, participant.id));
  proto->set_role(participant.role == Role::kDriver ? v1::ROLE_DRIVER
                                                    : v1::ROLE_OBSERVER);
  proto->set_display_name(participant.display_name);
  proto->set_peer(participant.peer);
  TimeToProto(participant.join_time, proto->mutable_join_time());
  if (participant.leave_time) {
    TimeToProto(*participant.leave_time, proto->mutable_leave_time());
  }
}

absl::Status ListParticipantsOf(SessionTable& table,
                                const v1::ListParticipantsRequest& request,
                                v1::ListParticipantsResponse* response) {
  FL_ASSIGN_OR_RETURN(const std::string id, SessionIdOf(request.session()));
  FL_ASSIGN_OR_RETURN(const int size, PageSize(request.page_size(),
                                               limits::kParticipantPageDefault,
                                               limits::kParticipantPageMax));
  const std::string scope =
      absl::StrCat(id, request.include_left() ? " all" : " there");
  FL_ASSIGN_OR_RETURN(const std::string after,
                      PageCursor(request.page_token(), kPageKind, scope));
  const auto who_left =
      request.include_left() ? WhoLeft::kInclude : WhoLeft::kLeaveOut;
  // One more tells whether there is another page.
  FL_ASSIGN_OR_RETURN(const std::vector<Participant> participants,
                      table.ListParticipants(id, after, who_left, size + 1));
  for (const Participant& participant : participants) {
    if (response->participants_size() == size) {
      const Participant& last = participants[static_cast<size_t>(size) - 1];
      response->set_next_page_token(PageToken(kPageKind, scope, last.id));
      break;
    }
    ParticipantToProto(id, participant, response->add_participants());
  }
  return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* SessionServiceImpl::JoinSession(
    grpc::CallbackServerContext* context, const v1::JoinSessionRequest* request,
    v1::JoinSessionResponse* response) {
  return StartCall(context, [&](auto* reactor) -> absl::Status {
    FL_ASSIGN_OR_RETURN(const std::string id, SessionIdOf(request->session()));
    Participant participant;
    participant.id = request->participant_id();
    if (!participant.id.empty()) {
      FL_RETURN_IF_ERROR(CheckParticipantId("participant_id", participant.id));
    }
    FL_ASSIGN_OR_RETURN(participant.role, RoleOf(request->role()));
    FL_RETURN_IF_ERROR(CheckDisplayName(request->display_name()));
    participant.display_name = request->display_name();
    participant.peer = PeerOf(context->peer());
    context_.table.Join(
        id, std::move(participant),
        [reactor, response, id](const absl::StatusOr<Joined>& joined) {
          if (joined.ok()) {
            ParticipantToProto(id, joined->participant,
                               response->mutable_participant());
            response->set_revision(joined->revision);
          }
          Finish(reactor, joined.status());
        });
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* SessionServiceImpl::LeaveSession(
    grpc::CallbackServerContext* context,
    const v1::LeaveSessionRequest* request,
    v1::LeaveSessionResponse* response) {
  return StartCall(context, [&](auto* reactor) -> absl::Status {
    FL_ASSIGN_OR_RETURN(
        const ParticipantPath path,
        ParticipantPathOf("participant", request->participant()));
    context_.table.Leave(path.session, path.participant,
                         [reactor, response, session = path.session](
                             const absl::StatusOr<Participant>& participant) {
                           if (participant.ok()) {
                             ParticipantToProto(
                                 session, *participant,
                                 response->mutable_participant());
                           }
                           Finish(reactor, participant.status());
                         });
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* SessionServiceImpl::ListParticipants(
    grpc::CallbackServerContext* context,
    const v1::ListParticipantsRequest* request,
    v1::ListParticipantsResponse* response) {
  return AnswerOn(context_.quick, context, request, response,
                  [this](const auto& request, auto* response) {
                    return ListParticipantsOf(context_.table, request,
                                              response);
                  });
}

}  // namespace faultline
