// Exercises, attempts and grades over the wire: how requests are checked, and
// each status that the contract names.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/limits.h"
#include "tests/service/grading_testing.h"

namespace faultline {
namespace {

using testing::BadField;
using ::testing::ElementsAre;
using testing::ExpectError;
using ::testing::HasSubstr;

constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;
constexpr auto kNotFound = grpc::StatusCode::NOT_FOUND;
constexpr auto kPrecondition = grpc::StatusCode::FAILED_PRECONDITION;
constexpr char kMissing[] = "exercises/cow/attempts/a7f";

std::string SumYaml(const std::string& id = "sum") {
  return absl::StrCat("id: ", id, R"yaml(
title: A sum
text: What is {a} + {b}?
secret: sesame
variables:
  - {name: a, range: {min: 10, max: 99}}
  - {name: b, range: {min: 10, max: 99}}
setup: brk 0
questions:
  - {id: sum, text: The sum, answer: a + b}
)yaml");
}

std::string ForkYaml() {
  return R"yaml(
id: fork
title: A fork
text: Fork.
setup: brk 0
goals:
  - {id: fork, text: A child, event: {event: sched_process_fork}}
solution: fork
)yaml";
}

class GradingServiceTest : public testing::GradingRpcs {
 protected:
  void SetUp() override {
    GradingRpcs::SetUp();
    MustCreate(SumYaml());
    MustCreate(ForkYaml());
  }
  v1::GradeRequest GradeOf(const v1::Attempt& attempt) {
    v1::GradeRequest request;
    request.set_attempt(attempt.name());
    return request;
  }
};

TEST_F(GradingServiceTest, FromTheExerciseToTheGrade) {
  const v1::Attempt attempt = MustStart("exercises/sum");
  EXPECT_THAT(attempt.variant().text(), HasSubstr("What is "));
  ASSERT_TRUE(Answer(attempt, {{"sum", "0"}}).ok());
  const v1::Grade grade = MustGrade(attempt);
  EXPECT_EQ(grade.report().score(), 0);
  EXPECT_NE(grade.report().checks(0).expected(), "") << "the last attempt";
  v1::Attempt after;
  ASSERT_TRUE(GetAttempt(attempt.name(), &after).ok());
  EXPECT_TRUE(after.graded());
  v1::ListGradesRequest request;
  request.set_exercise("exercises/sum");
  v1::ListGradesResponse response;
  ASSERT_TRUE(ListGrades(request, &response).ok());
  ASSERT_EQ(response.grades_size(), 1);
  EXPECT_EQ(response.grades(0).SerializeAsString(), grade.SerializeAsString());
  EXPECT_EQ(response.next_page_token(), "");
}

TEST_F(GradingServiceTest, AStudentDrivesTheSessionOfTheAttempt) {
  const v1::Attempt attempt = MustStart("exercises/fork");
  v1::ForkRequest request;
  request.set_session(attempt.session());
  request.set_pid(1);
  request.mutable_fork();
  v1::ForkResponse response;
  Context context;
  ASSERT_TRUE(machines_->Fork(&context, request, &response).ok());
  ASSERT_TRUE(HandIn(attempt).ok());
  const v1::Grade grade = MustGrade(attempt);
  EXPECT_EQ(grade.report().score(), 1);
  EXPECT_EQ(grade.report().checks(0).evidence(),
            absl::StrCat(attempt.session(), "@2"));
}

TEST_F(GradingServiceTest, CreateExerciseSaysWhatIsWrong) {
  ExpectError(Create(""), kInvalid, "FIELD_MISSING");
  const grpc::Status refused = Create("id: x\ntitle: 7\nquestion: []\n");
  ExpectError(refused, kInvalid, "FIELD_INVALID");
  EXPECT_EQ(BadField(refused), "yaml");
  EXPECT_THAT(refused.error_message(), HasSubstr("yaml: 3:1: "));
  ExpectError(Create(SumYaml()), grpc::StatusCode::ALREADY_EXISTS,
              "EXERCISE_ALREADY_EXISTS");
  MustCreate(SumYaml(), /*replace=*/true);
  ExpectError(Create(std::string(limits::kRequestBytesMax, '#')),
              grpc::StatusCode::RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE");
}

TEST_F(GradingServiceTest, NamesAreChecked) {
  v1::ExerciseSummary exercise;
  v1::Attempt attempt;
  v1::Grade grade;
  ExpectError(Get("", &exercise), kInvalid, "FIELD_MISSING");
  ExpectError(Get("sum", &exercise), kInvalid, "FIELD_INVALID");
  ExpectError(Get("exercises/cow", &exercise), kNotFound, "EXERCISE_NOT_FOUND");
  ExpectError(Start("sum", "ada", &attempt), kInvalid, "FIELD_INVALID");
  ExpectError(Start("exercises/cow", "ada", &attempt), kNotFound,
              "EXERCISE_NOT_FOUND");
  ExpectError(GetAttempt("exercises/cow", &attempt), kInvalid, "FIELD_INVALID");
  ExpectError(GetAttempt(kMissing, &attempt), kNotFound, "ATTEMPT_NOT_FOUND");
  v1::SubmitRequest submit;
  submit.mutable_answers();
  ExpectError(Submit(submit), kInvalid, "FIELD_MISSING");
  submit.set_attempt(kMissing);
  ExpectError(Submit(submit), kNotFound, "ATTEMPT_NOT_FOUND");
  ExpectError(Grade({}, &grade), kInvalid, "FIELD_MISSING");
  v1::GradeRequest request;
  request.set_attempt(kMissing);
  ExpectError(Grade(request, &grade), kNotFound, "ATTEMPT_NOT_FOUND");
  v1::ListGradesRequest list;
  v1::ListGradesResponse grades;
  ExpectError(ListGrades(list, &grades), kInvalid, "FIELD_MISSING");
  list.set_exercise("exercises/cow");
  ExpectError(ListGrades(list, &grades), kNotFound, "EXERCISE_NOT_FOUND");
}

TEST_F(GradingServiceTest, StudentsAndRequestIdsAreChecked) {
  v1::Attempt attempt;
  grpc::Status refused = Start("exercises/sum", "", &attempt);
  ExpectError(refused, kInvalid, "FIELD_MISSING");
  EXPECT_EQ(BadField(refused), "student");
  refused = Start("exercises/sum", "ada lovelace", &attempt);
  ExpectError(refused, kInvalid, "FIELD_INVALID");
  EXPECT_EQ(BadField(refused), "student");
  refused = Start("exercises/sum", "ada", &attempt, std::string(65, 'r'));
  ExpectError(refused, kInvalid, "FIELD_INVALID");
  EXPECT_EQ(BadField(refused), "request_id");
  v1::GradeRequest request = GradeOf(MustStart("exercises/sum"));
  request.set_request_id("a b");
  v1::Grade grade;
  refused = Grade(request, &grade);
  ExpectError(refused, kInvalid, "FIELD_INVALID");
  EXPECT_EQ(BadField(refused), "request_id");
  v1::ListGradesRequest list;
  list.set_exercise("exercises/sum");
  list.set_student("a b");
  v1::ListGradesResponse grades;
  refused = ListGrades(list, &grades);
  ExpectError(refused, kInvalid, "FIELD_INVALID");
  EXPECT_EQ(BadField(refused), "student");
}

TEST_F(GradingServiceTest, StartAttemptRefuses) {
  v1::Attempt attempt;
  ASSERT_TRUE(Start("exercises/sum", "ada", &attempt, "r1").ok());
  ExpectError(Start("exercises/sum", "ada", &attempt), kPrecondition,
              "ATTEMPTS_USED");
  ExpectError(Start("exercises/sum", "bob", &attempt, "r1"),
              grpc::StatusCode::ABORTED, "REQUEST_ID_REUSED");
  EXPECT_TRUE(Start("exercises/sum", "ada", &attempt, "r1").ok());
}

TEST_F(GradingServiceTest, SubmitRefuses) {
  const v1::Attempt sum = MustStart("exercises/sum");
  const v1::Attempt fork = MustStart("exercises/fork");
  v1::SubmitRequest request;
  request.set_attempt(sum.name());
  grpc::Status refused = Submit(request);
  ExpectError(refused, kInvalid, "FIELD_MISSING");
  EXPECT_EQ(BadField(refused), "submission");
  ExpectError(HandIn(sum), kInvalid, "FIELD_INVALID");
  ExpectError(Answer(fork, {}), kInvalid, "FIELD_INVALID");
  refused = Answer(sum, {{"product", "1"}});
  ExpectError(refused, kInvalid, "FIELD_INVALID");
  EXPECT_EQ(BadField(refused), "answers.answers.product");
  request.set_attempt(fork.name());
  request.mutable_session()->set_revision(2);
  ExpectError(Submit(request), grpc::StatusCode::OUT_OF_RANGE,
              "REVISION_OUT_OF_RANGE");
  request.mutable_session()->set_revision(0);
  refused = Submit(request);
  ExpectError(refused, kInvalid, "FIELD_INVALID");
  EXPECT_EQ(BadField(refused), "session.revision");
  ASSERT_TRUE(Answer(sum, {}).ok());
  MustGrade(sum);
  ExpectError(Answer(sum, {}), kPrecondition, "ATTEMPT_GRADED");
}

TEST_F(GradingServiceTest, GradeRefuses) {
  const v1::Attempt ada = MustStart("exercises/sum", "ada");
  const v1::Attempt bob = MustStart("exercises/sum", "bob");
  v1::GradeRequest request = GradeOf(ada);
  v1::Grade grade;
  ExpectError(Grade(request, &grade), kPrecondition, "NOTHING_SUBMITTED");
  ASSERT_TRUE(Answer(ada, {}).ok());
  ASSERT_TRUE(Answer(bob, {}).ok());
  request.set_secret("wrong");
  ExpectError(Grade(request, &grade), grpc::StatusCode::PERMISSION_DENIED,
              "SECRET_WRONG");
  request.clear_secret();
  request.set_request_id("g1");
  ASSERT_TRUE(Grade(request, &grade).ok());
  request.set_attempt(bob.name());
  ExpectError(Grade(request, &grade), grpc::StatusCode::ABORTED,
              "REQUEST_ID_REUSED");
  std::string changed = SumYaml();
  changed.replace(changed.find("{name: b"), 8, "{name: c");
  changed.replace(changed.find("{b}"), 3, "{c}");
  changed.replace(changed.find("a + b"), 5, "a + c");
  MustCreate(changed, /*replace=*/true);
  ExpectError(Grade(GradeOf(bob), &grade), kPrecondition, "EXERCISE_CHANGED");
}

TEST_F(GradingServiceTest, ASessionThatIsGoneIsNotFound) {
  const v1::Attempt fork = MustStart("exercises/fork");
  ASSERT_TRUE(HandIn(fork).ok());
  v1::DeleteSessionRequest request;
  request.set_session(fork.session());
  v1::DeleteSessionResponse response;
  Context context;
  ASSERT_TRUE(sessions_->DeleteSession(&context, request, &response).ok());
  v1::Grade grade;
  ExpectError(HandIn(fork), kNotFound, "SESSION_NOT_FOUND");
  ExpectError(Grade(GradeOf(fork), &grade), kNotFound, "SESSION_NOT_FOUND");
}

TEST_F(GradingServiceTest, DeleteExerciseRefusesAndForces) {
  ExpectError(Delete(""), kInvalid, "FIELD_MISSING");
  ExpectError(Delete("exercises/cow"), kNotFound, "EXERCISE_NOT_FOUND");
  EXPECT_TRUE(Delete("exercises/cow", /*allow_missing=*/true).ok());
  ExpectError(Delete("cow", /*allow_missing=*/true), kInvalid, "FIELD_INVALID");
  MustStart("exercises/sum");
  ExpectError(Delete("exercises/sum", /*allow_missing=*/true), kPrecondition,
              "EXERCISE_HAS_ATTEMPTS");
  EXPECT_TRUE(Delete("exercises/sum", false, /*force=*/true).ok());
  EXPECT_TRUE(Delete("exercises/fork").ok());
}

TEST_F(GradingServiceTest, ListsExercisesByPages) {
  MustCreate(SumYaml("another"));
  v1::ListExercisesRequest request;
  request.set_page_size(2);
  std::vector<std::string> names;
  while (true) {
    v1::ListExercisesResponse response;
    Context context;
    ASSERT_TRUE(grading_->ListExercises(&context, request, &response).ok());
    for (const auto& exercise : response.exercises()) {
      names.push_back(exercise.name());
    }
    if (response.next_page_token().empty()) break;
    request.set_page_token(response.next_page_token());
  }
  EXPECT_THAT(names, ElementsAre("exercises/another", "exercises/fork",
                                 "exercises/sum"));
  const auto refused = [&](const v1::ListExercisesRequest& bad) {
    v1::ListExercisesResponse response;
    Context context;
    const grpc::Status status =
        grading_->ListExercises(&context, bad, &response);
    ExpectError(status, kInvalid, "FIELD_INVALID");
    return BadField(status);
  };
  request.set_page_size(-1);
  EXPECT_EQ(refused(request), "page_size");
  request.set_page_size(1);
  request.set_page_token("nonsense");
  EXPECT_EQ(refused(request), "page_token");
}

TEST_F(GradingServiceTest, ListsGradesByPages) {
  const std::string student(limits::kStudentBytesMax, 's');
  const v1::Attempt attempt = MustStart("exercises/sum", student);
  ASSERT_TRUE(Answer(attempt, {}).ok());
  std::vector<std::string> given, listed;
  for (int i = 0; i < 5; ++i) given.push_back(MustGrade(attempt).name());
  v1::ListGradesRequest request;
  request.set_exercise("exercises/sum");
  request.set_student(student);
  request.set_page_size(2);
  v1::ListGradesResponse response;
  while (true) {
    response.Clear();
    ASSERT_TRUE(ListGrades(request, &response).ok());
    for (const auto& grade : response.grades()) listed.push_back(grade.name());
    if (response.next_page_token().empty()) break;
    request.set_page_token(response.next_page_token());
  }
  EXPECT_EQ(listed, given);
  v1::ListGradesRequest other = request;
  other.clear_student();
  const grpc::Status refused = ListGrades(other, &response);
  ExpectError(refused, kInvalid, "FIELD_INVALID");
  EXPECT_EQ(BadField(refused), "page_token");
  request.set_page_size(-1);
  EXPECT_EQ(BadField(ListGrades(request, &response)), "page_size");
  request.set_page_size(1);
  request.set_secret("wrong");
  ExpectError(ListGrades(request, &response),
              grpc::StatusCode::PERMISSION_DENIED, "SECRET_WRONG");
}

// A session that keeps a worker busy, and exercises that are checked, hold up
// no student.
TEST_F(GradingServiceTest, StudentsDoNotWaitForMachinesThatAreBusy) {
  const std::string busy = TestServer::Create("busy");
  v1::TickResponse held;
  std::thread holder([&] { EXPECT_TRUE(Hold(busy, &held).ok()); });
  held_.WaitForNotification();
  const v1::Attempt attempt = MustStart("exercises/fork");
  EXPECT_TRUE(HandIn(attempt).ok());
  EXPECT_EQ(MustGrade(attempt).report().score(), 0);
  go_on_.Notify();
  holder.join();
}

}  // namespace
}  // namespace faultline
