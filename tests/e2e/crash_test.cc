// The server dies by SIGKILL under load. Whoever was answered keeps what the
// answer said; whoever was not asks again, and it happens once.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "tests/e2e/driver.h"
#include "tests/e2e/server_process.h"

namespace faultline::e2e {
namespace {

constexpr int kSessions = 4;
constexpr int kDriversPerSession = 2;
constexpr int kAnswersMax = 600;  // in one life of the server
constexpr size_t kRepeatsPerDriver = 5;

// How often the server is killed: 4, or $FAULTLINE_E2E_KILLS for a long run.
int Kills() {
  int kills = 4;
  const char* wanted = std::getenv("FAULTLINE_E2E_KILLS");
  if (wanted != nullptr && !absl::SimpleAtoi(wanted, &kills)) {
    ADD_FAILURE() << "FAULTLINE_E2E_KILLS is no number: " << wanted;
  }
  return kills;
}

class CrashTest : public testing::Test {
 protected:
  void CreateSessions(const std::string& address) {
    auto client = client::Client::Connect(address);
    ASSERT_TRUE(client.ok()) << client.status();
    for (int i = 0; i < kSessions; ++i) {
      const auto session = client->CreateSession({absl::StrCat("crash-", i)});
      ASSERT_TRUE(session.ok()) << session.status();
      for (int j = 0; j < kDriversPerSession; ++j) {
        drivers_.push_back(std::make_unique<Driver>(
            session->name(), static_cast<int>(drivers_.size()),
            j == 0 ? Way::kUnary : Way::kRun));
      }
    }
  }

  // All drivers at once, until `answers` answers have come; then SIGKILL.
  void DriveAndKill(ServerProcess& server, int answers) {
    std::atomic<int> count{0};
    std::vector<std::thread> threads;
    for (const auto& driver : drivers_) {
      threads.emplace_back([&] { driver->Drive(server.address(), count); });
    }
    while (count < answers && server.IsRunning()) std::this_thread::yield();
    server.Kill();
    for (std::thread& thread : threads) thread.join();
  }

  // After a restart, before any retry.
  void ExpectNothingLost(const std::string& address) {
    client::Connection connection(address);
    for (int i = 0; i < kSessions; ++i) {
      const std::string session = absl::StrCat("sessions/crash-", i);
      const Journal journal(connection, session);
      for (const auto& driver : drivers_) {
        if (driver->session() != session) continue;
        for (const Request& request : driver->answered()) {
          journal.ExpectHas(request);
        }
      }
      ExpectVerified(address, session, journal.size());
    }
  }

  // The last answered requests once more: the same answers.
  void ExpectRepeatsChangeNothing(const std::string& address) {
    client::Connection connection(address);
    for (const auto& driver : drivers_) {
      const auto& answered = driver->answered();
      for (size_t i = 0; i < std::min(kRepeatsPerDriver, answered.size());
           ++i) {
        const Request& first = answered[answered.size() - 1 - i];
        Request again{first.id, first.commands, 0, {}};
        const absl::Status status = driver->Send(connection, again);
        EXPECT_TRUE(status.ok()) << first.id << ": " << status;
        EXPECT_EQ(again.revision, first.revision) << first.id;
        EXPECT_EQ(again.digests, first.digests) << first.id;
      }
    }
  }

  void RetryUnanswered(const std::string& address) {
    client::Connection connection(address);
    for (const auto& driver : drivers_) driver->Retry(connection);
  }

  // With no request left unanswered, the journals hold these and nothing else.
  void ExpectEachExactlyOnce(const std::string& address) {
    client::Connection connection(address);
    for (int i = 0; i < kSessions; ++i) {
      const std::string session = absl::StrCat("sessions/crash-", i);
      const Journal journal(connection, session);
      int64_t commands = 0;
      for (const auto& driver : drivers_) {
        if (driver->session() != session) continue;
        for (const Request& request : driver->answered()) {
          journal.ExpectHas(request);
          commands += static_cast<int64_t>(request.commands.size());
        }
      }
      EXPECT_EQ(journal.size(), commands) << session;
    }
  }

  std::vector<std::unique_ptr<Driver>> drivers_;
};

TEST_F(CrashTest, AcknowledgedCommandsSurviveSigkill) {
  const std::string data = FreshPath("data");
  auto server = std::make_unique<ServerProcess>(data);
  ASSERT_NO_FATAL_FAILURE(CreateSessions(server->address()));
  const int kills = Kills();
  for (int kill = 1; kill <= kills && !HasFailure(); ++kill) {
    SCOPED_TRACE(absl::StrCat("kill ", kill));
    std::mt19937 random(static_cast<uint32_t>(kill));
    DriveAndKill(*server, 1 + static_cast<int>(random() % kAnswersMax));
    server = std::make_unique<ServerProcess>(data);
    ExpectNothingLost(server->address());
    ExpectRepeatsChangeNothing(server->address());
    RetryUnanswered(server->address());
    ExpectEachExactlyOnce(server->address());
  }
  EXPECT_EQ(server->Stop(), 0) << server->Errors();
}

}  // namespace
}  // namespace faultline::e2e
