// Runs programs as a user would: with arguments, input, and perhaps a
// terminal.

#ifndef FAULTLINE_TESTS_CLIENT_CLI_PROCESS_H_
#define FAULTLINE_TESTS_CLIENT_CLI_PROCESS_H_

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace faultline::cli {

struct Finished {
  int code = -1;  // the exit status; 128 + signal when one ended it
  std::string out;
  std::string err;
};

using Environment = std::map<std::string, std::string>;

// $FAULTLINE_BIN/faultline, or the one beside the test.
std::string FaultlinePath();

// Runs faultline to its end.
Finished Faultline(const std::vector<std::string>& arguments,
                   const std::string& input = "",
                   const Environment& environment = {});

// `faultline serve` on a port and in a data directory of its own; dies with
// this object.
class Server {
 public:
  Server();
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const std::string& address() const { return address_; }
  // Ends it by SIGKILL and starts another on the same data.
  void KillAndRestart();

 private:
  void Start();
  void Kill();

  std::string data_;
  std::string address_;
  pid_t pid_ = -1;
  int output_ = -1;
};

// faultline on a terminal of its own.
class OnTerminal {
 public:
  OnTerminal(const std::vector<std::string>& arguments,
             const Environment& environment);
  ~OnTerminal();
  OnTerminal(const OnTerminal&) = delete;
  OnTerminal& operator=(const OnTerminal&) = delete;

  // Types as soon as the program takes keys and not lines.
  void Type(const std::string& keys);
  // Reads until the output of the program has `text` in what came since the
  // last call; gives that. Empty after 20 seconds without it.
  std::string ReadUntil(const std::string& text);
  // Waits for the end; gives the exit status.
  int Wait();

 private:
  bool TakesKeys() const;

  int terminal_ = -1;
  pid_t pid_ = -1;
};

// A file in a directory of this test's own, removed at the end of the process.
std::string WriteTemporary(const std::string& name, const std::string& text);
std::string TemporaryDirectory();

}  // namespace faultline::cli

#endif  // FAULTLINE_TESTS_CLIENT_CLI_PROCESS_H_
