#include "client/cli/session_recording.h"

#include <utility>

#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/error.h"
#include "client/cpp/look.h"
#include "client/cpp/stubs.h"
#include "grpcpp/support/sync_stream.h"

namespace faultline::cli {
namespace {

using client::Connection;

class SessionRecording : public Recording {
 public:
  SessionRecording(const std::string& address, v1::Session session)
      : connection_(std::make_shared<Connection>(address)),
        session_(std::move(session)) {}

  const v1::Session& session() const override { return session_; }

  absl::Status ForEachChange(Revisions revisions, v1::EventLevel level,
                             const ChangeCallback& callback) override;
  absl::StatusOr<std::string> ReadProc(const std::string& path,
                                       int64_t revision) override {
    return At(revision).ReadProc(path);
  }
  absl::StatusOr<std::string> ReadProcAt(const std::string& path,
                                         int64_t revision, uint64_t offset,
                                         uint64_t length) override {
    return At(revision).ReadProcAt(path, offset, length);
  }

 private:
  client::Look At(int64_t revision) const {
    return client::Look(connection_, session_.name(), revision);
  }
  absl::Status WatchOnce(const v1::WatchEventsRequest& request,
                         const ChangeCallback& callback, int64_t* next);

  std::shared_ptr<Connection> connection_;
  v1::Session session_;
};

// A stream that was cut is taken up where it was.
absl::Status SessionRecording::ForEachChange(Revisions revisions,
                                             v1::EventLevel level,
                                             const ChangeCallback& callback) {
  v1::WatchEventsRequest request;
  request.set_session(session_.name());
  request.set_end_revision(revisions.last);
  request.set_event_level(level);
  request.set_include_commands(true);
  int64_t next = revisions.first;
  int failures = 0;
  while (next <= revisions.last) {
    const int64_t before = next;
    request.set_start_revision(next);
    absl::Status status = WatchOnce(request, callback, &next);
    if (status.ok()) break;
    failures = next > before ? 1 : failures + 1;
    if (!absl::IsUnavailable(status) || failures == client::kAttemptsMax) {
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status SessionRecording::WatchOnce(const v1::WatchEventsRequest& request,
                                         const ChangeCallback& callback,
                                         int64_t* next) {
  grpc::ClientContext context;
  Connection::SetDeadline(context, client::kLongDeadline);
  auto reader = connection_->stubs().history.WatchEvents(&context, request);
  v1::WatchEventsResponse response;
  while (reader->Read(&response)) {
    for (const v1::Change& change : response.changes()) {
      absl::Status status = callback(change);
      if (status.ok()) continue;
      context.TryCancel();
      return status;
    }
    *next = response.revision() + 1;
  }
  return client::FromGrpc(reader->Finish(), connection_->address());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Recording>> OpenRecording(
    const std::string& server, const std::string& name) {
  auto client = client::Client::Connect(server);
  if (!client.ok()) return client.status();
  auto session = client->GetSession(name);
  if (!session.ok()) return session.status();
  return std::make_unique<SessionRecording>(client->address(),
                                            *std::move(session));
}

}  // namespace faultline::cli
