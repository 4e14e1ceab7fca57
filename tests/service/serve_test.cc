// `faultline serve` as a program: what it says and how it ends.
#include "server/serve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/limits.h"
#include "tests/service/test_server.h"

namespace faultline {
namespace {

using ::testing::HasSubstr;

// A running `faultline serve`; both its outputs in one.
class Program {
 public:
  explicit Program(std::vector<std::string> flags) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], 1);
      dup2(ends[1], 2);
      close(ends[0]);
      close(ends[1]);
      Exec(std::move(flags));
    }
    close(ends[1]);
    out_ = fdopen(ends[0], "r");
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    kill(pid_, SIGKILL);
    Wait();
    fclose(out_);
  }

  // Reads lines up to one that has `text`, "" at the end.
  std::string ReadTo(const std::string& text) {
    char line[4096];
    while (fgets(line, sizeof line, out_) != nullptr) {
      said_ += line;
      if (absl::StrContains(line, text)) return line;
    }
    return "";
  }
  // Where it listens.
  std::string Address() {
    const std::string line = ReadTo("listening on ");
    const size_t at = line.rfind(' ');
    return at == std::string::npos ? ""
                                   : line.substr(at + 1, line.size() - at - 2);
  }
  void Signal(int signal) { kill(pid_, signal); }
  // Its exit status, -1 when a signal ended it.
  int Wait() {
    if (waited_) return status_;
    int status = 0;
    waitpid(pid_, &status, 0);
    waited_ = true;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return status_;
  }
  // All it said, once it has ended.
  std::string Said() {
    ReadTo("no line has this");
    return said_;
  }

 private:
  [[noreturn]] static void Exec(std::vector<std::string> flags) {
    const char* bin = std::getenv("FAULTLINE_BIN");
    const std::string program =
        absl::StrCat(bin == nullptr ? "build/dev/bin" : bin, "/faultline");
    std::vector<char*> argv = {const_cast<char*>(program.c_str()),
                               const_cast<char*>("serve")};
    for (std::string& flag : flags) argv.push_back(flag.data());
    argv.push_back(nullptr);
    execv(program.c_str(), argv.data());
    _exit(127);
  }

  pid_t pid_ = -1;
  FILE* out_ = nullptr;
  std::string said_;
  bool waited_ = false;
  int status_ = 0;
};

class ServeTest : public testing::TestServer {
 protected:
  void SetUp() override {
    TestServer::SetUp();
    directory_ = absl::StrCat(::testing::TempDir(), "/serve-", getpid());
    std::filesystem::remove_all(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string directory_;  // not there yet
};

TEST_F(ServeTest, SaysWhereItListensAndStopsInOrder) {
  Program serve({"--listen", "127.0.0.1:0", "--data", directory_});
  Connect(
      grpc::CreateChannel(serve.Address(), grpc::InsecureChannelCredentials()));
  Map(Create("lab"), 4096);
  serve.Signal(SIGTERM);
  EXPECT_EQ(serve.Wait(), kServeStopped);
  EXPECT_THAT(serve.Said(), HasSubstr("faultline: stopped\n"));

  Program again({"--listen", "127.0.0.1:0", "--data", directory_});
  Connect(
      grpc::CreateChannel(again.Address(), grpc::InsecureChannelCredentials()));
  EXPECT_EQ(Revision("sessions/lab"), 1);
  again.Signal(SIGINT);
  EXPECT_EQ(again.Wait(), kServeStopped);
}

TEST_F(ServeTest, ASecondSignalStopsItAtOnce) {
  Program serve({"--listen", "127.0.0.1:0", "--data", ":memory:"});
  Connect(
      grpc::CreateChannel(serve.Address(), grpc::InsecureChannelCredentials()));
  const std::string lab = Create();
  const uint64_t page = Map(lab, 4096);
  // More than it can have done before the second signal.
  std::vector<std::thread> clients;
  for (int i = 0; i < 32; ++i) {
    clients.emplace_back([&] {
      v1::AccessResponse response;
      Touch(lab, page, limits::kAccessCountMax, &response);
    });
  }
  while (Revision(lab) == 1) {
  }
  serve.Signal(SIGTERM);
  serve.ReadTo("stopping");
  serve.Signal(SIGTERM);
  EXPECT_EQ(serve.Wait(), kServeInterrupted);
  EXPECT_THAT(serve.Said(), HasSubstr("stopped at once"));
  for (std::thread& client : clients) client.join();
}

TEST_F(ServeTest, APortThatIsInUseLeavesNothingBehind) {
  Program serve({"--listen", server_->address(), "--data", directory_});
  EXPECT_EQ(serve.Wait(), kServeAddressBad);
  const std::string said = serve.Said();
  EXPECT_THAT(said, HasSubstr("is in use"));
  EXPECT_THAT(said, HasSubstr("--listen 127.0.0.1:0"));
  EXPECT_FALSE(std::filesystem::exists(directory_));
}

TEST_F(ServeTest, AnAddressForOthersHasToBeAskedFor) {
  Program refused({"--listen", "0.0.0.0:0", "--data", directory_});
  EXPECT_EQ(refused.Wait(), kServeAddressBad);
  EXPECT_THAT(refused.Said(), HasSubstr("--allow-remote"));

  Program warned(
      {"--listen", "0.0.0.0:0", "--data", ":memory:", "--allow-remote"});
  EXPECT_NE(warned.ReadTo("warning: other computers may reach"), "");
}

TEST_F(ServeTest, SaysWhyADataDirectoryCannotBeUsed) {
  const auto serve = [&](const std::string& data) {
    return Program({"--listen", "127.0.0.1:0", "--data", data});
  };
  {
    Program no_parent = serve(directory_ + "/a/b");
    EXPECT_EQ(no_parent.Wait(), kServeDataBad);
    EXPECT_THAT(no_parent.Said(), HasSubstr("create its parent directory"));
  }
  Program first = serve(directory_);
  ASSERT_NE(first.Address(), "");
  Program second = serve(directory_);
  EXPECT_EQ(second.Wait(), kServeDataBad);
  EXPECT_THAT(second.Said(), HasSubstr("is in use by process"));
}

TEST_F(ServeTest, AWrongFlagIsWrongUsage) {
  Program flag({"--lisen", "127.0.0.1:0"});
  EXPECT_EQ(flag.Wait(), 3);
  EXPECT_THAT(flag.Said(), HasSubstr("--listen"));
  Program value({"--durability", "paper"});
  EXPECT_EQ(value.Wait(), 3);
  EXPECT_THAT(value.Said(),
              HasSubstr("'paper' is neither 'process' nor 'power'"));
}

}  // namespace
}  // namespace faultline
