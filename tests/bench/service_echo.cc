// bench_echo FILE: the empty service that a unary Access is measured against.
// It answers every Access with the AccessResponse in FILE: the same messages,
// the same gRPC library and the same settings of the server as ours, and
// nothing behind them.

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <utility>

#include "faultline/v1/machine.grpc.pb.h"
#include "server/service/transport.h"

namespace faultline::bench {
namespace {

class Echo final : public v1::MachineService::CallbackService {
 public:
  explicit Echo(v1::AccessResponse response) : response_(std::move(response)) {}

  grpc::ServerUnaryReactor* Access(grpc::CallbackServerContext* context,
                                   const v1::AccessRequest*,
                                   v1::AccessResponse* response) override {
    *response = response_;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  const v1::AccessResponse response_;
};

int Serve(const char* file) {
  v1::AccessResponse response;
  std::ifstream in(file, std::ios::binary);
  if (!in || !response.ParseFromIstream(&in)) {
    std::fprintf(stderr, "bench_echo: no AccessResponse in %s\n", file);
    return 1;
  }
  Echo echo(std::move(response));
  TrustLocks();
  EnablePlugins(/*reflection=*/true);
  grpc::ServerBuilder builder;
  SetTransport(builder);
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(&echo);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    std::fprintf(stderr, "bench_echo: cannot listen\n");
    return 1;
  }
  std::printf("listening on 127.0.0.1:%d\n", port);
  std::fflush(stdout);
  server->Wait();
  return 0;
}

}  // namespace
}  // namespace faultline::bench

int main(int argc, char** argv) {
  if (argc == 2) return faultline::bench::Serve(argv[1]);
  std::fprintf(stderr, "usage: bench_echo FILE\n");
  return 1;
}
