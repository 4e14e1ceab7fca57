// Snapshots and looks at the past through the library: what is repeated when an
// answer gets lost, and what the real server keeps.

#include <gmock/gmock.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/client.h"
#include "client/cpp/error.h"
#include "faultline/v1/history.grpc.pb.h"
#include "faultline/v1/inspect.grpc.pb.h"
#include "faultline/v1/session.grpc.pb.h"
#include "server/gradebook/gradebook.h"
#include "server/service/server.h"
#include "server/session/session_table.h"
#include "storage/store.h"

namespace faultline::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

// --- A server whose answers get lost.

const grpc::Status kLost(grpc::StatusCode::UNAVAILABLE, "cut");
const grpc::Status kExists(grpc::StatusCode::ALREADY_EXISTS, "there is one");

class Sessions : public v1::SessionService::Service {
 public:
  grpc::Status GetSession(grpc::ServerContext*,
                          const v1::GetSessionRequest* request,
                          v1::GetSessionResponse* response) override {
    response->mutable_session()->set_name(request->session());
    response->mutable_session()->set_revision(9);
    return grpc::Status::OK;
  }
};

// Of each rpc all requests are kept; the first calls end with the statuses
// given.
class History : public v1::HistoryService::Service {
 public:
  grpc::Status CreateSnapshot(grpc::ServerContext* context,
                              const v1::CreateSnapshotRequest* request,
                              v1::CreateSnapshotResponse* response) override {
    creates.push_back(*request);
    deadline = absl::FromChrono(context->deadline());
    response->mutable_snapshot()->set_name(request->session() + "/snapshots/" +
                                           request->snapshot_id());
    return Next();
  }
  grpc::Status GetSnapshot(grpc::ServerContext*,
                           const v1::GetSnapshotRequest* request,
                           v1::GetSnapshotResponse* response) override {
    gets.push_back(request->snapshot());
    response->mutable_snapshot()->set_name(request->snapshot());
    response->mutable_snapshot()->set_revision(7);
    return Next();
  }
  // Two pages.
  grpc::Status ListSnapshots(grpc::ServerContext*,
                             const v1::ListSnapshotsRequest* request,
                             v1::ListSnapshotsResponse* response) override {
    const grpc::Status status = Next();
    if (!status.ok()) return status;
    tokens.push_back(request->page_token());
    const bool first = request->page_token().empty();
    response->add_snapshots()->set_name(first ? "a" : "b");
    if (first) response->set_next_page_token("more");
    return status;
  }
  grpc::Status DeleteSnapshot(grpc::ServerContext*,
                              const v1::DeleteSnapshotRequest* request,
                              v1::DeleteSnapshotResponse*) override {
    deletes.push_back(*request);
    return Next();
  }
  grpc::Status RestoreSnapshot(grpc::ServerContext*,
                               const v1::RestoreSnapshotRequest* request,
                               v1::RestoreSnapshotResponse* response) override {
    restores.push_back(*request);
    response->mutable_session()->set_name("sessions/" + request->session_id());
    return Next();
  }

  std::vector<grpc::Status> ends;
  std::vector<v1::CreateSnapshotRequest> creates;
  std::vector<std::string> gets;
  std::vector<std::string> tokens;
  std::vector<v1::DeleteSnapshotRequest> deletes;
  std::vector<v1::RestoreSnapshotRequest> restores;
  absl::Time deadline;

 private:
  grpc::Status Next() {
    if (ends.empty()) return grpc::Status::OK;
    grpc::Status status = ends.front();
    ends.erase(ends.begin());
    return status;
  }
};

// Answers with the revision that it is told to have.
class Inspect : public v1::InspectService::Service {
 public:
  grpc::Status ReadProc(grpc::ServerContext*,
                        const v1::ReadProcRequest* request,
                        v1::ReadProcResponse* response) override {
    requests.push_back(*request);
    response->set_revision(revision);
    response->set_text(request->offset() == 0 ? "first " : "second");
    if (request->offset() == 0) response->set_next_offset(6);
    return grpc::Status::OK;
  }
  int64_t revision = 9;
  std::vector<v1::ReadProcRequest> requests;
};

