// Programs in C++, Python and Node work in one session at the same time, while
// others watch; lines are cut and the server dies. There is one order, and each
// command is in it once.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/client.h"
#include "client/cpp/error.h"
#include "client/cpp/stubs.h"
#include "tests/client/cli/process.h"
#include "tests/e2e/cutting_proxy.h"
#include "tests/e2e/driver.h"
#include "tests/e2e/server_process.h"

namespace faultline::e2e {
namespace {

constexpr char kFolder[] = "tests/e2e/polyglot/";
constexpr uint64_t kBase = 0x10000000;
constexpr uint64_t kPage = 4096;
constexpr int kDrivers = 3;

// Where the build put the clients that are not C++.
std::string BuildDirectory() {
  return std::filesystem::path(cli::FaultlinePath())
      .parent_path()
      .parent_path()
      .string();
}

std::string NodePackage() { return BuildDirectory() + "/typescript"; }

bool HasNodePackage() {
  return std::filesystem::exists(NodePackage() + "/dist/index.js");
}

// An answer that a driver got: its command's name, which is its stride, and
// what it was told.
struct Answer {
  uint64_t tag = 0;
  int64_t revision = 0;
  uint64_t digest = 0;
};

// The lines of a program as they come.
class Listener {
 public:
  explicit Listener(Child& child) : thread_([this, &child] { Read(child); }) {}
  ~Listener() {
    if (thread_.joinable()) thread_.join();
  }
  // All of them, once the program has ended.
  const std::vector<std::string>& Lines() {
    thread_.join();
    return lines_;
  }
  int count() const { return count_; }

 private:
  void Read(Child& child) {
    for (std::string line; !(line = child.ReadLine()).empty(); ++count_) {
      lines_.push_back(line);
    }
  }

  std::atomic<int> count_{0};
  std::vector<std::string> lines_;
  std::thread thread_;
};

// A driver that is a program of its own.
class ForeignDriver {
 public:
  ForeignDriver(const std::string& program,
                const std::vector<std::string>& arguments)
      : child_(program, arguments), listener_(child_) {}

  int answered() const { return listener_.count(); }

  std::vector<Answer> Stop() {
    child_.CloseInput();
    const std::vector<std::string>& lines = listener_.Lines();
    EXPECT_EQ(child_.Wait(), 0) << child_.Errors();
    std::vector<Answer> answers;
    for (const std::string& line : lines) {
      Answer& answer = answers.emplace_back();
      std::istringstream(line) >> answer.tag >> answer.revision >>
          answer.digest;
    }
    return answers;
  }

 private:
  Child child_;
  Listener listener_;
};

// The same in this process.
class OwnDriver {
 public:
  OwnDriver(std::string address, std::string session, int number)
      : address_(std::move(address)),
        session_(std::move(session)),
        number_(number),
        thread_([this] { Drive(); }) {}

  int answered() const { return count_; }

  std::vector<Answer> Stop() {
    stopping_ = true;
    thread_.join();
    return answers_;
  }

 private:
  void Drive() {
    auto connection = std::make_shared<client::Connection>(address_);
    client::Session session(connection, session_, 0);
    for (uint64_t tag = uint64_t(number_) << 32; !stopping_;) {
      ++tag;
      v1::Command command;
      command.set_pid(1);
      command.mutable_access()->set_kind(v1::ACCESS_KIND_WRITE);
      command.mutable_access()->set_addr(kBase + kPage * uint64_t(number_));
      command.mutable_access()->set_count(1);
      command.mutable_access()->set_stride(tag);
      command.mutable_access()->set_value(tag % 256);
      client::CallSettings settings;
      settings.request_id = absl::StrCat("driver-", number_, "-", tag);
      auto outcome = session.Call(command, settings);
      while (absl::IsUnavailable(outcome.status()) ||
             absl::IsDeadlineExceeded(outcome.status())) {
        absl::SleepFor(absl::Milliseconds(50));
        outcome = session.Call(command, settings);
      }
      ASSERT_TRUE(outcome.ok()) << client::Explain(outcome.status());
      answers_.push_back({tag, session.revision(), outcome->digest()});
      ++count_;
    }
  }

