#include "client/cpp/victims.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/error.h"
#include "client/cpp/stubs.h"

namespace faultline::client {

absl::StatusOr<std::unique_ptr<Victims>> Victims::Begin(
    std::shared_ptr<Connection> connection, const std::string& session,
    uint32_t pid, ChooseVictim choose) {
  std::unique_ptr<Victims> victims(
      new Victims(std::move(connection), std::move(choose)));
  Connection& server = *victims->connection_;
  victims->stream_ = server.stubs().machines.ChooseVictims(&victims->context_);
  v1::ChooseVictimsRequest first;
  first.set_session(session);
  first.set_pid(pid);
  victims->stream_->Write(first);
  victims->stream_->WaitForInitialMetadata();
  // A refusal is an end without metadata of the service's own.
  const auto& metadata = victims->context_.GetServerInitialMetadata();
  if (metadata.find("faultline-process") == metadata.end()) {
    const absl::Status status =
        FromGrpc(victims->stream_->Finish(), server.address());
    if (!status.ok()) return status;
    return absl::InternalError(
        absl::StrCat("the server at ", server.address(),
                     " ended ChooseVictims before it began"));
  }
  victims->thread_ = std::thread([self = victims.get()] { self->Answer(); });
  return victims;
}

Victims::Victims(std::shared_ptr<Connection> connection, ChooseVictim choose)
    : connection_(std::move(connection)), choose_(std::move(choose)) {}

Victims::~Victims() { Stop().IgnoreError(); }

absl::Status Victims::Stop() {
  if (!thread_.joinable()) return absl::OkStatus();
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    stream_->WritesDone();  // the server ends it then
  }
  thread_.join();
  return FromGrpc(stream_->Finish(), connection_->address());
}

// Until the server ends the stream. A write that fails is followed by a read
// that does.
void Victims::Answer() {
  v1::ChooseVictimsResponse response;
  while (stream_->Read(&response)) {
    v1::ChooseVictimsRequest answer;
    answer.set_victim(choose_(response.wanted()));
    absl::MutexLock lock(&mutex_);
    if (!stopped_) stream_->Write(answer);
  }
}

}  // namespace faultline::client
