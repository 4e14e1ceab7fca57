// Participants: they join once, leave once, and outlive the store.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "tests/storage/storage_testing.h"

namespace faultline::storage {
namespace {

const absl::Time kNoon = absl::FromUnixMicros(1'700'000'000'123'456);

ParticipantRecord Ada() {
  return {.id = "ada",
          .role = 2,
          .display_name = "Ada's notebook",
          .peer = "ipv4:127.0.0.1:40112",
          .join_time = kNoon,
          .leave_time = absl::nullopt};
}

ParticipantRecord Named(const std::string& id) {
  ParticipantRecord participant = Ada();
  participant.id = id;
  return participant;
}

class ParticipantsTest : public testing::Test {
 protected:
  ParticipantsTest() {
    options_.path = directory_.data();
    Open();
    EXPECT_TRUE(Create(*store_, "lab").ok());
  }
  void Open() { store_ = MustOpen(options_); }
  void Close() { store_.reset(); }

  absl::Status Join(const std::string& session, ParticipantRecord who) {
    return Wait([&](Done done) {
      return store_->JoinSession(session, std::move(who), std::move(done));
    });
  }
  absl::Status Leave(const std::string& session, const std::string& id,
                     absl::Time time = kNoon + absl::Hours(1)) {
    return Wait([&](Done done) {
      return store_->LeaveSession(session, id, time, std::move(done));
    });
  }
  std::vector<std::string> Ids(WhoLeft who_left, const std::string& after = "",
                               int64_t limit = 100) {
    const auto page = store_->ListParticipants("lab", after, who_left, limit);
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<std::string> ids;
    for (const ParticipantRecord& one : *page) ids.push_back(one.id);
    return ids;
  }

  using Strings = std::vector<std::string>;
  TempDirectory directory_;
  Store::Options options_;
  std::unique_ptr<Store> store_;
};

TEST_F(ParticipantsTest, KeepsWhoJoinedOverARestart) {
  ASSERT_TRUE(Join("lab", Ada()).ok());
  Close();
  Open();
  const auto ada = store_->GetParticipant("lab", "ada");
  ASSERT_TRUE(ada.ok()) << ada.status();
  EXPECT_EQ(*ada, Ada());
}

TEST_F(ParticipantsTest, LeavesOnce) {
  ASSERT_TRUE(Join("lab", Ada()).ok());
  ASSERT_TRUE(Leave("lab", "ada").ok());
  ASSERT_TRUE(Leave("lab", "ada", kNoon + absl::Hours(2)).ok());
  EXPECT_EQ(store_->GetParticipant("lab", "ada")->leave_time,
            kNoon + absl::Hours(1));
}

TEST_F(ParticipantsTest, AnIdIsNeverUsedAgain) {
  ASSERT_TRUE(Join("lab", Ada()).ok());
  EXPECT_EQ(ReasonOf(Join("lab", Ada())), "PARTICIPANT_EXISTS");
  ASSERT_TRUE(Leave("lab", "ada").ok());
  EXPECT_EQ(ReasonOf(Join("lab", Ada())), "PARTICIPANT_EXISTS");
  EXPECT_EQ(*store_->CountParticipants("lab"), 1);
}

TEST_F(ParticipantsTest, ListsThemInPages) {
  for (const char* id : {"c", "a", "d", "b"}) {
    ASSERT_TRUE(Join("lab", Named(id)).ok());
  }
  ASSERT_TRUE(Leave("lab", "b").ok());
  EXPECT_EQ(Ids(WhoLeft::kInclude), (Strings{"a", "b", "c", "d"}));
  EXPECT_EQ(Ids(WhoLeft::kLeaveOut), (Strings{"a", "c", "d"}));
  EXPECT_EQ(Ids(WhoLeft::kLeaveOut, "a", 1), (Strings{"c"}));
  EXPECT_EQ(Ids(WhoLeft::kInclude, "d"), (Strings{}));
  EXPECT_EQ(*store_->CountParticipants("lab"), 4);
}

TEST_F(ParticipantsTest, SaysWhatIsNotThere) {
  EXPECT_EQ(ReasonOf(Join("no-lab", Ada())), "SESSION_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Leave("no-lab", "ada")), "SESSION_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Leave("lab", "ada")), "PARTICIPANT_NOT_FOUND");
  EXPECT_EQ(ReasonOf(store_->GetParticipant("lab", "ada").status()),
            "PARTICIPANT_NOT_FOUND");
  EXPECT_EQ(ReasonOf(store_->GetParticipant("no-lab", "ada").status()),
            "SESSION_NOT_FOUND");
  EXPECT_EQ(
      ReasonOf(store_->ListParticipants("no-lab", "", WhoLeft::kInclude, 1)
                   .status()),
      "SESSION_NOT_FOUND");
}

// What concerns one write does not disturb those it shares a commit with.
TEST_F(ParticipantsTest, ARefusedJoinLeavesItsNeighboursAlone) {
  ASSERT_TRUE(Join("lab", Ada()).ok());
  absl::Status first;
  absl::Status second;
  const absl::Status third = Wait([&](Done done) {
    EXPECT_TRUE(
        store_
            ->Append("lab", MakeEntry(1),
                     [&](absl::Status status) { first = std::move(status); })
            .ok());
    EXPECT_TRUE(store_
                    ->JoinSession("lab", Ada(),
                                  [&](absl::Status status) {
                                    second = std::move(status);
                                  })
                    .ok());
    return store_->Append("lab", MakeEntry(2), std::move(done));
  });
  EXPECT_TRUE(first.ok()) << first;
  EXPECT_EQ(ReasonOf(second), "PARTICIPANT_EXISTS");
  EXPECT_TRUE(third.ok()) << third;
  EXPECT_EQ(*store_->LastRevision("lab"), 2);
}

TEST_F(ParticipantsTest, GoWithTheirSession) {
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(Join("lab", Named(absl::StrCat("p", i))).ok());
  }
  ASSERT_TRUE(Delete(*store_, "lab").ok());
  EXPECT_EQ(ReasonOf(store_->CountParticipants("lab").status()),
            "SESSION_NOT_FOUND");
  ASSERT_TRUE(Create(*store_, "lab").ok());
  EXPECT_EQ(*store_->CountParticipants("lab"), 0);
  // Each write lets the writer remove some more rows.
  for (int step = 0; step < 10; ++step) {
    ASSERT_TRUE(Join("lab", Named(absl::StrCat("q", step))).ok());
  }
  Close();
  Database::Options options;
  options.path = directory_.database();
  const auto database = Database::Open(options);
  ASSERT_TRUE(database.ok()) << database.status();
  EXPECT_EQ(*(*database)->QueryInt64("SELECT count(*) FROM participants"), 10);
}

}  // namespace
}  // namespace faultline::storage
