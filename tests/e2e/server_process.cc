#include "tests/e2e/server_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tests/client/cli/process.h"

namespace faultline::e2e {
namespace {

std::vector<std::string> ServeArguments(const std::string& data,
                                        const std::vector<std::string>& flags,
                                        int port) {
  std::vector<std::string> arguments = {"serve", "--data", data, "--listen",
                                        absl::StrCat("127.0.0.1:", port)};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return arguments;
}

int CodeOf(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

std::string FreshPath(const std::string& name) {
  static int count = 0;
  return absl::StrCat(cli::TemporaryDirectory(), "/", name, "-", ++count);
}

Child::Child(const std::vector<std::string>& arguments)
    : Child(cli::FaultlinePath(), arguments) {}

Child::Child(const std::string& program,
             const std::vector<std::string>& arguments)
    : errors_path_(FreshPath("stderr")) {
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  int ends[2];
  int input[2];
  if (pipe2(ends, O_CLOEXEC) != 0 || pipe2(input, O_CLOEXEC) != 0) std::abort();
  const int errors =
      open(errors_path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (errors < 0) std::abort();
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(input[0], STDIN_FILENO);
    dup2(ends[1], STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    execv(program.c_str(), argv.data());
    _exit(127);
  }
  close(ends[1]);
  close(input[0]);
  close(errors);
  in_ = input[1];
  out_ = ends[0];
}

Child::~Child() {
  if (IsRunning()) {
    Signal(SIGKILL);
    Wait();
  }
  CloseInput();
  close(out_);
}

void Child::CloseInput() {
  if (in_ >= 0) close(std::exchange(in_, -1));
}

std::string Child::ReadLine() {
  std::string line;
  char c = 0;
  while (read(out_, &c, 1) == 1 && c != '\n') line += c;
  return line;
}

std::string Child::Errors() const {
  std::ostringstream text;
  text << std::ifstream(errors_path_).rdbuf();
  return text.str();
}

bool Child::IsRunning() {
  if (pid_ <= 0) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  code_ = CodeOf(status);
  pid_ = -1;
  return false;
}

void Child::Signal(int signal) {
  if (pid_ > 0) kill(pid_, signal);
}

int Child::Wait() {
  if (pid_ <= 0) return code_;
  int status = 0;
  waitpid(pid_, &status, 0);
  code_ = CodeOf(status);
  pid_ = -1;
  return code_;
}

ServerProcess::ServerProcess(const std::string& data,
                             const std::vector<std::string>& flags, int port)
    : child_(ServeArguments(data, flags, port)) {
  const std::string line = child_.ReadLine();
  absl::string_view address = line;
  if (absl::ConsumePrefix(&address, "listening on ")) {
    address_ = std::string(address);
  } else {
    ADD_FAILURE() << "the server does not listen: " << line << Errors();
  }
}

int ServerProcess::port() const {
  int port = 0;
  if (!absl::SimpleAtoi(address_.substr(address_.rfind(':') + 1), &port)) {
    ADD_FAILURE() << "no port in " << address_;
  }
  return port;
}

void ServerProcess::Kill() {
  Signal(SIGKILL);
  EXPECT_EQ(Wait(), 128 + SIGKILL);
}

int ServerProcess::Stop() {
  Signal(SIGTERM);
  return Wait();
}

}  // namespace faultline::e2e
