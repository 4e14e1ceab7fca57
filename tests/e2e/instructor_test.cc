// The README's "An instructor's ten minutes", done as it is written: each
// command prints what the README says, although the server is killed before
// each one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/cli/exit_code.h"
#include "tests/client/cli/process.h"
#include "tests/e2e/server_process.h"
#include "tests/e2e/transcript.h"

namespace faultline::e2e {
namespace {

namespace fs = std::filesystem;

struct Ran {
  int code = -1;
  std::string out;  // and what went to stderr, in between
};

Ran RunInShell(const std::string& directory, const std::string& command) {
  std::ofstream(directory + "/.command") << command << "\n";
  const std::string line =
      absl::StrCat("cd '", directory, "' && bash ./.command 2>&1");
  FILE* pipe = popen(line.c_str(), "r");
  Ran ran;
  char buffer[4096];
  while (const size_t got = fread(buffer, 1, sizeof(buffer), pipe)) {
    ran.out.append(buffer, got);
  }
  const int status = pclose(pipe);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

class InstructorTest : public testing::Test {
 protected:
  InstructorTest() : data_(FreshPath("data")), directory_(FreshPath("lesson")) {
    fs::create_directory(directory_);
    server_ = std::make_unique<ServerProcess>(data_);
    const fs::path bin = fs::path(cli::FaultlinePath()).parent_path();
    const char* path = std::getenv("PATH");
    setenv("PATH", absl::StrCat(bin.string(), ":", path).c_str(), 1);
    setenv("PYTHONPATH", (bin.parent_path() / "python").c_str(), 1);
    setenv("FAULTLINE_SERVER", server_->address().c_str(), 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("COLUMNS", "80", 1);
    unsetenv("FAULTLINE_SECRET");
  }

  // What the README says of its reader's computer, for this one.
  std::string Here(const std::string& text) const {
    return absl::StrReplaceAll(
        text, {{"faultline.connect()", absl::StrCat("faultline.connect(\"",
                                                    server_->address(), "\")")},
               {"/usr/bin/python3", FAULTLINE_PYTHON}});
  }

  void KillAndRestart() {
    const int port = server_->port();
    server_->Kill();
    server_ = std::make_unique<ServerProcess>(data_, std::vector<std::string>{},
                                              port);
  }

  void Do(const Step& step) {
    if (!step.file.empty()) {
      std::ofstream(directory_ + "/" + step.file) << Here(step.text);
      return;
    }
    SCOPED_TRACE(step.command);
    KillAndRestart();
    const Ran ran =
        RunInShell(directory_, Here(names_.Translate(step.command)));
    EXPECT_EQ(WithoutTimes(ran.out),
              WithoutTimes(names_.Translate(step.text, ran.out)));
    EXPECT_LE(ran.code, cli::kExitFailed);
  }

  const std::string data_;
  const std::string directory_;
  std::unique_ptr<ServerProcess> server_;
  Names names_;
};

TEST_F(InstructorTest, EachCommandPrintsWhatTheReadmeSays) {
  const std::vector<Step> steps =
      ReadSection("README.md", "An instructor's ten minutes");
  int commands = 0;
  int files = 0;
  for (const Step& step : steps) {
    Do(step);
    (step.file.empty() ? commands : files) += 1;
  }
  EXPECT_GE(files, 2) << "an exercise, and a student's program";
  EXPECT_GE(commands, 12);
}

TEST(TranscriptTest, LearnsNamesFromWhatIsPrinted) {
  Names names;
  EXPECT_EQ(names.Translate("made x/abcdefghijkmnpq2, ok",
                            "made x/azzzzzzzzzzzzzz9, ok"),
            "made x/azzzzzzzzzzzzzz9, ok");
  EXPECT_EQ(names.Translate("show x-abcdefghijkmnpq2@7"),
            "show x-azzzzzzzzzzzzzz9@7");
  EXPECT_EQ(names.Translate("abcdefghijkmnpq3 and abcdefghijkmnpq2",
                            "accccccccccccccc and azzzzzzzzzzzzzz9"),
            "accccccccccccccc and azzzzzzzzzzzzzz9");
  EXPECT_EQ(names.Translate("no id", "azzzzzzzzzzzzzz8"), "no id");
  EXPECT_EQ(WithoutTimes("at 2026-11-29 19:00:01, 2026-11-29T19:00:01Z"),
            "at DATE TIME, DATETTIMEZ");
}

}  // namespace
}  // namespace faultline::e2e
