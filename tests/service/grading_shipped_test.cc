// The exercises that come with the project, over the wire: the server gives
// what `faultline grade` gives.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/grading/facts.h"
#include "server/grading/template.h"
#include "tests/grading/grading_testing.h"
#include "tests/service/grading_testing.h"

namespace faultline {
namespace {

using grading::Played;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kStudent[] = "ada@x.edu";
constexpr char kSecret[] = "sesame";

class ShippedRpcs : public testing::GradingRpcs,
                    public ::testing::WithParamInterface<std::string> {
 protected:
  // The shipped ones have no secret; graders need one.
  ShippedRpcs()
      : yaml_(absl::StrCat(grading::ReadTree(GetParam()), "\nsecret: ", kSecret,
                           "\nattempts: 100\n")),
        exercise_(grading::MustRead(yaml_)) {}

  void SetUp() override {
    GradingRpcs::SetUp();
    MustCreate(yaml_);
  }
  std::string name() const {
    return absl::StrCat("exercises/", exercise_.proto.id());
  }

  // What the offline tool says, and what the server says, without what tells
  // them apart: a file is not a session.
  static v1::GradeReport Comparable(v1::GradeReport report) {
    report.clear_submission();
    report.set_message(std::regex_replace(
        report.message(),
        std::regex("mine.s:[0-9]+:[0-9]+: |revision [0-9]+: "), ""));
    for (v1::GradedCheck& check : *report.mutable_checks()) {
      check.clear_evidence();
      // A recorded command has another form than a line of a scenario.
      if (check.deciding_event().find('`') != std::string::npos) {
        check.clear_deciding_event();
      }
    }
    return report;
  }
  static void ExpectSame(const v1::GradeReport& online,
                         const v1::GradeReport& offline) {
    EXPECT_EQ(Comparable(online).DebugString(),
              Comparable(offline).DebugString());
  }

  v1::GradeReport AnswerOnline(const grading::Answers& answers) {
    const v1::Attempt attempt = MustStart(name(), kStudent);
    const grpc::Status status = Answer(attempt, answers);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return MustGrade(attempt, kSecret).report();
  }

  // The commands of a scenario, sent by a client to the session of an attempt.
  v1::GradeReport PerformOnline(const std::string& scenario) {
    const v1::Attempt attempt = MustStart(name(), kStudent);
    // Nobody stops a client at a command that is not allowed.
    const Played played(exercise_, kStudent);
    played.stage().trial->EndSetup({});
    const absl::Status ran =
        played.stage().rehearsal->RunSubmission("mine.s", scenario);
    EXPECT_TRUE(ran.ok()) << ran;
    const auto& steps = played.stage().trial->steps();
    v1::RunRequest batch;
    batch.set_session(attempt.session());
    for (size_t i = played.stage().trial->setup_steps(); i < steps.size();
         ++i) {
      *batch.add_commands() = steps[i].command;
    }
    Send(batch);
    EXPECT_TRUE(HandIn(attempt).ok());
    return MustGrade(attempt, kSecret).report();
  }
  void Send(const v1::RunRequest& batch) {
    if (batch.commands_size() == 0) return;
    Context context;
    auto stream = machines_->Run(&context);
    EXPECT_TRUE(stream->Write(batch));
    stream->WritesDone();
    v1::RunResponse response;
    EXPECT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.outcomes_size(), batch.commands_size());
    EXPECT_FALSE(stream->Read(&response));
    const grpc::Status status = stream->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
  }

  const std::string yaml_;
  const grading::Exercise exercise_;
};

std::string NameOf(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param.substr(info.param.rfind('/') + 1);
  name = name.substr(0, name.find('.'));
  for (char& c : name) {
    if (c == '-') c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, ShippedRpcs,
                         ::testing::ValuesIn(grading::ShippedExercises()),
                         NameOf);

TEST_P(ShippedRpcs, TheSolutionGetsAllPoints) {
  Played played(exercise_, kStudent);
  v1::GradeReport online, offline;
  if (exercise_.predicts()) {
    online = AnswerOnline(played.Solution());
    offline = played.Answer(played.Solution());
  } else {
    const std::string solution = *grading::Fill(
        exercise_.proto.solution(), grading::VariableScope(played.values()));
    online = PerformOnline(solution);
    offline = played.Perform(solution);
  }
  EXPECT_TRUE(grading::IsFull(online)) << online.DebugString();
  ExpectSame(online, offline);
}

TEST_P(ShippedRpcs, MisconceptionsGetFewerPoints) {
  if (!exercise_.predicts()) return;
  const Played played(exercise_, kStudent);
  for (const v1::Question& question : exercise_.proto.questions()) {
    for (const v1::Misconception& wrong : question.misconceptions()) {
      const auto value = grading::Evaluate(
          wrong.answer(),
          grading::TrialScope(*played.stage().trial, played.values()));
      ASSERT_TRUE(value.ok()) << value.status();
      grading::Answers answers = played.Solution();
      answers[question.id()] = value->ToText();
      const v1::GradeReport online = AnswerOnline(answers);
      EXPECT_FALSE(grading::IsFull(online)) << wrong.tag();
      ExpectSame(online, played.Answer(answers));
    }
  }
}

TEST_P(ShippedRpcs, WrongScenariosGetFewerPoints) {
  for (const v1::WrongSubmission& wrong : exercise_.proto.wrong()) {
    Played played(exercise_, kStudent);
    const std::string scenario = *grading::Fill(
        wrong.scenario(), grading::VariableScope(played.values()));
    const v1::GradeReport online = PerformOnline(scenario);
    EXPECT_FALSE(grading::IsFull(online)) << wrong.name();
    ExpectSame(online, played.Perform(scenario));
  }
}

TEST_P(ShippedRpcs, AnEmptySubmissionGetsNothing) {
  Played played(exercise_, kStudent);
  const v1::GradeReport online =
      exercise_.predicts() ? AnswerOnline({}) : PerformOnline("");
  EXPECT_EQ(online.score(), 0);
  ExpectSame(online,
             exercise_.predicts() ? played.Answer({}) : played.Perform(""));
}

// With attempts left, the student's view of nothing right holds nothing right.
TEST_P(ShippedRpcs, TheAnswersAreNotTold) {
  if (!exercise_.predicts()) return;
  const v1::Attempt attempt = MustStart(name(), kStudent);
  ASSERT_TRUE(Answer(attempt, {}).ok());
  const v1::Grade full = MustGrade(attempt, kSecret);
  const v1::Grade seen = MustGrade(attempt);
  EXPECT_EQ(seen.report().variables_size(), 0);
  for (const v1::GradedCheck& check : full.report().checks()) {
    // Shorter ones stand in any message.
    if (check.expected().size() < 6) continue;
    EXPECT_THAT(seen.SerializeAsString(), Not(HasSubstr(check.expected())))
        << check.id();
  }
}

}  // namespace
}  // namespace faultline
