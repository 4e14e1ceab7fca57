// HistoryService.WatchEvents over the wire.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/service/test_server.h"

namespace faultline {
namespace {

using testing::BadField;
using ::testing::ElementsAre;
using testing::ExpectError;
using ::testing::IsEmpty;

constexpr uint64_t kPage = 4096;
constexpr int kWatchMillis = 60'000;

class WatchTest : public testing::TestServer {
 protected:
  // One call of WatchEvents, and what came of it.
  class Watch {
   public:
    Watch(v1::HistoryService::Stub& stub, const v1::WatchEventsRequest& request)
        : context_(kWatchMillis),
          reader_(stub.WatchEvents(&context_, request)) {}
    ~Watch() {
      if (reader_ != nullptr) Cancel();
    }

    // False at the end.
    bool Read() {
      v1::WatchEventsResponse response;
      if (!reader_->Read(&response)) return false;
      EXPECT_GE(response.revision(), revision_);
      revision_ = response.revision();
      ++messages_;
      for (v1::Change& change : *response.mutable_changes()) {
        changes_.push_back(std::move(change));
      }
      return true;
    }
    void ReadTo(int64_t revision) {
      while (revision_ < revision) ASSERT_TRUE(Read());
    }
    grpc::Status ReadToEnd() {
      while (Read()) {
      }
      return Finish();
    }
    grpc::Status Finish() { return std::exchange(reader_, nullptr)->Finish(); }
    void Cancel() {
      context_.TryCancel();
      EXPECT_EQ(ReadToEnd().error_code(), grpc::StatusCode::CANCELLED);
    }

    int64_t revision() const { return revision_; }
    int messages() const { return messages_; }
    const std::vector<v1::Change>& changes() const { return changes_; }
    std::vector<int64_t> Revisions() const {
      std::vector<int64_t> revisions;
      for (const v1::Change& c : changes_) revisions.push_back(c.revision());
      return revisions;
    }
    std::vector<std::string> Lines() const {
      std::vector<std::string> lines;
      for (const v1::Change& c : changes_) {
        lines.push_back(c.SerializeAsString());
      }
      return lines;
    }

   private:
    Context context_;
    std::unique_ptr<grpc::ClientReader<v1::WatchEventsResponse>> reader_;
    int64_t revision_ = -1;
    int messages_ = 0;
    std::vector<v1::Change> changes_;
  };

  v1::WatchEventsRequest Request(const std::string& session) {
    v1::WatchEventsRequest request;
    request.set_session(session);
    request.set_include_commands(true);
    return request;
  }
  v1::WatchEventsRequest From(const std::string& session, int64_t start) {
    v1::WatchEventsRequest request = Request(session);
    request.set_start_revision(start);
    return request;
  }
  std::unique_ptr<Watch> Start(const v1::WatchEventsRequest& request) {
    return std::make_unique<Watch>(*history_, request);
  }
  grpc::Status End(const v1::WatchEventsRequest& request) {
    return Start(request)->ReadToEnd();
  }

