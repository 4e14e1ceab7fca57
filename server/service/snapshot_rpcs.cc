// HistoryService's rpcs about snapshots.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/codec/status_macros.h"
#include "server/codec/time.h"
#include "server/limits.h"
#include "server/service/history_service.h"
#include "server/service/session_message.h"
#include "server/session/snapshots.h"

namespace faultline {
namespace {

constexpr char kPageKind[] = "snapshots";

void InfoToProto(const SnapshotInfo& info, v1::Snapshot* proto) {
  proto->set_name(SnapshotName(info.session, info.id));
  proto->set_revision(info.revision);
  proto->set_kind(info.automatic ? v1::SNAPSHOT_KIND_AUTOMATIC
                                 : v1::SNAPSHOT_KIND_USER);
  proto->set_display_name(info.display_name);
  TimeToProto(info.create_time, proto->mutable_create_time());
  proto->set_bytes(info.bytes);
  proto->set_stored_bytes(info.stored_bytes);
  proto->set_fingerprint(info.fingerprint);
  if (info.session_pause) {
    DurationToProto(*info.session_pause, proto->mutable_session_pause());
  }
}

absl::StatusOr<SessionTable::NewSnapshot> NewSnapshotOf(
    const v1::CreateSnapshotRequest& request) {
  SessionTable::NewSnapshot snapshot;
  if (!request.snapshot_id().empty()) {
    FL_RETURN_IF_ERROR(CheckSnapshotId("snapshot_id", request.snapshot_id()));
  }
  FL_RETURN_IF_ERROR(CheckDisplayName(request.display_name()));
  snapshot.id = request.snapshot_id();
  snapshot.display_name = request.display_name();
  if (request.has_revision()) {
    FL_RETURN_IF_ERROR(CheckRevision("revision", request.revision()));
    snapshot.revision = request.revision();
  }
  return snapshot;
}

// Where a page of snapshots starts: after these.
struct ListStart {
  int64_t revision = -1;
  std::string id;
};

absl::StatusOr<ListStart> ListStartOf(const v1::ListSnapshotsRequest& request,
                                      const std::string& session) {
  ListStart start;
  FL_ASSIGN_OR_RETURN(const std::string cursor,
                      PageCursor(request.page_token(), kPageKind, session));
  if (cursor.empty()) return start;
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(cursor, absl::MaxSplits(' ', 1));
  start.id = parts.second;
  if (absl::SimpleAtoi(parts.first, &start.revision)) return start;
  return errors::InvalidField("page_token", "was not returned by this rpc");
}

absl::Status ListSnapshotsOf(SessionTable& table,
                             const v1::ListSnapshotsRequest& request,
                             v1::ListSnapshotsResponse* response) {
  FL_ASSIGN_OR_RETURN(const std::string session,
                      SessionIdOf(request.session()));
  FL_ASSIGN_OR_RETURN(const int size, PageSize(request.page_size(),
                                               limits::kSnapshotPageDefault,
                                               limits::kSnapshotPageMax));
  FL_ASSIGN_OR_RETURN(const ListStart start, ListStartOf(request, session));
  // One more tells whether there is another page.
  FL_ASSIGN_OR_RETURN(
      const std::vector<SnapshotInfo> infos,
      table.ListSnapshots(session, start.revision, start.id, size + 1));
  for (const SnapshotInfo& info : infos) {
    if (response->snapshots_size() == size) {
      const SnapshotInfo& last = infos[static_cast<size_t>(size) - 1];
      response->set_next_page_token(PageToken(
          kPageKind, session, absl::StrCat(last.revision, " ", last.id)));
      break;
    }
    InfoToProto(info, response->add_snapshots());
  }
  return absl::OkStatus();
}

absl::Status DeleteSnapshotOf(SessionTable& table,
                              const v1::DeleteSnapshotRequest& request) {
  FL_ASSIGN_OR_RETURN(const SnapshotIds ids, SnapshotIdsOf(request.snapshot()));
  const absl::Status deleted = table.DeleteSnapshot(ids.session, ids.snapshot);
  const bool missing = absl::IsNotFound(deleted);
  return missing && request.allow_missing() ? absl::OkStatus() : deleted;
}

absl::Status RestoreSnapshotOf(SessionTable& table,
                               const v1::RestoreSnapshotRequest& request,
                               v1::RestoreSnapshotResponse* response) {
  FL_ASSIGN_OR_RETURN(const SnapshotIds ids, SnapshotIdsOf(request.snapshot()));
  if (!request.session_id().empty()) {
    FL_RETURN_IF_ERROR(CheckSessionId("session_id", request.session_id()));
  }
  FL_RETURN_IF_ERROR(CheckDisplayName(request.display_name()));
  FL_ASSIGN_OR_RETURN(
      const SessionInfo info,
      table.RestoreSnapshot(ids.session, ids.snapshot, request.session_id(),
                            request.display_name()));
  InfoToProto(info, response->mutable_session());
  return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* HistoryServiceImpl::CreateSnapshot(
    grpc::CallbackServerContext* context,
    const v1::CreateSnapshotRequest* request,
    v1::CreateSnapshotResponse* response) {
  return AnswerOn(
      context_.slow, context, request, response,
      [this, context](const auto& request, auto* response) -> absl::Status {
        FL_ASSIGN_OR_RETURN(const std::string session,
                            SessionIdOf(request.session()));
        FL_ASSIGN_OR_RETURN(SessionTable::NewSnapshot snapshot,
                            NewSnapshotOf(request));
        FL_ASSIGN_OR_RETURN(
            const SnapshotInfo info,
            context_.table.CreateSnapshot(session, std::move(snapshot),
                                          WhileWanted(*context)));
        InfoToProto(info, response->mutable_snapshot());
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* HistoryServiceImpl::GetSnapshot(
    grpc::CallbackServerContext* context, const v1::GetSnapshotRequest* request,
    v1::GetSnapshotResponse* response) {
  return AnswerOn(context_.quick, context, request, response,
                  [this](const auto& request, auto* response) -> absl::Status {
                    FL_ASSIGN_OR_RETURN(const SnapshotIds ids,
                                        SnapshotIdsOf(request.snapshot()));
                    FL_ASSIGN_OR_RETURN(
                        const SnapshotInfo info,
                        context_.table.GetSnapshot(ids.session, ids.snapshot));
                    InfoToProto(info, response->mutable_snapshot());
                    return absl::OkStatus();
                  });
}

grpc::ServerUnaryReactor* HistoryServiceImpl::ListSnapshots(
    grpc::CallbackServerContext* context,
    const v1::ListSnapshotsRequest* request,
    v1::ListSnapshotsResponse* response) {
  return AnswerOn(context_.quick, context, request, response,
                  [this](const auto& request, auto* response) {
                    return ListSnapshotsOf(context_.table, request, response);
                  });
}

grpc::ServerUnaryReactor* HistoryServiceImpl::DeleteSnapshot(
    grpc::CallbackServerContext* context,
    const v1::DeleteSnapshotRequest* request,
    v1::DeleteSnapshotResponse* response) {
  return AnswerOn(context_.quick, context, request, response,
                  [this](const auto& request, auto*) {
                    return DeleteSnapshotOf(context_.table, request);
                  });
}

grpc::ServerUnaryReactor* HistoryServiceImpl::RestoreSnapshot(
    grpc::CallbackServerContext* context,
    const v1::RestoreSnapshotRequest* request,
    v1::RestoreSnapshotResponse* response) {
  return AnswerOn(context_.slow, context, request, response,
                  [this](const auto& request, auto* response) {
                    return RestoreSnapshotOf(context_.table, request, response);
                  });
}

}  // namespace faultline
