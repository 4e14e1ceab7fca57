#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/codec/operations.h"
#include "server/limits.h"
#include "tests/service/test_server.h"

namespace faultline {
namespace {

using testing::BadField;
using testing::ExpectError;
using testing::GetDetail;
using ::testing::HasSubstr;

class MachineServiceTest : public testing::TestServer {
 protected:
  // A client gives up by its own clock. The server hears of it on the
  // connection that these calls use too, at the latest by the clock.
  void LetTheServerHear(const std::string& session) {
    const absl::Time late = absl::Now() + absl::Milliseconds(200);
    while (absl::Now() < late) Revision(session);
  }
};

TEST_F(MachineServiceTest, AnswersWithTheOutcomeAndTheRevision) {
  const std::string lab = Create("lab");
  EXPECT_EQ(lab, "sessions/lab");
  v1::MmapResponse mapped;
  {
    Context context;
    ASSERT_TRUE(machines_->Mmap(&context, MapRequest(lab, 8192), &mapped).ok());
  }
  EXPECT_EQ(mapped.revision(), 1);
  EXPECT_GT(mapped.outcome().value(), 0);
  EXPECT_NE(mapped.outcome().digest(), 0U);

  v1::AccessResponse touched;
  ASSERT_TRUE(
      Touch(lab, static_cast<uint64_t>(mapped.outcome().value()), 1, &touched)
          .ok());
  EXPECT_EQ(touched.revision(), 2);
  EXPECT_EQ(touched.outcome().min_flt(), 1U);
  ASSERT_GT(touched.outcome().events_size(), 0);
  EXPECT_FALSE(touched.outcome().events(0).text().empty());
}

TEST_F(MachineServiceTest, TheFailuresOfTheProgramAreData) {
  const std::string lab = Create();
  v1::AccessResponse touched;
  ASSERT_TRUE(Touch(lab, 0x10, 1, &touched).ok());
  EXPECT_EQ(touched.outcome().signal().signal(), 11);
  EXPECT_EQ(touched.outcome().signal().addr(), 0x10U);
  EXPECT_EQ(Revision(lab), 1) << "and part of its history";
}

TEST_F(MachineServiceTest, AnErrnoIsData) {
  v1::MunmapRequest request;
  request.set_session(Create());
  request.set_pid(1);
  request.mutable_munmap()->set_addr(1);
  request.mutable_munmap()->set_length(4096);
  v1::MunmapResponse response;
  Context context;
  ASSERT_TRUE(machines_->Munmap(&context, request, &response).ok());
  EXPECT_EQ(response.outcome().error(), v1::ERRNO_EINVAL);
  EXPECT_EQ(response.outcome().value(), -22);
}

TEST_F(MachineServiceTest, SendsAsManyEventsAsWereAskedFor) {
  const std::string lab = Create();
  v1::MmapRequest request = MapRequest(lab, 4096);
  v1::MmapResponse none;
  {
    Context context;
    request.mutable_options()->set_event_level(v1::EVENT_LEVEL_NONE);
    ASSERT_TRUE(machines_->Mmap(&context, request, &none).ok());
  }
  EXPECT_EQ(none.outcome().events_size(), 0);
  v1::MmapResponse all;
  Context context;
  request.mutable_options()->set_event_level(v1::EVENT_LEVEL_ALL);
  ASSERT_TRUE(machines_->Mmap(&context, request, &all).ok());
  EXPECT_GT(all.outcome().events_size(), 0);
}

// --- Every call, asked wrongly.

TEST_F(MachineServiceTest, EveryCallNeedsASession){
#define FL_CASE(Type, field)                                                  \
  {                                                                           \
    Context context;                                                          \
    v1::Type##Response response;                                              \
    const grpc::Status status = machines_->Type(&context, {}, &response);     \
    ExpectError(status, grpc::StatusCode::INVALID_ARGUMENT, "FIELD_MISSING"); \
    EXPECT_EQ(BadField(status), "session") << #Type;                          \
  }
    FAULTLINE_OPERATIONS(FL_CASE)
#undef FL_CASE
}

TEST_F(MachineServiceTest, EveryCallSaysWhenThereIsNoSuchSession) {
#define FL_CASE(Type, field)                                                   \
  {                                                                            \
    v1::Type##Request request;                                                 \
    request.set_session("sessions/nobody");                                    \
    request.set_pid(1);                                                        \
    request.mutable_##field();                                                 \
    Prepare(request);                                                          \
    Context context;                                                           \
    v1::Type##Response response;                                               \
    const grpc::Status status = machines_->Type(&context, request, &response); \
    ExpectError(status, grpc::StatusCode::NOT_FOUND, "SESSION_NOT_FOUND");     \
    google::rpc::ResourceInfo resource;                                        \
    EXPECT_TRUE(GetDetail(status, &resource));                                 \
    EXPECT_EQ(resource.resource_name(), "sessions/nobody");                    \
  }
  // Fields without which a call is refused before anyone looks for a session.
  const auto Prepare = [](auto& request) {
    constexpr int kArguments = 4;
    const auto* arguments =
        request.GetDescriptor()->FindFieldByNumber(kArguments);
    auto* call = request.GetReflection()->MutableMessage(&request, arguments);
    for (const char* text : {"name", "path"}) {
      const auto* field = call->GetDescriptor()->FindFieldByName(text);
      if (field != nullptr) call->GetReflection()->SetString(call, field, "/x");
    }
    if constexpr (requires { request.mutable_kernel_access(); }) {
      request.mutable_kernel_access()->set_kind(v1::ACCESS_KIND_READ);
    }
    if constexpr (requires { request.mutable_access_many(); }) {
      request.mutable_access_many()->add_kind(v1::ACCESS_KIND_READ);
      request.mutable_access_many()->add_addr(0);
    }
    if constexpr (requires { request.mutable_access(); }) {
      request.mutable_access()->set_kind(v1::ACCESS_KIND_READ);
    }
  };
  FAULTLINE_OPERATIONS(FL_CASE)
#undef FL_CASE
}

TEST_F(MachineServiceTest, NamesTheFieldThatIsMissingOrOutOfRange) {
  const std::string lab = Create();
  v1::AccessRequest request;
  request.set_session(lab);
  const auto call = [&] {
    Context context;
    v1::AccessResponse response;
    return machines_->Access(&context, request, &response);
  };
  grpc::Status status = call();
  ExpectError(status, grpc::StatusCode::INVALID_ARGUMENT, "FIELD_MISSING");
  EXPECT_EQ(BadField(status), "access");

  request.mutable_access()->set_kind(v1::ACCESS_KIND_READ);
  status = call();
  ExpectError(status, grpc::StatusCode::INVALID_ARGUMENT, "FIELD_MISSING");
  EXPECT_EQ(BadField(status), "pid");

  request.set_pid(1);
  request.mutable_access()->set_count(limits::kAccessCountMax + 1);
  status = call();
  ExpectError(status, grpc::StatusCode::INVALID_ARGUMENT, "FIELD_INVALID");
  EXPECT_EQ(BadField(status), "access.count");

  request.mutable_access()->set_count(1);
  request.mutable_options()->set_event_level(static_cast<v1::EventLevel>(9));
  EXPECT_EQ(BadField(call()), "options.event_level");

  request.mutable_options()->clear_event_level();
  request.mutable_options()->set_request_id("two words");
  EXPECT_EQ(BadField(call()), "options.request_id");

  request.mutable_options()->clear_request_id();
  request.mutable_options()->set_expected_revision(-1);
  EXPECT_EQ(BadField(call()), "options.expected_revision");

  EXPECT_EQ(Revision(lab), 0) << "nothing of this reached the machine";
}

TEST_F(MachineServiceTest, RefusesARequestThatIsTooLong) {
  v1::WriteRequest request;
  request.set_session(Create());
  request.set_pid(1);
  request.mutable_write()->set_data(std::string(limits::kRequestBytesMax, 'x'));
  v1::WriteResponse response;
  Context context;
  const grpc::Status status = machines_->Write(&context, request, &response);
  ExpectError(status, grpc::StatusCode::RESOURCE_EXHAUSTED,
              "REQUEST_TOO_LARGE");
  EXPECT_THAT(status.error_message(), HasSubstr("send it in parts"));
}

// --- Idempotency and optimistic concurrency.

TEST_F(MachineServiceTest, ExecutesARepeatedRequestOnce) {
  const std::string lab = Create();
  v1::MmapRequest request = MapRequest(lab, 4096);
  request.mutable_options()->set_request_id("once");
  v1::MmapResponse first;
  v1::MmapResponse second;
  for (v1::MmapResponse* response : {&first, &second}) {
    Context context;
    const grpc::Status status = machines_->Mmap(&context, request, response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  EXPECT_EQ(first.revision(), 1);
  EXPECT_EQ(second.revision(), 1);
  EXPECT_EQ(first.outcome().value(), second.outcome().value());
  EXPECT_EQ(first.outcome().digest(), second.outcome().digest());
  EXPECT_EQ(Revision(lab), 1);
}

TEST_F(MachineServiceTest, RefusesARequestIdThatWasUsedForSomethingElse) {
  const std::string lab = Create();
  v1::MmapRequest request = MapRequest(lab, 4096);
  request.mutable_options()->set_request_id("once");
  v1::MmapResponse response;
  {
    Context context;
    ASSERT_TRUE(machines_->Mmap(&context, request, &response).ok());
  }
  request.mutable_mmap()->set_length(8192);
  Context context;
  ExpectError(machines_->Mmap(&context, request, &response),
              grpc::StatusCode::ABORTED, "REQUEST_ID_REUSED");
  EXPECT_EQ(Revision(lab), 1);
}

TEST_F(MachineServiceTest, DoesNothingAtAnUnexpectedRevision) {
  const std::string lab = Create();
  v1::MmapRequest request = MapRequest(lab, 4096);
  request.mutable_options()->set_expected_revision(0);
  v1::MmapResponse response;
  {
    Context context;
    ASSERT_TRUE(machines_->Mmap(&context, request, &response).ok());
  }
  Context context;
  const grpc::Status status = machines_->Mmap(&context, request, &response);
  ExpectError(status, grpc::StatusCode::ABORTED, "REVISION_MISMATCH");
  EXPECT_EQ(testing::InfoOf(status).metadata().at("revision"), "1");
  EXPECT_EQ(Revision(lab), 1);
}

// --- Deadlines and cancellation.

TEST_F(MachineServiceTest, DoesNotStartWorkThatNobodyWaitsFor) {
  const std::string lab = Create();
  const uint64_t page = Map(lab, 4096);
  std::thread busy([&] {
    v1::TickResponse response;
    EXPECT_TRUE(Hold(lab, &response).ok());
    EXPECT_EQ(response.revision(), 2);
  });
  held_.WaitForNotification();
  v1::AccessResponse response;
  const grpc::Status status = Touch(lab, page, 1, &response, 50);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED)
      << status.error_message();
  LetTheServerHear(lab);
  go_on_.Notify();
  busy.join();
  EXPECT_EQ(Revision(lab), 2) << "the one that nobody waited for was executed";
}

TEST_F(MachineServiceTest, DoesNotStartWhatItsClientCancelled) {
  const std::string lab = Create();
  std::thread busy([&] {
    v1::TickResponse response;
    EXPECT_TRUE(Hold(lab, &response).ok());
  });
  held_.WaitForNotification();
  Context context;
  std::thread waiting([&] {
    const v1::MmapRequest request = MapRequest(lab, 4096);
    v1::MmapResponse response;
    EXPECT_EQ(machines_->Mmap(&context, request, &response).error_code(),
              grpc::StatusCode::CANCELLED);
  });
  context.TryCancel();
  waiting.join();
  LetTheServerHear(lab);
  go_on_.Notify();
  busy.join();
  EXPECT_EQ(Revision(lab), 1);
}

}  // namespace
}  // namespace faultline
