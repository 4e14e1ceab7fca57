#include "tests/client/cli/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace faultline::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kTimeoutMs = 20'000;

// In the child, between fork and exec.
[[noreturn]] void Execute(const std::vector<std::string>& arguments,
                          const Environment& environment) {
  for (const auto& [name, value] : environment) {
    setenv(name.c_str(), value.c_str(), 1);
  }
  const std::string path = FaultlinePath();
  std::vector<char*> argv = {const_cast<char*>(path.c_str())};
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  execv(path.c_str(), argv.data());
  _exit(127);
}

int ExitStatus(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct Pipe {
  Pipe() {
    if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
  }
  int ends[2];
};

// Removed when the test program ends.
struct OwnDirectory {
  OwnDirectory() {
    std::string name = fs::temp_directory_path() / "faultline-cli-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path = name;
  }
  ~OwnDirectory() {
    std::error_code error;
    fs::remove_all(path, error);
  }
  fs::path path;
};

}  // namespace

std::string FaultlinePath() {
  const char* directory = std::getenv("FAULTLINE_BIN");
  if (directory != nullptr) return std::string(directory) + "/faultline";
  return fs::read_symlink("/proc/self/exe").parent_path() / "faultline";
}

Finished Faultline(const std::vector<std::string>& arguments,
                   const std::string& input, const Environment& environment) {
  Pipe in;
  Pipe out;
  Pipe err;
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(in.ends[0], STDIN_FILENO);
    dup2(out.ends[1], STDOUT_FILENO);
    dup2(err.ends[1], STDERR_FILENO);
    Execute(arguments, environment);
  }
  close(in.ends[0]);
  close(out.ends[1]);
  close(err.ends[1]);
  // Small inputs only: they fit into the pipe.
  if (write(in.ends[1], input.data(), input.size()) < 0) std::abort();
  close(in.ends[1]);
  Finished result;
  pollfd polls[2] = {{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}};
  std::string* texts[2] = {&result.out, &result.err};
  int open = 2;
  while (open > 0 && poll(polls, 2, -1) > 0) {
    for (int i = 0; i < 2; ++i) {
      if (polls[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t got = read(polls[i].fd, buffer, sizeof(buffer));
      if (got > 0) {
        texts[i]->append(buffer, static_cast<size_t>(got));
      } else {
        close(polls[i].fd);
        polls[i].fd = -1;
        --open;
      }
    }
  }
  result.code = ExitStatus(pid);
  return result;
}

Server::Server() {
  static int servers = 0;
  data_ = TemporaryDirectory() + "/data-" + std::to_string(++servers);
  Start();
}

Server::~Server() { Kill(); }

void Server::Start() {
  Pipe out;
  pid_ = fork();
  if (pid_ == 0) {
    dup2(out.ends[1], STDOUT_FILENO);
    Execute({"serve", "--data", data_, "--listen", "127.0.0.1:0"}, {});
  }
  close(out.ends[1]);
  output_ = out.ends[0];
  // "listening on 127.0.0.1:43637\n"
  std::string line;
  char c = 0;
  while (read(output_, &c, 1) == 1 && c != '\n') line += c;
  address_ = line.substr(line.rfind(' ') + 1);
}

void Server::Kill() {
  kill(pid_, SIGKILL);
  ExitStatus(pid_);
  close(output_);
}

void Server::KillAndRestart() {
  Kill();
  Start();
}

OnTerminal::OnTerminal(const std::vector<std::string>& arguments,
                       const Environment& environment) {
  const winsize size = {50, 200, 0, 0};
  terminal_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal_ < 0 || grantpt(terminal_) != 0 || unlockpt(terminal_) != 0 ||
      ioctl(terminal_, TIOCSWINSZ, &size) != 0) {
    std::abort();
  }
  const std::string other_end = ptsname(terminal_);
  pid_ = fork();
  if (pid_ != 0) return;
  setsid();
  // The first terminal that a session's leader opens becomes its own.
  const int end = open(other_end.c_str(), O_RDWR);
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(end, fd);
  Execute(arguments, environment);
}

OnTerminal::~OnTerminal() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    ExitStatus(pid_);
  }
  close(terminal_);
}

// A prompt is written before the line editor takes the keys. What comes in
// between is read by the terminal's own editing of lines, which would keep a
// Control-D for itself.
bool OnTerminal::TakesKeys() const {
  termios settings = {};
  return tcgetattr(terminal_, &settings) == 0 &&
         (settings.c_lflag & ICANON) == 0;
}

void OnTerminal::Type(const std::string& keys) {
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(kTimeoutMs);
  while (!TakesKeys() && std::chrono::steady_clock::now() < deadline) {
    sched_yield();
  }
  if (write(terminal_, keys.data(), keys.size()) < 0) std::abort();
}

std::string OnTerminal::ReadUntil(const std::string& text) {
  std::string output;
  pollfd readable = {terminal_, POLLIN, 0};
  while (output.find(text) == std::string::npos) {
    if (poll(&readable, 1, kTimeoutMs) <= 0) return "";
    char buffer[4096];
    const ssize_t got = read(terminal_, buffer, sizeof(buffer));
    if (got <= 0) return "";
    output.append(buffer, static_cast<size_t>(got));
  }
  return output;
}

int OnTerminal::Wait() {
  const int code = ExitStatus(pid_);
  pid_ = -1;
  return code;
}

std::string TemporaryDirectory() {
  static const OwnDirectory directory;
  return directory.path;
}

std::string WriteTemporary(const std::string& name, const std::string& text) {
  const std::string path = TemporaryDirectory() + "/" + name;
  std::ofstream(path) << text;
  return path;
}

}  // namespace faultline::cli
