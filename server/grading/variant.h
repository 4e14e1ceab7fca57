// A variant: an exercise with values, and a machine on which its set-up has
// run.
#ifndef FAULTLINE_SERVER_GRADING_VARIANT_H_
#define FAULTLINE_SERVER_GRADING_VARIANT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "faultline/v1/exercise.pb.h"
#include "faultline/v1/grading.pb.h"
#include "server/grading/rehearsal.h"
#include "server/grading/trial.h"
#include "server/grading/value.h"

namespace faultline::grading {

// What was drawn for a student, and from what.
struct Drawn {
  std::string student;
  uint64_t seed = 0;
  Values values;
};

absl::StatusOr<Drawn> DrawFor(const v1::Exercise& exercise,
                              absl::string_view student);

// The machine of a variant after the set-up. The rehearsal goes on from there.
struct Stage {
  std::unique_ptr<Trial> trial;
  std::unique_ptr<Rehearsal> rehearsal;
  std::string setup;  // with its values
};

// Errors say what of the set-up could not be run: `setup:LINE:COLUMN: …`.
absl::StatusOr<Stage> SetUp(const v1::Exercise& exercise, const Values& values);

// What the student is shown. `trial` is that after the set-up.
absl::StatusOr<v1::Variant> ToVariant(const v1::Exercise& exercise,
                                      const Drawn& drawn, const Stage& stage);

// The set-up as a scenario of its own: `faultline run` makes the same machine
// of it.
std::string ToScenario(const v1::Variant& variant);

// What a submission may do, one line for each rule. Empty: anything.
std::string ToText(const v1::Rules& rules);

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_VARIANT_H_