class LostSnapshotsTest : public testing::Test {
 protected:
  LostSnapshotsTest() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&sessions_);
    builder.RegisterService(&history_);
    builder.RegisterService(&inspect_);
    server_ = builder.BuildAndStart();
    client_ = std::make_unique<Client>(
        *Client::Connect(absl::StrCat("127.0.0.1:", port)));
  }
  ~LostSnapshotsTest() override {
    server_->Shutdown(absl::ToChronoTime(absl::Now()));
  }
  Session Lab() { return *client_->OpenSession("lab"); }

  Sessions sessions_;
  History history_;
  Inspect inspect_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(LostSnapshotsTest, ASnapshotWithoutANameIsTakenOnce) {
  history_.ends = {kLost, kLost, kExists};
  const auto taken = Lab().CreateSnapshot();
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_EQ(taken->revision(), 7) << "that of the first attempt is read";
  ASSERT_EQ(history_.creates.size(), 3u);
  const std::string id = history_.creates[0].snapshot_id();
  EXPECT_THAT(id, MatchesRegex("[a-z][a-z0-9-]+[a-z0-9]"));
  for (const auto& request : history_.creates) {
    EXPECT_EQ(request.snapshot_id(), id) << "one name per call";
  }
  EXPECT_THAT(history_.gets, ElementsAre("sessions/lab/snapshots/" + id));
  ASSERT_TRUE(Lab().CreateSnapshot().ok());
  EXPECT_NE(history_.creates[3].snapshot_id(), id);
}

