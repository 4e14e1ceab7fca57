// Draws the variant of an exercise that a student gets.
//
// The seed is the first eight bytes, the lowest first, of
//   SHA-256("faultline variant 1" LF id LF secret LF student)
// A SplitMix64 (server/machine/base/prng.h) that starts with it gives a number
// r of 64 bits for each variable that is drawn, in the order of the exercise:
// of n possible values it is number r * n / 2^64, from 0. When a `require`
// refuses the values, the generator goes on for all of them once more.
#ifndef FAULTLINE_SERVER_GRADING_DRAW_H_
#define FAULTLINE_SERVER_GRADING_DRAW_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "faultline/v1/exercise.pb.h"
#include "faultline/v1/grade.pb.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "server/grading/expression.h"
#include "server/grading/value.h"

namespace faultline::grading {

// The 32 bytes of the hash.
std::string Sha256(absl::string_view bytes);
std::string Sha256Hex(absl::string_view bytes);

uint64_t SeedOf(const v1::Exercise& exercise, absl::string_view student);

// The values of all variables. INVALID_ARGUMENT when one cannot be computed,
// OUT_OF_RANGE when no draw is what `require` asks for.
absl::StatusOr<Values> Draw(const v1::Exercise& exercise, uint64_t seed);

// What was drawn, to be kept, and back: computed variables are computed again.
// INVALID_ARGUMENT when `drawn` has not all that the exercise draws.
using DrawnValues = google::protobuf::RepeatedPtrField<v1::VariableValue>;
DrawnValues ToProto(const v1::Exercise& exercise, const Values& values);
absl::StatusOr<Values> FromProto(const v1::Exercise& exercise,
                                 const DrawnValues& drawn);

// Expressions over variables alone: there is no machine yet.
class VariableScope final : public Scope {
 public:
  explicit VariableScope(const Values& values) : values_(values) {}

  const Values& values() const { return values_; }

  absl::StatusOr<Value> Name(const std::string& name) const override;
  absl::StatusOr<Value> Label(const std::string& label) const override;
  absl::StatusOr<Value> Field(const std::string& label,
                              const std::string& field) const override;
  // min, max and pages.
  absl::StatusOr<Value> Call(const Expression& call) const override;

 private:
  const Values& values_;
};

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_DRAW_H_
