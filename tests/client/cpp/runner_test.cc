// The stream of batches, seen from a server that breaks as it is told.
#include "client/cpp/runner.h"

#include <gmock/gmock.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/error.h"
#include "faultline/v1/machine.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace faultline::client {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

grpc::Status Failure(grpc::StatusCode code, const std::string& reason) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  google::rpc::Status details;
  details.add_details()->PackFrom(info);
  return grpc::Status(code, reason, details.SerializeAsString());
}

// Executes a batch once for each request_id: that adds its commands to the
// revision. Answers each in two parts.
class Machines : public v1::MachineService::Service {
 public:
  using Stream = grpc::ServerReaderWriter<v1::RunResponse, v1::RunRequest>;

  grpc::Status Run(grpc::ServerContext*, Stream* stream) override {
    ++streams;
    v1::RunRequest request;
    while (stream->Read(&request)) {
      requests.push_back(request);
      const bool breaks = requests.size() == break_at;
      if (breaks && !after_executing) return failure;
      v1::RunResponse response;
      response.set_revision(Execute(request));
      response.mutable_packed()->set_count(1);
      stream->Write(response);
      if (breaks) return failure;
      response.set_last(true);
      stream->Write(response);
    }
    return grpc::Status::OK;
  }

  // At which request, counted over all streams, the stream ends.
  size_t break_at = 0;
  bool after_executing = false;  // having answered in part
  grpc::Status failure = Failure(grpc::StatusCode::UNAVAILABLE, "BUSY");
  std::vector<v1::RunRequest> requests;
  int streams = 0;
  int64_t revision = 0;

 private:
  int64_t Execute(const v1::RunRequest& request) {
    const auto [seen, is_new] =
        revisions_.try_emplace(request.options().request_id(), 0);
    if (is_new) seen->second = revision += request.commands_size();
    return seen->second;
  }
  std::map<std::string, int64_t> revisions_;
};

class RunnerTest : public testing::Test {
 protected:
  RunnerTest() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&machines_);
    server_ = builder.BuildAndStart();
    connection_ =
        std::make_shared<Connection>(absl::StrCat("127.0.0.1:", port));
  }
  ~RunnerTest() override { server_->Shutdown(absl::ToChronoTime(absl::Now())); }

  Runner Open(const RunSettings& settings = {}) {
    return Runner(connection_, "sessions/lab", settings);
  }

  static v1::RunRequest Batch(int commands) {
    v1::RunRequest request;
    for (int i = 0; i < commands; ++i) request.add_commands()->mutable_fork();
    return request;
  }

  // Sends batches of 1, 2, … commands; gives the revisions of their answers.
  static std::vector<int64_t> RevisionsOf(Runner& runner, int batches) {
    std::vector<int64_t> revisions;
    for (int i = 1; i <= batches; ++i) {
      EXPECT_TRUE(runner.Send(Batch(i)).ok());
    }
    while (runner.unanswered() > 0) {
      const absl::StatusOr<RunAnswer> answer = runner.Next();
      EXPECT_TRUE(answer.ok()) << answer.status();
      if (!answer.ok()) break;
      EXPECT_THAT(answer->parts, SizeIs(2));
      revisions.push_back(answer->revision);
    }
    return revisions;
  }

  Machines machines_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<Connection> connection_;
};

TEST_F(RunnerTest, AnswersInOrder) {
  {
    RunSettings settings;
    settings.event_level = v1::EVENT_LEVEL_NONE;
    Runner runner = Open(settings);
    EXPECT_THAT(RevisionsOf(runner, 6), ElementsAre(1, 3, 6, 10, 15, 21));
    EXPECT_EQ(runner.Next().status().code(), absl::StatusCode::kOutOfRange);
  }
  EXPECT_EQ(machines_.streams, 1);
  const v1::RunRequest& request = machines_.requests.back();
  EXPECT_EQ(request.session(), "sessions/lab");
  EXPECT_TRUE(request.packed());
  EXPECT_EQ(request.options().event_level(), v1::EVENT_LEVEL_NONE);
}

