// Grading through the library: what is repeated when an answer gets lost, and
// what the names are.

#include "client/cpp/grading.h"

#include <gmock/gmock.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/client.h"
#include "client/cpp/error.h"
#include "faultline/v1/grading.grpc.pb.h"
#include "server/gradebook/gradebook.h"
#include "server/service/server.h"
#include "server/session/session_table.h"
#include "storage/store.h"

namespace faultline::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

const grpc::Status kLost(grpc::StatusCode::UNAVAILABLE, "cut");

// Keeps all requests; the first calls end with the statuses given.
class FakeGrading : public v1::GradingService::Service {
 public:
  grpc::Status CreateExercise(grpc::ServerContext* context,
                              const v1::CreateExerciseRequest* request,
                              v1::CreateExerciseResponse* response) override {
    creates.push_back(*request);
    response->mutable_exercise()->set_name("exercises/cow");
    response->add_warnings("2:1: warning: odd");
    return Next(context);
  }
  grpc::Status GetExercise(grpc::ServerContext* context,
                           const v1::GetExerciseRequest* request,
                           v1::GetExerciseResponse* response) override {
    gets.push_back(request->exercise());
    response->mutable_exercise()->set_name(request->exercise());
    return Next(context);
  }
  // Two pages.
  grpc::Status ListExercises(grpc::ServerContext* context,
                             const v1::ListExercisesRequest* request,
                             v1::ListExercisesResponse* response) override {
    const grpc::Status status = Next(context);
    if (!status.ok()) return status;
    tokens.push_back(request->page_token());
    const bool first = request->page_token().empty();
    response->add_exercises()->set_name(first ? "a" : "b");
    if (first) response->set_next_page_token("more");
    return status;
  }
  grpc::Status DeleteExercise(grpc::ServerContext* context,
                              const v1::DeleteExerciseRequest* request,
                              v1::DeleteExerciseResponse*) override {
    deletes.push_back(*request);
    return Next(context);
  }
  grpc::Status StartAttempt(grpc::ServerContext* context,
                            const v1::StartAttemptRequest* request,
                            v1::StartAttemptResponse* response) override {
    starts.push_back(*request);
    response->mutable_attempt()->set_name(request->exercise() + "/attempts/a1");
    return Next(context);
  }
  grpc::Status GetAttempt(grpc::ServerContext* context,
                          const v1::GetAttemptRequest* request,
                          v1::GetAttemptResponse* response) override {
    gets.push_back(request->attempt());
    response->mutable_attempt()->set_name(request->attempt());
    return Next(context);
  }
  grpc::Status Submit(grpc::ServerContext* context,
                      const v1::SubmitRequest* request,
                      v1::SubmitResponse* response) override {
    submits.push_back(*request);
    response->mutable_attempt()->set_submitted(true);
    return Next(context);
  }
  grpc::Status Grade(grpc::ServerContext* context,
                     const v1::GradeRequest* request,
                     v1::GradeResponse* response) override {
    grades.push_back(*request);
    response->mutable_grade()->mutable_report()->set_score(3);
    return Next(context);
  }
  // Two pages.
  grpc::Status ListGrades(grpc::ServerContext* context,
                          const v1::ListGradesRequest* request,
                          v1::ListGradesResponse* response) override {
    const grpc::Status status = Next(context);
    if (!status.ok()) return status;
    lists.push_back(*request);
    const bool first = request->page_token().empty();
    response->add_grades()->set_name(first ? "a" : "b");
    if (first) response->set_next_page_token("more");
    return status;
  }

  std::vector<grpc::Status> ends;
  std::vector<v1::CreateExerciseRequest> creates;
  std::vector<std::string> gets;
  std::vector<std::string> tokens;
  std::vector<v1::DeleteExerciseRequest> deletes;
  std::vector<v1::StartAttemptRequest> starts;
  std::vector<v1::SubmitRequest> submits;
  std::vector<v1::GradeRequest> grades;
  std::vector<v1::ListGradesRequest> lists;
  absl::Time deadline;

 private:
  grpc::Status Next(grpc::ServerContext* context) {
    deadline = absl::FromChrono(context->deadline());
    if (ends.empty()) return grpc::Status::OK;
    grpc::Status status = ends.front();
    ends.erase(ends.begin());
    return status;
  }
};

class LostGradingTest : public testing::Test {
 protected:
  LostGradingTest() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&fake_);
    server_ = builder.BuildAndStart();
    client_ = std::make_unique<Client>(
        *Client::Connect(absl::StrCat("127.0.0.1:", port)));
  }
  ~LostGradingTest() override {
    server_->Shutdown(absl::ToChronoTime(absl::Now()));
  }
  Grading grading() const { return client_->grading(); }

  FakeGrading fake_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Client> client_;
};

