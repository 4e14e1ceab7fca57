#include "server/service/run_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "server/limits.h"
#include "tests/service/test_server.h"

namespace faultline {
namespace {

using testing::BadField;
using ::testing::ElementsAre;
using testing::ExpectError;
using testing::InfoOf;

class RunStreamTest : public testing::TestServer {
 protected:
  using Stream = grpc::ClientReaderWriter<v1::RunRequest, v1::RunResponse>;

  // A batch of `commands` Tick commands; `first` sets the revision expected.
  static v1::RunRequest Ticks(const std::string& session, int commands) {
    v1::RunRequest request;
    request.set_session(session);
    for (int i = 0; i < commands; ++i) {
      request.add_commands()->mutable_tick()->set_nanoseconds(1);
    }
    return request;
  }
};

TEST_F(RunStreamTest, AnswersBatchesInOrder) {
  const std::string lab = Create();
  Context context;
  auto stream = machines_->Run(&context);
  for (int batch = 0; batch < 3; ++batch) {
    ASSERT_TRUE(stream->Write(Ticks(batch == 0 ? lab : "", batch + 1)));
  }
  stream->WritesDone();
  v1::RunResponse response;
  for (int batch = 0; batch < 3; ++batch) {
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.batch(), batch);
    EXPECT_EQ(response.outcomes_size(), batch + 1);
    EXPECT_TRUE(response.last());
  }
  EXPECT_EQ(response.revision(), 6);
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(Revision(lab), 6);
}

TEST_F(RunStreamTest, SurvivesAClientThatWritesALotBeforeItReads) {
  const std::string lab = Create();
  Context context;
  auto stream = machines_->Run(&context);
  constexpr int kBatches = 40 * limits::kBatchesInFlightMax;
  std::thread writer([&] {
    for (int i = 0; i < kBatches; ++i) {
      ASSERT_TRUE(stream->Write(Ticks(lab, 10)));
    }
    stream->WritesDone();
  });
  int64_t batch = 0;
  v1::RunResponse response;
  while (stream->Read(&response)) EXPECT_EQ(response.batch(), batch++);
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(batch, kBatches);
  EXPECT_EQ(Revision(lab), 10 * kBatches);
}

TEST_F(RunStreamTest, PacksWhatItIsAskedToPack) {
  const std::string lab = Create();
  v1::RunRequest request;
  request.set_session(lab);
  request.set_packed(true);
  for (int i = 0; i < 2; ++i) {
    v1::Command* command = request.add_commands();
    command->set_pid(1);
    *command->mutable_mmap() = MapRequest(lab, 4096).mmap();
  }
  v1::Command* bad = request.add_commands();
  bad->set_pid(1);
  bad->mutable_munmap()->set_addr(1);
  v1::Command* dies = request.add_commands();
  dies->set_pid(1);
  dies->mutable_access()->set_kind(v1::ACCESS_KIND_READ);
  dies->mutable_access()->set_addr(16);
  request.mutable_options()->set_event_level(v1::EVENT_LEVEL_NONE);

  Context context;
  auto stream = machines_->Run(&context);
  ASSERT_TRUE(stream->Write(request));
  stream->WritesDone();
  v1::RunResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
  const v1::PackedOutcomes& packed = response.packed();
  EXPECT_EQ(response.outcomes_size(), 0);
  ASSERT_EQ(packed.count(), 4);
  EXPECT_GT(packed.value(0), 0);
  EXPECT_NE(packed.value(0), packed.value(1));
  EXPECT_EQ(packed.error(2), v1::ERRNO_EINVAL);
  ASSERT_EQ(packed.whole().count(3), 1U);
  EXPECT_EQ(packed.whole().at(3).signal().signal(), 11);
}

TEST_F(RunStreamTest, AnswersManyAccessesInColumns) {
  const std::string lab = Create();
  const uint64_t area = Map(lab, 4 * 4096);
  v1::RunRequest request;
  request.set_session(lab);
  request.set_packed(true);
  request.mutable_options()->set_event_level(v1::EVENT_LEVEL_NONE);
  for (int i = 0; i < 3; ++i) {
    v1::Command* command = request.add_commands();
    command->set_pid(1);
    v1::AccessMany& many = *command->mutable_access_many();
    many.set_base(area);
    many.add_kind(v1::ACCESS_KIND_WRITE);
    many.set_value("x");
    for (const uint64_t addr : {0, 4096, 5000}) many.add_addr(addr);
    // The last reads beyond the end, and wants to see what it read before.
    if (i < 2) continue;
    many.add_addr(4 * 4096);
    many.set_kind(0, v1::ACCESS_KIND_READ);
    many.set_data(true);
  }
  Context context;
  auto stream = machines_->Run(&context);
  ASSERT_TRUE(stream->Write(request));
  stream->WritesDone();
  v1::RunResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
  const v1::PackedOutcomes& packed = response.packed();
  ASSERT_EQ(packed.count(), 3);
  EXPECT_THAT(packed.accesses(), ElementsAre(3, 3, 3));
  EXPECT_THAT(packed.min_flt(), ElementsAre(2, 0, 0));
  ASSERT_EQ(packed.whole().size(), 2U) << "the second is all in the columns";
  EXPECT_THAT(packed.whole().at(0).faulted().entry(), ElementsAre(0, 1));
  EXPECT_THAT(packed.whole().at(0).faulted().min_flt(), ElementsAre(1, 1));
  EXPECT_EQ(packed.whole().at(2).signal().addr(), area + 4 * 4096);
  EXPECT_EQ(packed.whole().at(2).data(), "xxx");
}

TEST_F(RunStreamTest, SendsTheEventsOfManyAccesses) {
  const std::string lab = Create();
  v1::RunRequest request;
  request.set_session(lab);
  v1::Command* command = request.add_commands();
  command->set_pid(1);
  command->mutable_access_many()->add_kind(v1::ACCESS_KIND_READ);
  command->mutable_access_many()->set_base(Map(lab, 2 * 4096));
  command->mutable_access_many()->add_addr(0);
  command->mutable_access_many()->add_addr(4096);
  Context context;
  auto stream = machines_->Run(&context);
  ASSERT_TRUE(stream->Write(request));
  stream->WritesDone();
  v1::RunResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
  ASSERT_EQ(response.outcomes_size(), 1);
  EXPECT_EQ(response.outcomes(0).events_size(), 4) << "two for each fault";
  EXPECT_EQ(response.outcomes(0).accesses(), 2U);
}

TEST_F(RunStreamTest, EndsAtABatchThatCannotBeAndSaysWhich) {
  const std::string lab = Create();
  Context context;
  auto stream = machines_->Run(&context);
  ASSERT_TRUE(stream->Write(Ticks(lab, 2)));
  v1::RunRequest bad = Ticks(lab, 2);
  bad.add_commands();
  ASSERT_TRUE(stream->Write(bad));
  stream->Write(Ticks(lab, 2));
  v1::RunResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.revision(), 2);
  EXPECT_FALSE(stream->Read(&response));
  const grpc::Status status = stream->Finish();
  ExpectError(status, grpc::StatusCode::INVALID_ARGUMENT, "FIELD_MISSING");
  EXPECT_EQ(BadField(status), "commands[2].op");
  EXPECT_EQ(InfoOf(status).metadata().at("batch"), "1");
  EXPECT_EQ(Revision(lab), 2) << "neither the bad batch nor the one after it";
}

