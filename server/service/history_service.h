// HistoryService: reading, replaying and verifying what is recorded, and
// snapshots.
#ifndef FAULTLINE_SERVER_SERVICE_HISTORY_SERVICE_H_
#define FAULTLINE_SERVER_SERVICE_HISTORY_SERVICE_H_

#include "faultline/v1/history.grpc.pb.h"
#include "server/service/call.h"

namespace faultline {

// Thread-safe; what `context` holds must outlive it.
//
// WatchEvents deals in bytes: what many watchers get is encoded once.
class HistoryServiceImpl final
    : public v1::HistoryService::WithRawCallbackMethod_WatchEvents<
          v1::HistoryService::CallbackService> {
 public:
  explicit HistoryServiceImpl(const ServiceContext& context)
      : context_(context) {}

  grpc::ServerUnaryReactor* ListCommands(
      grpc::CallbackServerContext* context,
      const v1::ListCommandsRequest* request,
      v1::ListCommandsResponse* response) override;
  grpc::ServerWriteReactor<v1::ReplayResponse>* Replay(
      grpc::CallbackServerContext* context,
      const v1::ReplayRequest* request) override;
  grpc::ServerWriteReactor<v1::VerifySessionResponse>* VerifySession(
      grpc::CallbackServerContext* context,
      const v1::VerifySessionRequest* request) override;
  grpc::ServerUnaryReactor* GetFingerprint(
      grpc::CallbackServerContext* context,
      const v1::GetFingerprintRequest* request,
      v1::GetFingerprintResponse* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchEvents(
      grpc::CallbackServerContext* context,
      const grpc::ByteBuffer* request) override;

  // Snapshots: snapshot_rpcs.cc.
  grpc::ServerUnaryReactor* CreateSnapshot(
      grpc::CallbackServerContext* context,
      const v1::CreateSnapshotRequest* request,
      v1::CreateSnapshotResponse* response) override;
  grpc::ServerUnaryReactor* GetSnapshot(
      grpc::CallbackServerContext* context,
      const v1::GetSnapshotRequest* request,
      v1::GetSnapshotResponse* response) override;
  grpc::ServerUnaryReactor* ListSnapshots(
      grpc::CallbackServerContext* context,
      const v1::ListSnapshotsRequest* request,
      v1::ListSnapshotsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteSnapshot(
      grpc::CallbackServerContext* context,
      const v1::DeleteSnapshotRequest* request,
      v1::DeleteSnapshotResponse* response) override;
  grpc::ServerUnaryReactor* RestoreSnapshot(
      grpc::CallbackServerContext* context,
      const v1::RestoreSnapshotRequest* request,
      v1::RestoreSnapshotResponse* response) override;

 private:
  const ServiceContext context_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_HISTORY_SERVICE_H_