TEST(GradingNamesTest, ShortOnesAreCompleted) {
  EXPECT_EQ(ExerciseName("cow"), "exercises/cow");
  EXPECT_EQ(ExerciseName("exercises/cow"), "exercises/cow");
  EXPECT_EQ(AttemptName("cow/a1"), "exercises/cow/attempts/a1");
  EXPECT_EQ(AttemptName("exercises/cow/attempts/a1"),
            "exercises/cow/attempts/a1");
  EXPECT_EQ(AttemptName("a1"), "a1") << "for the server to refuse";
}

TEST_F(LostGradingTest, AnExerciseIsSentOnce) {
  const auto made = grading().CreateExercise("id: cow\n");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->exercise().name(), "exercises/cow");
  EXPECT_THAT(made->warnings(), ElementsAre("2:1: warning: odd"));
  EXPECT_EQ(fake_.creates[0].yaml(), "id: cow\n");
  EXPECT_FALSE(fake_.creates[0].replace());
  fake_.ends = {kLost};
  EXPECT_EQ(
      grading().CreateExercise("x", Existing::kIsReplaced).status().code(),
      absl::StatusCode::kUnavailable);
  ASSERT_EQ(fake_.creates.size(), 2u) << "and not repeated";
  EXPECT_TRUE(fake_.creates[1].replace());
}

TEST_F(LostGradingTest, ADeletionIsRepeatedWhereAMissingOneIsDone) {
  fake_.ends = {kLost};
  EXPECT_EQ(grading().DeleteExercise("cow").code(),
            absl::StatusCode::kUnavailable);
  ASSERT_EQ(fake_.deletes.size(), 1u);
  EXPECT_FALSE(fake_.deletes[0].force());
  fake_.ends = {kLost};
  EXPECT_TRUE(grading()
                  .DeleteExercise("cow", {.allow_missing = true, .force = true})
                  .ok());
  ASSERT_EQ(fake_.deletes.size(), 3u);
  EXPECT_EQ(fake_.deletes[2].exercise(), "exercises/cow");
  EXPECT_TRUE(fake_.deletes[2].allow_missing());
  EXPECT_TRUE(fake_.deletes[2].force());
}

TEST_F(LostGradingTest, AnAttemptIsStartedOnce) {
  fake_.ends = {kLost, kLost};
  const auto mine =
      grading().StartAttempt({.exercise = "cow", .student = "ada"});
  ASSERT_TRUE(mine.ok()) << mine.status();
  EXPECT_EQ(mine->name(), "exercises/cow/attempts/a1");
  ASSERT_EQ(fake_.starts.size(), 3u);
  EXPECT_EQ(fake_.starts[0].student(), "ada");
  EXPECT_NE(fake_.starts[0].request_id(), "");
  EXPECT_EQ(fake_.starts[0].request_id(), fake_.starts[2].request_id());
  ASSERT_TRUE(
      grading().StartAttempt({.exercise = "cow", .student = "ada"}).ok());
  EXPECT_NE(fake_.starts[3].request_id(), fake_.starts[0].request_id());
  ASSERT_TRUE(
      grading()
          .StartAttempt(
              {.exercise = "cow", .student = "ada", .request_id = "mine"})
          .ok());
  EXPECT_EQ(fake_.starts[4].request_id(), "mine");
}

TEST_F(LostGradingTest, AGradeIsGivenOnceAndHasTheTimeOfAReplay) {
  fake_.ends = {kLost};
  const auto grade =
      grading().Grade({.attempt = "cow/a1", .secret = "for staff"});
  ASSERT_TRUE(grade.ok()) << grade.status();
  EXPECT_EQ(grade->report().score(), 3);
  ASSERT_EQ(fake_.grades.size(), 2u);
  EXPECT_EQ(fake_.grades[1].attempt(), "exercises/cow/attempts/a1");
  EXPECT_EQ(fake_.grades[1].secret(), "for staff");
  EXPECT_NE(fake_.grades[0].request_id(), "");
  EXPECT_EQ(fake_.grades[0].request_id(), fake_.grades[1].request_id());
  EXPECT_GT(fake_.deadline, absl::Now() + kLongDeadline - absl::Minutes(1));
}

TEST_F(LostGradingTest, WhatIsHandedInIsWhatWasMeant) {
  fake_.ends = {kLost};
  ASSERT_TRUE(
      grading().SubmitAnswers("cow/a1", {{"faults", "3"}, {"rss", ""}}).ok());
  ASSERT_EQ(fake_.submits.size(), 2u);
  EXPECT_THAT(fake_.submits[1].answers().answers(),
              UnorderedElementsAre(Pair("faults", "3"), Pair("rss", "")));
  ASSERT_TRUE(grading().SubmitAnswers("cow/a1", {}).ok());
  EXPECT_TRUE(fake_.submits[2].has_answers()) << "an empty sheet is one";
  ASSERT_TRUE(grading().SubmitSession("cow/a1").ok());
  EXPECT_TRUE(fake_.submits[3].has_session());
  EXPECT_FALSE(fake_.submits[3].session().has_revision());
  ASSERT_TRUE(grading().SubmitSession("cow/a1", 0).ok());
  EXPECT_TRUE(fake_.submits[4].session().has_revision());
}