  const std::string address_;
  const std::string session_;
  const int number_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> count_{0};
  std::vector<Answer> answers_;
  std::thread thread_;
};

// One driver in each language, all in one session.
class Drivers {
 public:
  Drivers(const std::string& address, const std::string& session)
      : own_(address, session, 0),
        python_(FAULTLINE_PYTHON, {absl::StrCat(kFolder, "driver.py"), address,
                                   session, "1", Place(1)}),
        node_("/usr/bin/env",
              {"node", absl::StrCat(kFolder, "driver.mjs"), NodePackage(),
               address, session, "2", Place(2)}) {}

  // Until each has been answered this often.
  void AwaitAnswers(int count) const {
    while (own_.answered() < count || python_.answered() < count ||
           node_.answered() < count) {
      absl::SleepFor(absl::Milliseconds(1));
    }
  }
  int answered() const {
    return own_.answered() + python_.answered() + node_.answered();
  }
  std::vector<std::vector<Answer>> Stop() {
    return {own_.Stop(), python_.Stop(), node_.Stop()};
  }

 private:
  static std::string Place(int number) {
    return absl::StrCat(kBase + kPage * static_cast<uint64_t>(number));
  }

  OwnDriver own_;
  ForeignDriver python_;
  ForeignDriver node_;
};

class PolyglotTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasNodePackage()) {
      GTEST_SKIP() << "the Node client is not built: deploy/setup.sh --node "
                      "installs what it needs, then build again";
    }
    setenv("PYTHONPATH", (BuildDirectory() + "/python").c_str(), 1);
  }

  // A session in which each driver has a page; the map is revision 1.
  static std::string CreateSession(const std::string& address) {
    auto client = client::Client::Connect(address);
    EXPECT_TRUE(client.ok()) << client.status();
    auto session = client->CreateSession({.id = "polyglot"});
    EXPECT_TRUE(session.ok()) << session.status();
    EXPECT_TRUE(session->Call(MmapAt(kBase, kDrivers)).ok());
    return session->name();
  }

  // The journal holds what the drivers were told, each command once and each
  // driver's in its order, and nothing else.
  static void ExpectOneOrder(const std::string& address,
                             const std::string& session,
                             const std::vector<std::vector<Answer>>& answers) {
    client::Connection connection(address);
    const Journal journal(connection, session);
    int64_t commands = 1;
    for (const std::vector<Answer>& driver : answers) {
      int64_t last = 0;
      uint64_t tag = 0;
      for (const Answer& answer : driver) {
        ASSERT_GT(answer.revision, last);
        ASSERT_LE(answer.revision, journal.size());
        const auto& entry =
            journal.entries()[static_cast<size_t>(answer.revision - 1)];
        ASSERT_EQ(entry.command().access().stride(), answer.tag);
        ASSERT_EQ(entry.digest(), answer.digest);
        ASSERT_EQ(entry.sender().rfind("ipv4:127.0.0.1:", 0), 0u);
        ASSERT_TRUE(tag == 0 || answer.tag == tag + 1);
        last = answer.revision;
        tag = answer.tag;
        ++commands;
      }
    }
    EXPECT_EQ(journal.size(), commands);
    ExpectVerified(address, session, commands);
  }
};

// What a watcher saw, as `REVISION TAG` lines, must be the journal.
void ExpectSawAll(const std::vector<std::string>& lines, int64_t start,
                  const Journal& journal, const std::string& who) {
  ASSERT_EQ(static_cast<int64_t>(lines.size()), journal.size() - start + 1)
      << who;
  for (size_t i = 0; i < lines.size(); ++i) {
    int64_t revision = 0;
    uint64_t tag = 0;
    std::istringstream(lines[i]) >> revision >> tag;
    ASSERT_EQ(revision, start + static_cast<int64_t>(i)) << who;
    ASSERT_EQ(tag, journal.entries()[static_cast<size_t>(revision - 1)]
                       .command()
                       .access()
                       .stride())
        << who;
  }
}

