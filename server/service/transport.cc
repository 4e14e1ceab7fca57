#include "server/service/transport.h"

#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>

#include "absl/synchronization/mutex.h"
#include "server/limits.h"

namespace faultline {
namespace {

// Notebooks and browsers sleep, and thirty of them sit behind one router: their
// pings are welcome, a dead one is noticed, and an idle connection closes.
void SetKeepalive(grpc::ServerBuilder& builder) {
  constexpr int kSecond = 1000;
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60 * kSecond);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20 * kSecond);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10 * kSecond);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                             60 * 60 * kSecond);
}

void SetBounds(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(limits::kReceiveBytesMax));
  builder.SetMaxSendMessageSize(static_cast<int>(limits::kRequestBytesMax));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             limits::kStreamsPerConnectionMax);
}

}  // namespace

void TrustLocks() {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

void EnablePlugins(bool reflection) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::channelz::experimental::InitChannelzService();
  if (reflection) grpc::reflection::InitProtoReflectionServerBuilderPlugin();
}

void SetTransport(grpc::ServerBuilder& builder) {
  // Two servers must not share a port, each with half of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 1);
  SetKeepalive(builder);
  SetBounds(builder);
}

}  // namespace faultline
