// Watching through the library: resumed where it was cut, each change once,
// ended from another thread.

#include <gmock/gmock.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "client/cpp/client.h"
#include "client/cpp/error.h"
#include "faultline/v1/history.grpc.pb.h"
#include "faultline/v1/session.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/gradebook/gradebook.h"
#include "server/service/server.h"
#include "server/session/session_table.h"
#include "storage/store.h"

namespace faultline::client {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// --- A server that cuts its streams as it is told.

grpc::Status WithReason(grpc::StatusCode code, const std::string& reason) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  google::rpc::Status details;
  details.add_details()->PackFrom(info);
  return grpc::Status(code, reason, details.SerializeAsString());
}

class Sessions : public v1::SessionService::Service {
 public:
  grpc::Status GetSession(grpc::ServerContext*,
                          const v1::GetSessionRequest* request,
                          v1::GetSessionResponse* response) override {
    response->mutable_session()->set_name(request->session());
    return grpc::Status::OK;
  }
};

class History : public v1::HistoryService::Service {
 public:
  using Writer = grpc::ServerWriter<v1::WatchEventsResponse>;
  // What one call does.
  using Call = std::function<grpc::Status(Writer&)>;

  grpc::Status WatchEvents(grpc::ServerContext* context,
                           const v1::WatchEventsRequest* request,
                           Writer* writer) override {
    requests.push_back(*request);
    if (requests.size() <= calls.size()) {
      return calls[requests.size() - 1](*writer);
    }
    v1::WatchEventsResponse mark;
    mark.set_revision(request->start_revision() - 1);
    writer->Write(mark);
    while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
    return grpc::Status::CANCELLED;
  }

  std::vector<Call> calls;
  std::vector<v1::WatchEventsRequest> requests;
};

// Sends a change for each of the revisions, then ends so.
History::Call Send(std::vector<int64_t> revisions, grpc::Status end) {
  return [revisions = std::move(revisions), end](History::Writer& writer) {
    for (const int64_t revision : revisions) {
      v1::WatchEventsResponse response;
      response.set_revision(revision);
      response.add_changes()->set_revision(revision);
      writer.Write(response);
    }
    return end;
  };
}

const grpc::Status kUnavailable(grpc::StatusCode::UNAVAILABLE, "cut");

class WatchTest : public testing::Test {
 protected:
  WatchTest() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&sessions_);
    builder.RegisterService(&history_);
    server_ = builder.BuildAndStart();
    client_ = std::make_unique<Client>(
        *Client::Connect(absl::StrCat("127.0.0.1:", port)));
  }
  ~WatchTest() override { server_->Shutdown(absl::ToChronoTime(absl::Now())); }

  absl::Status Watch(const WatchOptions& options,
                     Cancellation* cancellation = nullptr) {
    return client_->OpenSession("lab")->Watch(
        options,
        [this](const v1::WatchEventsResponse& response) {
          for (const auto& change : response.changes()) {
            seen_.push_back(change.revision());
          }
        },
        cancellation);
  }

  Sessions sessions_;
  History history_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Client> client_;
  std::vector<int64_t> seen_;
};

TEST_F(WatchTest, AsksForWhatIsWanted) {
  history_.calls = {Send({}, grpc::Status::OK)};
  ASSERT_TRUE(Watch({.start_revision = 3,
                     .end_revision = 9,
                     .pids = {1, 2},
                     .kinds = {"fault_resolved"},
                     .event_level = v1::EVENT_LEVEL_ALL,
                     .include_commands = true})
                  .ok());
  ASSERT_EQ(history_.requests.size(), 1u);
  const v1::WatchEventsRequest& request = history_.requests[0];
  EXPECT_EQ(request.session(), "sessions/lab");
  EXPECT_EQ(request.start_revision(), 3);
  EXPECT_EQ(request.end_revision(), 9);
  EXPECT_THAT(request.pids(), ElementsAre(1, 2));
  EXPECT_THAT(request.kinds(), ElementsAre("fault_resolved"));
  EXPECT_EQ(request.event_level(), v1::EVENT_LEVEL_ALL);
  EXPECT_TRUE(request.include_commands());
}

