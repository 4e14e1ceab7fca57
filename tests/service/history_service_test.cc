#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/service/test_server.h"

namespace faultline {
namespace {

using testing::BadField;
using ::testing::ElementsAre;
using testing::ExpectError;

class HistoryServiceTest : public testing::TestServer {
 protected:
  grpc::Status List(const v1::ListCommandsRequest& request,
                    v1::ListCommandsResponse* response) {
    Context context;
    return history_->ListCommands(&context, request, response);
  }

  // The last message of a stream.
  template <class Request, class Response>
  grpc::Status Last(std::unique_ptr<grpc::ClientReader<Response>> (
                        v1::HistoryService::Stub::*method)(grpc::ClientContext*,
                                                           const Request&),
                    const Request& request, Response* last) {
    Context context;
    auto reader = (history_.get()->*method)(&context, request);
    Response response;
    while (reader->Read(&response)) *last = response;
    return reader->Finish();
  }

  v1::GetFingerprintResponse Fingerprint(const std::string& session) {
    v1::GetFingerprintRequest request;
    request.set_session(session);
    v1::GetFingerprintResponse response;
    Context context;
    const grpc::Status status =
        history_->GetFingerprint(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  // A little history.
  std::string Recorded(const std::string& id = "") {
    const std::string lab = Create(id);
    for (int i = 1; i <= 5; ++i) {
      const uint64_t start = Map(lab, static_cast<uint64_t>(i) * 4096);
      v1::AccessResponse response;
      EXPECT_TRUE(Touch(lab, start, 1, &response).ok());
    }
    return lab;
  }
};

TEST_F(HistoryServiceTest, ListsTheCommandsPageByPage) {
  v1::ListCommandsRequest request;
  request.set_session(Recorded());
  request.set_start_revision(3);
  request.set_page_size(3);
  std::vector<int64_t> revisions;
  std::vector<uint64_t> lengths;
  do {
    v1::ListCommandsResponse page;
    ASSERT_TRUE(List(request, &page).ok());
    EXPECT_EQ(page.revision(), 10);
    EXPECT_LE(page.entries_size(), 3);
    for (const v1::JournalEntry& entry : page.entries()) {
      revisions.push_back(entry.revision());
      EXPECT_NE(entry.digest(), 0U);
      if (entry.command().has_mmap()) {
        lengths.push_back(entry.command().mmap().length());
      }
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(revisions, ElementsAre(3, 4, 5, 6, 7, 8, 9, 10));
  EXPECT_THAT(lengths, ElementsAre(2 * 4096, 3 * 4096, 4 * 4096, 5 * 4096));
}

TEST_F(HistoryServiceTest, RefusesAPageThatCannotBe) {
  v1::ListCommandsRequest request;
  request.set_session(Recorded());
  v1::ListCommandsResponse page;
  request.set_page_size(-1);
  EXPECT_EQ(BadField(List(request, &page)), "page_size");
  request.set_page_size(2);
  request.set_start_revision(-1);
  EXPECT_EQ(BadField(List(request, &page)), "start_revision");
  request.set_start_revision(12);
  ExpectError(List(request, &page), grpc::StatusCode::OUT_OF_RANGE,
              "REVISION_OUT_OF_RANGE");
  request.set_start_revision(11);
  ASSERT_TRUE(List(request, &page).ok()) << "the next one to come";
  EXPECT_EQ(page.entries_size(), 0);
  request.set_start_revision(1);
  ASSERT_TRUE(List(request, &page).ok());
  request.set_page_token(page.next_page_token());
  request.set_start_revision(2);
  EXPECT_EQ(BadField(List(request, &page)), "page_token");
}

TEST_F(HistoryServiceTest, ReplaysToTheSameOutcomesAndTheSameState) {
  v1::ReplayRequest request;
  request.set_session(Recorded());
  v1::ReplayResponse last;
  const grpc::Status status =
      Last(&v1::HistoryService::Stub::Replay, request, &last);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_TRUE(last.has_report());
  EXPECT_EQ(last.report().commands(), 10);
  EXPECT_EQ(last.report().equal(), 10);
  EXPECT_FALSE(last.report().has_first_divergence());
  EXPECT_EQ(last.report().fingerprint(),
            Fingerprint(request.session()).fingerprint());
}

TEST_F(HistoryServiceTest, ReplaysUpToARevision) {
  v1::ReplayRequest request;
  request.set_session(Recorded());
  request.set_to_revision(4);
  v1::ReplayResponse last;
  ASSERT_TRUE(Last(&v1::HistoryService::Stub::Replay, request, &last).ok());
  EXPECT_EQ(last.report().commands(), 4);
  request.set_to_revision(11);
  ExpectError(Last(&v1::HistoryService::Stub::Replay, request, &last),
              grpc::StatusCode::OUT_OF_RANGE, "REVISION_OUT_OF_RANGE");
  request.set_to_revision(-1);
  EXPECT_EQ(BadField(Last(&v1::HistoryService::Stub::Replay, request, &last)),
            "to_revision");
}

TEST_F(HistoryServiceTest, VerifiesWhatIsRecordedAndWhatLives) {
  v1::VerifySessionRequest request;
  request.set_session(Recorded());
  v1::VerifySessionResponse last;
  ASSERT_TRUE(
      Last(&v1::HistoryService::Stub::VerifySession, request, &last).ok());
  ASSERT_TRUE(last.has_report());
  EXPECT_TRUE(last.report().ok()) << last.DebugString();
  std::vector<std::string> names;
  for (const v1::Check& check : last.report().checks()) {
    names.push_back(check.name());
    EXPECT_TRUE(check.ok()) << check.text();
    EXPECT_FALSE(check.text().empty());
  }
  EXPECT_THAT(names, ElementsAre("journal", "replay", "invariants", "live"));
  EXPECT_EQ(last.report().replay().equal(), 10);
}

TEST_F(HistoryServiceTest, FingerprintsAreEqualForEqualHistories) {
  const auto one = Fingerprint(Recorded("one"));
  const auto two = Fingerprint(Recorded("two"));
  EXPECT_EQ(one.revision(), 10);
  EXPECT_EQ(one.fingerprint(), two.fingerprint());
  EXPECT_GT(one.subsystems_size(), 3);
  Map("sessions/two", 4096);
  EXPECT_NE(Fingerprint("sessions/two").fingerprint(), one.fingerprint());
}

TEST_F(HistoryServiceTest, SaysWhenThereIsNoSuchSession) {
  v1::ReplayRequest replay;
  v1::ReplayResponse last;
  EXPECT_EQ(BadField(Last(&v1::HistoryService::Stub::Replay, replay, &last)),
            "session");
  replay.set_session("sessions/nobody");
  ExpectError(Last(&v1::HistoryService::Stub::Replay, replay, &last),
              grpc::StatusCode::NOT_FOUND, "SESSION_NOT_FOUND");
  v1::VerifySessionRequest verify;
  verify.set_session("sessions/nobody");
  v1::VerifySessionResponse report;
  ExpectError(Last(&v1::HistoryService::Stub::VerifySession, verify, &report),
              grpc::StatusCode::NOT_FOUND, "SESSION_NOT_FOUND");
  v1::ListCommandsRequest list;
  list.set_session("sessions/nobody");
  v1::ListCommandsResponse page;
  ExpectError(List(list, &page), grpc::StatusCode::NOT_FOUND,
              "SESSION_NOT_FOUND");
}

}  // namespace
}  // namespace faultline
