#include "server/service/victim_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "tests/service/test_server.h"

namespace faultline {
namespace {

using testing::ExpectError;

constexpr uint64_t kBase = 0x10000000;
constexpr uint64_t AddrOf(uint64_t page) { return kBase + page * 4096; }

class VictimStreamTest : public testing::TestServer {
 protected:
  using Stream = grpc::ClientReaderWriter<v1::ChooseVictimsRequest,
                                          v1::ChooseVictimsResponse>;

  void SetUp() override {
    TestServer::SetUp();
    v1::CreateSessionRequest request;
    request.mutable_config()->set_swap_bytes(1 << 20);
    v1::CreateSessionResponse created;
    Context create_context;
    ASSERT_TRUE(
        sessions_->CreateSession(&create_context, request, &created).ok());
    lab_ = created.session().name();
    v1::MmapRequest map;
    map.set_session(lab_);
    map.set_pid(1);
    map.mutable_mmap()->set_addr(kBase);
    map.mutable_mmap()->set_length(8 * 4096);
    map.mutable_mmap()->set_prot(3);
    map.mutable_mmap()->set_flags(0x32);
    map.mutable_mmap()->set_fd(-1);
    v1::MmapResponse mapped;
    Context map_context;
    ASSERT_TRUE(machines_->Mmap(&map_context, map, &mapped).ok());
    v1::SetReplacementRequest set;
    set.set_session(lab_);
    set.set_pid(1);
    set.mutable_set_replacement()->set_policy(v1::REPLACEMENT_POLICY_CLIENT);
    set.mutable_set_replacement()->set_frames(2);
    v1::SetReplacementResponse done;
    Context set_context;
    ASSERT_TRUE(machines_->SetReplacement(&set_context, set, &done).ok());
    ASSERT_EQ(done.outcome().error(), v1::ERRNO_UNSPECIFIED);
  }

  // Registers as the policy, and waits until it is.
  std::unique_ptr<Stream> Choose(Context* context) {
    std::unique_ptr<Stream> stream = machines_->ChooseVictims(context);
    v1::ChooseVictimsRequest first;
    first.set_session(lab_);
    first.set_pid(1);
    EXPECT_TRUE(stream->Write(first));
    stream->WaitForInitialMetadata();
    return stream;
  }
  static bool Answer(Stream& stream, uint64_t victim) {
    v1::ChooseVictimsRequest answer;
    answer.set_victim(victim);
    return stream.Write(answer);
  }

  v1::AccessRequest Store(uint64_t page, uint64_t count = 1) const {
    v1::AccessRequest request;
    request.set_session(lab_);
    request.set_pid(1);
    request.mutable_access()->set_kind(v1::ACCESS_KIND_WRITE);
    request.mutable_access()->set_addr(AddrOf(page));
    request.mutable_access()->set_count(count);
    return request;
  }
  v1::AccessResponse Do(const v1::AccessRequest& request) {
    Context context;
    v1::AccessResponse response;
    const grpc::Status status = machines_->Access(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  std::string lab_;
};

TEST_F(VictimStreamTest, AsksForEachPageThatMustGoAndRecordsOneCommand) {
  Context context;
  auto stream = Choose(&context);
  v1::AccessResponse response;
  std::thread caller([&] { response = Do(Store(0, 4)); });
  v1::ChooseVictimsResponse question;
  for (uint64_t page = 2; page < 4; ++page) {
    ASSERT_TRUE(stream->Read(&question));
    EXPECT_EQ(question.revision(), 2);
    EXPECT_EQ(question.wanted().address(), AddrOf(page));
    ASSERT_EQ(question.wanted().frames_size(), 2);
    EXPECT_TRUE(Answer(*stream, AddrOf(page - 1)));
  }
  caller.join();
  EXPECT_EQ(response.outcome().accesses(), 4);
  EXPECT_EQ(response.revision(), 3);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  v1::GetReplacementRequest look;
  look.set_session(lab_);
  look.set_pid(1);
  v1::GetReplacementResponse state;
  Context look_context;
  ASSERT_TRUE(inspect_->GetReplacement(&look_context, look, &state).ok());
  ASSERT_EQ(state.pages_size(), 2);
  EXPECT_EQ(state.pages(0).addr(), AddrOf(0));
  EXPECT_EQ(state.pages(1).addr(), AddrOf(3));
  EXPECT_EQ(state.faults(), 4);
}

TEST_F(VictimStreamTest, ARepeatedCallIsNotAskedAboutInVain) {
  v1::AccessRequest request = Store(0, 3);
  request.mutable_options()->set_request_id("once");
  Context context;
  auto stream = Choose(&context);
  v1::AccessResponse first;
  std::thread caller([&] { first = Do(request); });
  v1::ChooseVictimsResponse question;
  ASSERT_TRUE(stream->Read(&question));
  EXPECT_TRUE(Answer(*stream, AddrOf(0)));
  caller.join();
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  // Nobody chooses any more, and nobody need: it was done.
  const v1::AccessResponse again = Do(request);
  EXPECT_EQ(again.revision(), first.revision());
  EXPECT_EQ(again.outcome().accesses(), 3);
}

TEST_F(VictimStreamTest, WithoutAClientTheAccessStops) {
  const v1::AccessResponse response = Do(Store(0, 4));
  EXPECT_EQ(response.outcome().error(), v1::ERRNO_EAGAIN);
  EXPECT_EQ(response.outcome().accesses(), 2);
  EXPECT_EQ(response.outcome().victim_wanted().address(), AddrOf(2));
}

TEST_F(VictimStreamTest, AWrongAnswerEndsTheStreamAndStopsTheAccess) {
  Context context;
  auto stream = Choose(&context);
  v1::AccessResponse response;
  std::thread caller([&] { response = Do(Store(0, 3)); });
  v1::ChooseVictimsResponse question;
  ASSERT_TRUE(stream->Read(&question));
  EXPECT_TRUE(Answer(*stream, AddrOf(7)));
  caller.join();
  EXPECT_EQ(response.outcome().error(), v1::ERRNO_EAGAIN);
  EXPECT_FALSE(stream->Read(&question));
  ExpectError(stream->Finish(), grpc::StatusCode::INVALID_ARGUMENT,
              "FIELD_INVALID");
}

TEST_F(VictimStreamTest, RefusesASecondClientAndOneWithoutAProcess) {
  Context first_context;
  auto first = Choose(&first_context);
  Context context;
  auto second = Choose(&context);
  ExpectError(second->Finish(), grpc::StatusCode::ALREADY_EXISTS,
              "VICTIM_STREAM_EXISTS");
  Context nobody_context;
  auto nobody = machines_->ChooseVictims(&nobody_context);
  v1::ChooseVictimsRequest request;
  request.set_session(lab_);
  EXPECT_TRUE(nobody->Write(request));
  ExpectError(nobody->Finish(), grpc::StatusCode::INVALID_ARGUMENT,
              "FIELD_MISSING");
  first->WritesDone();
  EXPECT_TRUE(first->Finish().ok());
}

TEST_F(VictimStreamTest, SaysThatAProcessHasNoPolicy) {
  v1::GetReplacementRequest look;
  look.set_session(Create());
  look.set_pid(1);
  v1::GetReplacementResponse state;
  Context context;
  ExpectError(inspect_->GetReplacement(&context, look, &state),
              grpc::StatusCode::FAILED_PRECONDITION, "NO_REPLACEMENT_POLICY");
}

}  // namespace
}  // namespace faultline