// A watcher in this process, on a line of its own that nobody cuts.
std::vector<std::string> WatchAll(const std::string& address,
                                  const std::string& session, int64_t start) {
  client::Connection connection(address);
  grpc::ClientContext context;
  v1::WatchEventsRequest request;
  request.set_session(session);
  request.set_start_revision(start);
  request.set_include_commands(true);
  const auto stream = connection.stubs().history.WatchEvents(&context, request);
  std::vector<std::string> lines;
  v1::WatchEventsResponse response;
  while (stream->Read(&response)) {
    for (const v1::Change& change : response.changes()) {
      lines.push_back(absl::StrCat(change.revision(), " ",
                                   change.command().access().stride()));
    }
  }
  const grpc::Status status = stream->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  return lines;
}

TEST_F(PolyglotTest, ThreeLanguagesDriveWhileTwoWatchAndOneIsCutOff) {
  constexpr int kAnswersEach = 150;
  constexpr int64_t kStart = 2;
  ServerProcess server(FreshPath("data"));
  const std::string session = CreateSession(server.address());
  CuttingProxy proxy(server.port());
  std::vector<std::string> seen;
  std::thread watcher(
      [&] { seen = WatchAll(server.address(), session, kStart); });
  Child foreign(FAULTLINE_PYTHON,
                {absl::StrCat(kFolder, "watcher.py"), proxy.address(), session,
                 absl::StrCat(kStart)});
  ASSERT_EQ(foreign.ReadLine(), "ready") << foreign.Errors();
  Listener listener(foreign);

  Drivers drivers(server.address(), session);
  std::mt19937 random(1);
  int cuts = 0;
  for (int cut = 0; cut < 8; ++cut) {
    drivers.AwaitAnswers(cut * kAnswersEach / 8);
    absl::SleepFor(absl::Milliseconds(random() % 100));
    cuts += proxy.Cut();
  }
  drivers.AwaitAnswers(kAnswersEach);
  const auto answers = drivers.Stop();
  EXPECT_GT(cuts, 0);
  ExpectOneOrder(server.address(), session, answers);

  auto client = client::Client::Connect(server.address());
  ASSERT_TRUE(client->CloseSession(session).ok());
  watcher.join();
  const std::vector<std::string>& heard = listener.Lines();
  EXPECT_EQ(foreign.Wait(), 0) << foreign.Errors();
  client::Connection connection(server.address());
  const Journal journal(connection, session);
  ExpectSawAll(seen, kStart, journal, "the watcher in C++");
  ExpectSawAll(heard, kStart, journal, "the watcher that was cut off");
}

// 5 times, or $FAULTLINE_E2E_KILLS for a long run.
TEST_F(PolyglotTest, WhatWasAnsweredSurvivesSigkillInEveryLanguage) {
  int kills = 5;
  const char* wanted = std::getenv("FAULTLINE_E2E_KILLS");
  ASSERT_TRUE(wanted == nullptr || absl::SimpleAtoi(wanted, &kills));
  const std::string data = FreshPath("data");
  auto server = std::make_unique<ServerProcess>(data);
  const int port = server->port();
  const std::string address = server->address();
  const std::string session = CreateSession(address);
  Drivers drivers(address, session);
  drivers.AwaitAnswers(1);
  std::mt19937 random(2);
  for (int kill = 1; kill <= kills && !HasFailure(); ++kill) {
    const int before = drivers.answered();
    const int more = static_cast<int>(random() % 300);
    while (drivers.answered() < before + more) {
      absl::SleepFor(absl::Microseconds(100));
    }
    server->Kill();
    server =
        std::make_unique<ServerProcess>(data, std::vector<std::string>{}, port);
  }
  const auto answers = drivers.Stop();
  for (const auto& driver : answers) EXPECT_GT(driver.size(), 0u);
  ExpectOneOrder(address, session, answers);
  EXPECT_EQ(server->Stop(), 0) << server->Errors();
}

}  // namespace
}  // namespace faultline::e2e
