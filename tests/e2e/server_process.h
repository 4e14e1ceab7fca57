// `faultline serve` as an operator runs it: a process of its own, that can be
// asked to stop or killed.
#ifndef FAULTLINE_TESTS_E2E_SERVER_PROCESS_H_
#define FAULTLINE_TESTS_E2E_SERVER_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace faultline::e2e {

// A process, its stdin and stdout pipes, its stderr a file. It dies with the
// thread that started it, so that a test which fails leaves none behind.
class Child {
 public:
  // A faultline process.
  explicit Child(const std::vector<std::string>& arguments);
  // Any other; `program` is a path.
  Child(const std::string& program, const std::vector<std::string>& arguments);
  ~Child();  // kills it
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  // The next line of stdout, without its end; "" when there is none.
  std::string ReadLine();
  // Ends its standard input.
  void CloseInput();
  // What it has written to stderr.
  std::string Errors() const;
  bool IsRunning();
  void Signal(int signal);
  // Waits for its end: the exit status, or 128 + the signal that ended it.
  int Wait();

 private:
  pid_t pid_ = -1;
  int code_ = -1;
  int in_ = -1;
  int out_ = -1;
  std::string errors_path_;
};

class ServerProcess {
 public:
  // Starts it on `port`, 0: one of its own, and waits until it listens. When it
  // does not, the test fails and the address is "".
  explicit ServerProcess(const std::string& data,
                         const std::vector<std::string>& flags = {},
                         int port = 0);

  // host:port.
  const std::string& address() const { return address_; }
  int port() const;
  std::string Errors() const { return child_.Errors(); }
  bool IsRunning() { return child_.IsRunning(); }
  pid_t pid() const { return child_.pid(); }
  void Signal(int signal) { child_.Signal(signal); }
  int Wait() { return child_.Wait(); }
  // SIGKILL; over when it returns.
  void Kill();
  // SIGTERM; gives the exit status.
  int Stop();

 private:
  Child child_;
  std::string address_;
};

// A path in this test's temporary directory where nothing is yet.
std::string FreshPath(const std::string& name);

}  // namespace faultline::e2e

#endif  // FAULTLINE_TESTS_E2E_SERVER_PROCESS_H_
