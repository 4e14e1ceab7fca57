// How the library makes calls, seen from a server that fails as it is told.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/client.h"
#include "client/cpp/error.h"
#include "faultline/v1/history.grpc.pb.h"
#include "faultline/v1/inspect.grpc.pb.h"
#include "faultline/v1/machine.grpc.pb.h"
#include "faultline/v1/session.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace faultline::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

grpc::Status Failure(grpc::StatusCode code, const std::string& reason) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("faultline.dev");
  google::rpc::Status details;
  details.add_details()->PackFrom(info);
  return grpc::Status(code, reason, details.SerializeAsString());
}

// Fails the next calls with the given statuses, then answers.
class Script {
 public:
  void Fail(grpc::Status status) { failures_.push_back(std::move(status)); }
  grpc::Status Next(const grpc::ServerContext& context) {
    ++calls;
    deadline = absl::FromChrono(context.deadline());
    if (failures_.empty()) return grpc::Status::OK;
    grpc::Status status = failures_.front();
    failures_.erase(failures_.begin());
    return status;
  }

  int calls = 0;
  absl::Time deadline;

 private:
  std::vector<grpc::Status> failures_;
};

class Sessions : public v1::SessionService::Service {
 public:
  grpc::Status CreateSession(grpc::ServerContext* context,
                             const v1::CreateSessionRequest* request,
                             v1::CreateSessionResponse* response) override {
    response->mutable_session()->set_name("sessions/" + request->session_id());
    return script.Next(*context);
  }
  grpc::Status GetSession(grpc::ServerContext* context,
                          const v1::GetSessionRequest* request,
                          v1::GetSessionResponse* response) override {
    response->mutable_session()->set_name(request->session());
    response->mutable_session()->set_revision(41);
    return script.Next(*context);
  }
  grpc::Status ListSessions(grpc::ServerContext*,
                            const v1::ListSessionsRequest* request,
                            v1::ListSessionsResponse* response) override {
    const std::string& token = request->page_token();
    response->add_sessions()->set_name(token.empty() ? "sessions/a"
                                                     : "sessions/b");
    if (token.empty()) response->set_next_page_token("more");
    return grpc::Status::OK;
  }
  Script script;
};

class Machines : public v1::MachineService::Service {
 public:
  grpc::Status Mmap(grpc::ServerContext* context,
                    const v1::MmapRequest* request,
                    v1::MmapResponse* response) override {
    requests.push_back(*request);
    response->set_revision(42);
    response->mutable_outcome()->set_value(0x1000);
    return script.Next(*context);
  }
  grpc::Status Tick(grpc::ServerContext*, const v1::TickRequest* request,
                    v1::TickResponse* response) override {
    response->mutable_outcome()->set_value(
        static_cast<int64_t>(request->tick().nanoseconds()));
    return grpc::Status::OK;
  }
  Script script;
  std::vector<v1::MmapRequest> requests;
};

class Inspect : public v1::InspectService::Service {
 public:
  // "/proc/long" comes in two parts.
  grpc::Status ReadProc(grpc::ServerContext*,
                        const v1::ReadProcRequest* request,
                        v1::ReadProcResponse* response) override {
    response->set_revision(7);
    if (request->path() != "/proc/long") {
      response->set_error(v1::ERRNO_ENOENT);
      return grpc::Status::OK;
    }
    if (request->offset() == 0) {
      response->set_text("first ");
      response->set_next_offset(6);
    } else {
      pinned = request->expected_revision();
      response->set_text("second");
    }
    return grpc::Status::OK;
  }
  int64_t pinned = 0;
};

class History : public v1::HistoryService::Service {
 public:
  grpc::Status Replay(grpc::ServerContext*, const v1::ReplayRequest*,
                      grpc::ServerWriter<v1::ReplayResponse>* writer) override {
    v1::ReplayResponse response;
    response.mutable_progress()->set_done(1);
    response.mutable_progress()->set_total(2);
    writer->Write(response);
    if (without_report) return grpc::Status::OK;
    response.mutable_report()->set_equal(2);
    writer->Write(response);
    return grpc::Status::OK;
  }
  bool without_report = false;
};

