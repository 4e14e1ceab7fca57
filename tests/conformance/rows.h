// Rows: one named claim about Linux each, with the few lines that show it. A
// file of rows is one family of cases; README.md has the language.

#ifndef FAULTLINE_TESTS_CONFORMANCE_ROWS_H_
#define FAULTLINE_TESTS_CONFORMANCE_ROWS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace faultline::conformance {

struct Row {
  std::string family;  // "ltp_mmap": the file
  int line = 0;        // of its header
  std::string name;    // "mmap01.tail"
  std::string claim;
  // What a simulated machine lacks for it; empty: nothing.
  std::string missing;
  // The scenario: each expectation is a line of its own.
  std::vector<std::string> lines;
  int assertions = 0;
};

// INVALID_ARGUMENT names the line that is not of the language, or a name that
// two rows have.
absl::StatusOr<std::vector<Row>> ParseRows(const std::string& family,
                                           absl::string_view text);

// One case of the lists that the rows come from (cases.txt).
struct Case {
  std::string name;               // "mmap01"
  std::vector<std::string> rows;  // FAMILY/NAME, or FAMILY/PART. of many
  std::string why_none;           // why there is no row; empty: there is
};
// Is a case's row this FAMILY/NAME? "ltp_mmap/mmap01." is every row of mmap01.
bool IsRowOf(absl::string_view of_case, absl::string_view row);
// INVALID_ARGUMENT names the line that is no case, or is a second time.
absl::StatusOr<std::vector<Case>> ParseCases(absl::string_view text);

// All rows of the files in `directory`, by file and then as written.
absl::StatusOr<std::vector<Row>> ReadAllRows(const std::string& directory);

}  // namespace faultline::conformance

#endif  // FAULTLINE_TESTS_CONFORMANCE_ROWS_H_
