// Grades as a list: for people, for spreadsheets, for programs. Pure functions.
#ifndef FAULTLINE_SERVER_COMMANDS_GRADE_LIST_H_
#define FAULTLINE_SERVER_COMMANDS_GRADE_LIST_H_

#include <string>
#include <vector>

#include "faultline/v1/grading.pb.h"

namespace faultline {

// Which grades a list has, of those that were given.
enum class Per {
  kGrade,    // each
  kAttempt,  // the last of each attempt
  kStudent,  // of these the best of each student; of equals the first
};

// `grades` are in the order in which they were given, and stay in it.
std::vector<v1::Grade> Select(const std::vector<v1::Grade>& grades, Per per);

// A line for each, with the checks that did not get all points, and a line
// that counts. A score that is not shown is "-".
std::string ToTable(const std::vector<v1::Grade>& grades);

// RFC 4180, with a header; a column for the points of each check that any grade
// has. A score that is not shown is empty. A text that a spreadsheet would
// compute, because it begins with one of = + - @, gets a ' before it: students
// choose texts.
std::string ToCsv(const std::vector<v1::Grade>& grades);

// A JSON array of messages Grade, with the names of the contract; a 64-bit
// integer is a string.
std::string ToJson(const std::vector<v1::Grade>& grades);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_COMMANDS_GRADE_LIST_H_
