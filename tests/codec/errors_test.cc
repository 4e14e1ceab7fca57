#include "server/codec/errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "google/rpc/error_details.pb.h"
#include "server/codec/utf8.h"
#include "server/limits.h"

namespace faultline {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

template <class Detail>
bool Get(const absl::Status& status, Detail* detail) {
  const auto payload = status.GetPayload("type.googleapis.com/" +
                                         Detail::descriptor()->full_name());
  return payload && detail->ParseFromString(std::string(*payload));
}

struct Named {
  absl::Status status;
  absl::StatusCode code;
  const char* reason;
};

std::vector<Named> All() {
  using absl::StatusCode;
  const char* s = "sessions/lab-1";
  const char* snapshot = "sessions/lab-1/snapshots/before";
  return {
      {errors::InvalidField("a", "b"), StatusCode::kInvalidArgument,
       "FIELD_INVALID"},
      {errors::MissingField("a", "b"), StatusCode::kInvalidArgument,
       "FIELD_MISSING"},
      {errors::RequestTooLarge(5, 4), StatusCode::kResourceExhausted,
       "REQUEST_TOO_LARGE"},
      {errors::SessionNotFound(s), StatusCode::kNotFound, "SESSION_NOT_FOUND"},
      {errors::ProcessNotFound(s, 7), StatusCode::kNotFound,
       "PROCESS_NOT_FOUND"},
      {errors::PageNotFound(s, 7), StatusCode::kNotFound, "PAGE_NOT_FOUND"},
      {errors::FileNotFound(s, "/f"), StatusCode::kNotFound, "FILE_NOT_FOUND"},
      {errors::ParticipantNotFound("sessions/lab-1/participants/ada"),
       StatusCode::kNotFound, "PARTICIPANT_NOT_FOUND"},
      {errors::ParticipantAlreadyExists("sessions/lab-1/participants/ada"),
       StatusCode::kAlreadyExists, "PARTICIPANT_ALREADY_EXISTS"},
      {errors::ParticipantIsObserver("sessions/lab-1/participants/ada"),
       StatusCode::kPermissionDenied, "PARTICIPANT_IS_OBSERVER"},
      {errors::WatchersLimit(9), StatusCode::kResourceExhausted,
       "WATCHERS_LIMIT"},
      {errors::WatchedSessionsLimit(9), StatusCode::kResourceExhausted,
       "WATCHED_SESSIONS_LIMIT"},
      {errors::ParticipantsLimit(s, 9), StatusCode::kResourceExhausted,
       "PARTICIPANTS_LIMIT"},
      {errors::SnapshotNotFound(snapshot), StatusCode::kNotFound,
       "SNAPSHOT_NOT_FOUND"},
      {errors::SessionAlreadyExists(s), StatusCode::kAlreadyExists,
       "SESSION_ALREADY_EXISTS"},
      {errors::SnapshotAlreadyExists(snapshot), StatusCode::kAlreadyExists,
       "SNAPSHOT_ALREADY_EXISTS"},
      {errors::StateVersionMismatch(snapshot, 7, 8),
       StatusCode::kFailedPrecondition, "STATE_VERSION_MISMATCH"},
      {errors::SnapshotsLimit(s, 9), StatusCode::kResourceExhausted,
       "SNAPSHOTS_LIMIT"},
      {errors::SnapshotCorrupt(snapshot, "x"), StatusCode::kDataLoss,
       "SNAPSHOT_CORRUPT"},
      {errors::VictimStreamExists(s, 7), StatusCode::kAlreadyExists,
       "VICTIM_STREAM_EXISTS"},
      {errors::VictimTooLate(9), StatusCode::kAborted, "VICTIM_TOO_LATE"},
      {errors::NoReplacement(s, 7), StatusCode::kFailedPrecondition,
       "NO_REPLACEMENT_POLICY"},
      {errors::SessionClosed(s), StatusCode::kFailedPrecondition,
       "SESSION_CLOSED"},
      {errors::SessionPanicked(s, "x"), StatusCode::kFailedPrecondition,
       "SESSION_PANICKED"},
      {errors::RevisionMismatch(s, 3, 4), StatusCode::kAborted,
       "REVISION_MISMATCH"},
      {errors::RequestIdReused(s, "r"), StatusCode::kAborted,
       "REQUEST_ID_REUSED"},
      {errors::RevisionOutOfRange(s, "to_revision", 9, 4),
       StatusCode::kOutOfRange, "REVISION_OUT_OF_RANGE"},
      {errors::SessionsLimit(9), StatusCode::kResourceExhausted,
       "SESSIONS_LIMIT"},
      {errors::MachinesLimit(9), StatusCode::kResourceExhausted,
       "MACHINES_LIMIT"},
      {errors::QueueLimit(s, 9), StatusCode::kResourceExhausted, "QUEUE_LIMIT"},
      {errors::WorkLimit(9), StatusCode::kResourceExhausted, "WORK_LIMIT"},
      {errors::ShuttingDown(), StatusCode::kUnavailable, "SHUTTING_DOWN"},
      {errors::JournalUnavailable("disk full"), StatusCode::kUnavailable,
       "JOURNAL_UNAVAILABLE"},
      {errors::HistoryCorrupt(s, "x"), StatusCode::kDataLoss,
       "HISTORY_CORRUPT"},
      {errors::SimulatorBug(s, "x"), StatusCode::kInternal, "SIMULATOR_BUG"},
      {errors::Cancelled(), StatusCode::kCancelled, "CANCELLED"},
      {errors::DeadlineExceeded(), StatusCode::kDeadlineExceeded,
       "DEADLINE_EXCEEDED"},
      {errors::NoSuchMethod("/x/Y"), StatusCode::kUnimplemented,
       "NO_SUCH_METHOD"},
  };
}

TEST(Errors, EachHasItsCodeReasonAndDomain) {
  std::set<std::string> reasons;
  for (const Named& e : All()) {
    EXPECT_EQ(e.status.code(), e.code) << e.status;
    google::rpc::ErrorInfo info;
    ASSERT_TRUE(Get(e.status, &info)) << e.status;
    EXPECT_EQ(info.reason(), e.reason);
    EXPECT_EQ(info.domain(), "faultline.dev");
    EXPECT_THAT(info.reason(), MatchesRegex("[A-Z][A-Z0-9_]+[A-Z0-9]"));
    EXPECT_TRUE(reasons.insert(info.reason()).second) << info.reason();
    for (const auto& [key, value] : info.metadata()) {
      EXPECT_THAT(key, MatchesRegex("[a-z][a-zA-Z0-9_-]+"));
      EXPECT_THAT(std::string(e.status.message()), HasSubstr(value))
          << "the metadata hold the parts of the message";
    }
  }
}

TEST(Errors, SayWhatToDoOnlyTheUnavailableToRetry) {
  for (const Named& e : All()) {
    google::rpc::RetryInfo retry;
    EXPECT_EQ(Get(e.status, &retry), e.code == absl::StatusCode::kUnavailable)
        << e.status;
  }
}

TEST(Errors, NameTheResource) {
  google::rpc::ResourceInfo info;
  ASSERT_TRUE(Get(errors::ProcessNotFound("sessions/a", 7), &info));
  EXPECT_EQ(info.resource_type(), "faultline.dev/Process");
  EXPECT_EQ(info.resource_name(), "sessions/a/processes/7");
}

TEST(Errors, ListAtMostAFewViolations) {
  const std::vector<FieldViolation> many(20,
                                         {std::string(1000, 'x'), "too long"});
  google::rpc::BadRequest bad;
  ASSERT_TRUE(Get(errors::InvalidFields(many), &bad));
  EXPECT_EQ(bad.field_violations_size(), limits::kFieldViolationsMax);
  EXPECT_LT(bad.ByteSizeLong(), limits::kErrorBytesMax);
}

TEST(Errors, ListOnlyAsManyViolationsAsATrailerHolds) {
  const std::vector<FieldViolation> many(8, {"yaml", std::string(600, 'x')});
  google::rpc::BadRequest bad;
  ASSERT_TRUE(Get(errors::InvalidFields(many), &bad));
  EXPECT_EQ(bad.field_violations_size(), 2);
  EXPECT_LE(bad.ByteSizeLong(), limits::kFieldViolationsBytesMax);
}

TEST(Errors, CutWhatAClientSentBetweenTwoCharacters) {
  std::string name = "sessions/";
  for (int i = 0; i < 200; ++i) name += "é";
  const absl::Status status = errors::SessionNotFound(name);
  EXPECT_LT(status.message().size(), 300U);
  EXPECT_TRUE(IsUtf8(status.message()));
  google::rpc::ErrorInfo info;
  EXPECT_TRUE(Get(status, &info));
}

TEST(Errors, TakeMoreMetadataLater) {
  absl::Status status = errors::ShuttingDown();
  errors::AddMetadata(status, "batch", "3");
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(Get(status, &info));
  EXPECT_EQ(info.metadata().at("batch"), "3");
  EXPECT_EQ(info.reason(), "SHUTTING_DOWN");
}

}  // namespace
}  // namespace faultline
