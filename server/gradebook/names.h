// The resource names of exercises, attempts and grades.
#ifndef FAULTLINE_SERVER_GRADEBOOK_NAMES_H_
#define FAULTLINE_SERVER_GRADEBOOK_NAMES_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace faultline {

// The ids in `exercises/{exercise}/attempts/{attempt}`.
struct AttemptIds {
  std::string exercise;
  std::string attempt;
};

inline std::string ExerciseName(absl::string_view exercise) {
  return absl::StrCat("exercises/", exercise);
}
inline std::string AttemptName(const AttemptIds& ids) {
  return absl::StrCat("exercises/", ids.exercise, "/attempts/", ids.attempt);
}
inline std::string GradeName(const AttemptIds& ids, absl::string_view grade) {
  return absl::StrCat(AttemptName(ids), "/grades/", grade);
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_GRADEBOOK_NAMES_H_
