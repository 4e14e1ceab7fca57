// A replacement policy in C++, against the real server.
#include "client/cpp/victims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/cpp/client.h"
#include "server/gradebook/gradebook.h"
#include "server/service/server.h"
#include "server/session/session_table.h"
#include "storage/store.h"

namespace faultline::client {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr uint64_t kPageSize = 4096;
constexpr int64_t kEagain = -11;

class VictimsTest : public testing::Test {
 protected:
  VictimsTest() : store_(OpenStore()), table_(*store_) {
    Server::Options options;
    options.listen = "127.0.0.1:0";
    server_ = *Server::Start(table_, gradebook_, options);
    client_ = std::make_unique<Client>(*Client::Connect(server_->address()));
    v1::MachineConfig config;
    config.set_swap_bytes(uint64_t{1} << 20);
    lab_ = std::make_unique<Session>(
        *client_->CreateSession({.id = "lab", .config = config}));
    v1::Mmap mmap;
    mmap.set_length(8 * kPageSize);
    mmap.set_prot(3);
    mmap.set_flags(0x22);
    mmap.set_fd(-1);
    base_ = static_cast<uint64_t>(lab_->Mmap(1, mmap)->value());
    v1::Command set;
    set.set_pid(1);
    set.mutable_set_replacement()->set_policy(v1::REPLACEMENT_POLICY_CLIENT);
    set.mutable_set_replacement()->set_frames(2);
    EXPECT_TRUE(lab_->Call(set).ok());
  }
  static std::unique_ptr<storage::Store> OpenStore() {
    storage::Store::Options options;
    options.path = ":memory:";
    return *storage::Store::Open(options);
  }
  uint64_t Page(uint64_t n) const { return base_ + n * kPageSize; }
  // What the store into a page returns.
  int64_t Store(uint64_t page) {
    const auto outcome = lab_->Store(1, Page(page), 1);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome->value();
  }

  std::unique_ptr<storage::Store> store_;
  SessionTable table_;
  Gradebook gradebook_{*store_, table_};
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<Session> lab_;
  uint64_t base_ = 0;
};

TEST_F(VictimsTest, TheFunctionChoosesAndTheSessionReplaysWithoutIt) {
  std::vector<std::pair<uint64_t, uint64_t>> asked;  // wanted, and the answer
  auto victims =
      lab_->ChooseVictims(1, [&asked](const v1::VictimWanted& wanted) {
        const auto newest =
            std::max_element(wanted.frames().begin(), wanted.frames().end(),
                             [](const auto& a, const auto& b) {
                               return a.loaded_at() < b.loaded_at();
                             });
        asked.emplace_back(wanted.address(), newest->addr());
        return newest->addr();
      });
  ASSERT_TRUE(victims.ok()) << victims.status();
  for (uint64_t page = 0; page < 4; ++page) EXPECT_GE(Store(page), 0);
  EXPECT_TRUE((*victims)->Stop().ok());
  EXPECT_THAT(asked,
              ElementsAre(Pair(Page(2), Page(1)), Pair(Page(3), Page(2))));
  const auto report = lab_->Verify();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->ok());
}

TEST_F(VictimsTest, AWrongAnswerEndsIt) {
  Store(0);
  Store(1);
  auto victims = lab_->ChooseVictims(
      1, [](const v1::VictimWanted&) { return uint64_t{0}; });
  ASSERT_TRUE(victims.ok()) << victims.status();
  EXPECT_EQ(Store(2), kEagain);
  EXPECT_EQ((*victims)->Stop().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE((*victims)->Stop().ok()) << "said once";
  EXPECT_EQ(Store(2), kEagain) << "nobody answers";
}

TEST_F(VictimsTest, OneClientAtATime) {
  const auto zero = [](const v1::VictimWanted&) { return uint64_t{0}; };
  auto first = lab_->ChooseVictims(1, zero);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(lab_->ChooseVictims(1, zero).status().code(),
            absl::StatusCode::kAlreadyExists);
  first->reset();
  EXPECT_TRUE(lab_->ChooseVictims(1, zero).ok());
}

}  // namespace
}  // namespace faultline::client
