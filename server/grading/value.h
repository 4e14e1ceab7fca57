// What an expression of an exercise gives.
#ifndef FAULTLINE_SERVER_GRADING_VALUE_H_
#define FAULTLINE_SERVER_GRADING_VALUE_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"

namespace faultline::grading {

// A whole number, a text, or several numbers. Numbers are 64 bits wide and wrap
// around, so that an address stays one.
class Value {
 public:
  Value() : value_(int64_t{0}) {}
  explicit Value(int64_t number) : value_(number) {}
  explicit Value(std::string text) : value_(std::move(text)) {}
  explicit Value(std::vector<int64_t> list) : value_(std::move(list)) {}

  bool is_number() const { return std::holds_alternative<int64_t>(value_); }
  bool is_text() const { return std::holds_alternative<std::string>(value_); }
  bool is_list() const { return !is_number() && !is_text(); }

  // REQUIRES: it is one.
  int64_t number() const { return std::get<int64_t>(value_); }
  const std::string& text() const { return std::get<std::string>(value_); }
  const std::vector<int64_t>& list() const {
    return std::get<std::vector<int64_t>>(value_);
  }

  // "a number", "a text", "a list".
  const char* kind() const;
  // A number in decimal, a list with commas.
  std::string ToText() const;

  friend bool operator==(const Value&, const Value&) = default;

 private:
  std::variant<int64_t, std::string, std::vector<int64_t>> value_;
};

// "0x7ffff7ffb000".
std::string Hex(int64_t number);

// The variables of a variant.
using Values = std::map<std::string, Value>;

// A number if the word is one (decimal or 0x hexadecimal, a suffix), perhaps
// with a minus; else a text.
Value ValueOfWord(absl::string_view word);

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_VALUE_H_
