// Reports and variants for people.
#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/codec/utf8.h"
#include "server/grading/answer.h"
#include "server/grading/export.h"
#include "server/grading/variant.h"

namespace faultline::grading {
namespace {

constexpr char kIndent[] = "              ";
constexpr size_t kWidth = 80;

// Without what a terminal would take for a command: reports quote students.
std::string Printable(absl::string_view text) {
  std::string printable = ToUtf8(text);
  for (char& c : printable) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c)) && c != '\n') {
      c = c == '\t' ? ' ' : '?';
    }
  }
  return printable;
}

// Each line of `raw` after `prefix`; the second and later ones after blanks.
std::string Block(absl::string_view prefix, absl::string_view raw) {
  const std::string text = Printable(raw);
  std::string block;
  std::string margin(prefix);
  for (absl::string_view line :
       absl::StrSplit(absl::StripTrailingAsciiWhitespace(text), '\n')) {
    absl::StrAppend(&block, margin, line, "\n");
    std::fill(margin.begin(), margin.end(), ' ');
  }
  return block;
}

// The words of `text` after `prefix`, in lines of at most kWidth columns.
std::string Prose(absl::string_view prefix, absl::string_view text) {
  std::string lines;
  size_t column = prefix.size();
  for (absl::string_view word :
       absl::StrSplit(text, absl::ByAnyChar(" \t\n"), absl::SkipEmpty())) {
    const bool wraps = !lines.empty() && column + 1 + word.size() > kWidth;
    if (wraps) column = prefix.size();
    absl::StrAppend(&lines, lines.empty() ? "" : wraps ? "\n" : " ", word);
    column += word.size() + 1;
  }
  return Block(prefix, lines);
}

std::string Label(absl::string_view label) {
  return absl::StrFormat("%s%-10s", kIndent, label);
}
std::string LabelledBlock(absl::string_view label, absl::string_view text) {
  return text.empty() ? "" : Block(Label(label), text);
}
std::string LabelledProse(absl::string_view label, absl::string_view text) {
  return text.empty() ? "" : Prose(Label(label), text);
}

const char* WordOf(v1::CheckStatus status) {
  switch (status) {
    case v1::CHECK_STATUS_PASSED:
      return "passed";
    case v1::CHECK_STATUS_PARTIAL:
      return "partly";
    default:
      return "failed";
  }
}

std::string CheckText(const v1::GradedCheck& check) {
  std::string text =
      Prose(absl::StrFormat("%-6s %7s  ", WordOf(check.status()),
                            absl::StrCat(PointsText(check.points()), "/",
                                         PointsText(check.points_max()))),
            absl::StrCat(check.id(), ": ", check.title(),
                         check.hidden() ? " (hidden)" : ""));
  absl::StrAppend(&text, LabelledBlock("yours", check.actual()));
  if (check.status() != v1::CHECK_STATUS_PASSED) {
    absl::StrAppend(&text, LabelledBlock("right", check.expected()),
                    LabelledProse("but", check.message()),
                    LabelledProse("shows", absl::StrJoin(check.tags(), ", ")),
                    LabelledProse("because", check.explanation()),
                    LabelledProse("decided", check.deciding_event()));
  }
  return absl::StrCat(text, LabelledBlock("see", check.evidence()),
                      LabelledProse("staff", check.staff_message()));
}

std::string Head(absl::string_view exercise, absl::string_view title,
                 absl::string_view student, uint64_t seed) {
  return absl::StrFormat("%s: %s\nstudent %s, variant %016x\n", exercise, title,
                         student, seed);
}

std::string PointsNote(double points) {
  return points > 0 ? absl::StrCat(" (", PointsText(points), ")") : "";
}

std::string QuestionText(const v1::VariantQuestion& question) {
  v1::Question form;
  form.set_type(question.type());
  *form.mutable_choices() = question.choices();
  std::string text =
      Prose(absl::StrFormat("  %-11s ", question.id()),
            absl::StrCat(question.text(), PointsNote(question.points())));
  const bool obvious = question.type() == v1::ANSWER_TYPE_UNSPECIFIED ||
                       question.type() == v1::ANSWER_TYPE_NUMBER;
  if (!obvious) {
    absl::StrAppend(
        &text, Prose(kIndent, absl::StrCat("Answer with ", FormOf(form), ".")));
  }
  return text;
}

// A YAML value: a block when it has lines, else in quotes, which are those of
// JSON.
std::string YamlValue(const std::string& answer) {
  if (answer.find('\n') != std::string::npos) {
    std::string block = "|";
    for (absl::string_view line :
         absl::StrSplit(absl::StripTrailingAsciiWhitespace(answer), '\n')) {
      absl::StrAppend(&block, "\n    ",
                      absl::StripTrailingAsciiWhitespace(line));
    }
    return block;
  }
  return answer.empty() ? "" : JsonText(answer);
}

}  // namespace

std::string ToText(const v1::GradeReport& report) {
  std::string text = absl::StrCat(
      Head(report.exercise(), report.title(), report.student(), report.seed()),
      "submission ", report.submission(), "\n\n");
  if (!report.message().empty()) {
    absl::StrAppend(&text, Block("", report.message()), "\n");
  }
  for (const v1::GradedCheck& check : report.checks()) {
    absl::StrAppend(&text, CheckText(check));
  }
  if (report.checks_size() > 0) absl::StrAppend(&text, "\n");
  if (report.redacted()) {
    return absl::StrCat(text, "Not all checks are shown, and no score.\n");
  }
  return absl::StrCat(text, "score ", PointsText(report.score()), " of ",
                      PointsText(report.score_max()), "\n");
}

std::string ToText(const v1::Variant& variant) {
  std::string text = absl::StrCat(
      Head(variant.exercise(), variant.title(), variant.student(),
           variant.seed()),
      "\n", absl::StripTrailingAsciiWhitespace(variant.text()), "\n");
  if (!variant.setup().empty()) {
    absl::StrAppend(&text, "\n",
                    variant.goals_size() > 0 ? "What has happened already:\n"
                                             : "The program:\n",
                    Block("  ", variant.setup()));
  }
  if (variant.questions_size() > 0) absl::StrAppend(&text, "\nQuestions:\n");
  for (const v1::VariantQuestion& question : variant.questions()) {
    absl::StrAppend(&text, QuestionText(question));
  }
  if (variant.goals_size() > 0) absl::StrAppend(&text, "\nGoals:\n");
  for (const v1::VariantGoal& goal : variant.goals()) {
    absl::StrAppend(
        &text, Prose(absl::StrFormat("  %-11s ", goal.id()),
                     absl::StrCat(goal.text(), PointsNote(goal.points()))));
  }
  const std::string rules = ToText(variant.rules());
  if (!rules.empty()) {
    absl::StrAppend(&text, "\nRules:\n", Block("  ", rules));
  }
  return text;
}

std::string ToSheet(const v1::Variant& variant, const Answers& answers) {
  std::string sheet =
      absl::StrCat("exercise: ", variant.exercise(),
                   "\nstudent: ", JsonText(variant.student()), "\nanswers:\n");
  for (const v1::VariantQuestion& question : variant.questions()) {
    const auto answer = answers.find(question.id());
    const std::string value =
        YamlValue(answer == answers.end() ? "" : answer->second);
    absl::StrAppend(&sheet, "  ", question.id(), ":", value.empty() ? "" : " ",
                    value, "\n");
  }
  return sheet;
}

}  // namespace faultline::grading
