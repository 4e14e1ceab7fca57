// What a server offers beside our own services, and how it starts and stops.
#include "server/service/server.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/codec/errors.h"
#include "tests/service/test_server.h"

namespace faultline {
namespace {

using testing::ExpectError;
using ::testing::HasSubstr;

std::string Bytes(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return "";
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

// A message with one string field, as every protobuf encoder writes it.
std::string StringField(int number, const std::string& value) {
  return absl::StrCat(std::string(1, static_cast<char>(number << 3 | 2)),
                      std::string(1, static_cast<char>(value.size())), value);
}

// grpc.health.v1.HealthCheckResponse: 1 SERVING, 2 NOT_SERVING.
std::string StatusField(char status) { return {1 << 3, status}; }

class ServerTest : public testing::TestServer {
 protected:
  // Calls a method whose messages we have no classes for, with one request and
  // for one response; works for a stream of each as well.
  grpc::Status Call(const std::string& method, const std::string& request,
                    std::string* response) {
    grpc::GenericStub stub(channel_);
    grpc::CompletionQueue queue;
    Context context;
    auto call = stub.PrepareCall(&context, method, &queue);
    const auto next = [&] {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    call->StartCall(nullptr);
    next();
    grpc::Slice slice(request);
    call->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
    next();
    grpc::ByteBuffer buffer;
    call->Read(&buffer, nullptr);
    if (next()) *response = Bytes(buffer);
    grpc::Status status;
    call->Finish(&status, nullptr);
    next();
    return status;
  }

  bool IsServing(const std::string& service) {
    std::string response;
    const grpc::Status status = Call("/grpc.health.v1.Health/Check",
                                     StringField(1, service), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response == StatusField(1);
  }
};

TEST_F(ServerTest, EveryServiceIsHealthy) {
  for (const char* service :
       {"", "faultline.v1.SessionService", "faultline.v1.MachineService",
        "faultline.v1.InspectService", "faultline.v1.HistoryService",
        "faultline.v1.GradingService"}) {
    EXPECT_TRUE(IsServing(service)) << service;
  }
}

TEST_F(ServerTest, ReflectionNamesEveryService) {
  std::string response;
  const grpc::Status status =
      Call("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
           StringField(7, ""), &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  for (const char* service :
       {"SessionService", "MachineService", "InspectService", "HistoryService",
        "GradingService"}) {
    EXPECT_THAT(response, HasSubstr(absl::StrCat("faultline.v1.", service)));
  }
}

TEST_F(ServerTest, ReflectionDescribesTheContract) {
  std::string response;
  ASSERT_TRUE(
      Call("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
           StringField(4, "faultline.v1.MachineService"), &response)
          .ok());
  EXPECT_THAT(response, HasSubstr("faultline/v1/machine.proto"));
}

TEST_F(ServerTest, ChannelzShowsTheServer) {
  std::string response;
  const grpc::Status status =
      Call("/grpc.channelz.v1.Channelz/GetServers", "", &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_FALSE(response.empty());
}

TEST_F(ServerTest, AMethodThatIsNotThereIsAnErrorWithAReason) {
  std::string response;
  for (const char* method :
       {"/faultline.v1.MachineService/Teleport", "/no.such.Service/Call"}) {
    const grpc::Status status = Call(method, "", &response);
    ExpectError(status, grpc::StatusCode::UNIMPLEMENTED, "NO_SUCH_METHOD");
    EXPECT_THAT(status.error_message(), HasSubstr(method));
  }
}

TEST_F(ServerTest, SaysWhereItListens) {
  EXPECT_GT(server_->port(), 0);
  EXPECT_EQ(server_->address(), absl::StrCat("127.0.0.1:", server_->port()));
}

TEST_F(ServerTest, AnswersOverAUnixSocket) {
  Server::Options options;
  options.listen =
      absl::StrCat("unix:", ::testing::TempDir(), "/fl-", ::getpid(), ".sock");
  auto server = Server::Start(*table_, *gradebook_, options);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ((*server)->address(), options.listen);
  Connect(grpc::CreateChannel((*server)->address(),
                              grpc::InsecureChannelCredentials()));
  Create();
}

// --- Starting.

TEST_F(ServerTest, SaysThatAPortIsInUse) {
  Server::Options options;
  options.listen = server_->address();
  const auto second = Server::Start(*table_, *gradebook_, options);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(errors::ReasonOf(second.status()), "LISTEN_ADDRESS_IN_USE");
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("--listen"));
}

TEST_F(ServerTest, ListensForOthersOnlyWhenAskedTo) {
  Server::Options options;
  options.listen = "0.0.0.0:0";
  const auto refused = Server::Start(*table_, *gradebook_, options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(errors::ReasonOf(refused.status()), "LISTEN_ADDRESS_REMOTE");
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("--allow-remote"));
  options.allow_remote = true;
  EXPECT_TRUE(Server::Start(*table_, *gradebook_, options).ok());
}

TEST_F(ServerTest, SaysThatAnAddressIsNotOurs) {
  Server::Options options;
  options.listen = "192.0.2.1:50051";  // RFC 5737: nobody has it
  options.allow_remote = true;
  const auto server = Server::Start(*table_, *gradebook_, options);
  ASSERT_FALSE(server.ok());
  EXPECT_EQ(errors::ReasonOf(server.status()), "LISTEN_FAILED");
}

// --- Stopping.

TEST_F(ServerTest, ShutdownFinishesWhatWasAccepted) {
  const std::string lab = Create();
  std::thread client([&] {
    v1::TickResponse response;
    const grpc::Status status = Hold(lab, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.revision(), 1);
  });
  held_.WaitForNotification();
  std::thread stopping([&] { server_->Shutdown(absl::Seconds(60)); });
  // Until the server says that it stops, or takes no call any more.
  std::string health;
  while (
      Call("/grpc.health.v1.Health/Check", StringField(1, ""), &health).ok() &&
      health == StatusField(1)) {
  }
  go_on_.Notify();
  client.join();
  stopping.join();
}

TEST_F(ServerTest, ShutdownMayBeRepeatedAndRefusesNewCalls) {
  server_->Shutdown(absl::Seconds(1));
  server_->Shutdown(absl::Seconds(1));
  v1::ListSessionsResponse response;
  Context context(1000);
  EXPECT_FALSE(sessions_->ListSessions(&context, {}, &response).ok());
}

}  // namespace
}  // namespace faultline
