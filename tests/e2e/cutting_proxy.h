// A line to the server that can be cut: a proxy on the loopback interface.
#ifndef FAULTLINE_TESTS_E2E_CUTTING_PROXY_H_
#define FAULTLINE_TESTS_E2E_CUTTING_PROXY_H_

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace faultline::e2e {

// Forwards each connection to `port` of this computer, until it is cut.
class CuttingProxy {
 public:
  explicit CuttingProxy(int port);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  // 127.0.0.1:port
  const std::string& address() const { return address_; }
  // Ends every connection at once, in the middle of whatever is sent; new ones
  // are taken. How many there were.
  int Cut();

 private:
  // The two ends of one connection.
  struct Line {
    int client = -1;
    int server = -1;
  };

  void Accept();
  // Copies bytes one way until either end is gone.
  static void Copy(int from, int to);

  const int port_;
  int listener_ = -1;
  std::string address_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<Line> lines_;
  std::vector<std::thread> copiers_;
  std::thread acceptor_;
};

}  // namespace faultline::e2e

#endif  // FAULTLINE_TESTS_E2E_CUTTING_PROXY_H_
