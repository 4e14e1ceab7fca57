// Each client runs the whole table against a server of its own.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/client/cli/process.h"
#include "tests/e2e/server_process.h"
#include "tests/interop/generic_call.h"
#include "tests/interop/table.h"

namespace faultline::interop {
namespace {

namespace fs = std::filesystem;

constexpr char kTable[] = "tests/interop/table.json";
constexpr char kNodeRunner[] = "client/typescript/interop/run_table.mjs";
constexpr int kSkipped = 77;  // of a runner that is not installed here

// The table has cases, and a runner that runs none of them has not passed.
int CasesFor(const std::string& client) {
  const Json table = Json::parse(std::ifstream(kTable));
  int count = 0;
  for (const Json& test : table["cases"]) {
    const Json skip = test.value("skip", Json::object());
    if (!skip.contains(client)) ++count;
  }
  return count;
}

struct Ended {
  int code = -1;
  std::string output;
};

// Runs a program of the tests; its errors are in the output.
Ended Run(const std::vector<std::string>& arguments) {
  std::string command;
  for (const std::string& argument : arguments) {
    absl::StrAppend(&command, "'",
                    absl::StrReplaceAll(argument, {{"'", "'\\''"}}), "' ");
  }
  command += "2>&1";
  Ended ended;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return ended;
  char buffer[4096];
  for (size_t got; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    ended.output.append(buffer, got);
  }
  const int status = pclose(pipe);
  ended.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  return ended;
}

bool HasNode() { return Run({"node", "--version"}).code == 0; }

void ExpectRunnerPasses(const std::string& client,
                        std::vector<std::string> command) {
  const e2e::ServerProcess server(e2e::FreshPath("data"));
  for (const std::string& argument :
       {std::string("--address"), server.address(), std::string("--table"),
        std::string(kTable)}) {
    command.push_back(argument);
  }
  const Ended ended = Run(command);
  if (ended.code == kSkipped) GTEST_SKIP() << ended.output;
  ASSERT_EQ(ended.code, 0) << ended.output;
  const std::string last = absl::StrCat(CasesFor(client), " cases passed\n");
  EXPECT_TRUE(ended.output.ends_with(last))
      << "expected " << last << "got " << ended.output;
  std::printf("%s", ended.output.c_str());
}

TEST(Interop, Cpp) {
  const e2e::ServerProcess server(e2e::FreshPath("data"));
  const Result result = RunTable(kTable, "cpp", GenericCall(server.address()));
  EXPECT_EQ(result.difference, "");
  EXPECT_EQ(result.passed, CasesFor("cpp"));
  std::printf("%d cases passed\n", result.passed);
}

// A runner in Python, with the package that the build has put together.
std::vector<std::string> InPython(const std::string& runner) {
  const fs::path bin = fs::path(cli::FaultlinePath()).parent_path();
  setenv("PYTHONPATH", (bin.parent_path() / "python").c_str(), 1);
  return {FAULTLINE_PYTHON, "-B", "tests/interop/" + runner};
}

TEST(Interop, Python) {
  ExpectRunnerPasses("python", InPython("run_table.py"));
}

TEST(Interop, Buf) { ExpectRunnerPasses("buf", InPython("run_table_buf.py")); }

TEST(Interop, Node) {
  if (!HasNode()) {
    GTEST_SKIP() << "there is no node; deploy/setup.sh --node installs it";
  }
  ExpectRunnerPasses("node", {"node", kNodeRunner});
}

}  // namespace
}  // namespace faultline::interop