TEST_F(RunnerTest, SendsAgainWhatHasNoAnswer) {
  for (const bool after_executing : {false, true}) {
    machines_.requests.clear();
    machines_.revision = 0;
    machines_.break_at = 3;
    machines_.after_executing = after_executing;
    Runner runner = Open();
    EXPECT_THAT(RevisionsOf(runner, 6), ElementsAre(1, 3, 6, 10, 15, 21));
    EXPECT_EQ(machines_.revision, 21) << "each was executed once";
    const auto& requests = machines_.requests;
    ASSERT_THAT(requests, SizeIs(7));
    EXPECT_EQ(requests[2].options().request_id(),
              requests[3].options().request_id());
    EXPECT_NE(requests[3].options().request_id(),
              requests[4].options().request_id());
  }
}

TEST_F(RunnerTest, KeepsTheCallersRequestId) {
  Runner runner = Open();
  v1::RunRequest batch = Batch(1);
  batch.mutable_options()->set_request_id("mine");
  batch.mutable_options()->set_expected_revision(4);
  ASSERT_TRUE(runner.Send(std::move(batch)).ok());
  ASSERT_TRUE(runner.Next().ok());
  EXPECT_EQ(machines_.requests[0].options().request_id(), "mine");
  EXPECT_EQ(machines_.requests[0].options().expected_revision(), 4);
}

TEST_F(RunnerTest, EndsAtAnyOtherError) {
  machines_.break_at = 3;
  machines_.failure = Failure(grpc::StatusCode::ABORTED, "REVISION_MISMATCH");
  Runner runner = Open();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(runner.Send(Batch(1)).ok());
  EXPECT_EQ(runner.Next()->revision, 1);
  EXPECT_EQ(runner.Next()->revision, 2);
  EXPECT_EQ(ReasonOf(runner.Next().status()), "REVISION_MISMATCH");
  EXPECT_EQ(ReasonOf(runner.Next().status()), "REVISION_MISMATCH");
  EXPECT_EQ(ReasonOf(runner.Send(Batch(1))), "REVISION_MISMATCH");
  EXPECT_EQ(machines_.streams, 1);
}

TEST_F(RunnerTest, GivesUpAfterItsAttempts) {
  server_->Shutdown(absl::ToChronoTime(absl::Now()));
  Runner runner = Open();
  absl::Status status = runner.Send(Batch(1));
  if (status.ok()) status = runner.Next().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(RunnerTest, MayBeLeftWithoutItsAnswers) {
  Runner runner = Open();
  ASSERT_TRUE(runner.Send(Batch(1)).ok());
  EXPECT_EQ(runner.unanswered(), 1u);
}

TEST(RunAnswerTest, TakesColumnsApart) {
  RunAnswer answer;
  v1::PackedOutcomes& packed = *answer.parts.emplace_back().mutable_packed();
  packed.set_count(3);
  for (const int64_t value : {-12, 0, 7}) packed.add_value(value);
  for (const int error : {12, 0, 0}) packed.add_error(error);
  for (const uint64_t accesses : {0, 0, 4096}) packed.add_accesses(accesses);
  (*packed.mutable_whole())[1].mutable_signal()->set_signal(11);
  answer.parts.emplace_back().add_outcomes()->set_value(9);
  const std::vector<v1::Outcome> outcomes = answer.Outcomes();
  ASSERT_THAT(outcomes, SizeIs(4));
  EXPECT_EQ(outcomes[0].value(), -12);
  EXPECT_EQ(outcomes[0].error(), v1::ERRNO_ENOMEM);
  EXPECT_EQ(outcomes[0].cost_ns(), 0u);
  EXPECT_EQ(outcomes[1].signal().signal(), 11);
  EXPECT_EQ(outcomes[2].accesses(), 4096u);
  EXPECT_EQ(outcomes[3].value(), 9);
}

}  // namespace
}  // namespace faultline::client
