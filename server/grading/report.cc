#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/grading/draw.h"
#include "server/grading/grade.h"

namespace faultline::grading {
namespace {

// Sums of fractions such as thirds.
constexpr double kEpsilon = 1e-9;

v1::CheckStatus StatusOf(const v1::GradedCheck& check) {
  if (check.points() >= check.points_max() - kEpsilon) {
    return v1::CHECK_STATUS_PASSED;
  }
  return check.points() > kEpsilon ? v1::CHECK_STATUS_PARTIAL
                                   : v1::CHECK_STATUS_FAILED;
}

}  // namespace

v1::GradeReport StartReport(const Case& c) {
  const v1::Exercise& exercise = c.exercise.proto;
  v1::GradeReport report;
  report.set_exercise(exercise.id());
  report.set_title(exercise.title());
  report.set_student(c.drawn.student);
  report.set_seed(c.drawn.seed);
  *report.mutable_variables() = ToProto(exercise, c.drawn.values);
  report.set_submission(c.submission);
  report.set_exercise_sha256(c.exercise.sha256);
  report.set_status(v1::REPORT_STATUS_GRADED);
  return report;
}

v1::GradeReport NotGradable(const Case& c, absl::string_view why) {
  v1::GradeReport report = StartReport(c);
  report.set_status(v1::REPORT_STATUS_NOT_GRADABLE);
  report.set_message(std::string(why));
  double points = 0;
  for (const v1::Question& q : c.exercise.proto.questions()) {
    points += PointsOf(q);
  }
  for (const v1::Goal& goal : c.exercise.proto.goals()) {
    points += PointsOf(goal);
  }
  report.set_score_max(points);
  return report;
}

void Finish(v1::GradeReport* report) {
  double score = 0, score_max = 0;
  for (v1::GradedCheck& check : *report->mutable_checks()) {
    check.set_status(StatusOf(check));
    score += check.points();
    score_max += check.points_max();
  }
  report->set_score(score);
  report->set_score_max(score_max);
}

void RedactHidden(v1::GradeReport* report) {
  bool any = false;
  auto* checks = report->mutable_checks();
  for (int i = 0; i < checks->size();) {
    v1::GradedCheck& check = *checks->Mutable(i);
    check.clear_staff_message();
    if (check.hidden()) {
      any = true;
      checks->DeleteSubrange(i, 1);
    } else {
      ++i;
    }
  }
  if (!any) return;
  report->set_redacted(true);
  report->clear_score();
  report->clear_score_max();
}

void RedactAnswers(v1::GradeReport* report) {
  // What the text does not show of them may be what is asked.
  report->clear_variables();
  for (v1::GradedCheck& check : *report->mutable_checks()) {
    check.clear_staff_message();
    check.clear_expected();
    check.clear_explanation();
    check.clear_deciding_event();
    check.clear_evidence();
  }
}

bool IsFull(const v1::GradeReport& report) {
  return report.status() == v1::REPORT_STATUS_GRADED &&
         report.score() >= report.score_max() - kEpsilon;
}

std::string OneLine(absl::string_view text) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(text, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty());
  return absl::StrJoin(words, " ");
}

std::string PointsText(double points) {
  const std::string text = absl::StrFormat("%.2f", points);
  absl::string_view shorter = text;
  while (absl::ConsumeSuffix(&shorter, "0")) {
  }
  absl::ConsumeSuffix(&shorter, ".");
  return std::string(shorter);
}

}  // namespace faultline::grading