TEST_F(RunStreamTest, EndsAtAnUnexpectedRevision) {
  const std::string lab = Create();
  Context context;
  auto stream = machines_->Run(&context);
  v1::RunRequest request = Ticks(lab, 2);
  request.mutable_options()->set_expected_revision(0);
  ASSERT_TRUE(stream->Write(request));
  stream->Write(request);
  // Those behind it may be with the session already.
  for (int i = 0; i < 20; ++i) stream->Write(Ticks(lab, 100));
  v1::RunResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_FALSE(stream->Read(&response));
  ExpectError(stream->Finish(), grpc::StatusCode::ABORTED, "REVISION_MISMATCH");
  EXPECT_EQ(Revision(lab), 2);
}

TEST_F(RunStreamTest, NeedsASessionAndStaysWithIt) {
  const std::string lab = Create();
  {
    Context context;
    auto stream = machines_->Run(&context);
    stream->Write(Ticks("", 1));
    const grpc::Status status = stream->Finish();
    ExpectError(status, grpc::StatusCode::INVALID_ARGUMENT, "FIELD_MISSING");
    EXPECT_EQ(BadField(status), "session");
  }
  {
    Context context;
    auto stream = machines_->Run(&context);
    stream->Write(Ticks("sessions/nobody", 1));
    ExpectError(stream->Finish(), grpc::StatusCode::NOT_FOUND,
                "SESSION_NOT_FOUND");
  }
  Context context;
  auto stream = machines_->Run(&context);
  stream->Write(Ticks(lab, 1));
  stream->Write(Ticks(Create(), 1));
  v1::RunResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(BadField(stream->Finish()), "session");
}