TEST_F(LostSnapshotsTest, ANameThatIsTakenAtTheFirstAttemptIsAnError) {
  history_.ends = {kExists};
  EXPECT_EQ(Lab().CreateSnapshot().status().code(),
            absl::StatusCode::kAlreadyExists);
  history_.ends = {kExists};
  EXPECT_EQ(Lab().RestoreSnapshot("before").status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(history_.gets.empty());
}

TEST_F(LostSnapshotsTest, WhatTheCallerNamedIsNotRepeated) {
  history_.ends = {kLost};
  EXPECT_EQ(Lab().CreateSnapshot({.id = "before"}).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(history_.creates.size(), 1u);
  history_.ends = {kLost};
  EXPECT_EQ(Lab().RestoreSnapshot("before", {.id = "new"}).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(history_.restores.size(), 1u);
}

TEST_F(LostSnapshotsTest, ASessionWithoutANameIsRestoredOnce) {
  history_.ends = {kLost, kExists};
  const auto restored = Lab().RestoreSnapshot("before");
  ASSERT_TRUE(restored.ok()) << restored.status();
  ASSERT_EQ(history_.restores.size(), 2u);
  EXPECT_EQ(history_.restores[0].snapshot(), "sessions/lab/snapshots/before");
  EXPECT_EQ(history_.restores[0].session_id(),
            history_.restores[1].session_id());
  EXPECT_EQ(restored->name(), "sessions/" + history_.restores[0].session_id());
  EXPECT_EQ(restored->revision(), 0);
}

TEST_F(LostSnapshotsTest, ADeletionIsRepeatedWhereAMissingOneIsDone) {
  history_.ends = {kLost};
  EXPECT_EQ(Lab().DeleteSnapshot("before").code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(history_.deletes.size(), 1u);
  history_.ends = {kLost};
  EXPECT_TRUE(Lab().DeleteSnapshot("before", Missing::kIsDone).ok());
  ASSERT_EQ(history_.deletes.size(), 3u);
  EXPECT_TRUE(history_.deletes[2].allow_missing());
  EXPECT_EQ(history_.deletes[2].snapshot(), "sessions/lab/snapshots/before");
}

TEST_F(LostSnapshotsTest, ReadingIsRepeatedAndListsAllPages) {
  history_.ends = {kLost};
  EXPECT_TRUE(Lab().GetSnapshot("sessions/lab/snapshots/before").ok());
  EXPECT_THAT(history_.gets, ElementsAre("sessions/lab/snapshots/before",
                                         "sessions/lab/snapshots/before"));
  history_.ends = {kLost};
  const auto all = Lab().ListSnapshots();
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[1].name(), "b");
  EXPECT_THAT(history_.tokens, ElementsAre("", "more"));
}

TEST_F(LostSnapshotsTest, AnErrorOnALaterPageIsNotAShortList) {
  history_.ends = {grpc::Status::OK,
                   grpc::Status(grpc::StatusCode::NOT_FOUND, "deleted")};
  EXPECT_EQ(Lab().ListSnapshots().status().code(), absl::StatusCode::kNotFound);
}

TEST_F(LostSnapshotsTest, ThePastHasTheTimeOfAReplay) {
  const absl::Duration slack = absl::Minutes(1);
  ASSERT_TRUE(Lab().CreateSnapshot().ok());
  EXPECT_FALSE(history_.creates.back().has_revision());
  EXPECT_LT(history_.deadline, absl::Now() + kDefaultDeadline + slack);
  ASSERT_TRUE(Lab().CreateSnapshot({.revision = 0}).ok());
  EXPECT_TRUE(history_.creates.back().has_revision());
  EXPECT_GT(history_.deadline, absl::Now() + kLongDeadline - slack);
}

TEST_F(LostSnapshotsTest, EachPartOfALookIsAtTheRevisionAskedFor) {
  EXPECT_EQ(*Lab().At(9).ReadProc("/proc/1/maps"), "first second");
  ASSERT_EQ(inspect_.requests.size(), 2u);
  for (const auto& request : inspect_.requests) {
    EXPECT_EQ(request.at_revision(), 9);
    EXPECT_FALSE(request.has_expected_revision());
  }
}

TEST_F(LostSnapshotsTest, AServerThatCannotLookBackIsRefused) {
  const auto look = Lab().At(3).ReadProc("/proc/1/maps");
  EXPECT_EQ(look.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(look.status().message()),
              HasSubstr("cannot look at revision 3 of sessions/lab"));
}

// --- The real server.

class RealSnapshotsTest : public testing::Test {
 protected:
  RealSnapshotsTest()
      : store_(OpenStore()), table_(*store_), gradebook_(*store_, table_) {
    Server::Options options;
    options.listen = "127.0.0.1:0";
    server_ = *Server::Start(table_, gradebook_, options);
    client_ = std::make_unique<Client>(*Client::Connect(server_->address()));
  }
  static std::unique_ptr<storage::Store> OpenStore() {
    storage::Store::Options options;
    options.path = ":memory:";
    return *storage::Store::Open(options);
  }
  // Each makes a revision.
  static void Map(Session& session) {
    v1::Mmap mmap;
    mmap.set_length(4096);
    mmap.set_prot(3);
    mmap.set_flags(0x22);
    ASSERT_TRUE(session.Mmap(1, mmap).ok());
  }

  std::unique_ptr<storage::Store> store_;
  SessionTable table_;
  Gradebook gradebook_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(RealSnapshotsTest, TakesReadsListsAndDeletes) {
  Session lab = *client_->CreateSession({.id = "lab"});
  Map(lab);
  auto now = lab.CreateSnapshot({.id = "now", .display_name = "One page"});
  ASSERT_TRUE(now.ok()) << now.status();
  EXPECT_EQ(now->name(), "sessions/lab/snapshots/now");
  EXPECT_EQ(now->revision(), 1);
  EXPECT_EQ(now->display_name(), "One page");
  const auto first = lab.CreateSnapshot({.revision = 0});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->revision(), 0);
  EXPECT_TRUE(now->has_session_pause());
  now->clear_session_pause();  // it is not kept
  EXPECT_EQ(lab.GetSnapshot("now")->SerializeAsString(),
            now->SerializeAsString());
  EXPECT_EQ(lab.GetSnapshot(now->name())->name(), now->name());
  const auto all = lab.ListSnapshots();
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[0].name(), first->name());
  EXPECT_EQ((*all)[1].name(), now->name());
  EXPECT_TRUE(lab.DeleteSnapshot("now").ok());
  EXPECT_EQ(ReasonOf(lab.GetSnapshot("now").status()), "SNAPSHOT_NOT_FOUND");
  EXPECT_EQ(ReasonOf(lab.DeleteSnapshot("now")), "SNAPSHOT_NOT_FOUND");
  EXPECT_TRUE(lab.DeleteSnapshot("now", Missing::kIsDone).ok());
}

TEST_F(RealSnapshotsTest, ListsMoreThanAPage) {
  Session lab = *client_->CreateSession({.id = "lab"});
  constexpr size_t kCount = 205;
  for (size_t i = 0; i < kCount; ++i) {
    ASSERT_TRUE(lab.CreateSnapshot({.id = absl::StrCat("s", i)}).ok());
  }
  const auto all = lab.ListSnapshots();
  ASSERT_TRUE(all.ok()) << all.status();
  std::set<std::string> names;
  for (const v1::Snapshot& one : *all) names.insert(one.name());
  EXPECT_EQ(all->size(), kCount);
  EXPECT_EQ(names.size(), kCount) << "each once";
}

TEST_F(RealSnapshotsTest, ARestoredSessionGoesOnByItself) {
  Session lab = *client_->CreateSession({.id = "lab"});
  Map(lab);
  ASSERT_TRUE(lab.CreateSnapshot({.id = "one"}).ok());
  const std::string maps = *lab.ReadProc("/proc/1/maps");
  Map(lab);
  auto again = lab.RestoreSnapshot(
      "one", {.id = "again", .display_name = "From one page"});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->name(), "sessions/again");
  EXPECT_EQ(again->revision(), 0);
  EXPECT_EQ(*again->ReadProc("/proc/1/maps"), maps);
  EXPECT_EQ(client_->GetSession("again")->display_name(), "From one page");
  EXPECT_EQ(ReasonOf(lab.RestoreSnapshot("one", {.id = "again"}).status()),
            "SESSION_ALREADY_EXISTS");
  EXPECT_EQ(ReasonOf(lab.RestoreSnapshot("none").status()),
            "SNAPSHOT_NOT_FOUND");
  const auto unnamed = lab.RestoreSnapshot("one");
  ASSERT_TRUE(unnamed.ok()) << unnamed.status();
  EXPECT_TRUE(client_->GetSession(unnamed->name()).ok());
  ASSERT_TRUE(client_->DeleteSession("lab").ok());
  Map(*again);
  EXPECT_EQ(again->revision(), 1);
  EXPECT_TRUE(again->Verify()->ok());
}

TEST_F(RealSnapshotsTest, ReadsNothingWholeThatHasNoEnd) {
  Session lab = *client_->CreateSession({.id = "lab"});
  EXPECT_THAT(std::string(lab.ReadProc("/proc/1/pagemap").status().message()),
              HasSubstr("/proc/1/pagemap: EFBIG (it has more than 256 MiB"));
}

TEST_F(RealSnapshotsTest, LooksAtThePastOfAClosedSession) {
  Session lab = *client_->CreateSession({.id = "lab"});
  const std::string none = *lab.ReadProc("/proc/1/maps");
  Map(lab);
  const std::string one = *lab.ReadProc("/proc/1/maps");
  Map(lab);
  ASSERT_NE(none, one);
  ASSERT_TRUE(client_->CloseSession("lab").ok());
  EXPECT_EQ(lab.ReadProc("/proc/1/maps").status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(*lab.At(0).ReadProc("/proc/1/maps"), none);
  EXPECT_EQ(*lab.At(1).ReadProc("/proc/1/maps"), one);
  EXPECT_EQ(*lab.At(1).ReadProcAt("/proc/1/maps", 4, 8), one.substr(4, 8));
  EXPECT_THAT(*lab.At(2).ReadProc("/proc/1/maps"), Not(one));
  const auto future = lab.At(3).ReadProc("/proc/1/maps");
  EXPECT_EQ(ReasonOf(future.status()), "REVISION_OUT_OF_RANGE");
  EXPECT_EQ(lab.At(-1).ReadProc("/proc/1/maps").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(lab.At(1).ReadProc("/proc/9/maps").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(lab.CreateSnapshot({.revision = 1})->revision(), 1);
}

TEST_F(RealSnapshotsTest, SaysWhyThereIsNoSnapshot) {
  Session lab = *client_->CreateSession({.id = "lab"});
  ASSERT_TRUE(lab.CreateSnapshot({.id = "one"}).ok());
  EXPECT_EQ(ReasonOf(lab.CreateSnapshot({.id = "one"}).status()),
            "SNAPSHOT_ALREADY_EXISTS");
  EXPECT_EQ(ReasonOf(lab.CreateSnapshot({.revision = 5}).status()),
            "REVISION_OUT_OF_RANGE");
  const absl::Status bad = lab.CreateSnapshot({.id = "Not an id"}).status();
  EXPECT_THAT(Explain(bad), HasSubstr("snapshot_id"));
  ASSERT_TRUE(client_->DeleteSession("lab").ok());
  EXPECT_EQ(ReasonOf(lab.CreateSnapshot().status()), "SESSION_NOT_FOUND");
  EXPECT_EQ(ReasonOf(lab.ListSnapshots().status()), "SESSION_NOT_FOUND");
}

}  // namespace
}  // namespace faultline::client
