// A server that dies while an attempt is started, and what may happen to the
// session before somebody asks again.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/gradebook/gradebook_testing.h"
#include "tests/storage/fault_vfs.h"

namespace faultline::testing {
namespace {

class HalfStartedTest : public GradebookTest {
 protected:
  void SetUp() override {
    UseDisk(vfs_.name());
    Begin();
    Add(TouchYaml());
  }
  // Fails the `nth` write that starting an attempt makes; the server then stops
  // and starts again. False when there are not so many.
  bool StartIsCutAt(int64_t nth, const std::string& student,
                    const std::string& request_id) {
    vfs_.FailChange(nth, storage::FaultVfs::Fault::kIoError,
                    storage::FaultVfs::Times::kForever);
    const auto started = TryStart("touch", student, request_id);
    const bool cut = vfs_.failed();
    EXPECT_EQ(started.ok(), !cut) << started.status();
    EXPECT_EQ(Reason(started), cut ? "JOURNAL_UNAVAILABLE" : "");
    End();
    vfs_.Heal();
    Begin();
    return cut;
  }

  storage::FaultVfs vfs_;
};

TEST_F(HalfStartedTest, WhateverIsMissingARetryMakes) {
  int64_t nth = 1;
  for (;; ++nth) {
    const std::string student = absl::StrCat("student-", nth);
    const std::string request = absl::StrCat("r", nth);
    const bool cut = StartIsCutAt(nth, student, request);
    const v1::Attempt attempt = Start("touch", student, request);
    EXPECT_EQ(attempt.number(), 1);
    EXPECT_EQ(table().Get(SessionOf(attempt))->revision, 2);
    EXPECT_EQ(SessionIds().size(), nth) << "no session is left over";
    EXPECT_EQ(Reason(TryStart("touch", student)), "ATTEMPTS_USED");
    Touch(attempt, PagesOf(attempt));
    HandIn(attempt);
    EXPECT_EQ(Grade(attempt, "", "sesame").report().score(), 4);
    if (!cut) break;
  }
  EXPECT_GE(nth, 4) << "a session, a set-up, an attempt";
}

TEST_F(HalfStartedTest, ARetryNeedsNoRequestId) {
  int64_t nth = 1;
  while (StartIsCutAt(nth, "ada", "") && SessionIds().empty()) ++nth;
  ASSERT_EQ(SessionIds().size(), 1);
  const std::string left = SessionIds().front();
  EXPECT_EQ(SessionOf(Start("touch", "ada")), left);
}

TEST_F(HalfStartedTest, ARetryNeedsNoRoomForAnotherSession) {
  int64_t nth = 1;
  while (StartIsCutAt(nth, "ada", "") && SessionIds().empty()) ++nth;
  End();
  table_options.sessions_max = 1;
  Begin();
  EXPECT_EQ(Start("touch", "ada").number(), 1);
  EXPECT_EQ(Reason(TryStart("touch", "bob")), "SESSIONS_LIMIT");
}

// Between the death of the server and the retry somebody takes the name.
class TakenNameTest : public HalfStartedTest {
 protected:
  void SetUp() override {
    HalfStartedTest::SetUp();
    for (int64_t nth = 1; SessionIds().empty(); ++nth) {
      ASSERT_TRUE(StartIsCutAt(nth, "ada", "r1"));
    }
    id_ = SessionIds().front();
    config_ = table().Get(id_)->config;
    ASSERT_TRUE(Delete(id_).ok());
  }
  void ExpectTaken() {
    const auto refused = TryStart("touch", "ada", "r1");
    EXPECT_EQ(Reason(refused), "SESSION_NAME_TAKEN");
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kAlreadyExists);
    ASSERT_TRUE(Delete(id_).ok());
    EXPECT_EQ(SessionOf(Start("touch", "ada", "r1")), id_);
  }

  std::string id_;
  MachineConfig config_;
};

TEST_F(TakenNameTest, ByAnotherMachine) {
  ASSERT_TRUE(Create(id_, SmallConfig(77)).ok());
  ExpectTaken();
}

TEST_F(TakenNameTest, ByOneThatHasDoneSomethingElse) {
  ASSERT_TRUE(Create(id_, config_).ok());
  MustRun(id_, MapPages(2));
  ExpectTaken();
}

TEST_F(TakenNameTest, ByOneThatIsClosed) {
  ASSERT_TRUE(Create(id_, config_).ok());
  ASSERT_TRUE(Close(id_).ok());
  ExpectTaken();
}

// It is at revision 0 and has the right configuration, and yet it is prepared.
TEST_F(TakenNameTest, ByOneRestoredFromASnapshot) {
  ASSERT_TRUE(Create("prepared", config_).ok());
  MustRun("prepared", MapPages(2));
  ASSERT_TRUE(Snapshot("prepared").ok());
  ASSERT_TRUE(Restore("prepared", id_).ok());
  ExpectTaken();
}

TEST_F(TakenNameTest, AnEmptySessionOfTheSameMachineIsAsGood) {
  ASSERT_TRUE(Create(id_, config_).ok());
  const v1::Attempt attempt = Start("touch", "ada", "r1");
  EXPECT_EQ(table().Get(id_)->revision, attempt.start_revision());
}

}  // namespace
}  // namespace faultline::testing