TEST_F(LostGradingTest, ReadingIsRepeatedAndListsAllPages) {
  fake_.ends = {kLost};
  EXPECT_TRUE(grading().GetExercise("cow").ok());
  fake_.ends = {kLost};
  EXPECT_TRUE(grading().GetAttempt("cow/a1").ok());
  EXPECT_THAT(fake_.gets, ElementsAre("exercises/cow", "exercises/cow",
                                      "exercises/cow/attempts/a1",
                                      "exercises/cow/attempts/a1"));
  fake_.ends = {kLost};
  const auto exercises = grading().ListExercises();
  ASSERT_TRUE(exercises.ok()) << exercises.status();
  ASSERT_EQ(exercises->size(), 2u);
  EXPECT_EQ((*exercises)[1].name(), "b");
  EXPECT_THAT(fake_.tokens, ElementsAre("", "more"));
  const auto grades = grading().ListGrades(
      {.exercise = "cow", .student = "ada", .secret = "for staff"});
  ASSERT_TRUE(grades.ok()) << grades.status();
  ASSERT_EQ(grades->size(), 2u);
  EXPECT_EQ((*grades)[1].name(), "b");
  ASSERT_EQ(fake_.lists.size(), 2u);
  for (const v1::ListGradesRequest& request : fake_.lists) {
    EXPECT_EQ(request.exercise(), "exercises/cow");
    EXPECT_EQ(request.student(), "ada");
    EXPECT_EQ(request.secret(), "for staff");
  }
  EXPECT_EQ(fake_.lists[1].page_token(), "more");
}

TEST_F(LostGradingTest, AnErrorOnALaterPageIsNotAShortList) {
  const grpc::Status gone(grpc::StatusCode::NOT_FOUND, "deleted");
  fake_.ends = {grpc::Status::OK, gone};
  EXPECT_EQ(grading().ListGrades({.exercise = "cow"}).status().code(),
            absl::StatusCode::kNotFound);
}

// --- The real server.

constexpr char kQuestions[] =
    "id: heap\n"
    "title: A brk\n"
    "text: The heap grows by {n} pages.\n"
    "secret: staff\n"
    "variables: [{name: n, range: {min: 2, max: 9}}]\n"
    "setup: 'b: brk 0'\n"
    "questions:\n"
    "  - {id: faults, text: Faults, answer: total.min}\n"
    "  - {id: pages, text: Pages, answer: n, hidden: true}\n";

constexpr char kGoals[] =
    "id: touch\n"
    "title: A page\n"
    "text: Touch a page.\n"
    "setup: 'a: mmap 0 2p rw- PRIVATE|ANON'\n"
    "goals:\n"
    "  - {id: page, text: A page., event: {event: anon_page}}\n"
    "solution: write $a 1\n";

class RealGradingTest : public testing::Test {
 protected:
  RealGradingTest() : store_(OpenStore()), table_(*store_) {
    Server::Options options;
    options.listen = "127.0.0.1:0";
    server_ = *Server::Start(table_, gradebook_, options);
    client_ = std::make_unique<Client>(*Client::Connect(server_->address()));
  }
  static std::unique_ptr<storage::Store> OpenStore() {
    storage::Store::Options options;
    options.path = ":memory:";
    return *storage::Store::Open(options);
  }
  Grading grading() const { return client_->grading(); }

  std::unique_ptr<storage::Store> store_;
  SessionTable table_;
  Gradebook gradebook_{*store_, table_};
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(RealGradingTest, ExercisesAreAddedReadListedAndDeleted) {
  const auto made = grading().CreateExercise(kQuestions);
  ASSERT_TRUE(made.ok()) << Explain(made.status());
  EXPECT_EQ(made->exercise().name(), "exercises/heap");
  EXPECT_TRUE(grading().CreateExercise(kGoals).ok());
  EXPECT_EQ(grading().GetExercise("heap")->SerializeAsString(),
            made->exercise().SerializeAsString());
  EXPECT_EQ(ReasonOf(grading().CreateExercise(kGoals).status()),
            "EXERCISE_ALREADY_EXISTS");
  EXPECT_TRUE(grading().CreateExercise(kGoals, Existing::kIsReplaced).ok());
  EXPECT_EQ(grading().ListExercises()->size(), 2u);
  EXPECT_TRUE(grading().DeleteExercise("heap").ok());
  EXPECT_EQ(ReasonOf(grading().DeleteExercise("heap")), "EXERCISE_NOT_FOUND");
  EXPECT_TRUE(grading().DeleteExercise("heap", {.allow_missing = true}).ok());
  const auto wrong = grading().CreateExercise("id: x\ntitel: y\n");
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Explain(wrong.status()), HasSubstr("2:1: there is no field"));
}

