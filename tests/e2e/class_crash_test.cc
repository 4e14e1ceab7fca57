// A class works on an exercise while the server is killed, again and again:
// each student begins once, is graded once, and gets what the work is worth.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "client/cpp/grading.h"
#include "client/cpp/stubs.h"
#include "tests/e2e/server_process.h"

namespace faultline::e2e {
namespace {

constexpr int kStudents = 40;
constexpr int kThreads = 4;
constexpr int kAnswersMax = 40;  // in one life of the server
constexpr uint64_t kPages = 3;

constexpr char kYaml[] = R"yaml(
id: touch
title: Touch
text: Write to 3 pages at {$a:x}.
secret: sesame
setup: |
  a: mmap 0x10000000 16p rw- PRIVATE|ANON|FIXED
  writer $a+15p 1 1p 7
goals:
  - {id: faults, text: Take 3 faults, event: {event: fault_resolved, at_least: 3}}
rules: {budget: {commands: 1}}
solution: writer $a 3 1p 1
)yaml";

// One who goes on where an answer did not come.
class Student {
 public:
  explicit Student(int number)
      : name_(absl::StrCat("student-", number, "@x.edu")) {}

  bool done() const { return step_ == 4; }
  const v1::Attempt& attempt() const { return attempt_; }
  const v1::Grade& grade() const { return grade_; }

  // Makes the next step; not OK when no answer came.
  absl::Status Step(const std::shared_ptr<client::Connection>& connection) {
    const client::Grading grading(connection);
    absl::Status status;
    switch (step_) {
      case 0:
        status = Take(grading.StartAttempt({"touch", name_, name_}), &attempt_);
        break;
      case 1:
        status = Touch(*connection);
        break;
      case 2:
        status = grading.SubmitSession(attempt_.name()).status();
        break;
      default:
        status =
            Take(grading.Grade({attempt_.name(), "sesame", name_}), &grade_);
    }
    if (status.ok()) ++step_;
    return status;
  }

 private:
  template <class T>
  static absl::Status Take(absl::StatusOr<T> result, T* to) {
    if (result.ok()) *to = *std::move(result);
    return result.status();
  }
  absl::Status Touch(client::Connection& connection) const {
    v1::AccessRequest request;
    request.set_session(attempt_.session());
    request.mutable_options()->set_request_id(name_);
    request.set_pid(1);
    request.mutable_access()->set_kind(v1::ACCESS_KIND_WRITE);
    request.mutable_access()->set_addr(0x10000000);
    request.mutable_access()->set_count(kPages);
    request.mutable_access()->set_stride(4096);
    v1::AccessResponse response;
    return connection.Call(client::kDefaultDeadline, client::Repeat::kNo,
                           [&](grpc::ClientContext& context) {
                             return connection.stubs().machines.Access(
                                 &context, request, &response);
                           });
  }

  const std::string name_;
  int step_ = 0;
  v1::Attempt attempt_;
  v1::Grade grade_;
};

class ClassCrashTest : public testing::Test {
 protected:
  ClassCrashTest() {
    for (int i = 0; i < kStudents; ++i) {
      students_.push_back(std::make_unique<Student>(i));
    }
  }
  bool Done() const {
    return std::all_of(students_.begin(), students_.end(),
                       [](const auto& student) { return student->done(); });
  }
  // Each thread has students of its own, and stops when an answer is missing.
  void WorkAndKill(ServerProcess& server, int answers) {
    std::atomic<int> count{0}, working{kThreads};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        Work(i, server.address(), count);
        --working;
      });
    }
    while (count < answers && working > 0) std::this_thread::yield();
    server.Kill();
    for (std::thread& thread : threads) thread.join();
  }
  void Work(int first, const std::string& address, std::atomic<int>& count) {
    const auto connection = std::make_shared<client::Connection>(address);
    for (int step = 0; step < 4; ++step) {
      for (int i = first; i < kStudents; i += kThreads) {
        if (students_[i]->done()) continue;
        const absl::Status status = students_[i]->Step(connection);
        if (!status.ok()) {
          EXPECT_TRUE(absl::IsUnavailable(status)) << status;
          return;
        }
        ++count;
      }
    }
  }

  std::vector<std::unique_ptr<Student>> students_;
};

TEST_F(ClassCrashTest, EachStudentBeginsAndIsGradedOnce) {
  const std::string data = FreshPath("data");
  auto server = std::make_unique<ServerProcess>(data);
  {
    auto client = client::Client::Connect(server->address());
    ASSERT_TRUE(client.ok()) << client.status();
    const auto created = client->grading().CreateExercise(kYaml);
    ASSERT_TRUE(created.ok()) << created.status();
  }
  std::mt19937 random(1);
  int lives = 0;
  for (; !Done() && !HasFailure(); ++lives) {
    WorkAndKill(*server, 1 + static_cast<int>(random() % kAnswersMax));
    server = std::make_unique<ServerProcess>(data);
  }
  EXPECT_GT(lives, 2);

  auto client = client::Client::Connect(server->address());
  ASSERT_TRUE(client.ok()) << client.status();
  const auto grades = client->grading().ListGrades({"touch", "", "sesame"});
  ASSERT_TRUE(grades.ok()) << grades.status();
  EXPECT_EQ(grades->size(), kStudents);
  const auto sessions = client->ListSessions();
  ASSERT_TRUE(sessions.ok()) << sessions.status();
  EXPECT_EQ(sessions->size(), kStudents) << "no session is left over";
  std::set<std::string> attempts;
  for (const auto& student : students_) {
    attempts.insert(student->attempt().name());
    EXPECT_EQ(student->attempt().number(), 1);
    EXPECT_EQ(student->grade().report().score(), 1)
        << student->grade().DebugString();
  }
  EXPECT_EQ(attempts.size(), kStudents);
  EXPECT_EQ(server->Stop(), 0) << server->Errors();
}

}  // namespace
}  // namespace faultline::e2e
