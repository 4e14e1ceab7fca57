// How a gRPC server of ours meets its clients: plugins, keepalive, bounds. The
// real server and the empty one that tests/bench measures it against share it.
#ifndef FAULTLINE_SERVER_SERVICE_TRANSPORT_H_
#define FAULTLINE_SERVER_SERVICE_TRANSPORT_H_

#include <grpcpp/server_builder.h>

namespace faultline {

// Debian's Abseil looks for deadlocks at every lock of a mutex, those of gRPC
// included, under one lock of the process. Tests keep that; a process that
// serves does without.
void TrustLocks();

// Health, channelz and, if asked for, reflection: of every server that is built
// from now on, and before its builder is made.
void EnablePlugins(bool reflection);

// Keepalive, bounds of messages and streams, a port that is not shared.
void SetTransport(grpc::ServerBuilder& builder);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_TRANSPORT_H_
