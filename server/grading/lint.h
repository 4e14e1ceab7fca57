// What only running an exercise can show: that its set-up runs, its answers can
// be computed, its solution scores all points and what it says is wrong does
// not, for variant after variant.
#ifndef FAULTLINE_SERVER_GRADING_LINT_H_
#define FAULTLINE_SERVER_GRADING_LINT_H_

#include <functional>
#include <string>

#include "server/grading/exercise.h"
#include "server/grading/problem.h"

namespace faultline::grading {

// Called before each variant; false ends the work early, without problems.
using KeepOn = std::function<bool()>;

// Tries `seeds` variants, those of the students "lint-0", "lint-1" … Stops at
// the first variant with an error, whose messages name the student.
Problems LintVariants(const Exercise& exercise, int seeds,
                      const KeepOn& keep_on);

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_LINT_H_
