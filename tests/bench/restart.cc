#include "tests/bench/restart.h"

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "tests/bench/driver.h"
#include "tests/bench/or_die.h"

namespace faultline::bench {
namespace {

constexpr int kSessions = 10'000;
constexpr int kClients = 8;
constexpr double kWantedMs = 300;

// A data directory, and what it takes to serve it.
class Restart {
 public:
  explicit Restart(int sessions) {
    const ServerProcess server = Serve();
    std::vector<std::thread> clients;
    for (int first = 0; first < kClients; ++first) {
      clients.emplace_back([&, first] {
        client::Client client =
            OrDie(client::Client::Connect(server.address()));
        for (int i = first; i < sessions; i += kClients) {
          Driver(OrDie(client.CreateSession({.id = IdOf(i)}))).Map(1);
        }
      });
    }
    for (std::thread& client : clients) client.join();
  }

  double Ms() const {
    const auto start = std::chrono::steady_clock::now();
    const ServerProcess server = Serve();
    client::Client client = OrDie(client::Client::Connect(server.address()));
    if (OrDie(client.GetSession(IdOf(0))).revision() != 1) {
      Die("the session is not as it was");
    }
    const std::chrono::duration<double, std::milli> time =
        std::chrono::steady_clock::now() - start;
    return time.count();
  }

 private:
  static std::string IdOf(int session) { return absl::StrCat("s", session); }
  ServerProcess Serve() const {
    return ServerProcess("faultline",
                         {"serve", "--listen", "127.0.0.1:0", "--data",
                          absl::StrCat(scratch_.path(), "/data")});
  }

  const ScratchDirectory scratch_;
};

}  // namespace

Comparison CompareRestart(const ComparisonLimits& limits) {
  const Restart ours(kSessions);
  const Restart reference(1);
  Comparison result = Compare(
      kRestartName, "ms", kWantedMs, [&] { return ours.Ms(); },
      [&] { return reference.Ms(); }, limits);
  result.wanted_of = WantedOf::kOurs;
  return result;
}

}  // namespace faultline::bench
