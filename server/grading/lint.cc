#include "server/grading/lint.h"

#include <map>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/grading/answer.h"
#include "server/grading/draw.h"
#include "server/grading/facts.h"
#include "server/grading/grade.h"
#include "server/grading/template.h"
#include "server/grading/variant.h"

namespace faultline::grading {
namespace {

class Linter {
 public:
  explicit Linter(const Exercise& exercise)
      : exercise_(exercise), proto_(exercise.proto) {}

  Problems Run(int seeds, const KeepOn& keep_on) {
    for (int i = 0; i < seeds && !HasErrors(problems_); ++i) {
      if (keep_on && !keep_on()) return {};
      student_ = absl::StrCat("lint-", i);
      Try();
    }
    if (!HasErrors(problems_)) WarnOfMisconceptions(seeds);
    return std::move(problems_);
  }

 private:
  void Complain(const std::string& path, absl::string_view text) {
    problems_.push_back(
        {exercise_.source.Of(path),
         absl::StrCat(path.empty() ? "" : absl::StrCat(path, ": "), text,
                      " (student ", student_, ")")});
  }

  void Try();
  void ComplainOfSetup(const absl::Status& status);
  void ComplainOfCheck(const absl::Status& status);
  void TryQuestions(const Drawn& drawn, const Stage& stage);
  void TryMisconceptions(const std::string& path, const v1::Question& question,
                         const TrialScope& scope);
  void TryGoals(const Drawn& drawn);
  v1::GradeReport Grade(const Drawn& drawn, const std::string& path,
                        const std::string& scenario, std::string* stopped);
  void WarnOfMisconceptions(int seeds);