TEST_F(WatchTest, GoesOnWhereItWasCut) {
  history_.calls = {
      Send({1, 2, 3}, kUnavailable), Send({}, kUnavailable),
      Send({4, 5}, WithReason(grpc::StatusCode::UNAVAILABLE, "SHUTTING_DOWN")),
      Send({6}, grpc::Status::CANCELLED), Send({7}, grpc::Status::OK)};
  ASSERT_TRUE(Watch({.start_revision = 1}).ok());
  EXPECT_THAT(seen_, ElementsAre(1, 2, 3, 4, 5, 6, 7));
  std::vector<int64_t> starts;
  for (const auto& request : history_.requests) {
    starts.push_back(request.start_revision());
  }
  EXPECT_THAT(starts, ElementsAre(1, 4, 4, 6, 7));
}

TEST_F(WatchTest, BeginsInThePresentOnlyOnce) {
  history_.calls = {Send({}, kUnavailable), Send({8}, kUnavailable),
                    Send({9}, grpc::Status::OK)};
  ASSERT_TRUE(Watch({}).ok());
  ASSERT_EQ(history_.requests.size(), 3u);
  EXPECT_FALSE(history_.requests[0].has_start_revision());
  EXPECT_FALSE(history_.requests[1].has_start_revision());
  EXPECT_EQ(history_.requests[2].start_revision(), 9);
  EXPECT_THAT(seen_, ElementsAre(8, 9));
}

TEST_F(WatchTest, WhenOnlyTheEndGotLostItIsOver) {
  history_.calls = {Send({1, 2}, kUnavailable)};
  EXPECT_TRUE(Watch({.start_revision = 1, .end_revision = 2}).ok());
  EXPECT_EQ(history_.requests.size(), 1u);
}

TEST_F(WatchTest, AnErrorIsNotRepeated) {
  for (const grpc::StatusCode code :
       {grpc::StatusCode::NOT_FOUND, grpc::StatusCode::INTERNAL,
        grpc::StatusCode::RESOURCE_EXHAUSTED, grpc::StatusCode::DATA_LOSS}) {
    history_.requests.clear();
    history_.calls = {Send({1}, WithReason(code, "NO"))};
    const absl::Status status = Watch({.start_revision = 1});
    EXPECT_EQ(static_cast<int>(status.code()), static_cast<int>(code));
    EXPECT_EQ(ReasonOf(status), "NO");
    EXPECT_EQ(history_.requests.size(), 1u);
  }
}

