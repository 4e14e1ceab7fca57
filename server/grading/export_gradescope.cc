// Gradescope's results.json:
// https://gradescope-autograders.readthedocs.io/en/latest/specs/
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/codec/utf8.h"
#include "server/grading/export.h"

namespace faultline::grading {
namespace {

// A JSON number without more digits than matter.
std::string Number(double value) { return PointsText(value); }

std::string Field(absl::string_view name, const std::string& json) {
  return absl::StrCat("\"", name, "\": ", json);
}

void AddLine(absl::string_view label, const std::string& text,
             std::vector<std::string>* lines) {
  if (!text.empty()) lines->push_back(absl::StrCat(label, text));
}

// What the student reads under the name of a check.
std::string OutputOf(const v1::GradedCheck& check) {
  std::vector<std::string> lines;
  AddLine("", check.message(), &lines);
  AddLine("Yours: ", check.actual(), &lines);
  if (check.status() != v1::CHECK_STATUS_PASSED) {
    AddLine("Expected: ", check.expected(), &lines);
    AddLine("", check.explanation(), &lines);
    AddLine("Decided by: ", check.deciding_event(), &lines);
  }
  AddLine("See: ", check.evidence(), &lines);
  return absl::StrJoin(lines, "\n");
}

std::string Tags(const v1::GradedCheck& check) {
  return absl::StrCat(
      "[",
      absl::StrJoin(check.tags(), ", ",
                    [](std::string* out, const std::string& tag) {
                      absl::StrAppend(out, JsonText(tag));
                    }),
      "]");
}

// extra_data is not shown to students.
std::string TestOf(const v1::GradedCheck& check) {
  const std::vector<std::string> fields = {
      Field("name", JsonText(absl::StrCat(check.id(), ": ", check.title()))),
      Field("number", JsonText(check.id())),
      Field("score", Number(check.points())),
      Field("max_score", Number(check.points_max())),
      Field("status", check.status() == v1::CHECK_STATUS_PASSED ? "\"passed\""
                                                                : "\"failed\""),
      Field("output", JsonText(OutputOf(check))),
      Field("tags", Tags(check)),
      Field("visibility", check.hidden() ? "\"hidden\"" : "\"visible\""),
      Field("extra_data",
            absl::StrCat("{", Field("staff", JsonText(check.staff_message())),
                         "}")),
  };
  return absl::StrCat("    {", absl::StrJoin(fields, ",\n     "), "}");
}

std::string ExtraData(const v1::GradeReport& report) {
  const std::vector<std::string> fields = {
      Field("exercise", JsonText(report.exercise())),
      Field("exercise_sha256", JsonText(report.exercise_sha256())),
      Field("student", JsonText(report.student())),
      Field("seed", JsonText(absl::StrFormat("%016x", report.seed()))),
      Field("submission", JsonText(report.submission())),
  };
  return absl::StrCat("{", absl::StrJoin(fields, ", "), "}");
}

}  // namespace

std::string JsonText(const std::string& text) {
  std::string json = "\"";
  for (const char c : ToUtf8(text)) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      absl::StrAppend(&json, "\\", std::string(1, c));
    } else if (c == '\n') {
      json += "\\n";
    } else if (c == '\t') {
      json += "\\t";
    } else if (u < 0x20 || u == 0x7f) {
      absl::StrAppendFormat(&json, "\\u%04x", u);
    } else {
      json += c;
    }
  }
  return json + "\"";
}

std::string ToGradescope(const v1::GradeReport& report) {
  std::vector<std::string> fields;
  if (!report.redacted()) {
    fields.push_back(Field("score", Number(report.score())));
  }
  fields.push_back(Field("output", JsonText(report.message())));
  fields.push_back(Field("output_format", "\"text\""));
  fields.push_back(Field("test_output_format", "\"text\""));
  fields.push_back(Field("test_name_format", "\"text\""));
  fields.push_back(Field("stdout_visibility", "\"hidden\""));
  fields.push_back(Field("extra_data", ExtraData(report)));
  std::vector<std::string> tests;
  for (const v1::GradedCheck& check : report.checks()) {
    tests.push_back(TestOf(check));
  }
  fields.push_back(Field(
      "tests", tests.empty() ? "[]"
                             : absl::StrCat("[\n", absl::StrJoin(tests, ",\n"),
                                            "\n  ]")));
  return absl::StrCat("{\n  ", absl::StrJoin(fields, ",\n  "), "\n}\n");
}

}  // namespace faultline::grading
