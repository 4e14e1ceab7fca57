// JUnit XML: the subset that CI systems have in common, as
// https://github.com/testmoapp/junitxml writes it down.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/codec/utf8.h"
#include "server/grading/export.h"

namespace faultline::grading {
namespace {

std::string Attribute(absl::string_view name, const std::string& value) {
  return absl::StrCat(" ", name, "=\"", XmlText(value), "\"");
}

std::string Property(absl::string_view name, const std::string& value) {
  return absl::StrCat("      <property name=\"", name, "\"",
                      Attribute("value", value), "/>\n");
}

std::string Properties(const v1::GradeReport& report) {
  std::string text = "    <properties>\n";
  absl::StrAppend(&text, Property("student", report.student()),
                  Property("submission", report.submission()),
                  Property("seed", absl::StrFormat("%016x", report.seed())),
                  Property("exercise_sha256", report.exercise_sha256()));
  if (!report.redacted()) {
    absl::StrAppend(&text, Property("score", PointsText(report.score())),
                    Property("score_max", PointsText(report.score_max())));
  }
  return text + "    </properties>\n";
}

std::string FailureText(const v1::GradedCheck& check) {
  std::string text;
  const auto add = [&text](absl::string_view label, const std::string& value) {
    if (!value.empty()) absl::StrAppend(&text, "\n", label, value);
  };
  add("yours: ", check.actual());
  add("expected: ", check.expected());
  add("", check.explanation());
  add("decided by: ", check.deciding_event());
  add("see: ", check.evidence());
  return text;
}

std::string Testcase(const v1::GradeReport& report,
                     const v1::GradedCheck& check) {
  const std::string head =
      absl::StrCat("    <testcase", Attribute("name", check.id()),
                   Attribute("classname", report.exercise()));
  if (check.status() == v1::CHECK_STATUS_PASSED) {
    return absl::StrCat(head, "/>\n");
  }
  const std::string points =
      absl::StrCat(PointsText(check.points()), " of ",
                   PointsText(check.points_max()), " points");
  return absl::StrCat(
      head, ">\n      <failure",
      Attribute("message", absl::StrCat(points, ": ", check.message())),
      Attribute("type", check.tags_size() > 0 ? check.tags(0) : "wrong"), ">",
      XmlText(absl::StrCat(check.title(), FailureText(check))),
      "</failure>\n    </testcase>\n");
}

// What cannot be graded has one testcase, which says why.
std::string NotGradableCase(const v1::GradeReport& report) {
  return absl::StrCat("    <testcase", Attribute("name", "submission"),
                      Attribute("classname", report.exercise()),
                      ">\n      <error", Attribute("message", report.message()),
                      " type=\"not gradable\"/>\n    </testcase>\n");
}

}  // namespace

std::string XmlText(const std::string& text) {
  std::string xml;
  for (const char c : ToUtf8(text)) {
    const auto u = static_cast<unsigned char>(c);
    switch (c) {
      case '&':
        xml += "&amp;";
        break;
      case '<':
        xml += "&lt;";
        break;
      case '>':
        xml += "&gt;";
        break;
      case '"':
        xml += "&quot;";
        break;
      case '\n':
        xml += "&#10;";
        break;
      case '\t':
        xml += "&#9;";
        break;
      default:
        // XML 1.0 has no way to write other control characters.
        if (u >= 0x20 && u != 0x7f) xml += c;
    }
  }
  return xml;
}

std::string ToJunit(const v1::GradeReport& report) {
  int failures = 0, errors = 0;
  std::string cases;
  for (const v1::GradedCheck& check : report.checks()) {
    failures += check.status() != v1::CHECK_STATUS_PASSED;
    absl::StrAppend(&cases, Testcase(report, check));
  }
  int tests = report.checks_size();
  if (report.status() == v1::REPORT_STATUS_NOT_GRADABLE) {
    cases = NotGradableCase(report);
    tests = errors = 1;
    failures = 0;
  }
  const std::string counts =
      absl::StrCat(" tests=\"", tests, "\" failures=\"", failures,
                   "\" errors=\"", errors, "\" skipped=\"0\"");
  std::string output;
  if (!report.message().empty() && errors == 0) {
    output = absl::StrCat("    <system-out>", XmlText(report.message()),
                          "</system-out>\n");
  }
  return absl::StrCat("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
                      "<testsuites", Attribute("name", "faultline"), counts,
                      ">\n  <testsuite", Attribute("name", report.exercise()),
                      counts, ">\n", Properties(report), cases, output,
                      "  </testsuite>\n</testsuites>\n");
}

}  // namespace faultline::grading
