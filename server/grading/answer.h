// Comparing what a student answered with what is right.
#ifndef FAULTLINE_SERVER_GRADING_ANSWER_H_
#define FAULTLINE_SERVER_GRADING_ANSWER_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "faultline/v1/exercise.pb.h"
#include "server/grading/value.h"

namespace faultline::grading {

struct Judgement {
  // Of the points: 0 to 1.
  double fraction = 0;
  // The answer as a number, where it is one.
  absl::optional<int64_t> number;
  // Not empty: the answer could not be read, and what would be right.
  std::string unreadable;
  // Which parts of it are right, where there are parts.
  std::string parts;
};

// `given` is not empty. `right` is what the question's expression gave.
Judgement Judge(const v1::Question& question, const Value& right,
                absl::string_view given);

// The value as a person answers with it: "12", "0x7ff…", "EINVAL".
std::string ToAnswer(const v1::Question& question, const Value& value);

// What is wrong with an expression that gives `value` for this type of answer;
// empty: nothing.
std::string CheckAnswerType(v1::AnswerType type, const Value& value);

// "a number: decimal, or hexadecimal with 0x": how to write an answer.
std::string FormOf(const v1::Question& question);

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_ANSWER_H_