  // One mapping and a write to each of its pages, one by one.
  void Drive(const std::string& session, int pages) {
    const uint64_t start = Map(session, static_cast<uint64_t>(pages) * kPage);
    for (int i = 0; i < pages; ++i) {
      v1::AccessResponse response;
      const uint64_t addr = start + static_cast<uint64_t>(i) * kPage;
      ASSERT_TRUE(Touch(session, addr, 1, &response).ok());
    }
  }
  grpc::Status Close(const std::string& session) {
    v1::CloseSessionRequest request;
    request.set_session(session);
    v1::CloseSessionResponse response;
    Context context;
    return sessions_->CloseSession(&context, request, &response);
  }
  grpc::Status Delete(const std::string& session) {
    v1::DeleteSessionRequest request;
    request.set_session(session);
    v1::DeleteSessionResponse response;
    Context context;
    return sessions_->DeleteSession(&context, request, &response);
  }
};

TEST_F(WatchTest, ShowsThePastThePresentAndTheFuture) {
  const std::string lab = Create("lab");
  const auto future = Start(From(lab, 7));
  const auto present = Start(Request(lab));
  present->ReadTo(0);
  future->ReadTo(6);
  Drive(lab, 9);
  const auto past = Start(From(lab, 1));
  past->ReadTo(10);
  present->ReadTo(10);
  future->ReadTo(10);
  EXPECT_THAT(past->Revisions(), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  EXPECT_EQ(present->Lines(), past->Lines());
  EXPECT_THAT(future->Revisions(), ElementsAre(7, 8, 9, 10));
  const v1::Change& fault = past->changes().back();
  EXPECT_TRUE(fault.command().has_access());
  EXPECT_TRUE(fault.events().rbegin()->has_fault_resolved());
}

TEST_F(WatchTest, FiltersByKindProcessAndLevel) {
  const std::string lab = Create("lab");
  Drive(lab, 3);
  v1::WatchEventsRequest request = From(lab, 1);
  request.set_include_commands(false);
  request.set_end_revision(4);
  request.add_kinds("mm_page_alloc");
  request.add_kinds("fault_resolved");
  request.set_event_level(v1::EVENT_LEVEL_ALL);
  auto watch = Start(request);
  EXPECT_TRUE(watch->ReadToEnd().ok());
  for (const v1::Change& change : watch->changes()) {
    for (const v1::Event& event : change.events()) {
      EXPECT_TRUE(event.has_mm_page_alloc() || event.has_fault_resolved());
    }
  }
  EXPECT_THAT(watch->Revisions(), ElementsAre(2, 3, 4));
  request.add_pids(77);
  watch = Start(request);
  EXPECT_TRUE(watch->ReadToEnd().ok());
  EXPECT_THAT(watch->Revisions(), IsEmpty());
  EXPECT_EQ(watch->revision(), 4);
  request.set_pids(0, 1);
  request.set_event_level(v1::EVENT_LEVEL_NONE);
  watch = Start(request);
  EXPECT_TRUE(watch->ReadToEnd().ok());
  EXPECT_THAT(watch->Revisions(), IsEmpty());
}

TEST_F(WatchTest, RefusesWhatCannotBe) {
  const std::string lab = Create("lab");
  EXPECT_EQ(BadField(End(Request("lab"))), "session");
  EXPECT_EQ(BadField(End(From(lab, 0))), "start_revision");
  EXPECT_EQ(BadField(End(From(lab, -3))), "start_revision");
  v1::WatchEventsRequest request = From(lab, 5);
  request.set_end_revision(4);
  EXPECT_EQ(BadField(End(request)), "end_revision");
  request = Request(lab);
  request.add_kinds("fault_resolved");
  request.add_kinds("falt_resolved");
  EXPECT_EQ(BadField(End(request)), "kinds[1]");
  request = Request(lab);
  for (uint32_t pid = 1; pid <= 65; ++pid) request.add_pids(pid);
  EXPECT_EQ(BadField(End(request)), "pids");
  request = Request(lab);
  for (int i = 0; i < 65; ++i) request.add_kinds("fault_resolved");
  EXPECT_EQ(BadField(End(request)), "kinds");
  request = Request(lab);
  request.set_event_level(static_cast<v1::EventLevel>(9));
  EXPECT_EQ(BadField(End(request)), "event_level");
  ExpectError(End(Request("sessions/none")), grpc::StatusCode::NOT_FOUND,
              "SESSION_NOT_FOUND");
}

TEST_F(WatchTest, CutAtRandomAndResumedItSeesEverythingOnce) {
  const std::string lab = Create("lab");
  std::thread driver([&] {
    for (int i = 0; i < 20; ++i) Drive(lab, 19);
    EXPECT_TRUE(Close(lab).ok());
  });
  std::minstd_rand random(7);
  std::vector<std::string> seen;
  int64_t next = 1;
  bool ended = false;
  while (!ended) {
    auto watch = Start(From(lab, next));
    for (auto left = random() % 4 + 1; left > 0 && !ended; --left) {
      ended = !watch->Read();
    }
    if (!ended) watch->Cancel();
    // What had been sent before the cut has been read.
    for (std::string& line : watch->Lines()) seen.push_back(std::move(line));
    next = watch->revision() + 1;
    if (ended) {
      EXPECT_TRUE(watch->Finish().ok());
    }
  }
  driver.join();
  auto whole = Start(From(lab, 1));
  EXPECT_TRUE(whole->ReadToEnd().ok());
  EXPECT_EQ(whole->changes().size(), 400u);
  EXPECT_EQ(seen, whole->Lines());
}

TEST_F(WatchTest, ASlowReaderDelaysNobodyAndMissesNothing) {
  const std::string lab = Create("lab");
  const auto slow = Start(Request(lab));
  slow->ReadTo(0);
  constexpr int kRounds = 10;
  constexpr int kPages = 999;
  for (int i = 0; i < kRounds; ++i) {
    v1::RunRequest batch;
    batch.set_session(lab);
    for (int page = -1; page < kPages; ++page) {
      v1::Command* command = batch.add_commands();
      command->set_pid(1);
      const uint64_t start = 0x10000000 + static_cast<uint64_t>(i) * 0x1000000;
      if (page < 0) {
        command->mutable_mmap()->set_addr(start);
        command->mutable_mmap()->set_length(kPages * kPage);
        command->mutable_mmap()->set_prot(3);
        command->mutable_mmap()->set_flags(0x32);
      } else {
        command->mutable_access()->set_kind(v1::ACCESS_KIND_WRITE);
        command->mutable_access()->set_addr(
            start + static_cast<uint64_t>(page) * kPage);
      }
    }
    Context context;
    auto run = machines_->Run(&context);
    ASSERT_TRUE(run->Write(batch));
    run->WritesDone();
    v1::RunResponse response;
    while (run->Read(&response)) {
    }
    ASSERT_TRUE(run->Finish().ok());
  }
  EXPECT_EQ(Revision(lab), kRounds * (kPages + 1));
  slow->ReadTo(kRounds * (kPages + 1));
  std::vector<int64_t> expected;
  for (int i = 1; i <= kRounds * (kPages + 1); ++i) expected.push_back(i);
  EXPECT_EQ(slow->Revisions(), expected);
}

TEST_F(WatchTest, TwoHundredSeeTheSame) {
  const std::string lab = Create("lab");
  std::vector<std::unique_ptr<Watch>> watches;
  for (int i = 0; i < 200; ++i) watches.push_back(Start(Request(lab)));
  for (const auto& watch : watches) watch->ReadTo(0);
  Drive(lab, 99);
  for (const auto& watch : watches) watch->ReadTo(100);
  for (const auto& watch : watches) {
    EXPECT_EQ(watch->changes().size(), 100u);
    EXPECT_EQ(watch->Lines(), watches.front()->Lines());
  }
}

TEST_F(WatchTest, EndsWithTheSession) {
  const std::string lab = Create("lab");
  const auto closed = Start(Request(lab));
  closed->ReadTo(0);
  Drive(lab, 3);
  ASSERT_TRUE(Close(lab).ok());
  EXPECT_TRUE(closed->ReadToEnd().ok());
  EXPECT_THAT(closed->Revisions(), ElementsAre(1, 2, 3, 4));

  const std::string doomed = Create("doomed");
  const auto deleted = Start(Request(doomed));
  deleted->ReadTo(0);
  ASSERT_TRUE(Delete(doomed).ok());
  ExpectError(deleted->ReadToEnd(), grpc::StatusCode::NOT_FOUND,
              "SESSION_NOT_FOUND");
}

TEST_F(WatchTest, EndsWhenTheServerStopsWhoeverReads) {
  const std::string lab = Create("lab");
  const auto reading = Start(Request(lab));
  reading->ReadTo(0);
  const auto unread = Start(From(lab, 1));  // its messages do not all fit
  for (int i = 0; i < 3; ++i) {
    const uint64_t start = Map(lab, 4000 * kPage);
    v1::AccessRequest request;
    request.set_session(lab);
    request.set_pid(1);
    request.mutable_access()->set_kind(v1::ACCESS_KIND_WRITE);
    request.mutable_access()->set_addr(start);
    request.mutable_access()->set_count(4000);
    request.mutable_access()->set_stride(kPage);
    v1::AccessResponse response;
    Context context;
    ASSERT_TRUE(machines_->Access(&context, request, &response).ok());
  }
  reading->ReadTo(6);
  const absl::Time start = absl::Now();
  server_->Shutdown(absl::Seconds(30));
  EXPECT_LT(absl::Now() - start, absl::Seconds(20));
  ExpectError(reading->ReadToEnd(), grpc::StatusCode::UNAVAILABLE,
              "SHUTTING_DOWN");
  EXPECT_FALSE(unread->ReadToEnd().ok());
}

TEST_F(WatchTest, AClientThatGoesAwayIsForgotten) {
  const std::string lab = Create("lab");
  for (int i = 0; i < 20; ++i) {
    const auto watch = Start(Request(lab));
    watch->ReadTo(0);
    watch->Cancel();
  }
  // The last of them may still be on its way.
  while (table_->watched_sessions() > 0) std::this_thread::yield();
  Drive(lab, 2);
}

}  // namespace
}  // namespace faultline
