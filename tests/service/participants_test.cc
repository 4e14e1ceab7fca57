// Several clients on one session: who they are, what they may, and one order
// for all of them.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/service/test_server.h"

namespace faultline {
namespace {

using testing::BadField;
using ::testing::ElementsAre;
using testing::ExpectError;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

class ParticipantsTest : public testing::TestServer {
 protected:
  grpc::Status Join(const std::string& session, const std::string& id,
                    v1::Role role = v1::ROLE_UNSPECIFIED,
                    v1::JoinSessionResponse* response = nullptr) {
    v1::JoinSessionRequest request;
    request.set_session(session);
    request.set_participant_id(id);
    request.set_role(role);
    request.set_display_name("Ada's notebook");
    Context context;
    v1::JoinSessionResponse unused;
    return sessions_->JoinSession(&context, request,
                                  response == nullptr ? &unused : response);
  }
  grpc::Status Leave(const std::string& name,
                     v1::LeaveSessionResponse* response) {
    v1::LeaveSessionRequest request;
    request.set_participant(name);
    Context context;
    return sessions_->LeaveSession(&context, request, response);
  }
  std::vector<std::string> List(v1::ListParticipantsRequest request) {
    std::vector<std::string> names;
    do {
      v1::ListParticipantsResponse page;
      Context context;
      const grpc::Status status =
          sessions_->ListParticipants(&context, request, &page);
      EXPECT_TRUE(status.ok()) << status.error_message();
      for (const auto& one : page.participants()) names.push_back(one.name());
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return names;
  }
  grpc::Status Tick(const std::string& session,
                    const std::string& participant) {
    v1::TickRequest request;
    request.set_session(session);
    request.mutable_options()->set_participant(participant);
    request.mutable_tick()->set_nanoseconds(1);
    v1::TickResponse response;
    Context context;
    return machines_->Tick(&context, request, &response);
  }
  std::vector<std::string> Senders(const std::string& session) {
    v1::ListCommandsRequest request;
    request.set_session(session);
    request.set_page_size(10'000);
    v1::ListCommandsResponse response;
    Context context;
    const grpc::Status status =
        history_->ListCommands(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::vector<std::string> senders;
    for (const v1::JournalEntry& entry : response.entries()) {
      senders.push_back(entry.sender());
      EXPECT_GT(entry.time().seconds(), 1'700'000'000);
    }
    return senders;
  }
};

TEST_F(ParticipantsTest, JoinsIsListedAndLeaves) {
  const std::string lab = Create("lab");
  Map(lab, 4096);
  v1::JoinSessionResponse joined;
  ASSERT_TRUE(Join(lab, "ada", v1::ROLE_UNSPECIFIED, &joined).ok());
  const v1::Participant& ada = joined.participant();
  EXPECT_EQ(joined.revision(), 1);
  EXPECT_EQ(ada.name(), "sessions/lab/participants/ada");
  EXPECT_EQ(ada.role(), v1::ROLE_DRIVER);
  EXPECT_EQ(ada.display_name(), "Ada's notebook");
  EXPECT_THAT(ada.peer(), MatchesRegex("ipv4:127\\.0\\.0\\.1:[0-9]+"));
  EXPECT_TRUE(ada.has_join_time());
  EXPECT_FALSE(ada.has_leave_time());

  v1::JoinSessionResponse chosen;
  ASSERT_TRUE(Join(lab, "", v1::ROLE_OBSERVER, &chosen).ok());
  EXPECT_THAT(chosen.participant().name(),
              MatchesRegex("sessions/lab/participants/[a-z][a-z0-9]+"));

  v1::LeaveSessionResponse left;
  ASSERT_TRUE(Leave(ada.name(), &left).ok());
  EXPECT_TRUE(left.participant().has_leave_time());
  EXPECT_EQ(left.participant().join_time().seconds(),
            ada.join_time().seconds());
  v1::ListParticipantsRequest request;
  request.set_session(lab);
  EXPECT_THAT(List(request), ElementsAre(chosen.participant().name()));
  request.set_include_left(true);
  request.set_page_size(1);
  EXPECT_EQ(List(request).size(), 2u);
}

TEST_F(ParticipantsTest, RefusesWhatCannotBe) {
  const std::string lab = Create("lab");
  EXPECT_EQ(BadField(Join("lab", "ada")), "session");
  EXPECT_EQ(BadField(Join(lab, "Ada")), "participant_id");
  EXPECT_EQ(BadField(Join(lab, "ada", static_cast<v1::Role>(7))), "role");
  ExpectError(Join("sessions/none", "ada"), grpc::StatusCode::NOT_FOUND,
              "SESSION_NOT_FOUND");
  ASSERT_TRUE(Join(lab, "ada").ok());
  ExpectError(Join(lab, "ada"), grpc::StatusCode::ALREADY_EXISTS,
              "PARTICIPANT_ALREADY_EXISTS");
  v1::LeaveSessionResponse left;
  for (const char* name :
       {"", "ada", "sessions/lab", "sessions/lab/ada",
        "sessions/lab/participants/", "sessions/lab/participants/Ada",
        "sessions/Lab/participants/ada"}) {
    EXPECT_EQ(BadField(Leave(name, &left)), "participant") << name;
  }
  ExpectError(Leave("sessions/lab/participants/bob", &left),
              grpc::StatusCode::NOT_FOUND, "PARTICIPANT_NOT_FOUND");
  v1::ListParticipantsRequest request;
  request.set_session(lab);
  request.set_page_size(-1);
  v1::ListParticipantsResponse page;
  Context context;
  EXPECT_EQ(BadField(sessions_->ListParticipants(&context, request, &page)),
            "page_size");
}

TEST_F(ParticipantsTest, APageTokenIsGoodForItsRequestOnly) {
  const std::string lab = Create("lab");
  for (const char* id : {"a", "b"}) ASSERT_TRUE(Join(lab, id).ok());
  v1::ListParticipantsRequest request;
  request.set_session(lab);
  request.set_page_size(1);
  v1::ListParticipantsResponse page;
  {
    Context context;
    ASSERT_TRUE(sessions_->ListParticipants(&context, request, &page).ok());
  }
  request.set_page_token(page.next_page_token());
  request.set_include_left(true);
  Context context;
  EXPECT_EQ(BadField(sessions_->ListParticipants(&context, request, &page)),
            "page_token");
}

TEST_F(ParticipantsTest, OnlyADriverOfThisSessionSendsCommands) {
  const std::string lab = Create("lab");
  Create("other");
  ASSERT_TRUE(Join(lab, "ada").ok());
  ASSERT_TRUE(Join(lab, "bob", v1::ROLE_OBSERVER).ok());
  EXPECT_TRUE(Tick(lab, "sessions/lab/participants/ada").ok());
  ExpectError(Tick(lab, "sessions/lab/participants/bob"),
              grpc::StatusCode::PERMISSION_DENIED, "PARTICIPANT_IS_OBSERVER");
  ExpectError(Tick(lab, "sessions/lab/participants/carol"),
              grpc::StatusCode::NOT_FOUND, "PARTICIPANT_NOT_FOUND");
  EXPECT_EQ(BadField(Tick(lab, "sessions/other/participants/ada")),
            "options.participant");
  EXPECT_EQ(BadField(Tick(lab, "ada")), "options.participant");
  v1::LeaveSessionResponse left;
  ASSERT_TRUE(Leave("sessions/lab/participants/ada", &left).ok());
  ExpectError(Tick(lab, "sessions/lab/participants/ada"),
              grpc::StatusCode::NOT_FOUND, "PARTICIPANT_NOT_FOUND");
  EXPECT_EQ(Revision(lab), 1);
}

TEST_F(ParticipantsTest, ACommandWithoutAParticipantHasItsAddress) {
  const std::string lab = Create("lab");
  EXPECT_TRUE(Tick(lab, "").ok());
  Server::Options options;
  options.listen =
      absl::StrCat("unix:", ::testing::TempDir(), "/fl-p-", ::getpid());
  auto server = Server::Start(*table_, *gradebook_, options);
  ASSERT_TRUE(server.ok()) << server.status();
  Connect(grpc::CreateChannel((*server)->address(),
                              grpc::InsecureChannelCredentials()));
  EXPECT_TRUE(Tick(lab, "").ok());
  auto stream_context = std::make_unique<Context>();
  auto stream = machines_->Run(stream_context.get());
  v1::RunRequest batch;
  batch.set_session(lab);
  batch.add_commands()->mutable_tick()->set_nanoseconds(1);
  ASSERT_TRUE(stream->Write(batch));
  stream->WritesDone();
  v1::RunResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_THAT(Senders(lab),
              ElementsAre(MatchesRegex("ipv4:127\\.0\\.0\\.1:[0-9]+"),
                          StartsWith("unix:"), StartsWith("unix:")));
}

TEST_F(ParticipantsTest, TheCommandsOfManyFormOneOrder) {
  const std::string lab = Create("lab");
  constexpr int kClients = 6;
  constexpr int kCalls = 100;
  std::vector<std::thread> clients;
  std::vector<std::vector<int64_t>> revisions(kClients);
  for (int client = 0; client < kClients; ++client) {
    ASSERT_TRUE(Join(lab, absl::StrCat("p", client)).ok());
    clients.emplace_back([&, client] {
      v1::TickRequest request;
      request.set_session(lab);
      request.mutable_tick()->set_nanoseconds(1);
      request.mutable_options()->set_participant(
          absl::StrCat(lab, "/participants/p", client));
      for (int i = 0; i < kCalls; ++i) {
        Context context;
        v1::TickResponse response;
        const grpc::Status status =
            machines_->Tick(&context, request, &response);
        ASSERT_TRUE(status.ok()) << status.error_message();
        revisions[static_cast<size_t>(client)].push_back(response.revision());
      }
    });
  }
  for (std::thread& client : clients) client.join();
  const std::vector<std::string> senders = Senders(lab);
  ASSERT_EQ(senders.size(), static_cast<size_t>(kClients * kCalls));
  for (int client = 0; client < kClients; ++client) {
    for (const int64_t revision : revisions[static_cast<size_t>(client)]) {
      EXPECT_EQ(senders[static_cast<size_t>(revision) - 1],
                absl::StrCat(lab, "/participants/p", client));
    }
  }
}

}  // namespace
}  // namespace faultline
