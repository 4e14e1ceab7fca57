// bench_run_echo FILE: the empty service that batches of accesses are measured
// against. It reads the batches of Run and answers each with the RunResponse in
// FILE: the same messages, the same gRPC library and the same settings of the
// server as ours, and nothing behind them.

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "faultline/v1/machine.grpc.pb.h"
#include "server/limits.h"
#include "server/service/transport.h"

namespace faultline::bench {
namespace {

// Reads ahead as far as ours does.
class EchoStream final
    : public grpc::ServerBidiReactor<v1::RunRequest, v1::RunResponse> {
 public:
  explicit EchoStream(const v1::RunResponse& response) : response_(response) {
    StartRead(&request_);
  }

 private:
  void OnReadDone(bool ok) override {
    absl::MutexLock lock(&mutex_);
    reading_ = false;
    read_all_ = !ok;
    if (ok) ++unanswered_;
    Advance();
  }
  void OnWriteDone(bool) override {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    --unanswered_;
    Advance();
  }
  void OnDone() override { delete this; }

  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!reading_ && !read_all_ && unanswered_ < limits::kBatchesInFlightMax) {
      reading_ = true;
      StartRead(&request_);
    }
    if (!writing_ && unanswered_ > 0) {
      writing_ = true;
      StartWrite(&response_);
    } else if (read_all_ && unanswered_ == 0) {
      Finish(grpc::Status::OK);
    }
  }

  const v1::RunResponse& response_;
  v1::RunRequest request_;
  absl::Mutex mutex_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = true;
  bool read_all_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  int unanswered_ ABSL_GUARDED_BY(mutex_) = 0;
};

class Echo final : public v1::MachineService::CallbackService {
 public:
  explicit Echo(v1::RunResponse response) : response_(std::move(response)) {}

  grpc::ServerBidiReactor<v1::RunRequest, v1::RunResponse>* Run(
      grpc::CallbackServerContext*) override {
    return new EchoStream(response_);
  }

 private:
  const v1::RunResponse response_;
};

int Serve(const char* file) {
  v1::RunResponse response;
  std::ifstream in(file, std::ios::binary);
  if (!in || !response.ParseFromIstream(&in)) {
    std::fprintf(stderr, "bench_run_echo: no RunResponse in %s\n", file);
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
    std::fprintf(stderr, "bench_run_echo: cannot listen\n");
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
  std::fprintf(stderr, "usage: bench_run_echo FILE\n");
  return 1;
}
