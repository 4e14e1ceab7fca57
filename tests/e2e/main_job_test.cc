// The main job through the real binaries: a recorded program is re-enacted on a
// server, comes out as on the real kernel, and is still there, command by
// command, after the server was killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "client/cli/exit_code.h"
#include "client/cpp/client.h"
#include "tests/client/cli/process.h"
#include "tests/e2e/server_process.h"

namespace faultline::e2e {
namespace {

using cli::Faultline;
using cli::Finished;
using testing::HasSubstr;

constexpr char kTraces[] = "tests/traces/";

int64_t RevisionOf(const std::string& address, const std::string& session) {
  auto client = client::Client::Connect(address);
  if (!client.ok()) return -1;
  const auto opened = client->GetSession(session);
  return opened.ok() ? opened->revision() : -1;
}

void ExpectVerifiesAndReplays(const std::string& address,
                              const std::string& session, int64_t commands) {
  const Finished verify = Faultline({"verify", session, "--server", address});
  EXPECT_EQ(verify.code, cli::kExitOk) << verify.out << verify.err;
  EXPECT_THAT(verify.out,
              HasSubstr(absl::StrCat("verified ", commands, " of ", commands,
                                     " commands of sessions/", session)));
  const Finished replay = Faultline({"replay", session, "--server", address});
  EXPECT_EQ(replay.code, cli::kExitOk) << replay.out << replay.err;
  EXPECT_THAT(replay.out, HasSubstr(absl::StrCat("replayed ", commands, " of ",
                                                 commands, " commands")));
}

struct Program {
  const char* name;
  const char* maps;  // what the import says of them
  std::vector<std::string> import;
};

void PrintTo(const Program& program, std::ostream* out) {
  *out << program.name;
}

Program Whole(const char* name, const char* maps) {
  return {name, maps, {absl::StrCat(kTraces, "6.18/", name)}};
}

// A recording without heads of executables: those of a whole one of the same
// program.
Program Filtered(const char* name, const char* maps, const std::string& trace,
                 const std::string& heads) {
  const std::string directory = absl::StrCat(kTraces, "6.18-filtered/", trace);
  return {name,
          maps,
          {directory + "/strace.txt", "--maps-dir", directory + "/snap",
           "--heads", absl::StrCat(kTraces, "6.18/", heads, "/snap/elf")}};
}

class MainJobTest : public testing::TestWithParam<Program> {};

TEST_P(MainJobTest, ComesOutEqualAndOutlivesTheServer) {
  const std::string data = FreshPath("data");
  auto server = std::make_unique<ServerProcess>(data);
  std::vector<std::string> arguments = {"import", "strace"};
  arguments.insert(arguments.end(), GetParam().import.begin(),
                   GetParam().import.end());
  arguments.insert(arguments.end(),
                   {"--server", server->address(), "--session", "program"});
  const Finished import = Faultline(arguments);
  EXPECT_EQ(import.code, cli::kExitOk) << import.out << import.err;
  EXPECT_THAT(import.out, HasSubstr(GetParam().maps));
  EXPECT_THAT(import.out, HasSubstr(": 0 differences"));
  const int64_t commands = RevisionOf(server->address(), "program");
  EXPECT_GT(commands, 10);

  server->Kill();
  server = std::make_unique<ServerProcess>(data);
  EXPECT_EQ(RevisionOf(server->address(), "program"), commands);
  ExpectVerifiesAndReplays(server->address(), "program", commands);
}

INSTANTIATE_TEST_SUITE_P(
    Programs, MainJobTest,
    testing::Values(Whole("ls", "maps: 2 of 2 equal to the real ones"),
                    Whole("sh", "maps: 8 of 8 equal to the real ones"),
                    Whole("python", "maps: 2 of 2 equal to the real ones"),
                    Whole("sort", "maps: 2 of 2 equal to the real ones"),
                    Whole("threads", "maps: 2 of 2 equal to the real ones"),
                    Whole("segv", "maps: 2 of 2 equal to the real ones"),
                    Whole("spawn", "maps: 11 of 11 equal to the real ones"),
                    Whole("static", "maps: 2 of 2 equal to the real ones"),
                    Whole("static-pie", "maps: 2 of 2 equal to the real ones"),
                    Filtered("filtered_ls",
                             "maps: 2 of 2 equal to the real ones", "ls", "ls"),
                    Filtered("filtered_sh",
                             "maps: 6 of 6 equal to the real ones", "sh", "sh"),
                    Filtered("filtered_python",
                             "maps: 2 of 2 equal to the real ones", "pythr",
                             "python"),
                    Filtered("filtered_sort",
                             "maps: 2 of 2 equal to the real ones", "sort",
                             "sort")),
    [](const auto& info) {
      std::string name = info.param.name;
      for (char& c : name) c = c == '-' ? '_' : c;
      return name;
    });

std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// A recording that stops before the program ends.
std::string UpTo(const std::string& trace, const std::string& call) {
  const std::string text = ReadFile(trace);
  const size_t end = text.rfind('\n', text.find(call));
  EXPECT_NE(end, std::string::npos) << "no " << call << " in " << trace;
  return text.substr(0, end + 1);
}

TEST(CatTest, ALivingProcessHasTheRealKernelsMapsBeforeAndAfterSigkill) {
  const std::string data = FreshPath("data");
  const std::string ls = absl::StrCat(kTraces, "6.18/ls/");
  auto server = std::make_unique<ServerProcess>(data);
  const Finished import =
      Faultline({"import", "strace",
                 cli::WriteTemporary("living.strace",
                                     UpTo(ls + "strace.txt", "exit_group(")),
                 "--heads", ls + "snap/elf", "--server", server->address(),
                 "--session", "living"});
  ASSERT_EQ(import.code, cli::kExitOk) << import.out << import.err;
  const std::string real = ReadFile(ls + "snap/1.exit1.maps");
  for (const char* when : {"before", "after"}) {
    SCOPED_TRACE(when);
    const Finished maps = Faultline({"cat", "/proc/1/maps", "--session",
                                     "living", "--server", server->address()});
    EXPECT_EQ(maps.code, cli::kExitOk) << maps.err;
    EXPECT_EQ(maps.out, real);
    server->Kill();
    server = std::make_unique<ServerProcess>(data);
  }
}

TEST(CatTest, AProcessThatNeverWasIsNamed) {
  const ServerProcess server(FreshPath("data"));
  const Finished run =
      Faultline({"run", cli::WriteTemporary("one.s", "fork\n"), "--server",
                 server.address(), "--session", "one"});
  ASSERT_EQ(run.code, cli::kExitOk) << run.out << run.err;
  const Finished maps = Faultline({"cat", "/proc/9/maps", "--session", "one",
                                   "--server", server.address()});
  EXPECT_EQ(maps.code, cli::kExitCannot);
  EXPECT_THAT(maps.err, HasSubstr("/proc/9/maps: ENOENT"));
}

TEST(RunTest, AScenarioGivesTheSameLinesOnAServerAndInThisProcess) {
  const ServerProcess server(FreshPath("data"));
  const std::string script =
      cli::WriteTemporary("same.s",
                          "a: mmap 0 4p rw- PRIVATE|ANON\n"
                          "write $a 7\n"
                          "fork\n"
                          "@1 write $a 8\n"
                          "@0 read $a\n"
                          "munmap $a+1p 1p\n"
                          "read $a+1p\n");
  const Finished here = Faultline({"run", script, "--format=jsonl"});
  const Finished there = Faultline({"run", script, "--format=jsonl", "--server",
                                    server.address(), "--session", "same"});
  EXPECT_EQ(here.code, cli::kExitOk) << here.err;
  EXPECT_EQ(there.code, cli::kExitOk) << there.err;
  EXPECT_EQ(there.out, here.out);
}

}  // namespace
}  // namespace faultline::e2e