class CallsTest : public testing::Test {
 protected:
  CallsTest() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&sessions_);
    builder.RegisterService(&machines_);
    builder.RegisterService(&inspect_);
    builder.RegisterService(&history_);
    server_ = builder.BuildAndStart();
    client_ = std::make_unique<Client>(
        *Client::Connect(absl::StrCat("127.0.0.1:", port)));
  }
  ~CallsTest() override { server_->Shutdown(absl::ToChronoTime(absl::Now())); }

  Session Open() { return *client_->OpenSession("lab"); }

  Sessions sessions_;
  Machines machines_;
  Inspect inspect_;
  History history_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(CallsTest, AnswersAndKeepsTheRevision) {
  Session session = Open();
  EXPECT_EQ(session.name(), "sessions/lab");
  EXPECT_EQ(session.revision(), 41);
  const auto outcome = session.Mmap(1, v1::Mmap());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->value(), 0x1000);
  EXPECT_EQ(session.revision(), 42);
}

TEST_F(CallsTest, SendsACommandOfAnyKindByItsOwnRpc) {
  Session session = Open();
  v1::Command command;
  command.mutable_tick()->set_nanoseconds(5);
  EXPECT_EQ(session.Call(command)->value(), 5);
  EXPECT_EQ(session.Call(v1::Command()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(CallsTest, EveryCallHasADeadline) {
  Session session = Open();
  // gRPC rounds a deadline up on its way.
  const absl::Duration slack = absl::Seconds(1);
  EXPECT_LT(sessions_.script.deadline, absl::Now() + kDefaultDeadline + slack);
  EXPECT_GT(sessions_.script.deadline, absl::Now() + kDefaultDeadline / 2);
  v1::Command command;
  command.mutable_mmap();
  CallSettings settings;
  settings.deadline = absl::Seconds(3);
  ASSERT_TRUE(session.Call(command, settings).ok());
  EXPECT_LT(machines_.script.deadline, absl::Now() + settings.deadline + slack);
}

TEST_F(CallsTest, RepeatsACommandUnderTheSameRequestId) {
  Session session = Open();
  machines_.script.Fail(Failure(grpc::StatusCode::UNAVAILABLE, "BUSY"));
  machines_.script.Fail(Failure(grpc::StatusCode::UNAVAILABLE, "BUSY"));
  ASSERT_TRUE(session.Mmap(1, v1::Mmap()).ok());
  ASSERT_TRUE(session.Mmap(1, v1::Mmap()).ok());
  ASSERT_EQ(machines_.requests.size(), 4u);
  std::set<std::string> ids;
  for (const auto& request : machines_.requests) {
    EXPECT_FALSE(request.options().request_id().empty());
    ids.insert(request.options().request_id());
  }
  EXPECT_EQ(ids.size(), 2u) << "one id per call, not per attempt";
  EXPECT_EQ(machines_.requests[0].options().request_id(),
            machines_.requests[2].options().request_id());
}

TEST_F(CallsTest, GivesUpAfterItsAttempts) {
  Session session = Open();
  for (int i = 0; i < 10; ++i) {
    machines_.script.Fail(Failure(grpc::StatusCode::UNAVAILABLE, "BUSY"));
  }
  const auto outcome = session.Mmap(1, v1::Mmap());
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(outcome.status()), "BUSY");
  EXPECT_EQ(machines_.script.calls, kAttemptsMax);
}

TEST_F(CallsTest, RepeatsNothingButUnavailable) {
  for (const grpc::StatusCode code :
       {grpc::StatusCode::INTERNAL, grpc::StatusCode::ABORTED,
        grpc::StatusCode::RESOURCE_EXHAUSTED,
        grpc::StatusCode::INVALID_ARGUMENT}) {
    Session session = Open();
    machines_.script.calls = 0;
    machines_.script.Fail(Failure(code, "NO"));
    EXPECT_EQ(static_cast<int>(session.Mmap(1, v1::Mmap()).status().code()),
              static_cast<int>(code));
    EXPECT_EQ(machines_.script.calls, 1);
  }
}

TEST_F(CallsTest, DoesNotRepeatACreationThatCarriesNoId) {
  sessions_.script.Fail(Failure(grpc::StatusCode::UNAVAILABLE, "BUSY"));
  EXPECT_FALSE(client_->CreateSession({.id = "lab"}).ok());
  EXPECT_EQ(sessions_.script.calls, 1);
}

TEST_F(CallsTest, ListsAllPages) {
  const auto sessions = client_->ListSessions();
  ASSERT_TRUE(sessions.ok());
  ASSERT_EQ(sessions->size(), 2u);
  EXPECT_EQ((*sessions)[1].name(), "sessions/b");
}

TEST_F(CallsTest, ReadsAllPartsOfAFileAtOneRevision) {
  Session session = Open();
  EXPECT_EQ(*session.ReadProc("/proc/long"), "first second");
  EXPECT_EQ(inspect_.pinned, 7);
  const auto none = session.ReadProc("/proc/none");
  EXPECT_EQ(none.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(none.status().message()),
              HasSubstr("/proc/none: ENOENT"));
}

TEST_F(CallsTest, ReportsProgressAndThenTheReport) {
  Session session = Open();
  std::vector<int64_t> progress;
  const auto report = session.Replay(0, [&](int64_t done, int64_t total) {
    progress.push_back(done);
    progress.push_back(total);
  });
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->equal(), 2);
  EXPECT_THAT(progress, ElementsAre(1, 2));
}

TEST_F(CallsTest, AStreamWithoutAReportIsAnError) {
  history_.without_report = true;
  Session session = Open();
  EXPECT_EQ(session.Replay().status().code(), absl::StatusCode::kInternal);
}

TEST(ConnectionTest, SaysThatNothingListens) {
  // Bound and not listening: nobody else can take the port meanwhile.
  const int socket_fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  ASSERT_EQ(bind(socket_fd, reinterpret_cast<sockaddr*>(&address), length), 0);
  getsockname(socket_fd, reinterpret_cast<sockaddr*>(&address), &length);
  auto client =
      Client::Connect(absl::StrCat("127.0.0.1:", ntohs(address.sin_port)));
  const auto sessions = client->ListSessions();
  EXPECT_EQ(sessions.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(sessions.status().message()),
              HasSubstr("nothing listens on 127.0.0.1:"));
  close(socket_fd);
}

TEST(ConnectionTest, SaysThatSomethingElseListens) {
  const int socket_fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  ASSERT_EQ(bind(socket_fd, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(socket_fd, 8), 0);
  getsockname(socket_fd, reinterpret_cast<sockaddr*>(&address), &length);
  std::thread web_server([socket_fd] {
    while (true) {
      const int peer = accept(socket_fd, nullptr, nullptr);
      if (peer < 0) return;
      constexpr char kAnswer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
      if (write(peer, kAnswer, sizeof(kAnswer) - 1) < 0) return;
      close(peer);
    }
  });
  auto client =
      Client::Connect(absl::StrCat("127.0.0.1:", ntohs(address.sin_port)));
  const auto sessions = client->ListSessions();
  EXPECT_EQ(sessions.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(sessions.status().message()),
              testing::AnyOf(HasSubstr("right port"),
                             HasSubstr("not a Faultline server")));
  shutdown(socket_fd, SHUT_RDWR);
  web_server.join();
  close(socket_fd);
}

TEST(ConnectionTest, SaysThatThereIsNoSuchHost) {
  auto client = Client::Connect("no-such-host.invalid:7");
  const auto sessions = client->ListSessions();
  EXPECT_EQ(sessions.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(sessions.status().message()),
              HasSubstr("no host 'no-such-host.invalid'"));
}

}  // namespace
}  // namespace faultline::client
