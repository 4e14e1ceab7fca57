// Short commands on the thread that brings them.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "server/session/short_command.h"
#include "tests/session/session_testing.h"

namespace faultline::testing {
namespace {

// Notes on which threads commands are executed.
class CallerTest : public SessionTest {
 protected:
  void SetUp() override {
    UseDisk();
    SessionTable::Options options;
    options.runner = [this](Machine& machine, const Command& command,
                            EventLevel level) {
      threads_.push_back(std::this_thread::get_id());
      return machine.Apply(command, level);
    };
    Open(std::move(options));
    ASSERT_TRUE(Create("lab").ok());
    ASSERT_TRUE(Run("lab", MapPages(100)).ok());
    threads_.clear();
  }
  void TearDown() override { Stop(); }
  static ExecuteOptions OnThisThread(std::string request_id = "") {
    ExecuteOptions options = WithId(std::move(request_id));
    options.on_this_thread = true;
    return options;
  }
  bool WasHere() const {
    return threads_ == std::vector{std::this_thread::get_id()};
  }

  std::vector<std::thread::id> threads_;
};

TEST_F(CallerTest, AShortCommandIsExecutedHereAndAnsweredAtOnce) {
  PendingRun pending;
  table().Execute("lab", Poke(0), OnThisThread(), pending.answer());
  EXPECT_TRUE(pending.given());
  EXPECT_TRUE(WasHere());
  EXPECT_EQ(pending.Wait()->revision, 2);
}

TEST_F(CallerTest, ALongOneIsNot) {
  EXPECT_TRUE(Run("lab", Unmap(100), OnThisThread()).ok());
  ASSERT_EQ(threads_.size(), 1u);
  EXPECT_FALSE(WasHere());
}

TEST_F(CallerTest, OneThatDoesNotAskForItIsNot) {
  EXPECT_TRUE(Run("lab", Poke(0)).ok());
  ASSERT_EQ(threads_.size(), 1u);
  EXPECT_FALSE(WasHere());
}

TEST_F(CallerTest, ARepetitionIsLookedUpElsewhere) {
  ASSERT_TRUE(Run("lab", Poke(0), OnThisThread("a")).ok());
  EXPECT_TRUE(WasHere());
  const auto again = Run("lab", Poke(0), OnThisThread("a"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->revision, 2);
  EXPECT_EQ(threads_.size(), 1u);
}

TEST_F(CallerTest, AMachineThatIsAsleepIsWokenElsewhere) {
  Stop();
  Open();
  PendingRun pending;
  table().Execute("lab", Poke(0), OnThisThread(), pending.answer());
  const auto result = pending.Wait();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->revision, 2);
}

TEST_F(CallerTest, ManyCallersMakeOneOrder) {
  constexpr int kCallers = 4;
  constexpr int kCommands = 200;
  std::vector<std::thread> callers;
  std::vector<std::vector<int64_t>> revisions(kCallers);
  for (std::vector<int64_t>& mine : revisions) {
    callers.emplace_back([this, &mine] {
      for (uint64_t i = 0; i < kCommands; ++i) {
        const auto result = Run("lab", Poke(i % 100), OnThisThread());
        ASSERT_TRUE(result.ok()) << result.status();
        mine.push_back(result->revision);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  std::vector<int64_t> all;
  for (const std::vector<int64_t>& mine : revisions) {
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    all.insert(all.end(), mine.begin(), mine.end());
  }
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), size_t{kCallers * kCommands});
  for (size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(all[i], static_cast<int64_t>(i) + 2);
  }
  EXPECT_TRUE(table().Verify("lab", {})->ok());
}

TEST(ShortCommandTest, LooksAtFewPages) {
  const auto is_short = [](auto op) { return IsShort(Command{1, op}); };
  constexpr uint64_t kPage = 4096;
  EXPECT_TRUE(is_short(Access{.count = 64}));
  EXPECT_FALSE(is_short(Access{.count = 65}));
  EXPECT_TRUE(is_short(Mmap{.length = 64 * kPage}));
  EXPECT_FALSE(is_short(Mmap{.length = 65 * kPage}));
  EXPECT_TRUE(is_short(Munmap{.length = 64 * kPage}));
  EXPECT_FALSE(is_short(Munmap{.length = 65 * kPage}));
  EXPECT_TRUE(is_short(Mprotect{.length = 64 * kPage}));
  EXPECT_FALSE(is_short(Mprotect{.length = ~uint64_t{0}}));
  EXPECT_TRUE(is_short(Read{.length = kPage}));
  EXPECT_FALSE(is_short(Read{.length = 65 * kPage}));
  EXPECT_TRUE(is_short(Write{.data = "x"}));
  AccessMany many;
  many.addr = {0, kPage};
  many.count = {32};
  EXPECT_TRUE(is_short(many));
  many.count = {33};
  EXPECT_FALSE(is_short(many));
  EXPECT_FALSE(is_short(Fork{}));
  EXPECT_FALSE(is_short(Brk{}));
  EXPECT_FALSE(is_short(Exit{}));
}

}  // namespace
}  // namespace faultline::testing
