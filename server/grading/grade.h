// Grading: from a variant and a submission to a report.
#ifndef FAULTLINE_SERVER_GRADING_GRADE_H_
#define FAULTLINE_SERVER_GRADING_GRADE_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "faultline/v1/exercise.pb.h"
#include "faultline/v1/grade.pb.h"
#include "server/grading/decide.h"
#include "server/grading/exercise.h"
#include "server/grading/trial.h"
#include "server/grading/variant.h"

namespace faultline::grading {

// Whose submission is graded. All of it outlives the grading.
struct Case {
  const Exercise& exercise;
  const Drawn& drawn;
  std::string submission;  // what it is called
  WhereToSee where;
};

// A report without checks.
v1::GradeReport StartReport(const Case& c);
// Of a submission that cannot be read.
v1::GradeReport NotGradable(const Case& c, absl::string_view why);

// --- Predict. `trial` is that after the set-up.

using Answers = std::map<std::string, std::string>;

// An answer that is missing or empty gets no points. INVALID_ARGUMENT when the
// exercise itself cannot be computed.
absl::StatusOr<v1::GradeReport> GradeAnswers(const Case& c, const Trial& trial,
                                             const Answers& answers);

// The answers that are right.
absl::StatusOr<Answers> Solve(const Exercise& exercise, const Values& values,
                              const Trial& trial);

// --- Achieve.

// Enforces the rules of an exercise on what comes after the set-up.
Trial::Referee MakeReferee(const v1::Rules& rules);

// Ends the set-up and runs what a student wrote. Why it stopped: OK at its end.
// INVALID_ARGUMENT: it is no scenario.
absl::Status Perform(const v1::Exercise& exercise, const std::string& file,
                     absl::string_view scenario, const Stage& stage);

// Looks at a trial that a submission was performed on. `stopped` is why it
// ended early, for the student; empty: it did not.
absl::StatusOr<v1::GradeReport> GradeTrial(const Case& c, const Trial& trial,
                                           absl::string_view stopped);

// --- Reports.

// Sums up the points.
void Finish(v1::GradeReport* report);

// Removes what is not for students: hidden checks, and with them the score.
void RedactHidden(v1::GradeReport* report);
// Removes what tells the answers; for one who has a further attempt.
void RedactAnswers(v1::GradeReport* report);

// True when every point was given.
bool IsFull(const v1::GradeReport& report);

// Its words with a blank between them: texts of YAML have lines.
std::string OneLine(absl::string_view text);

// "2", "1.5", "0.33": points as people write them.
std::string PointsText(double points);

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_GRADE_H_
