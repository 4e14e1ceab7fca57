// faultline snapshot and faultline cat --at, as a user sees them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cli/exit_code.h"
#include "client/cpp/client.h"
#include "tests/client/cli/lab.h"

namespace faultline::cli {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

constexpr char kScript[] =
    "a: mmap 0x10000000 2p rw- PRIVATE|ANON|FIXED\n"
    "write $a 7\n"
    "fork\n"
    "@1 write $a 8\n";

class SnapshotCommandTest : public LabTest {
 protected:
  SnapshotCommandTest() : LabTest(kScript) {}

  // It must succeed.
  std::string Out(const std::vector<std::string>& arguments) {
    const Finished done = Do(arguments);
    EXPECT_EQ(done.code, kExitOk) << done.err;
    EXPECT_THAT(done.err, IsEmpty());
    return done.out;
  }
  // It must not be possible.
  std::string Refused(const std::vector<std::string>& arguments) {
    const Finished done = Do(arguments);
    EXPECT_EQ(done.code, kExitCannot) << done.out;
    EXPECT_THAT(done.out, IsEmpty());
    return done.err;
  }
};

TEST_F(SnapshotCommandTest, OneIsTakenShownListedAndDeleted) {
  EXPECT_EQ(Out({"snapshot", "list", "lab"}),
            "no snapshots of sessions/lab; `faultline snapshot create` takes "
            "one\n");
  EXPECT_EQ(
      Out({"snapshot", "create", "lab", "forked", "--title", "Two processes"}),
      "sessions/lab/snapshots/forked\n");
  EXPECT_THAT(Out({"snapshot", "show", "lab", "forked"}),
              MatchesRegex("sessions/lab/snapshots/forked\n"
                           "  title        Two processes\n"
                           "  kind         user\n"
                           "  revision     4\n"
                           "  taken        20[-0-9: ]+\n"
                           "  size         [0-9.]+ [KM]iB\n"
                           "  stored anew  [0-9.]+ [KM]?i?B\n"
                           "  fingerprint  [0-9a-f]+\n"));
  EXPECT_THAT(Out({"snapshot", "list", "sessions/lab"}),
              MatchesRegex("forked +user +revision 4 +[0-9.]+ [KM]iB, +[0-9.]+ "
                           "[KM]?i?B of it new  20[-0-9: ]+  Two processes\n"));
  server_.KillAndRestart();
  EXPECT_EQ(Out({"snapshot", "delete", "lab", "forked"}),
            "sessions/lab/snapshots/forked is deleted\n");
  EXPECT_THAT(Refused({"snapshot", "delete", "lab", "forked"}),
              HasSubstr("sessions/lab/snapshots/forked"));
}

TEST_F(SnapshotCommandTest, TheirOrderIsThatOfTheRevisions) {
  Out({"snapshot", "create", "lab", "end"});
  Out({"snapshot", "create", "lab", "start", "--at", "0"});
  const std::string chosen = Out({"snapshot", "create", "lab", "--at=2"});
  EXPECT_THAT(chosen, StartsWith("sessions/lab/snapshots/"));
  const std::vector<std::string> lines =
      absl::StrSplit(Out({"snapshot", "list", "lab"}), '\n');
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_THAT(lines[0], StartsWith("start "));
  EXPECT_THAT(lines[1], HasSubstr("revision 2 "));
  EXPECT_THAT(lines[2], StartsWith("end "));
  for (const std::string& line : lines) {
    EXPECT_THAT(line, Not(ContainsRegex(" $")));
  }
}

TEST_F(SnapshotCommandTest, ALongListIsListedWhole) {
  auto client = client::Client::Connect(server_.address());
  client::Session lab = *client->OpenSession("lab");
  constexpr size_t kCount = 130;
  for (size_t i = 0; i < kCount; ++i) {
    ASSERT_TRUE(lab.CreateSnapshot({.id = absl::StrCat("s", i)}).ok());
  }
  const std::vector<std::string> lines =
      absl::StrSplit(Out({"snapshot", "list", "lab"}), '\n', absl::SkipEmpty());
  EXPECT_EQ(lines.size(), kCount);
}

TEST_F(SnapshotCommandTest, ASessionIsRestoredAndGoesOn) {
  Out({"snapshot", "create", "lab", "alone", "--at", "2"});
  EXPECT_EQ(Out({"snapshot", "restore", "lab", "alone", "lab-2", "--title",
                 "Before the fork"}),
            "sessions/lab-2\n");
  EXPECT_THAT(Out({"session", "show", "lab-2"}), HasSubstr("Before the fork"));
  EXPECT_THAT(Refused({"cat", "/proc/2/maps", "--session", "lab-2"}),
              HasSubstr("/proc/2/maps: ENOENT"));
  ASSERT_EQ(Do({"session", "delete", "lab"}).code, kExitOk);
  const Finished more =
      Do({"run", "-", "--server", server_.address(), "--session", "lab-2"},
         "read 0x10000000\nexpect val 7\n");
  EXPECT_EQ(more.code, kExitOk) << more.out << more.err;
  EXPECT_THAT(Out({"verify", "lab-2"}), HasSubstr("verified 1 of 1 commands"));
}

TEST_F(SnapshotCommandTest, ARestoredSessionGetsANameWhenItIsGivenNone) {
  Out({"snapshot", "create", "lab", "forked"});
  const std::string name{
      absl::StripSuffix(Out({"snapshot", "restore", "lab", "forked"}), "\n")};
  EXPECT_THAT(name, StartsWith("sessions/"));
  EXPECT_THAT(Out({"session", "show", name}), HasSubstr("revision     0"));
}

TEST_F(SnapshotCommandTest, NothingIsRestoredOverASession) {
  Out({"snapshot", "create", "lab", "forked"});
  EXPECT_THAT(Refused({"snapshot", "restore", "lab", "forked", "lab"}),
              HasSubstr("sessions/lab already"));
  EXPECT_THAT(Out({"session", "show", "lab"}), HasSubstr("revision     4"));
}

TEST_F(SnapshotCommandTest, WhatIsNotThereIsSaid) {
  for (const char* verb : {"show", "restore", "delete"}) {
    EXPECT_THAT(Refused({"snapshot", verb, "lab", "nothing"}),
                HasSubstr("no snapshot sessions/lab/snapshots/nothing"));
  }
  for (const char* verb : {"create", "list"}) {
    EXPECT_THAT(Refused({"snapshot", verb, "nobody"}),
                HasSubstr("no session sessions/nobody"));
  }
  EXPECT_THAT(
      Refused({"snapshot", "create", "lab", "--at", "5"}),
      HasSubstr("beyond the history of sessions/lab, which is at revision 4"));
  EXPECT_THAT(Refused({"snapshot", "create", "lab", "Bad_Name"}),
              HasSubstr("1 to 63 of a-z, 0-9 and -"));
  Out({"snapshot", "create", "lab", "forked"});
  EXPECT_THAT(Refused({"snapshot", "create", "lab", "forked"}),
              HasSubstr("sessions/lab/snapshots/forked already"));
}

TEST_F(SnapshotCommandTest, AClosedSessionHasItsPast) {
  ASSERT_EQ(Do({"session", "close", "lab"}).code, kExitOk);
  Out({"snapshot", "create", "lab", "late"});
  EXPECT_THAT(Out({"snapshot", "show", "lab", "late"}),
              HasSubstr("revision     4"));
  Out({"snapshot", "restore", "lab", "late", "again"});
  EXPECT_THAT(Out({"cat", "/proc/2/maps", "--session", "again"}),
              HasSubstr("10000000-10002000"));
}

TEST_F(SnapshotCommandTest, AnOlderRevisionIsPrinted) {
  const std::vector<std::string> cat = {"cat", "/proc/1/maps", "--session",
                                        "lab"};
  const auto at = [&cat](const std::string& revision) {
    std::vector<std::string> arguments = cat;
    arguments.insert(arguments.end(), {"--at", revision});
    return arguments;
  };
  const std::string now = Out(cat);
  EXPECT_THAT(Out(at("0")), Not(HasSubstr("10000000")));
  EXPECT_THAT(Out(at("1")), HasSubstr("10000000-10002000 rw-p"));
  EXPECT_EQ(Out(at("4")), now);
  EXPECT_THAT(
      Refused(at("5")),
      HasSubstr("beyond the history of sessions/lab, which is at revision 4"));
  ASSERT_EQ(Do({"session", "close", "lab"}).code, kExitOk);
  EXPECT_THAT(Refused(cat), HasSubstr("looked at by revision"));
  EXPECT_EQ(Out(at("4")), now);
  EXPECT_EQ(Do(at("-1")).code, kExitUsage);
}

TEST_F(SnapshotCommandTest, AWrongCommandLineIsExplained) {
  const auto usage = [this](const std::vector<std::string>& arguments) {
    const Finished done = Do(arguments);
    EXPECT_EQ(done.code, kExitUsage) << done.out << done.err;
    return done.err;
  };
  EXPECT_THAT(usage({"snapshot"}), HasSubstr("subcommand is required"));
  EXPECT_THAT(usage({"snapshot", "lst"}), HasSubstr("did you mean 'list'?"));
  EXPECT_THAT(usage({"snapshot", "show", "lab"}),
              HasSubstr("snapshot is required"));
  EXPECT_THAT(usage({"snapshot", "create", "lab", "--ta", "2"}),
              HasSubstr("unknown flag '--ta'; did you mean '--at'?"));
  EXPECT_EQ(Do({"snapshot", "create", "lab", "--at", "-3"}).code, kExitUsage);
  EXPECT_EQ(Do({"snapshot", "create", "lab", "--at", "x"}).code, kExitUsage);
  EXPECT_THAT(usage({"snapshot", "list", "lab", "forked"}),
              HasSubstr("'forked' is one argument too many"));
}

}  // namespace
}  // namespace faultline::cli