TEST_F(WatchTest, GivesUpWhereNothingEverCame) {
  history_.calls.assign(10, Send({}, kUnavailable));
  EXPECT_EQ(Watch({}).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(history_.requests.size(), static_cast<size_t>(kAttemptsMax));
}

TEST_F(WatchTest, GivesUpWhenItsPatienceEnds) {
  history_.calls.assign(100, Send({}, kUnavailable));
  history_.calls[0] = Send({1}, kUnavailable);
  WatchOptions options;
  options.patience = absl::Milliseconds(300);
  EXPECT_EQ(Watch(options).code(), absl::StatusCode::kUnavailable);
  EXPECT_LT(history_.requests.size(), 10u);
  EXPECT_THAT(seen_, ElementsAre(1));
}

TEST_F(WatchTest, AnotherThreadEndsIt) {
  Cancellation cancellation;
  history_.calls = {Send({1}, kUnavailable)};
  std::thread other([&] {
    while (history_.requests.size() < 2) std::this_thread::yield();
    cancellation.Cancel();
  });
  EXPECT_EQ(Watch({.start_revision = 1}, &cancellation).code(),
            absl::StatusCode::kCancelled);
  other.join();
  EXPECT_TRUE(cancellation.cancelled());
  // What is started with it ends at once.
  EXPECT_EQ(Watch({}, &cancellation).code(), absl::StatusCode::kCancelled);
}

TEST_F(WatchTest, TheCallbackEndsIt) {
  Cancellation cancellation;
  history_.calls = {Send({1, 2, 3}, kUnavailable)};
  const absl::Status status = client_->OpenSession("lab")->Watch(
      {.start_revision = 1},
      [&](const v1::WatchEventsResponse& response) {
        seen_.push_back(response.revision());
        cancellation.Cancel();
      },
      &cancellation);
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(seen_.front(), 1);
}

// --- The real server.

class RealServerTest : public testing::Test {
 protected:
  RealServerTest()
      : store_(OpenStore()), table_(*store_), gradebook_(*store_, table_) {
    Start(0);
  }

  static std::unique_ptr<storage::Store> OpenStore() {
    storage::Store::Options options;
    options.path = ":memory:";
    return *storage::Store::Open(options);
  }
  void Start(int port) {
    Server::Options options;
    options.listen = absl::StrCat("127.0.0.1:", port);
    auto server = Server::Start(table_, gradebook_, options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  // Every stream is cut, and the server is there again.
  void Restart() {
    const int port = server_->port();
    server_->Shutdown(absl::Seconds(30));
    server_.reset();
    Start(port);
  }
  Client Connect() { return *Client::Connect(server_->address()); }

  std::unique_ptr<storage::Store> store_;
  SessionTable table_;
  Gradebook gradebook_;
  std::unique_ptr<Server> server_;
};

TEST_F(RealServerTest, AWatchOutlivesTheServer) {
  Client client = Connect();
  Session lab = *client.CreateSession({.id = "lab"});
  std::vector<int64_t> seen;
  std::atomic<int64_t> mark{-1};
  std::thread watcher([&] {
    Session mine = *Connect().OpenSession("lab");
    const absl::Status status =
        mine.Watch({.include_commands = true},
                   [&](const v1::WatchEventsResponse& response) {
                     for (const auto& change : response.changes()) {
                       seen.push_back(change.revision());
                     }
                     mark = response.revision();
                   });
    EXPECT_TRUE(status.ok()) << status;
  });
  const auto await = [&](int64_t revision) {
    while (mark < revision) std::this_thread::yield();
  };
  await(0);
  v1::Command tick;
  tick.mutable_tick()->set_nanoseconds(1);
  for (int round = 1; round <= 3; ++round) {
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(lab.Call(tick).ok());
    await(round * 10 - 5);
    Restart();
  }
  ASSERT_TRUE(client.CloseSession("lab").ok());
  watcher.join();
  std::vector<int64_t> expected;
  for (int64_t i = 1; i <= 30; ++i) expected.push_back(i);
  EXPECT_EQ(seen, expected);
}

TEST_F(RealServerTest, ParticipantsJoinSendAndLeave) {
  Client client = Connect();
  Session lab = *client.CreateSession({.id = "lab"});
  const auto ada = lab.Join({.id = "ada", .display_name = "Ada"});
  ASSERT_TRUE(ada.ok()) << ada.status();
  EXPECT_EQ(ada->name(), "sessions/lab/participants/ada");
  const auto bob = lab.Join({.role = v1::ROLE_OBSERVER});
  ASSERT_TRUE(bob.ok()) << bob.status();
  EXPECT_EQ(ReasonOf(lab.Join({.id = "ada"}).status()),
            "PARTICIPANT_ALREADY_EXISTS");

  v1::Command tick;
  tick.mutable_tick()->set_nanoseconds(1);
  CallSettings settings;
  settings.participant = ada->name();
  EXPECT_TRUE(lab.Call(tick, settings).ok());
  settings.participant = bob->name();
  EXPECT_EQ(lab.Call(tick, settings).status().code(),
            absl::StatusCode::kPermissionDenied);

  EXPECT_EQ(lab.ListParticipants()->size(), 2u);
  const auto left = lab.Leave(ada->name());
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_TRUE(left->has_leave_time());
  EXPECT_EQ(lab.ListParticipants()->size(), 1u);
  EXPECT_EQ(lab.ListParticipants(WhoLeft::kInclude)->size(), 2u);
  EXPECT_EQ(ReasonOf(lab.Leave("sessions/lab/participants/carol").status()),
            "PARTICIPANT_NOT_FOUND");
}

}  // namespace
}  // namespace faultline::client
