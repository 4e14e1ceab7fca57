#include "server/grading/problem.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace faultline::grading {

bool HasErrors(const Problems& problems) {
  return std::any_of(problems.begin(), problems.end(),
                     [](const Problem& p) { return !p.warning; });
}

std::string ToText(absl::string_view file, const Problem& problem) {
  return absl::StrCat(file, file.empty() ? "" : ":", problem.mark.line, ":",
                      problem.mark.column, ": ",
                      problem.warning ? "warning: " : "", problem.message);
}

absl::Status ToStatus(absl::string_view file, Problems problems) {
  std::stable_sort(problems.begin(), problems.end(),
                   [](const Problem& a, const Problem& b) {
                     return std::tie(a.mark.line, a.mark.column) <
                            std::tie(b.mark.line, b.mark.column);
                   });
  std::vector<std::string> lines;
  for (const Problem& problem : problems) {
    if (!problem.warning) lines.push_back(ToText(file, problem));
  }
  return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
}

}  // namespace faultline::grading
