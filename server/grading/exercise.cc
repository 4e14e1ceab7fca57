#include "server/grading/exercise.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "faultline/v1/command.pb.h"
#include "google/protobuf/descriptor.h"
#include "server/grading/draw.h"
#include "server/grading/exercise_check.h"
#include "server/grading/template.h"
#include "server/limits.h"
#include "server/scenario/suggest.h"

namespace faultline::grading {
namespace {

using Visit = std::function<void(const Expression&)>;

void VisitTree(const Expression& expression, const Visit& visit) {
  visit(expression);
  for (const Expression& operand : expression.operands) {
    VisitTree(operand, visit);
  }
}

void VisitText(absl::string_view text, const Visit& visit) {
  const auto expression = ParseExpression(text);
  if (expression.ok()) VisitTree(*expression, visit);
}

void VisitTemplate(absl::string_view text, const Visit& visit) {
  const auto parts = ParseTemplate(text);
  if (!parts.ok()) return;
  for (const TemplatePart& part : *parts) {
    if (part.has_value) VisitTree(part.expression, visit);
  }
}

void VisitQuestion(const v1::Question& question, const Visit& visit) {
  VisitText(question.answer(), visit);
  VisitTemplate(question.explanation(), visit);
  for (const v1::Misconception& wrong : question.misconceptions()) {
    VisitText(wrong.answer(), visit);
    VisitTemplate(wrong.note(), visit);
  }
}

void VisitGoal(const v1::Goal& goal, const Visit& visit) {
  VisitText(goal.state(), visit);
  VisitText(goal.event().where(), visit);
  VisitText(goal.event().at_least(), visit);
  VisitText(goal.event().at_most(), visit);
  for (const v1::EventPattern& pattern : goal.sequence()) {
    VisitText(pattern.where(), visit);
  }
  VisitTemplate(goal.text(), visit);
  VisitTemplate(goal.hint(), visit);
}

bool TooLong(absl::string_view yaml, Problems* problems) {
  if (yaml.size() <= limits::kExerciseBytesMax) return false;
  problems->push_back(
      {Mark(), absl::StrCat("the file has ", yaml.size(), " bytes: at most ",
                            limits::kExerciseBytesMax)});
  return true;
}

}  // namespace

Exercise ReadExercise(absl::string_view yaml, Problems* problems) {
  Exercise exercise;
  exercise.sha256 = Sha256Hex(yaml);
  if (TooLong(yaml, problems)) return exercise;
  ReadYaml(yaml, &exercise.proto, &exercise.source, problems);
  if (!HasErrors(*problems)) {
    CheckExercise(exercise.proto, exercise.source, problems);
  }
  return exercise;
}

absl::StatusOr<Exercise> ReadExercise(absl::string_view file,
                                      absl::string_view yaml) {
  Problems problems;
  Exercise exercise = ReadExercise(yaml, &problems);
  if (HasErrors(problems)) return ToStatus(file, std::move(problems));
  return exercise;
}

absl::StatusOr<v1::Submission> ReadSubmission(absl::string_view file,
                                              absl::string_view yaml,
                                              const v1::Exercise& exercise) {
  v1::Submission submission;
  SourceMap source;
  Problems problems;
  if (!TooLong(yaml, &problems)) {
    ReadYaml(yaml, &submission, &source, &problems);
  }
  if (!submission.exercise().empty() &&
      submission.exercise() != exercise.id()) {
    problems.push_back(
        {source.Of("exercise"),
         absl::StrCat("these are answers to '", submission.exercise(),
                      "', not to '", exercise.id(), "'")});
  }
  for (const auto& [question, answer] : submission.answers()) {
    const std::string path = absl::StrCat("answers.", question);
    const absl::Status known = CheckQuestion(exercise, question);
    if (!known.ok()) {
      problems.push_back({source.Of(path), std::string(known.message())});
    }
    if (answer.size() > limits::kAnswerBytesMax) {
      problems.push_back(
          {source.Of(path),
           absl::StrCat("the answer has ", answer.size(), " bytes: at most ",
                        limits::kAnswerBytesMax)});
    }
  }
  if (HasErrors(problems)) return ToStatus(file, std::move(problems));
  return submission;
}

absl::Status CheckQuestion(const v1::Exercise& exercise,
                           const std::string& question) {
  std::vector<std::string> ids;
  for (const v1::Question& known : exercise.questions()) {
    if (known.id() == question) return absl::OkStatus();
    ids.push_back(known.id());
  }
  return absl::InvalidArgumentError(
      absl::StrCat("there is no question '", question, "'",
                   scenario::DidYouMean(question, ids)));
}

double PointsOf(const v1::Question& question) {
  return question.has_points() ? question.points() : 1;
}

double PointsOf(const v1::Goal& goal) {
  return goal.has_points() ? goal.points() : 1;
}

void ForEachExpression(const v1::Exercise& exercise, const Visit& visit) {
  for (const v1::Question& question : exercise.questions()) {
    VisitQuestion(question, visit);
  }
  for (const v1::Goal& goal : exercise.goals()) VisitGoal(goal, visit);
  if (exercise.goals_size() > 0) VisitTemplate(exercise.text(), visit);
}

std::set<std::string> MomentsOf(const v1::Exercise& exercise) {
  std::set<std::string> moments;
  ForEachExpression(exercise, [&](const Expression& e) {
    const bool at = e.kind == Expression::Kind::kCall && e.name == "at" &&
                    !e.operands.empty() &&
                    e.operands[0].kind == Expression::Kind::kName;
    if (at) moments.insert(e.operands[0].name);
  });
  return moments;
}

const std::vector<std::string>& CommandNames() {
  static const auto& names = *new std::vector<std::string>([] {
    std::vector<std::string> found;
    const auto* ops = v1::Command::descriptor()->FindOneofByName("op");
    for (int i = 0; i < ops->field_count(); ++i) {
      found.push_back(ops->field(i)->name());
    }
    return found;
  }());
  return names;
}

bool IsWord(absl::string_view text, absl::string_view more) {
  const auto letter = [](char c) {
    return absl::ascii_isalpha(static_cast<unsigned char>(c));
  };
  return !text.empty() && letter(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  more.find(c) != absl::string_view::npos;
         });
}

absl::Status CheckStudent(absl::string_view student) {
  const bool good = !student.empty() &&
                    student.size() <= limits::kStudentBytesMax &&
                    std::all_of(student.begin(), student.end(), [](char c) {
                      return absl::ascii_isgraph(static_cast<unsigned char>(c));
                    });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "a student is named by 1 to ", limits::kStudentBytesMax,
      " printable ASCII characters without spaces, for example an address"));
}

}  // namespace faultline::grading
