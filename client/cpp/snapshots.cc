// Session's calls about its snapshots.

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/session.h"
#include "client/cpp/stubs.h"

namespace faultline::client {
namespace {

// A session has some hundreds at most; a page of them stays small.
constexpr int kPageSize = 100;

// A name that no other call gives: what carries it may be sent again, and what
// has it already was made by this call. It begins with a letter, as names must.
struct ChosenId {
  ChosenId(Connection& connection, const std::string& wanted)
      : id(wanted.empty() ? absl::StrCat("c", connection.NewRequestId())
                          : wanted),
        repeat(wanted.empty() ? Repeat::kYes : Repeat::kNo) {}

  std::string id;
  Repeat repeat;
};

}  // namespace

std::string Session::SnapshotName(absl::string_view snapshot) const {
  if (absl::StartsWith(snapshot, "sessions/")) return std::string(snapshot);
  return absl::StrCat(name_, "/snapshots/", snapshot);
}

absl::StatusOr<v1::Snapshot> Session::CreateSnapshot(const SnapshotSpec& spec) {
  const ChosenId chosen(*connection_, spec.id);
  v1::CreateSnapshotRequest request;
  request.set_session(name_);
  request.set_snapshot_id(chosen.id);
  request.set_display_name(spec.display_name);
  if (spec.revision) request.set_revision(*spec.revision);
  v1::CreateSnapshotResponse response;
  int attempts = 0;
  absl::Status status =
      connection_->Call(spec.revision ? kLongDeadline : kDefaultDeadline,
                        chosen.repeat, [&](grpc::ClientContext& context) {
                          ++attempts;
                          return connection_->stubs().history.CreateSnapshot(
                              &context, request, &response);
                        });
  // Only the answer to an earlier attempt got lost.
  if (absl::IsAlreadyExists(status) && attempts > 1) {
    return GetSnapshot(chosen.id);
  }
  if (!status.ok()) return status;
  return std::move(*response.mutable_snapshot());
}

absl::StatusOr<v1::Snapshot> Session::GetSnapshot(
    absl::string_view snapshot) const {
  v1::GetSnapshotRequest request;
  request.set_snapshot(SnapshotName(snapshot));
  v1::GetSnapshotResponse response;
  absl::Status status = connection_->Call(
      kDefaultDeadline, Repeat::kYes, [&](grpc::ClientContext& context) {
        return connection_->stubs().history.GetSnapshot(&context, request,
                                                        &response);
      });
  if (!status.ok()) return status;
  return std::move(*response.mutable_snapshot());
}

absl::StatusOr<std::vector<v1::Snapshot>> Session::ListSnapshots() const {
  std::vector<v1::Snapshot> snapshots;
  v1::ListSnapshotsRequest request;
  request.set_session(name_);
  request.set_page_size(kPageSize);
  do {
    v1::ListSnapshotsResponse response;
    absl::Status status = connection_->Call(
        kDefaultDeadline, Repeat::kYes, [&](grpc::ClientContext& context) {
          return connection_->stubs().history.ListSnapshots(&context, request,
                                                            &response);
        });
    if (!status.ok()) return status;
    snapshots.insert(snapshots.end(), response.snapshots().begin(),
                     response.snapshots().end());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return snapshots;
}

absl::Status Session::DeleteSnapshot(absl::string_view snapshot,
                                     Missing missing) {
  v1::DeleteSnapshotRequest request;
  request.set_snapshot(SnapshotName(snapshot));
  request.set_allow_missing(missing == Missing::kIsDone);
  v1::DeleteSnapshotResponse response;
  // Where a missing one is an error, a second attempt would find nothing and
  // call it one.
  return connection_->Call(kDefaultDeadline,
                           request.allow_missing() ? Repeat::kYes : Repeat::kNo,
                           [&](grpc::ClientContext& context) {
                             return connection_->stubs().history.DeleteSnapshot(
                                 &context, request, &response);
                           });
}

absl::StatusOr<Session> Session::RestoreSnapshot(
    absl::string_view snapshot, const RestoreSpec& spec) const {
  const ChosenId chosen(*connection_, spec.id);
  v1::RestoreSnapshotRequest request;
  request.set_snapshot(SnapshotName(snapshot));
  request.set_session_id(chosen.id);
  request.set_display_name(spec.display_name);
  v1::RestoreSnapshotResponse response;
  int attempts = 0;
  absl::Status status = connection_->Call(
      kDefaultDeadline, chosen.repeat, [&](grpc::ClientContext& context) {
        ++attempts;
        return connection_->stubs().history.RestoreSnapshot(&context, request,
                                                            &response);
      });
  // Only the answer to an earlier attempt got lost: nobody else knows the name,
  // so the session is at its first revision.
  if (absl::IsAlreadyExists(status) && attempts > 1) {
    return Session(connection_, absl::StrCat("sessions/", chosen.id), 0);
  }
  if (!status.ok()) return status;
  return Session(connection_, response.session().name(),
                 response.session().revision());
}

}  // namespace faultline::client