  const Exercise& exercise_;
  const v1::Exercise& proto_;
  Problems problems_;
  std::string student_;
  // In how many variants a misconception gives the right answer, by its path.
  std::map<std::string, int> right_;
};

void Linter::Try() {
  const absl::StatusOr<Drawn> drawn = DrawFor(proto_, student_);
  if (!drawn.ok()) {
    return Complain(
        absl::IsOutOfRange(drawn.status()) ? "require" : "variables",
        std::string(drawn.status().message()));
  }
  const absl::StatusOr<Stage> stage = SetUp(proto_, drawn->values);
  if (!stage.ok()) return ComplainOfSetup(stage.status());
  const absl::StatusOr<v1::Variant> variant = ToVariant(proto_, *drawn, *stage);
  if (!variant.ok()) {
    return Complain("", std::string(variant.status().message()));
  }
  if (exercise_.predicts()) {
    TryQuestions(*drawn, *stage);
  } else {
    TryGoals(*drawn);
  }
}

// "setup:3:7: what" stands in the third line of the set-up, wherever that is in
// the file.
void Linter::ComplainOfSetup(const absl::Status& status) {
  for (absl::string_view line :
       absl::StrSplit(status.message(), '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 3));
    int in_line = 0, in_column = 0;
    const bool placed = parts.size() == 4 && parts[0] == kSetupName &&
                        absl::SimpleAtoi(parts[1], &in_line) &&
                        absl::SimpleAtoi(parts[2], &in_column);
    if (!placed) {
      Complain("setup", line);
      continue;
    }
    problems_.push_back({exercise_.source.Inside("setup", in_line, in_column),
                         absl::StrCat("setup: line ", in_line, ":", parts[3],
                                      " (student ", student_, ")")});
  }
}

// "question q: what" and "goal g: what" name their check.
void Linter::ComplainOfCheck(const absl::Status& status) {
  const absl::string_view text = status.message();
  std::string path = exercise_.predicts() ? "questions" : "goals";
  for (int i = 0; i < proto_.questions_size(); ++i) {
    const auto head = absl::StrCat("question ", proto_.questions(i).id(), ": ");
    if (absl::StartsWith(text, head)) path = absl::StrCat("questions[", i, "]");
  }
  for (int i = 0; i < proto_.goals_size(); ++i) {
    const auto head = absl::StrCat("goal ", proto_.goals(i).id(), ": ");
    if (absl::StartsWith(text, head)) path = absl::StrCat("goals[", i, "]");
  }
  Complain(path, text);
}

void Linter::TryQuestions(const Drawn& drawn, const Stage& stage) {
  const Case c{exercise_, drawn, "lint", InFiles("lint", "lint")};
  const auto solution = Solve(exercise_, drawn.values, *stage.trial);
  if (!solution.ok()) {
    return ComplainOfCheck(solution.status());
  }
  const auto full = GradeAnswers(c, *stage.trial, *solution);
  if (!full.ok()) {
    return ComplainOfCheck(full.status());
  }
  for (int i = 0; i < full->checks_size(); ++i) {
    const std::string path = absl::StrCat("questions[", i, "]");
    const v1::GradedCheck& check = full->checks(i);
    if (check.status() != v1::CHECK_STATUS_PASSED) {
      Complain(path + ".answer",
               absl::StrCat("its own answer, '", check.expected(),
                            "', is not taken for right: ", check.message()));
    }
    const TrialScope scope(*stage.trial, drawn.values);
    TryMisconceptions(path, proto_.questions(i), scope);
  }
}

void Linter::TryMisconceptions(const std::string& path,
                               const v1::Question& question,
                               const TrialScope& scope) {
  const auto right = Evaluate(question.answer(), scope);
  for (int i = 0; i < question.misconceptions_size(); ++i) {
    const v1::Misconception& wrong = question.misconceptions(i);
    const std::string inner = absl::StrCat(path, ".misconceptions[", i, "]");
    const auto value = Evaluate(wrong.answer(), scope);
    const auto note = Fill(wrong.note(), scope);
    if (!value.ok()) {
      Complain(inner, std::string(value.status().message()));
    } else if (!note.ok()) {
      Complain(inner, std::string(note.status().message()));
    } else if (const std::string type =
                   CheckAnswerType(question.type(), *value);
               !type.empty()) {
      Complain(inner, absl::StrCat("`", wrong.answer(), "`: ", type));
    } else {
      right_[inner] +=
          Judge(question, *right, ToAnswer(question, *value)).fraction >= 1;
    }
  }
}

v1::GradeReport Linter::Grade(const Drawn& drawn, const std::string& path,
                              const std::string& scenario,
                              std::string* stopped) {
  const absl::StatusOr<Stage> stage = SetUp(proto_, drawn.values);
  const auto text = Fill(scenario, VariableScope(drawn.values));
  v1::GradeReport none;
  if (!stage.ok() || !text.ok()) {
    Complain(path, std::string(stage.ok() ? text.status().message()
                                          : stage.status().message()));
    return none;
  }
  const absl::Status performed = Perform(proto_, path, *text, *stage);
  if (absl::IsInvalidArgument(performed)) {
    Complain(path, std::string(performed.message()));
    return none;
  }
  *stopped = std::string(performed.message());
  const Case c{exercise_, drawn, "lint", InFiles("lint", "lint")};
  const auto report = GradeTrial(c, *stage->trial, *stopped);
  if (report.ok()) return *report;
  ComplainOfCheck(report.status());
  return none;
}

void Linter::TryGoals(const Drawn& drawn) {
  std::string stopped;
  const v1::GradeReport full =
      Grade(drawn, "solution", proto_.solution(), &stopped);
  for (int i = 0; i < full.checks_size(); ++i) {
    const v1::GradedCheck& check = full.checks(i);
    if (check.status() == v1::CHECK_STATUS_PASSED) continue;
    Complain("solution", absl::StrCat("it does not achieve '", check.id(),
                                      "': ", check.actual(),
                                      stopped.empty() ? "" : "; ", stopped));
  }
  if (HasErrors(problems_)) return;
  const v1::GradeReport empty = Grade(drawn, "goals", "", &stopped);
  for (int i = 0; i < empty.checks_size(); ++i) {
    if (empty.checks(i).points() == 0) continue;
    Complain(absl::StrCat("goals[", i, "]"),
             "it is achieved before the student has done anything: ask for "
             "more, or change the set-up");
  }
  for (int i = 0; i < proto_.wrong_size(); ++i) {
    const std::string path = absl::StrCat("wrong[", i, "].scenario");
    const v1::GradeReport wrong =
        Grade(drawn, path, proto_.wrong(i).scenario(), &stopped);
    if (wrong.checks_size() > 0 && IsFull(wrong)) {
      Complain(path,
               "it gets all points: the goals do not tell it from the "
               "solution");
    }
  }
}

void Linter::WarnOfMisconceptions(int seeds) {
  for (const auto& [path, times] : right_) {
    if (times == 0) continue;
    problems_.push_back(
        {exercise_.source.Of(path),
         absl::StrCat(path, ": in ", times, " of ", seeds,
                      " variants this is the right answer: exclude them with "
                      "`require`"),
         /*warning=*/true});
  }
}

}  // namespace

Problems LintVariants(const Exercise& exercise, int seeds,
                      const KeepOn& keep_on) {
  return Linter(exercise).Run(seeds, keep_on);
}

}  // namespace faultline::grading
