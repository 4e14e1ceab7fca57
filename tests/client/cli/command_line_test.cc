// The command line as scripts see it: exit statuses and messages.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/exit_code.h"
#include "tests/client/cli/process.h"

namespace faultline::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

struct WrongCase {
  const char* name;
  std::vector<std::string> arguments;
  int code;
  const char* says;
};

class WrongCommandLineTest : public testing::TestWithParam<WrongCase> {};

TEST_P(WrongCommandLineTest, SaysWhatIsWrong) {
  const Finished run = Faultline(GetParam().arguments);
  EXPECT_EQ(run.code, GetParam().code);
  EXPECT_THAT(run.err, HasSubstr(GetParam().says));
  EXPECT_THAT(run.out, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    CommandLines, WrongCommandLineTest,
    testing::Values(
        WrongCase{"NoSubcommand", {}, kExitUsage, "subcommand is required"},
        WrongCase{"UnknownSubcommand",
                  {"rnu"},
                  kExitUsage,
                  "unknown subcommand 'rnu'; did you mean 'run'?"},
        WrongCase{"UnknownVerb",
                  {"session", "lst"},
                  kExitUsage,
                  "unknown subcommand 'lst'; did you mean 'list'?"},
        WrongCase{"UnknownFlag",
                  {"run", "x", "--fromat=text"},
                  kExitUsage,
                  "unknown flag '--fromat'; did you mean '--format'?"},
        WrongCase{"NoFile", {"run"}, kExitUsage, "file is required"},
        WrongCase{"WrongFormat",
                  {"run", "x", "--format=xml"},
                  kExitUsage,
                  "xml not in {text,jsonl}"},
        WrongCase{"TooMany",
                  {"session", "show", "a", "b"},
                  kExitUsage,
                  "'b' is one argument too many"},
        WrongCase{"NoSession",
                  {"cat", "/proc/1/maps"},
                  kExitUsage,
                  "--session is required"},
        WrongCase{"NoSuchScenario",
                  {"run", "/no/such.s"},
                  kExitCannot,
                  "/no/such.s: No such file or directory"},
        WrongCase{"NoSuchRecording",
                  {"import", "strace", "/no/such"},
                  kExitCannot,
                  "/no/such: No such file or directory"},
        WrongCase{"WrongPort",
                  {"session", "list", "--server", "localhost:99999"},
                  kExitCannot,
                  "'99999' is not a port"},
        WrongCase{"NobodyListens",
                  {"session", "list", "--server", "127.0.0.1:1"},
                  kExitCannot,
                  "nothing listens on 127.0.0.1:1: start a server"}),
    [](const auto& info) { return info.param.name; });

TEST(CommandLineTest, UsageErrorsNameTheHelpToTry) {
  EXPECT_THAT(Faultline({"session", "show"}).err,
              HasSubstr("Try `faultline session show --help`."));
}

TEST(CommandLineTest, HelpTeachesWithExamplesAndSucceeds) {
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{},
                                             {"run"},
                                             {"repl"},
                                             {"session"},
                                             {"snapshot"},
                                             {"cat"},
                                             {"replay"},
                                             {"verify"}}) {
    std::vector<std::string> arguments = command;
    arguments.push_back("--help");
    const Finished help = Faultline(arguments);
    EXPECT_EQ(help.code, kExitOk);
    EXPECT_THAT(help.out, HasSubstr("Example"));
    EXPECT_THAT(help.out, HasSubstr("Usage: faultline"));
    EXPECT_THAT(help.err, IsEmpty());
  }
}

TEST(CommandLineTest, TheServerComesFromTheEnvironment) {
  const Finished list =
      Faultline({"session", "list"}, "", {{"FAULTLINE_SERVER", "127.0.0.1:1"}});
  EXPECT_EQ(list.code, kExitCannot);
  EXPECT_THAT(list.err, HasSubstr("nothing listens on 127.0.0.1:1"));
}

TEST(CommandLineTest, SaysItsVersion) {
  EXPECT_THAT(Faultline({"--version"}).out, HasSubstr("faultline 0."));
}

}  // namespace
}  // namespace faultline::cli
