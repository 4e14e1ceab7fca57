// A server as a process of its own, so that what is measured crosses the same
// borders as it does for a client.

#ifndef FAULTLINE_TESTS_BENCH_SERVICE_PROCESS_H_
#define FAULTLINE_TESTS_BENCH_SERVICE_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace faultline::bench {

// Runs `program`, which lies beside this one, and waits until it says
// "listening on ADDRESS". Ends the program with a message when it does not.
class ServerProcess {
 public:
  ServerProcess(const std::string& program,
                const std::vector<std::string>& arguments);
  ~ServerProcess();  // kills it
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // Stops it where it is, so that it takes no time from others; and lets it go
  // on.
  void Pause() const;
  void Resume() const;

  const std::string& address() const { return address_; }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  std::string address_;
};

// A directory that is removed with all that is in it. Under $TMPDIR or /tmp.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Says what went wrong and ends the program.
[[noreturn]] void Die(const std::string& what);

}  // namespace faultline::bench

#endif  // FAULTLINE_TESTS_BENCH_SERVICE_PROCESS_H_
