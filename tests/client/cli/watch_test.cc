// faultline watch and faultline session participants, as a user sees them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/exit_code.h"
#include "client/cpp/client.h"
#include "tests/client/cli/process.h"

namespace faultline::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr char kScript[] =
    "a: mmap 0x10000000 2p rw- PRIVATE|ANON|FIXED\n"
    "write $a 7\n"
    "fork\n"
    "@1 write $a 8\n"
    "@1 read $a\n";

class WatchTest : public testing::Test {
 protected:
  Environment Env() {
    return {{"FAULTLINE_SERVER", server_.address()}, {"NO_COLOR", "1"}};
  }
  Finished Do(std::vector<std::string> arguments,
              const std::string& input = "") {
    return Faultline(arguments, input, Env());
  }
  void RunScript() {
    const Finished run =
        Do({"run", "-", "--server", server_.address(), "--session", "lab"},
           kScript);
    ASSERT_EQ(run.code, kExitOk) << run.err;
  }

  Server server_;
};

TEST_F(WatchTest, TellsWhatHasHappened) {
  RunScript();
  const Finished watch = Do({"watch", "lab", "--from", "1", "--to", "5"});
  EXPECT_EQ(watch.code, kExitOk) << watch.err;
  EXPECT_THAT(watch.out,
              StartsWith("     2  A write at 0x10000000 faulted: no page is "
                         "present.  pid 1\n"
                         "        Minor fault: a first write at 0x10000000 got "
                         "a new zeroed page"));
  EXPECT_THAT(watch.out, HasSubstr("\n     3  Process 1 forked process 2."));
  EXPECT_THAT(watch.out, HasSubstr("made a private copy"));
  EXPECT_THAT(watch.out, Not(HasSubstr("\n     5")));
}

TEST_F(WatchTest, TellsWhatWasCalledWhenAskedTo) {
  RunScript();
  const Finished watch =
      Do({"watch", "lab", "--from", "1", "--to", "5", "--commands"});
  EXPECT_EQ(watch.code, kExitOk) << watch.err;
  EXPECT_THAT(watch.out, StartsWith("     1  pid: 1 mmap {"));
  EXPECT_THAT(watch.out, HasSubstr("}  = 0x10000000  by ipv4:127.0.0.1:"));
  EXPECT_THAT(watch.out, HasSubstr("\n     5  pid: 2 access {"));
}

TEST_F(WatchTest, ShowsOnlyWhatWasAskedFor) {
  RunScript();
  const Finished child =
      Do({"watch", "lab", "--from", "1", "--to", "5", "--pid", "2"});
  EXPECT_THAT(child.out, StartsWith("     4"));
  const Finished splits =
      Do({"watch", "lab", "--from", "1", "--to", "5", "--kind", "vma_create"});
  EXPECT_THAT(splits.out, StartsWith("     1"));
  const Finished none =
      Do({"watch", "lab", "--from", "1", "--to", "5", "--level", "none"});
  EXPECT_EQ(none.code, kExitOk) << none.err;
  EXPECT_THAT(none.out, IsEmpty());
}

TEST_F(WatchTest, ProgramsGetOneObjectPerChange) {
  RunScript();
  const Finished watch = Do({"watch", "lab", "--from", "1", "--to", "5",
                             "--commands", "--format=jsonl"});
  EXPECT_EQ(watch.code, kExitOk) << watch.err;
  std::istringstream lines(watch.out);
  std::string line;
  int revision = 0;
  while (std::getline(lines, line)) {
    const nlohmann::json change = nlohmann::json::parse(line);
    EXPECT_EQ(change["revision"], absl::StrCat(++revision));
    EXPECT_TRUE(change.contains("command"));
    EXPECT_TRUE(change.contains("sender"));
  }
  EXPECT_EQ(revision, 5);
}

TEST_F(WatchTest, FollowsASessionUntilItIsClosed) {
  ASSERT_EQ(Do({"session", "create", "lab"}).code, kExitOk);
  OnTerminal watch({"watch", "lab", "--from", "1"}, Env());
  RunScript();
  EXPECT_THAT(watch.ReadUntil("made a private copy"),
              HasSubstr("A write at 0x10000000 faulted"));
  ASSERT_EQ(Do({"session", "close", "lab"}).code, kExitOk);
  EXPECT_EQ(watch.Wait(), kExitOk);
}

TEST_F(WatchTest, SaysWhatIsWrong) {
  EXPECT_THAT(Do({"watch", "nobody"}).err, HasSubstr("no session"));
  ASSERT_EQ(Do({"session", "create", "lab"}).code, kExitOk);
  const Finished kind = Do({"watch", "lab", "--kind", "falt_resolved"});
  EXPECT_EQ(kind.code, kExitCannot);
  EXPECT_THAT(kind.err, HasSubstr("is no kind of event"));
  EXPECT_THAT(Do({"watch", "lab", "--from", "3", "--to", "2"}).err,
              HasSubstr("before start_revision"));
  EXPECT_EQ(Do({"watch", "lab", "--from", "0"}).code, kExitUsage);
  EXPECT_EQ(Do({"watch", "lab", "--format", "xml"}).code, kExitUsage);
  EXPECT_THAT(Do({"watch", "--help"}).out, HasSubstr("Examples:"));
}

TEST_F(WatchTest, ListsWhoIsInASession) {
  ASSERT_EQ(Do({"session", "create", "lab"}).code, kExitOk);
  EXPECT_EQ(Do({"session", "participants", "lab"}).out,
            "nobody has joined sessions/lab, or all have left\n");
  auto client = client::Client::Connect(server_.address());
  client::Session lab = *client->OpenSession("lab");
  ASSERT_TRUE(lab.Join({.id = "ada", .display_name = "Ada's desk"}).ok());
  const auto bob = lab.Join({.id = "bob", .role = v1::ROLE_OBSERVER});
  ASSERT_TRUE(lab.Leave(bob->name()).ok());
  const Finished there = Do({"session", "participants", "lab"});
  EXPECT_THAT(there.out, StartsWith("sessions/lab/participants/ada "));
  EXPECT_THAT(there.out, HasSubstr("driver"));
  EXPECT_THAT(there.out, HasSubstr("Ada's desk"));
  EXPECT_THAT(there.out, Not(HasSubstr("bob")));
  EXPECT_THAT(Do({"session", "participants", "lab", "--all"}).out,
              HasSubstr("sessions/lab/participants/bob"));
}

}  // namespace
}  // namespace faultline::cli
