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
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class SessionServiceTest : public testing::TestServer {
 protected:
  grpc::Status CreateWith(const v1::CreateSessionRequest& request) {
    Context context;
    v1::CreateSessionResponse response;
    return sessions_->CreateSession(&context, request, &response);
  }

  grpc::Status Get(const std::string& name, v1::Session* session) {
    v1::GetSessionRequest request;
    request.set_session(name);
    v1::GetSessionResponse response;
    Context context;
    const grpc::Status status =
        sessions_->GetSession(&context, request, &response);
    *session = response.session();
    return status;
  }

  grpc::Status List(int page_size, const std::string& token,
                    v1::ListSessionsResponse* response) {
    v1::ListSessionsRequest request;
    request.set_page_size(page_size);
    request.set_page_token(token);
    Context context;
    return sessions_->ListSessions(&context, request, response);
  }

  grpc::Status Close(const std::string& name, v1::Session* session) {
    v1::CloseSessionRequest request;
    request.set_session(name);
    v1::CloseSessionResponse response;
    Context context;
    const grpc::Status status =
        sessions_->CloseSession(&context, request, &response);
    *session = response.session();
    return status;
  }

  grpc::Status Delete(const std::string& name, bool allow_missing = false) {
    v1::DeleteSessionRequest request;
    request.set_session(name);
    request.set_allow_missing(allow_missing);
    v1::DeleteSessionResponse response;
    Context context;
    return sessions_->DeleteSession(&context, request, &response);
  }
};

