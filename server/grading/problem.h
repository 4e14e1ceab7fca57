// What is wrong with a file that somebody wrote, and where.
#ifndef FAULTLINE_SERVER_GRADING_PROBLEM_H_
#define FAULTLINE_SERVER_GRADING_PROBLEM_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace faultline::grading {

// A place in a file; both from 1.
struct Mark {
  int line = 1;
  int column = 1;

  friend bool operator==(const Mark&, const Mark&) = default;
};

// What is wrong and what would be right, in one sentence.
struct Problem {
  Mark mark;
  std::string message;
  // It can be used all the same.
  bool warning = false;
};

using Problems = std::vector<Problem>;

bool HasErrors(const Problems& problems);

// "FILE:LINE:COLUMN: message", without FILE: for an empty name; of a warning
// "FILE:LINE:COLUMN: warning: message".
std::string ToText(absl::string_view file, const Problem& problem);

// INVALID_ARGUMENT with a line for each error, in the order of the file.
// REQUIRES: HasErrors(problems).
absl::Status ToStatus(absl::string_view file, Problems problems);

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_PROBLEM_H_