TEST_F(RunStreamTest, RepeatsABatchByItsRequestIdOnce) {
  const std::string lab = Create();
  v1::RunRequest request = Ticks(lab, 3);
  request.mutable_options()->set_request_id("batch-1");
  for (int i = 0; i < 2; ++i) {
    Context context;
    auto stream = machines_->Run(&context);
    ASSERT_TRUE(stream->Write(request));
    stream->WritesDone();
    v1::RunResponse response;
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.revision(), 3);
    EXPECT_EQ(response.outcomes_size(), 3);
    EXPECT_TRUE(stream->Finish().ok());
  }
  EXPECT_EQ(Revision(lab), 3);
}

TEST_F(RunStreamTest, AnEmptyStreamIsNoError) {
  Context context;
  auto stream = machines_->Run(&context);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(RunStreamTest, ACancelledStreamStops) {
  const std::string lab = Create();
  Context context;
  auto stream = machines_->Run(&context);
  ASSERT_TRUE(stream->Write(Ticks(lab, 1)));
  v1::RunResponse response;
  ASSERT_TRUE(stream->Read(&response));
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  server_->Shutdown(absl::Seconds(10));  // returns: nothing is left behind
}

TEST_F(RunStreamTest, ShutdownAnswersWhatWasAccepted) {
  const std::string lab = Create();
  Context context;
  auto stream = machines_->Run(&context);
  ASSERT_TRUE(stream->Write(Ticks(lab, 5)));
  v1::RunResponse response;
  ASSERT_TRUE(stream->Read(&response));
  std::thread stopping([&] { server_->Shutdown(absl::Seconds(20)); });
  int64_t answered = response.revision();
  while (stream->Read(&response)) answered = response.revision();
  const grpc::Status status = stream->Finish();
  stopping.join();
  ExpectError(status, grpc::StatusCode::UNAVAILABLE, "SHUTTING_DOWN");
  google::rpc::RetryInfo retry;
  EXPECT_TRUE(testing::GetDetail(status, &retry));
  EXPECT_EQ(answered, 5);
}

// --- The splitting of answers.

TEST(RunResponses, SplitABatchThatIsTooMuchForOneMessage) {
  std::vector<Outcome> outcomes(10);
  for (Outcome& outcome : outcomes) outcome.data.assign(400'000, 'x');
  const auto responses = RunResponses(7, 110, false, outcomes);
  ASSERT_EQ(responses.size(), 5U);
  int64_t revision = 100;
  for (size_t i = 0; i < responses.size(); ++i) {
    EXPECT_EQ(responses[i].batch(), 7);
    EXPECT_EQ(responses[i].outcomes_size(), 2);
    EXPECT_EQ(responses[i].revision(), revision += 2);
    EXPECT_EQ(responses[i].last(), i + 1 == responses.size());
    EXPECT_LE(responses[i].ByteSizeLong(), limits::kChunkBytes + 1000);
  }
}

TEST(RunResponses, KeepAFullBatchOfPlainOutcomesInOne) {
  std::vector<Outcome> outcomes(limits::kBatchCommandsMax);
  for (Outcome& outcome : outcomes) {
    outcome.value = -1;
    outcome.cost_ns = 123456789;
  }
  const auto packed =
      RunResponses(0, limits::kBatchCommandsMax, true, outcomes);
  ASSERT_EQ(packed.size(), 1U);
  const auto whole =
      RunResponses(0, limits::kBatchCommandsMax, false, outcomes);
  EXPECT_LT(packed[0].ByteSizeLong() * 3, whole[0].ByteSizeLong());
}

}  // namespace
}  // namespace faultline