TEST_F(SessionServiceTest, ReturnsANewSessionWithAllItIs) {
  v1::CreateSessionRequest request;
  request.set_session_id("lab");
  request.set_display_name("Übung 1");
  request.mutable_config()->set_ram_bytes(64 << 20);
  v1::CreateSessionResponse created;
  Context context;
  ASSERT_TRUE(sessions_->CreateSession(&context, request, &created).ok());
  const v1::Session& session = created.session();
  EXPECT_EQ(session.name(), "sessions/lab");
  EXPECT_EQ(session.display_name(), "Übung 1");
  EXPECT_EQ(session.state(), v1::SESSION_STATE_OPEN);
  EXPECT_EQ(session.revision(), 0);
  EXPECT_EQ(session.config().ram_bytes(), 64U << 20);
  EXPECT_EQ(session.config().profile(), v1::PROFILE_X86_64);
  EXPECT_EQ(session.config().cpus(), 1U);
  EXPECT_EQ(session.config().seed(), 1U);
  EXPECT_GT(session.create_time().seconds(), 1'700'000'000);

  v1::Session again;
  ASSERT_TRUE(Get("sessions/lab", &again).ok());
  EXPECT_EQ(again.SerializeAsString(), session.SerializeAsString());
}

TEST_F(SessionServiceTest, ChoosesANameWhenNoneIsGiven) {
  const std::string first = Create();
  const std::string second = Create();
  EXPECT_THAT(first, MatchesRegex("sessions/[a-z][a-z0-9-]*[a-z0-9]"));
  EXPECT_NE(first, second);
}

TEST_F(SessionServiceTest, RefusesANameThatIsTaken) {
  Create("lab");
  v1::CreateSessionRequest request;
  request.set_session_id("lab");
  ExpectError(CreateWith(request), grpc::StatusCode::ALREADY_EXISTS,
              "SESSION_ALREADY_EXISTS");
}

TEST_F(SessionServiceTest, NamesTheFieldThatCannotBe) {
  v1::CreateSessionRequest request;
  request.set_session_id("Lab");
  EXPECT_EQ(BadField(CreateWith(request)), "session_id");

  request.set_session_id("lab");
  request.set_display_name(std::string(257, 'x'));
  EXPECT_EQ(BadField(CreateWith(request)), "display_name");

  request.clear_display_name();
  request.mutable_config()->set_ram_bytes(4097);
  EXPECT_EQ(BadField(CreateWith(request)), "config.ram_bytes");

  // What only the machine can judge.
  request.mutable_config()->set_ram_bytes(64 << 20);
  auto* sysctl = request.mutable_config()->add_sysctls();
  sysctl->set_name("vm.no_such_thing");
  const grpc::Status status = CreateWith(request);
  ExpectError(status, grpc::StatusCode::INVALID_ARGUMENT, "FIELD_INVALID");
  EXPECT_EQ(BadField(status), "config");

  v1::Session session;
  ExpectError(Get("sessions/lab", &session), grpc::StatusCode::NOT_FOUND,
              "SESSION_NOT_FOUND");
}

TEST_F(SessionServiceTest, ListsPageByPageInTheOrderOfNames) {
  for (const char* id : {"c", "a", "b"}) Create(id);
  std::vector<std::string> names;
  std::string token;
  int pages = 0;
  do {
    v1::ListSessionsResponse page;
    ASSERT_TRUE(List(2, token, &page).ok());
    for (const v1::Session& session : page.sessions()) {
      names.push_back(session.name());
      EXPECT_EQ(session.config().ram_bytes(), 64U << 20);
    }
    token = page.next_page_token();
    ++pages;
  } while (!token.empty());
  EXPECT_THAT(names, ElementsAre("sessions/a", "sessions/b", "sessions/c"));
  EXPECT_EQ(pages, 2);
}

TEST_F(SessionServiceTest, RefusesAPageThatCannotBe) {
  v1::ListSessionsResponse page;
  EXPECT_EQ(BadField(List(-1, "", &page)), "page_size");
  EXPECT_EQ(BadField(List(0, "made-up", &page)), "page_token");
}

TEST_F(SessionServiceTest, AClosedSessionCanBeReadButNotDriven) {
  const std::string lab = Create();
  const uint64_t page = Map(lab, 4096);
  v1::Session session;
  ASSERT_TRUE(Close(lab, &session).ok());
  EXPECT_EQ(session.state(), v1::SESSION_STATE_CLOSED);
  EXPECT_EQ(session.revision(), 1);
  ASSERT_TRUE(Close(lab, &session).ok()) << "closing it again is no error";

  v1::AccessResponse response;
  const grpc::Status status = Touch(lab, page, 1, &response);
  ExpectError(status, grpc::StatusCode::FAILED_PRECONDITION, "SESSION_CLOSED");
  EXPECT_THAT(status.error_message(), HasSubstr("create another session"));

  v1::ListCommandsRequest list;
  list.set_session(lab);
  v1::ListCommandsResponse commands;
  Context context;
  ASSERT_TRUE(history_->ListCommands(&context, list, &commands).ok());
  EXPECT_EQ(commands.entries_size(), 1);
}

TEST_F(SessionServiceTest, DeletesForGood) {
  const std::string lab = Create("lab");
  Map(lab, 4096);
  ASSERT_TRUE(Delete(lab).ok());
  v1::Session session;
  ExpectError(Get(lab, &session), grpc::StatusCode::NOT_FOUND,
              "SESSION_NOT_FOUND");
  ExpectError(Delete(lab), grpc::StatusCode::NOT_FOUND, "SESSION_NOT_FOUND");
  EXPECT_TRUE(Delete(lab, true).ok());
  EXPECT_EQ(Create("lab"), lab);
  EXPECT_EQ(Revision(lab), 0) << "a new history";
}

TEST_F(SessionServiceTest, SaysWhenThereIsNoSuchSession) {
  v1::Session session;
  ExpectError(Get("sessions/nobody", &session), grpc::StatusCode::NOT_FOUND,
              "SESSION_NOT_FOUND");
  ExpectError(Close("sessions/nobody", &session), grpc::StatusCode::NOT_FOUND,
              "SESSION_NOT_FOUND");
  EXPECT_EQ(BadField(Get("nobody", &session)), "session");
  EXPECT_EQ(BadField(Get("", &session)), "session");
}

}  // namespace
}  // namespace faultline
