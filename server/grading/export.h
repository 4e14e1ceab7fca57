// A report in the formats that others read. Pure functions: what a caller may
// see was decided before, by RedactHidden and RedactAnswers.
#ifndef FAULTLINE_SERVER_GRADING_EXPORT_H_
#define FAULTLINE_SERVER_GRADING_EXPORT_H_

#include <string>

#include "faultline/v1/exercise.pb.h"
#include "faultline/v1/grade.pb.h"
#include "faultline/v1/grading.pb.h"
#include "server/grading/grade.h"

namespace faultline::grading {

// For people.
std::string ToText(const v1::GradeReport& report);

// /autograder/results/results.json of Gradescope. A hidden check has visibility
// "hidden": Gradescope then shows students neither it nor the total, so the
// report should come with them.
std::string ToGradescope(const v1::GradeReport& report);

// JUnit XML: one testsuite, a testcase for each check. Partial credit is a
// failure that says how much. Without a redacted report's score.
std::string ToJunit(const v1::GradeReport& report);

// What a student reads, and below it the sheet to fill in.
std::string ToText(const v1::Variant& variant);
// A submission file, with the answers that there are.
std::string ToSheet(const v1::Variant& variant, const Answers& answers);

// For the tests of escaping: a JSON string with its quotes, in which bytes that
// are not UTF-8 and control characters are escaped or replaced; and text that
// may stand in XML, where control characters cannot be written at all.
std::string JsonText(const std::string& text);
std::string XmlText(const std::string& text);

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_EXPORT_H_
