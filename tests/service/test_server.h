// A real server on a port of its own, its store in memory, and a language for
// the tests: create a session, call, look.
#ifndef FAULTLINE_TESTS_SERVICE_TEST_SERVER_H_
#define FAULTLINE_TESTS_SERVICE_TEST_SERVER_H_

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/synchronization/notification.h"
#include "faultline/v1/grading.grpc.pb.h"
#include "faultline/v1/history.grpc.pb.h"
#include "faultline/v1/inspect.grpc.pb.h"
#include "faultline/v1/machine.grpc.pb.h"
#include "faultline/v1/session.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/gradebook/gradebook.h"
#include "server/service/server.h"
#include "server/session/session_table.h"
#include "storage/store.h"

namespace faultline::testing {

// --- What an error says.

template <class Detail>
bool GetDetail(const grpc::Status& status, Detail* detail) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return false;
  for (const auto& any : details.details()) {
    if (any.UnpackTo(detail)) return true;
  }
  return false;
}

inline google::rpc::ErrorInfo InfoOf(const grpc::Status& status) {
  google::rpc::ErrorInfo info;
  EXPECT_TRUE(GetDetail(status, &info))
      << "no ErrorInfo in: " << status.error_message();
  EXPECT_EQ(info.domain(), "faultline.dev");
  return info;
}

// "NOT_FOUND is 5, its reason SESSION_NOT_FOUND": both in one.
inline void ExpectError(const grpc::Status& status, grpc::StatusCode code,
                        const std::string& reason) {
  EXPECT_EQ(status.error_code(), code) << status.error_message();
  EXPECT_EQ(InfoOf(status).reason(), reason) << status.error_message();
}

// The field of the first violation.
inline std::string BadField(const grpc::Status& status) {
  google::rpc::BadRequest bad;
  EXPECT_TRUE(GetDetail(status, &bad)) << status.error_message();
  return bad.field_violations_size() == 0 ? ""
                                          : bad.field_violations(0).field();
}

// --- The server.

class TestServer : public ::testing::Test {
 protected:
  void SetUp() override {
    storage::Store::Options in_memory;
    in_memory.path = ":memory:";
    auto store = storage::Store::Open(in_memory);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    SessionTable::Options table_options;
    table_options.runner = [this](Machine& machine, const Command& command,
                                  EventLevel level) {
      if (const auto* tick = std::get_if<Tick>(&command.op);
          tick != nullptr && tick->nanoseconds == kHeldTick) {
        held_.Notify();
        go_on_.WaitForNotification();
      }
      return machine.Apply(command, level);
    };
    table_ = std::make_unique<SessionTable>(*store_, table_options);
    gradebook_ = std::make_unique<Gradebook>(*store_, *table_);
    Server::Options options;
    options.listen = "127.0.0.1:0";
    auto server = Server::Start(*table_, *gradebook_, options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    Connect(grpc::CreateChannel(server_->address(),
                                grpc::InsecureChannelCredentials()));
  }

  void Connect(std::shared_ptr<grpc::Channel> channel) {
    channel_ = std::move(channel);
    sessions_ = v1::SessionService::NewStub(channel_);
    machines_ = v1::MachineService::NewStub(channel_);
    inspect_ = v1::InspectService::NewStub(channel_);
    history_ = v1::HistoryService::NewStub(channel_);
    grading_ = v1::GradingService::NewStub(channel_);
  }

  // A client's context; every call of a test ends by itself.
  struct Context : grpc::ClientContext {
    explicit Context(int milliseconds = 20'000) {
      set_deadline(std::chrono::system_clock::now() +
                   std::chrono::milliseconds(milliseconds));
    }
  };

  // A new session; returns its name.
  std::string Create(const std::string& id = "") {
    v1::CreateSessionRequest request;
    request.set_session_id(id);
    request.mutable_config()->set_ram_bytes(64 << 20);
    v1::CreateSessionResponse response;
    Context context;
    const grpc::Status status =
        sessions_->CreateSession(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.session().name();
  }

  int64_t Revision(const std::string& session) {
    v1::GetSessionRequest request;
    request.set_session(session);
    v1::GetSessionResponse response;
    Context context;
    const grpc::Status status =
        sessions_->GetSession(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.session().revision();
  }

  // An anonymous private mapping of process 1; returns its address.
  uint64_t Map(const std::string& session, uint64_t length) {
    const v1::MmapRequest request = MapRequest(session, length);
    v1::MmapResponse response;
    Context context;
    const grpc::Status status = machines_->Mmap(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return static_cast<uint64_t>(response.outcome().value());
  }

  static v1::MmapRequest MapRequest(const std::string& session,
                                    uint64_t length) {
    v1::MmapRequest request;
    request.set_session(session);
    request.set_pid(1);
    request.mutable_mmap()->set_length(length);
    request.mutable_mmap()->set_prot(3);
    request.mutable_mmap()->set_flags(0x22);
    return request;
  }

  grpc::Status Touch(const std::string& session, uint64_t addr, uint64_t count,
                     v1::AccessResponse* response, int milliseconds = 20'000,
                     uint64_t stride = 0) {
    v1::AccessRequest request;
    request.set_session(session);
    request.set_pid(1);
    request.mutable_access()->set_kind(v1::ACCESS_KIND_WRITE);
    request.mutable_access()->set_addr(addr);
    request.mutable_access()->set_count(count);
    request.mutable_access()->set_stride(stride);
    Context context(milliseconds);
    return machines_->Access(&context, request, response);
  }

  // A command that keeps its machine busy until go_on_; held_ tells that it
  // does. Once per test.
  grpc::Status Hold(const std::string& session, v1::TickResponse* response) {
    v1::TickRequest request;
    request.set_session(session);
    request.mutable_tick()->set_nanoseconds(kHeldTick);
    Context context;
    return machines_->Tick(&context, request, response);
  }

  static constexpr uint64_t kHeldTick = 424242;
  absl::Notification held_;
  absl::Notification go_on_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<SessionTable> table_;
  std::unique_ptr<Gradebook> gradebook_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::SessionService::Stub> sessions_;
  std::unique_ptr<v1::MachineService::Stub> machines_;
  std::unique_ptr<v1::InspectService::Stub> inspect_;
  std::unique_ptr<v1::HistoryService::Stub> history_;
  std::unique_ptr<v1::GradingService::Stub> grading_;
};

}  // namespace faultline::testing

#endif  // FAULTLINE_TESTS_SERVICE_TEST_SERVER_H_
