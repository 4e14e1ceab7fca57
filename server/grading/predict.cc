// Grading answers to questions.
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/codec/status_macros.h"
#include "server/grading/answer.h"
#include "server/grading/facts.h"
#include "server/grading/grade.h"
#include "server/grading/template.h"

namespace faultline::grading {
namespace {

absl::Status InQuestion(const v1::Question& question,
                        const absl::Status& status) {
  return absl::InvalidArgumentError(
      absl::StrCat("question ", question.id(), ": ", status.message()));
}

// What is right, of the type that the question asks for.
absl::StatusOr<Value> RightValue(const v1::Question& question,
                                 const std::string& expression,
                                 const Scope& scope) {
  absl::StatusOr<Value> value = Evaluate(expression, scope);
  if (!value.ok()) return InQuestion(question, value.status());
  const std::string wrong = CheckAnswerType(question.type(), *value);
  if (wrong.empty()) return value;
  return InQuestion(question, absl::InvalidArgumentError(
                                  absl::StrCat("`", expression, "`: ", wrong)));
}

// Tells what a wrong answer shows.
absl::Status AddMisconceptions(const v1::Question& question, const Value& right,
                               const std::string& given, const Scope& scope,
                               v1::GradedCheck* check) {
  for (const v1::Misconception& wrong : question.misconceptions()) {
    FL_ASSIGN_OR_RETURN(const Value value,
                        RightValue(question, wrong.answer(), scope));
    if (value == right || Judge(question, value, given).fraction < 1) continue;
    check->add_tags(wrong.tag());
    absl::StatusOr<std::string> note = Fill(wrong.note(), scope);
    if (!note.ok()) return InQuestion(question, note.status());
    check->set_message(absl::StrCat(check->message(),
                                    check->message().empty() ? "" : " ",
                                    absl::StripAsciiWhitespace(*note)));
  }
  return absl::OkStatus();
}

std::string MessageOf(const Judgement& judgement) {
  if (!judgement.unreadable.empty()) return judgement.unreadable;
  if (judgement.fraction >= 1) return "right";
  return judgement.parts;
}

absl::Status JudgeAnswer(const v1::Question& question, const Value& right,
                         const std::string& given, const TrialScope& scope,
                         v1::GradedCheck* check, Judgement* judgement) {
  check->set_actual(given);
  if (absl::StripAsciiWhitespace(given).empty()) {
    check->set_message("no answer was given");
    return absl::OkStatus();
  }
  *judgement = Judge(question, right, given);
  check->set_points(judgement->fraction * PointsOf(question));
  check->set_message(MessageOf(*judgement));
  if (judgement->fraction >= 1) return absl::OkStatus();
  FL_RETURN_IF_ERROR(AddMisconceptions(question, right, given, scope, check));
  if (check->message().empty()) check->set_message("not right");
  return absl::OkStatus();
}

absl::StatusOr<v1::GradedCheck> GradeQuestion(const Case& c, const Trial& trial,
                                              const v1::Question& question,
                                              const std::string& given) {
  TrialScope scope(trial, c.drawn.values);
  FL_ASSIGN_OR_RETURN(const Value right,
                      RightValue(question, question.answer(), scope));
  const Trace trace = scope.trace();
  v1::GradedCheck check;
  check.set_id(question.id());
  check.set_hidden(question.hidden());
  check.set_points_max(PointsOf(question));
  FL_ASSIGN_OR_RETURN(const std::string title,
                      Fill(question.text(), VariableScope(c.drawn.values)));
  check.set_title(OneLine(title));
  check.set_expected(ToAnswer(question, right));
  check.set_staff_message(
      absl::StrCat("`", question.answer(), "` is ", check.expected()));
  absl::StatusOr<std::string> explanation = Fill(question.explanation(), scope);
  if (!explanation.ok()) return InQuestion(question, explanation.status());
  check.set_explanation(std::string(absl::StripAsciiWhitespace(*explanation)));
  Judgement judgement;
  FL_RETURN_IF_ERROR(
      JudgeAnswer(question, right, given, scope, &check, &judgement));
  const Decision decision = Decide(trial, trace, judgement.number, c.where);
  check.set_deciding_event(decision.event);
  check.set_evidence(decision.evidence);
  return check;
}

}  // namespace

absl::StatusOr<v1::GradeReport> GradeAnswers(const Case& c, const Trial& trial,
                                             const Answers& answers) {
  v1::GradeReport report = StartReport(c);
  for (const v1::Question& question : c.exercise.proto.questions()) {
    const auto given = answers.find(question.id());
    FL_ASSIGN_OR_RETURN(
        *report.add_checks(),
        GradeQuestion(c, trial, question,
                      given == answers.end() ? "" : given->second));
  }
  Finish(&report);
  return report;
}

absl::StatusOr<Answers> Solve(const Exercise& exercise, const Values& values,
                              const Trial& trial) {
  const TrialScope scope(trial, values);
  Answers answers;
  for (const v1::Question& question : exercise.proto.questions()) {
    FL_ASSIGN_OR_RETURN(const Value right,
                        RightValue(question, question.answer(), scope));
    answers[question.id()] = ToAnswer(question, right);
  }
  return answers;
}

}  // namespace faultline::grading
