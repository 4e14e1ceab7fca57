#include "server/grading/value.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "server/scenario/expr.h"

namespace faultline::grading {

const char* Value::kind() const {
  if (is_number()) return "a number";
  return is_text() ? "a text" : "a list";
}

std::string Value::ToText() const {
  if (is_number()) return absl::StrCat(number());
  return is_text() ? text() : absl::StrJoin(list(), ", ");
}

std::string Hex(int64_t number) {
  return absl::StrCat("0x", absl::Hex(static_cast<uint64_t>(number)));
}

Value ValueOfWord(absl::string_view word) {
  absl::string_view digits = word;
  const bool negative = absl::ConsumePrefix(&digits, "-");
  const auto number = scenario::ParseNumber(digits);
  if (!number.ok()) return Value(std::string(word));
  return Value(static_cast<int64_t>(negative ? 0 - *number : *number));
}

}  // namespace faultline::grading
