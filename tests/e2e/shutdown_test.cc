// An operator stops the server while clients work.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "tests/e2e/driver.h"
#include "tests/e2e/server_process.h"

namespace faultline::e2e {
namespace {

using testing::HasSubstr;

constexpr int kDrivers = 6;
constexpr int kAnswers = 300;

// No connection stays: a client that is idle takes its time to see that the
// server goes, and the server waits for it.
void CreateSession(const std::string& address, const std::string& id) {
  auto client = client::Client::Connect(address);
  ASSERT_TRUE(client.ok()) << client.status();
  const auto session = client->CreateSession({id});
  ASSERT_TRUE(session.ok()) << session.status();
}

int64_t CommandsOf(const std::deque<Request>& requests) {
  int64_t commands = 0;
  for (const Request& request : requests) {
    commands += static_cast<int64_t>(request.commands.size());
  }
  return commands;
}

// On the server after: a call was executed if and only if it was answered. A
// stream is ended by the server while its client still sends; what is on its
// way then can make TCP drop the last answers, so for batches: what has no
// answer is repeated, and then each of them was executed once.
void ExpectAnsweredIsDone(const ServerProcess& next, Driver& driver) {
  client::Connection connection(next.address());
  if (driver.way() == Way::kRun) {
    driver.Retry(connection);
  }
  const Journal journal(connection, driver.session());
  for (const Request& request : driver.answered()) journal.ExpectHas(request);
  for (const Request& request : driver.unanswered()) {
    journal.ExpectHasNot(request);
  }
  EXPECT_EQ(journal.size(), CommandsOf(driver.answered())) << driver.session();
  ExpectVerified(next.address(), driver.session(), journal.size());
}

class ShutdownTest : public testing::TestWithParam<int> {};

TEST_P(ShutdownTest, WhatWasAcceptedIsAnsweredAndNothingElseIsDone) {
  const std::string data = FreshPath("data");
  ServerProcess server(data);
  std::vector<std::unique_ptr<Driver>> drivers;
  for (int i = 0; i < kDrivers; ++i) {
    const std::string id = absl::StrCat("stop-", i);
    CreateSession(server.address(), id);
    drivers.push_back(std::make_unique<Driver>(
        client::SessionName(id), i, i % 2 == 0 ? Way::kUnary : Way::kRun));
  }
  std::atomic<int> count{0};
  std::vector<std::thread> threads;
  for (const auto& driver : drivers) {
    threads.emplace_back([&] { driver->Drive(server.address(), count); });
  }
  while (count < kAnswers && server.IsRunning()) std::this_thread::yield();
  server.Signal(GetParam());
  EXPECT_EQ(server.Wait(), 0) << server.Errors();
  EXPECT_THAT(server.Errors(), HasSubstr("answering what was accepted"));

  ServerProcess next(data);  // at once
  for (std::thread& thread : threads) thread.join();
  for (const auto& driver : drivers) ExpectAnsweredIsDone(next, *driver);
  EXPECT_EQ(next.Stop(), 0) << next.Errors();
}

INSTANTIATE_TEST_SUITE_P(Signals, ShutdownTest,
                         testing::Values(SIGTERM, SIGINT),
                         [](const auto& info) {
                           return info.param == SIGTERM ? "Sigterm" : "Sigint";
                         });

TEST(IdleServerTest, StopsAtOnceAndTheNextOneHasItsSessions) {
  const std::string data = FreshPath("data");
  ServerProcess server(data);
  CreateSession(server.address(), "idle");
  EXPECT_EQ(server.Stop(), 0) << server.Errors();
  EXPECT_THAT(server.Errors(), HasSubstr("faultline: stopped\n"));
  ServerProcess next(data);
  auto again = client::Client::Connect(next.address());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->GetSession("idle").ok());
}

}  // namespace
}  // namespace faultline::e2e
