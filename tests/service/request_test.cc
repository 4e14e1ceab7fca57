#include "server/service/request.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/ascii.h"
#include "faultline/v1/command.pb.h"
#include "server/codec/errors.h"
#include "server/limits.h"

namespace faultline {
namespace {

TEST(SessionName, IsTakenApartAndPutTogether) {
  EXPECT_EQ(*SessionIdOf("sessions/lab-1"), "lab-1");
  EXPECT_EQ(SessionName("lab-1"), "sessions/lab-1");
  EXPECT_EQ(errors::ReasonOf(SessionIdOf("").status()), "FIELD_MISSING");
}

TEST(SessionName, IsRefusedWhereNoSessionCouldHaveIt) {
  for (const char* name :
       {"lab-1", "session/lab-1", "sessions/", "sessions/Lab", "sessions/1a",
        "sessions/a-", "sessions/a/b", "sessions/a b", "sessions/é"}) {
    EXPECT_EQ(errors::ReasonOf(SessionIdOf(name).status()), "FIELD_INVALID")
        << name;
  }
  EXPECT_TRUE(CheckSessionId("session_id", std::string(63, 'a')).ok());
  EXPECT_FALSE(CheckSessionId("session_id", std::string(64, 'a')).ok());
}

TEST(ParticipantPath, IsTakenApart) {
  const auto path =
      ParticipantPathOf("participant", "sessions/lab-1/participants/ada");
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_EQ(path->session, "lab-1");
  EXPECT_EQ(path->participant, "ada");
  EXPECT_EQ(errors::ReasonOf(ParticipantPathOf("participant", "").status()),
            "FIELD_MISSING");
  EXPECT_EQ(errors::ReasonOf(
                ParticipantPathOf("participant", "sessions/a/b/c").status()),
            "FIELD_INVALID");
}

TEST(ExerciseName, IsTakenApart) {
  EXPECT_EQ(*ExerciseIdOf("exercises/cow"), "cow");
  EXPECT_EQ(errors::ReasonOf(ExerciseIdOf("").status()), "FIELD_MISSING");
  for (const char* name :
       {"cow", "exercise/cow", "exercises/", "exercises/Cow", "exercises/a-",
        "exercises/a/b", "exercises/cow/attempts/a"}) {
    EXPECT_EQ(errors::ReasonOf(ExerciseIdOf(name).status()), "FIELD_INVALID")
        << name;
  }
}

TEST(AttemptName, IsTakenApart) {
  const auto ids = AttemptIdsOf("exercises/cow/attempts/a7f");
  ASSERT_TRUE(ids.ok()) << ids.status();
  EXPECT_EQ(ids->exercise, "cow");
  EXPECT_EQ(ids->attempt, "a7f");
  EXPECT_EQ(errors::ReasonOf(AttemptIdsOf("").status()), "FIELD_MISSING");
  for (const char* name :
       {"a7f", "exercises/cow", "exercises/cow/attempts/",
        "exercises/cow/attempt/a7f", "exercises//attempts/a7f",
        "exercises/cow/attempts/a7f/grades/g"}) {
    EXPECT_EQ(errors::ReasonOf(AttemptIdsOf(name).status()), "FIELD_INVALID")
        << name;
  }
}

TEST(Student, IsPrintableAndShort) {
  EXPECT_TRUE(CheckStudentField("ada@x.edu").ok());
  EXPECT_EQ(errors::ReasonOf(CheckStudentField("")), "FIELD_MISSING");
  for (const std::string& student :
       {std::string("a b"), std::string("é"), std::string(129, 'a')}) {
    EXPECT_EQ(errors::ReasonOf(CheckStudentField(student)), "FIELD_INVALID");
  }
}

TEST(Peer, IsWhatAPersonWouldWrite) {
  EXPECT_EQ(PeerOf("ipv4:127.0.0.1:40112"), "ipv4:127.0.0.1:40112");
  EXPECT_EQ(PeerOf("ipv6:%5B::1%5D:40112"), "ipv6:[::1]:40112");
  EXPECT_EQ(PeerOf("unix:"), "unix:");
  EXPECT_EQ(PeerOf("unix:/a%2"), "unix:/a%2");
  EXPECT_EQ(PeerOf("unix:%FF"), "unix:\xEF\xBF\xBD");
}

TEST(RequestId, IsPrintableAndShort) {
  EXPECT_TRUE(CheckRequestId("request_id", "").ok());
  EXPECT_TRUE(
      CheckRequestId("request_id", "5a0e8b7e-3f5c-4c5e-9b0a-0c1d2e3f4a5b")
          .ok());
  EXPECT_FALSE(CheckRequestId("request_id", "a b").ok());
  EXPECT_FALSE(CheckRequestId("request_id", "é").ok());
  EXPECT_FALSE(CheckRequestId("request_id", std::string(65, 'a')).ok());
}

TEST(PageSize, HasADefaultAndAGreatestValue) {
  EXPECT_EQ(*PageSize(0, 50, 1000), 50);
  EXPECT_EQ(*PageSize(7, 50, 1000), 7);
  EXPECT_EQ(*PageSize(5000, 50, 1000), 1000);
  EXPECT_EQ(errors::ReasonOf(PageSize(-1, 50, 1000).status()), "FIELD_INVALID");
}

TEST(PageToken, IsGoodForTheSameRequestOnly) {
  const std::string token = PageToken("vmas", "sessions/a\n7", "4096");
  EXPECT_EQ(*PageCursor(token, "vmas", "sessions/a\n7"), "4096");
  EXPECT_EQ(*PageCursor("", "vmas", "sessions/a\n7"), "");
  for (const std::string& other :
       {PageToken("commands", "sessions/a\n7", "4096"),
        PageToken("vmas", "sessions/a\n8", "4096"), std::string("4096"),
        std::string("***"), token + "AAAA" + std::string(600, 'A')}) {
    EXPECT_EQ(
        errors::ReasonOf(PageCursor(other, "vmas", "sessions/a\n7").status()),
        "FIELD_INVALID");
  }
  for (char c : token) {
    EXPECT_TRUE(absl::ascii_isalnum(c) || c == '-' || c == '_') << token;
  }
}

TEST(Size, OfARequestIsBounded) {
  v1::Write write;
  write.set_data(std::string(limits::kRequestBytesMax, 'x'));
  EXPECT_EQ(errors::ReasonOf(CheckSize(write)), "REQUEST_TOO_LARGE");
  write.mutable_data()->resize(limits::kRequestBytesMax - 100);
  EXPECT_TRUE(CheckSize(write).ok());
}

}  // namespace
}  // namespace faultline
