// The exercises that come with the project: on any seed the solution gets all
// points, what is wrong gets fewer, and nothing gets nothing.
//
// FAULTLINE_GRADING_SEEDS=5000 tries more.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/grading/answer.h"
#include "server/grading/draw.h"
#include "server/grading/facts.h"
#include "server/grading/lint.h"
#include "server/grading/template.h"
#include "tests/grading/grading_testing.h"

namespace faultline::grading {
namespace {

using testing::IsEmpty;

int Seeds() {
  int seeds = 200;
  const char* wanted = std::getenv("FAULTLINE_GRADING_SEEDS");
  if (wanted != nullptr) {
    EXPECT_TRUE(absl::SimpleAtoi(wanted, &seeds));
  }
  return seeds;
}

std::string Student(int i) { return absl::StrCat("student-", i, "@x.edu"); }

class Shipped : public testing::TestWithParam<std::string> {
 protected:
  const Exercise exercise_ = MustRead(ReadTree(GetParam()));
};

std::string NameOf(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param.substr(info.param.rfind('/') + 1);
  name = name.substr(0, name.find('.'));
  for (char& c : name) {
    if (c == '-') c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, Shipped, testing::ValuesIn(ShippedExercises()),
                         NameOf);

TEST_P(Shipped, IsCalledAsItsFile) {
  EXPECT_EQ(GetParam(), absl::StrCat("server/grading/exercises/",
                                     exercise_.proto.id(), ".yaml"));
}

TEST_P(Shipped, HasNoProblemsAndNoWarnings) {
  for (const Problem& problem : LintVariants(exercise_, Seeds(), {})) {
    ADD_FAILURE() << ToText(GetParam(), problem);
  }
}

TEST_P(Shipped, StudentsGetDifferentVariants) {
  std::set<std::string> variants;
  for (int i = 0; i < 20; ++i) {
    const Played played(exercise_, Student(i));
    auto variant = ToVariant(exercise_.proto, played.drawn(), played.stage());
    ASSERT_TRUE(variant.ok()) << variant.status();
    variant->clear_student();
    variant->clear_seed();
    variants.insert(variant->SerializeAsString());
  }
  EXPECT_GT(variants.size(), 10u);
}

TEST_P(Shipped, TheSolutionGetsAllPoints) {
  for (int i = 0; i < Seeds(); ++i) {
    Played played(exercise_, Student(i));
    const v1::GradeReport report =
        exercise_.predicts()
            ? played.Answer(played.Solution())
            : played.Perform(*Fill(exercise_.proto.solution(),
                                   VariableScope(played.values())));
    ASSERT_TRUE(IsFull(report)) << Student(i) << "\n" << report.DebugString();
    EXPECT_GT(report.score_max(), 0);
  }
}

TEST_P(Shipped, AnEmptySubmissionGetsNothing) {
  for (int i = 0; i < Seeds(); ++i) {
    Played played(exercise_, Student(i));
    const v1::GradeReport report =
        exercise_.predicts() ? played.Answer({}) : played.Perform("");
    ASSERT_EQ(report.score(), 0) << Student(i) << "\n" << report.DebugString();
  }
}

// With questions: each declared misconception, in place of one answer.
TEST_P(Shipped, MisconceptionsGetFewerPointsAndAreNamed) {
  for (int i = 0; i < Seeds(); ++i) {
    const Played played(exercise_, Student(i));
    const Answers solution =
        exercise_.predicts() ? played.Solution() : Answers();
    for (const v1::Question& question : exercise_.proto.questions()) {
      for (const v1::Misconception& wrong : question.misconceptions()) {
        const auto value = Evaluate(
            wrong.answer(), TrialScope(*played.stage().trial, played.values()));
        ASSERT_TRUE(value.ok()) << value.status();
        const std::string answer = ToAnswer(question, *value);
        if (*value == Value(int64_t{-1})) continue;  // not in this variant
        Answers answers = solution;
        answers[question.id()] = answer;
        const v1::GradeReport report = played.Answer(answers);
        ASSERT_FALSE(IsFull(report))
            << Student(i) << ": " << question.id() << ": " << answer;
        EXPECT_THAT(CheckOf(report, question.id()).tags(),
                    testing::Contains(wrong.tag()));
      }
    }
  }
}

// With goals: each declared wrong submission.
TEST_P(Shipped, WrongScenariosGetFewerPoints) {
  for (const v1::WrongSubmission& wrong : exercise_.proto.wrong()) {
    for (int i = 0; i < Seeds(); ++i) {
      Played played(exercise_, Student(i));
      const auto text = Fill(wrong.scenario(), VariableScope(played.values()));
      ASSERT_TRUE(text.ok()) << text.status();
      const v1::GradeReport report = played.Perform(*text);
      ASSERT_FALSE(absl::IsInvalidArgument(played.stopped()))
          << played.stopped();
      ASSERT_FALSE(IsFull(report)) << Student(i) << ": " << wrong.name();
      EXPECT_EQ(report.status(), v1::REPORT_STATUS_GRADED);
    }
  }
}

// Any single answer that is off loses points: no question accepts everything.
TEST_P(Shipped, AnyAnswerThatIsOffLosesPoints) {
  for (int i = 0; i < Seeds(); ++i) {
    const Played played(exercise_, Student(i));
    if (!exercise_.predicts()) return;
    const Answers solution = played.Solution();
    for (const v1::Question& question : exercise_.proto.questions()) {
      Answers answers = solution;
      answers[question.id()] =
          question.type() == v1::ANSWER_TYPE_ERRNO     ? "EUCLEAN"
          : question.type() == v1::ANSWER_TYPE_SIGNAL  ? "SIGBUS"
          : question.type() == v1::ANSWER_TYPE_NUMBERS ? "77, 77, 77, 77"
          : question.type() == v1::ANSWER_TYPE_MAPS    ? "1000-2000 rw-p"
                                                       : "1234567";
      ASSERT_FALSE(IsFull(played.Answer(answers)))
          << Student(i) << ": " << question.id();
    }
  }
}

std::string Garbage(std::mt19937* random) {
  static const auto& pieces =
      *new std::vector<std::string>{"0x",
                                    "-",
                                    "1",
                                    "999999999999999999999",
                                    "EINVAL",
                                    "\n",
                                    " ",
                                    ",",
                                    "rw-p",
                                    "{",
                                    "7ffff7ffb000-7ffff7ffc000",
                                    "\xff",
                                    "$a",
                                    "p",
                                    "'",
                                    "\"",
                                    "[",
                                    "SIGSEGV",
                                    "0b",
                                    "nan",
                                    "1e9",
                                    ":",
                                    "#",
                                    "é"};
  std::string text;
  const size_t size = (*random)() % 12;
  for (size_t i = 0; i < size; ++i) text += pieces[(*random)() % pieces.size()];
  return text;
}

TEST_P(Shipped, RandomGarbageIsGradedAndNeverFull) {
  std::mt19937 random(1);
  for (int i = 0; i < Seeds(); ++i) {
    Played played(exercise_, Student(i));
    v1::GradeReport report;
    if (exercise_.predicts()) {
      Answers answers;
      for (const v1::Question& question : exercise_.proto.questions()) {
        answers[question.id()] = Garbage(&random);
      }
      report = played.Answer(answers);
    } else {
      report = played.Perform(Garbage(&random));
    }
    EXPECT_FALSE(IsFull(report)) << report.DebugString();
    for (const v1::GradedCheck& check : report.checks()) {
      EXPECT_GE(check.points(), 0);
      EXPECT_LE(check.points(), check.points_max());
    }
  }
}

// Scenarios of random operations: whatever a student does is graded.
TEST_P(Shipped, RandomScenariosAreGraded) {
  if (exercise_.predicts()) return;
  const std::vector<std::string> pieces = {"fork\n",
                                           "@1 exit\n",
                                           "write $b 1\n",
                                           "readr $b 4 1p\n",
                                           "munmap $b 2p\n",
                                           "mprotect $b 2p r--\n",
                                           "@0 brk 0\n",
                                           "@2 write $b 1\n",
                                           "exit\n",
                                           "madvise $b 2p DONTNEED\n",
                                           "cat /proc/self/maps\n",
                                           "dump all\n",
                                           "@1 fork\n",
                                           "file 7 2p\n",
                                           "expect ok\n"};
  std::mt19937 random(2);
  for (int i = 0; i < Seeds(); ++i) {
    Played played(exercise_, Student(i));
    std::string text = "b: mmap 0 4p rw- PRIVATE|ANON\n";
    for (size_t n = random() % 20; n > 0; --n) {
      text += pieces[random() % pieces.size()];
    }
    const v1::GradeReport report = played.Perform(text);
    EXPECT_EQ(report.checks_size(), exercise_.proto.goals_size()) << text;
  }
}

TEST(ShippedExercises, ThereAreTenOrMoreAndThreeToAchieve) {
  int achieve = 0;
  const std::vector<std::string> paths = ShippedExercises();
  for (const std::string& path : paths) {
    achieve += !MustRead(ReadTree(path)).predicts();
  }
  EXPECT_GE(paths.size(), 10u);
  EXPECT_GE(achieve, 3);
}

}  // namespace
}  // namespace faultline::grading
