#include "server/commands/grade_list.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "client/cli/context.h"
#include "server/grading/grade.h"

namespace faultline {
namespace {

using grading::PointsText;

// "exercises/cow/attempts/a7f" of its grade 1.
std::string AttemptOf(const v1::Grade& grade) {
  return grade.name().substr(0, grade.name().rfind("/grades/"));
}

// "cow/a7f", as the command line takes it.
std::string ShortAttempt(const v1::Grade& grade) {
  const std::string name = AttemptOf(grade);
  return absl::StrReplaceAll(absl::StripPrefix(name, "exercises/"),
                             {{"/attempts/", "/"}});
}

// What orders grades: the score, or what is shown of it.
double PointsOf(const v1::GradeReport& report) {
  if (!report.redacted()) return report.score();
  double points = 0;
  for (const v1::GradedCheck& check : report.checks()) points += check.points();
  return points;
}

std::string ScoreText(const v1::GradeReport& report) {
  if (report.redacted()) return "-";
  return absl::StrCat(PointsText(report.score()), "/",
                      PointsText(report.score_max()));
}

// What points were lost for.
std::string LostText(const v1::GradeReport& report) {
  if (report.status() == v1::REPORT_STATUS_NOT_GRADABLE) {
    return absl::StrCat("not gradable: ", grading::OneLine(report.message()));
  }
  std::vector<std::string> lost;
  for (const v1::GradedCheck& check : report.checks()) {
    if (check.status() == v1::CHECK_STATUS_PASSED) continue;
    lost.push_back(absl::StrCat(check.id(), " ", PointsText(check.points()),
                                "/", PointsText(check.points_max())));
  }
  return absl::StrJoin(lost, ", ");
}

// --- CSV

std::string Quoted(absl::string_view text) {
  if (text.find_first_of("\",\r\n") == absl::string_view::npos) {
    return std::string(text);
  }
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

std::string TextCell(absl::string_view text) {
  constexpr absl::string_view kComputed = "=+-@\t\r";
  const bool computed =
      !text.empty() && kComputed.find(text[0]) != absl::string_view::npos;
  return Quoted(computed ? absl::StrCat("'", text) : std::string(text));
}

const char* StatusName(v1::ReportStatus status) {
  return status == v1::REPORT_STATUS_GRADED ? "graded" : "not gradable";
}

std::string TimeCell(const v1::Grade& grade) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ",
                          absl::FromUnixSeconds(grade.create_time().seconds()),
                          absl::UTCTimeZone());
}

// The ids of all checks, in the order in which they are met.
std::vector<std::string> CheckIds(const std::vector<v1::Grade>& grades) {
  std::vector<std::string> ids;
  std::set<std::string> known;
  for (const v1::Grade& grade : grades) {
    for (const v1::GradedCheck& check : grade.report().checks()) {
      if (known.insert(check.id()).second) ids.push_back(check.id());
    }
  }
  return ids;
}

std::string CsvRow(const v1::Grade& grade,
                   const std::vector<std::string>& ids) {
  const v1::GradeReport& report = grade.report();
  std::map<std::string, std::string> points;
  for (const v1::GradedCheck& check : report.checks()) {
    points[check.id()] = PointsText(check.points());
  }
  const bool shown = !report.redacted();
  std::vector<std::string> cells = {
      TextCell(report.student()),
      TextCell(ShortAttempt(grade)),
      TimeCell(grade),
      StatusName(report.status()),
      shown ? PointsText(report.score()) : "",
      shown ? PointsText(report.score_max()) : ""};
  for (const std::string& id : ids) cells.push_back(points[id]);
  cells.push_back(TextCell(report.submission()));
  cells.push_back(report.exercise_sha256());
  return absl::StrCat(absl::StrJoin(cells, ","), "\n");
}

}  // namespace

std::vector<v1::Grade> Select(const std::vector<v1::Grade>& grades, Per per) {
  if (per == Per::kGrade) return grades;
  std::map<std::string, size_t> last;  // of an attempt
  for (size_t i = 0; i < grades.size(); ++i) last[AttemptOf(grades[i])] = i;
  std::set<size_t> chosen;
  std::map<std::string, size_t> best;  // of a student
  for (size_t i = 0; i < grades.size(); ++i) {
    if (last[AttemptOf(grades[i])] != i) continue;
    chosen.insert(i);
    if (per != Per::kStudent) continue;
    const v1::GradeReport& report = grades[i].report();
    const auto [other, first] = best.emplace(report.student(), i);
    if (first) continue;
    const bool better =
        PointsOf(report) > PointsOf(grades[other->second].report());
    chosen.erase(better ? other->second : i);
    if (better) other->second = i;
  }
  std::vector<v1::Grade> selected;
  for (const size_t i : chosen) selected.push_back(grades[i]);
  return selected;
}

std::string ToTable(const std::vector<v1::Grade>& grades) {
  size_t student = 7, attempt = 7, score = 5;
  std::set<std::string> students;
  for (const v1::Grade& grade : grades) {
    students.insert(grade.report().student());
    student = std::max(student, grade.report().student().size());
    attempt = std::max(attempt, ShortAttempt(grade).size());
    score = std::max(score, ScoreText(grade.report()).size());
  }
  const auto line = [&](const std::string& who, const std::string& of,
                        const std::string& points, const std::string& when,
                        const std::string& lost) {
    std::string text =
        absl::StrFormat("%-*s  %-*s  %*s  %-19s  %s", student, who, attempt, of,
                        score, points, when, lost);
    text.resize(text.find_last_not_of(' ') + 1);
    return text + "\n";
  };
  std::string text = line("student", "attempt", "score", "graded", "lost");
  for (const v1::Grade& grade : grades) {
    absl::StrAppend(&text, line(grade.report().student(), ShortAttempt(grade),
                                ScoreText(grade.report()),
                                cli::TimeText(grade.create_time()),
                                LostText(grade.report())));
  }
  return absl::StrCat(
      text, grades.size(), grades.size() == 1 ? " grade" : " grades", " of ",
      students.size(), students.size() == 1 ? " student\n" : " students\n");
}

std::string ToCsv(const std::vector<v1::Grade>& grades) {
  const std::vector<std::string> ids = CheckIds(grades);
  std::string csv = "student,attempt,graded,status,score,score_max";
  for (const std::string& id : ids) absl::StrAppend(&csv, ",check.", id);
  absl::StrAppend(&csv, ",submission,exercise_sha256\n");
  for (const v1::Grade& grade : grades) {
    absl::StrAppend(&csv, CsvRow(grade, ids));
  }
  return csv;
}

std::string ToJson(const std::vector<v1::Grade>& grades) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::vector<std::string> objects;
  for (const v1::Grade& grade : grades) {
    const auto status = google::protobuf::util::MessageToJsonString(
        grade, &objects.emplace_back(), options);
    // Every Grade has a JSON form: it holds no Any.
    if (!status.ok()) objects.back() = "null";
  }
  return absl::StrCat("[", objects.empty() ? "" : "\n",
                      absl::StrJoin(objects, ",\n"),
                      objects.empty() ? "" : "\n", "]\n");
}

}  // namespace faultline