TEST_F(RealGradingTest, QuestionsAreAnsweredAndGraded) {
  ASSERT_TRUE(grading().CreateExercise(kQuestions).ok());
  const auto mine =
      grading().StartAttempt({.exercise = "heap", .student = "ada"});
  ASSERT_TRUE(mine.ok()) << Explain(mine.status());
  EXPECT_EQ(ReasonOf(grading().Grade({.attempt = mine->name()}).status()),
            "NOTHING_SUBMITTED");
  EXPECT_EQ(
      grading().SubmitAnswers(mine->name(), {{"fualts", "0"}}).status().code(),
      absl::StatusCode::kInvalidArgument);
  const auto submitted =
      grading().SubmitAnswers(mine->name(), {{"faults", "0"}});
  ASSERT_TRUE(submitted.ok()) << Explain(submitted.status());
  EXPECT_TRUE(submitted->submitted());
  const auto grade = grading().Grade({.attempt = mine->name()});
  ASSERT_TRUE(grade.ok()) << Explain(grade.status());
  EXPECT_TRUE(grade->report().redacted());
  EXPECT_EQ(grade->report().checks_size(), 1);
  const auto whole =
      grading().Grade({.attempt = mine->name(), .secret = "staff"});
  ASSERT_TRUE(whole.ok()) << Explain(whole.status());
  EXPECT_EQ(whole->report().score(), 1);
  EXPECT_EQ(whole->report().score_max(), 2);
  EXPECT_EQ(grading()
                .ListGrades({.exercise = "heap", .secret = "guess"})
                .status()
                .code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(grading().ListGrades({.exercise = "heap"})->size(), 2u);
  EXPECT_EQ(ReasonOf(grading().SubmitAnswers(mine->name(), {}).status()),
            "ATTEMPT_GRADED");
  EXPECT_EQ(ReasonOf(grading()
                         .StartAttempt({.exercise = "heap", .student = "ada"})
                         .status()),
            "ATTEMPTS_USED");
}

TEST_F(RealGradingTest, ASessionIsDrivenAndGraded) {
  ASSERT_TRUE(grading().CreateExercise(kGoals).ok());
  const auto mine =
      grading().StartAttempt({.exercise = "touch", .student = "ada"});
  ASSERT_TRUE(mine.ok()) << Explain(mine.status());
  auto lab = client_->OpenSession(mine->session());
  ASSERT_TRUE(lab.ok()) << lab.status();
  EXPECT_EQ(lab->revision(), mine->start_revision());
  const auto maps = lab->ReadProc("/proc/1/maps");
  uint64_t start = 0;
  ASSERT_TRUE(absl::SimpleHexAtoi(maps->substr(0, maps->find('-')), &start));
  ASSERT_TRUE(lab->Store(1, start, 7).ok());
  EXPECT_EQ(ReasonOf(grading().SubmitSession(mine->name(), 9).status()),
            "REVISION_OUT_OF_RANGE");
  EXPECT_EQ(grading()
                .SubmitSession(mine->name(), mine->start_revision())
                ->submitted_revision(),
            mine->start_revision());
  EXPECT_EQ(grading().Grade({.attempt = mine->name()})->report().score(), 0);
}

TEST_F(RealGradingTest, MoreThanAPageOfGradesIsOneList) {
  ASSERT_TRUE(grading().CreateExercise(kQuestions).ok());
  constexpr size_t kCount = 105;
  for (size_t i = 0; i < kCount; ++i) {
    const auto mine = grading().StartAttempt(
        {.exercise = "heap", .student = absl::StrCat("student-", i)});
    ASSERT_TRUE(grading().SubmitAnswers(mine->name(), {}).ok());
    ASSERT_TRUE(grading().Grade({.attempt = mine->name()}).ok());
  }
  const auto grades = grading().ListGrades({.exercise = "heap"});
  ASSERT_TRUE(grades.ok()) << grades.status();
  ASSERT_EQ(grades->size(), kCount);
  for (size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ((*grades)[i].report().student(), absl::StrCat("student-", i));
  }
  EXPECT_EQ(grading()
                .ListGrades({.exercise = "heap", .student = "student-7"})
                ->size(),
            1u);
}

}  // namespace
}  // namespace faultline::client
