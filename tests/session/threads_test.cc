// Many threads, many sessions, few machines: every acknowledged command is in
// the journal, in order, and every journal replays.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/session/session_testing.h"

namespace faultline::testing {
namespace {

constexpr int kThreads = 8;
constexpr int kSessions = 50;
constexpr int kRounds = 150;

std::string SessionId(int i) { return absl::StrCat("lab-", i); }

class ThreadsTest : public SessionTest {
 protected:
  // One client: commands, batches, repetitions and looks, at random.
  void Drive(int thread) {
    std::minstd_rand random(static_cast<unsigned>(thread) + 1);
    for (int round = 0; round < kRounds; ++round) {
      const auto i = static_cast<size_t>(random() % kSessions);
      const std::string id = SessionId(static_cast<int>(i));
      const uint64_t page = random() % 8;
      switch (random() % 8) {
        case 0:
          LookAround(id);
          break;
        case 1: {
          const auto batch = RunBatch(id, {MapPages(8), Poke(page), Unmap(2)});
          ASSERT_TRUE(batch.ok()) << batch.status();
          executed_[i] += 3;
          break;
        }
        case 2: {
          const ExecuteOptions options =
              WithId(absl::StrCat(thread, "-", round));
          const auto first = Run(id, Poke(page), options);
          ASSERT_TRUE(first.ok()) << first.status();
          const auto again = Run(id, Poke(page), options);
          ASSERT_TRUE(again.ok()) << again.status();
          EXPECT_EQ(first->revision, again->revision);
          executed_[i] += 1;
          break;
        }
        default: {
          const auto run =
              Run(id, random() % 4 == 0 ? MapPages(8) : Poke(page));
          ASSERT_TRUE(run.ok()) << run.status();
          executed_[i] += 1;
        }
      }
    }
  }

  void LookAround(const std::string& id) {
    const auto before = table().Get(id);
    ASSERT_TRUE(before.ok());
    const auto view = Look(id);
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_GE((*view)->revision, before->revision);
    const auto after = table().Get(id);
    ASSERT_TRUE(after.ok());
    EXPECT_LE((*view)->revision, after->revision) << "not durable, yet shown";
    EXPECT_NE((*view)->machine.Fingerprint(), 0);
  }

  std::array<std::atomic<int64_t>, kSessions> executed_{};
};

TEST_F(ThreadsTest, EightClientsShareFiftySessions) {
  UseDisk();
  SessionTable::Options options;
  options.machines_max = 20;  // fewer than sessions, more than clients
  options.workers = 4;
  options.snapshots.commands = 20;
  Open(options);
  for (int i = 0; i < kSessions; ++i) {
    ASSERT_TRUE(Create(SessionId(i), SmallConfig(7)).ok());
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this, i] { Drive(i); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(table().live_machines(), 20);
  Restart();
  for (int i = 0; i < kSessions; ++i) {
    const auto report = table().Replay(SessionId(i), 0, {});
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->commands, executed_[static_cast<size_t>(i)]);
    EXPECT_EQ(report->equal, report->commands);
    EXPECT_FALSE(report->divergence.has_value());
    const auto verified = table().Verify(SessionId(i), {});
    ASSERT_TRUE(verified.ok()) << verified.status();
    EXPECT_TRUE(verified->ok());
  }
}

TEST_F(ThreadsTest, SessionsComeAndGoUnderTheirClients) {
  SessionTable::Options options;
  options.snapshots.commands = 1;
  Open(options);
  std::vector<std::thread> threads;
  std::atomic<int> unexpected{0};
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this, thread, &unexpected] {
      for (int round = 0; round < 40; ++round) {
        const std::string id = SessionId(round % 3);
        absl::Status status;
        switch ((thread + round) % 4) {
          case 0:
            status = Create(id).status();
            break;
          case 1:
            status = Delete(id);
            break;
          case 2:
            status = Close(id).status();
            break;
          default:
            status = Run(id, MapPages(1)).status();
        }
        const std::string reason = Reason(status);
        if (!status.ok() && reason != "SESSION_NOT_FOUND" &&
            reason != "SESSION_ALREADY_EXISTS" && reason != "SESSION_CLOSED") {
          ADD_FAILURE() << status;
          ++unexpected;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(unexpected, 0);
  for (int i = 0; i < 3; ++i) {
    const auto report = table().Verify(SessionId(i), {});
    EXPECT_TRUE(absl::IsNotFound(report.status()) || report->ok());
  }
}

}  // namespace
}  // namespace faultline::testing
