// An exercise as a file: reading it, and the checks that need no machine.
#ifndef FAULTLINE_SERVER_GRADING_EXERCISE_H_
#define FAULTLINE_SERVER_GRADING_EXERCISE_H_

#include <functional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "faultline/v1/exercise.pb.h"
#include "server/grading/expression.h"
#include "server/grading/problem.h"
#include "server/grading/yaml_message.h"

namespace faultline::grading {

struct Exercise {
  v1::Exercise proto;
  std::string sha256;  // of the file, in hexadecimal
  SourceMap source;

  bool predicts() const { return proto.questions_size() > 0; }
};

// Reads and checks. With errors among the problems the exercise is not to be
// used. What only a run can show, lint.h finds.
Exercise ReadExercise(absl::string_view yaml, Problems* problems);

// The same; INVALID_ARGUMENT with a line for each error.
absl::StatusOr<Exercise> ReadExercise(absl::string_view file,
                                      absl::string_view yaml);

// What a student hands in for questions. INVALID_ARGUMENT with a line for each
// error; of answers to no question there is one, too.
absl::StatusOr<v1::Submission> ReadSubmission(absl::string_view file,
                                              absl::string_view yaml,
                                              const v1::Exercise& exercise);

// A question that there is not; OK when there is.
absl::Status CheckQuestion(const v1::Exercise& exercise,
                           const std::string& question);

// What it is worth.
double PointsOf(const v1::Question& question);
double PointsOf(const v1::Goal& goal);

// Calls `visit` for every expression that may look at a trial, those in
// templates included. Texts that do not parse are passed over.
void ForEachExpression(const v1::Exercise& exercise,
                       const std::function<void(const Expression&)>& visit);

// The labels after which the machine has to be kept: those in at().
std::set<std::string> MomentsOf(const v1::Exercise& exercise);

// The fields of Command.op: what Rules may name.
const std::vector<std::string>& CommandNames();

// Letters, digits and `more`, first a letter.
bool IsWord(absl::string_view text, absl::string_view more);
// 1 to 128 printable ASCII characters without spaces.
absl::Status CheckStudent(absl::string_view student);

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_EXERCISE_H_
