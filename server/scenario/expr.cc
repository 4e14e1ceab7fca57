#include "server/scenario/expr.h"

#include <algorithm>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace faultline::scenario {
namespace {

// How many bits the suffix shifts the number by, or -1 for no suffix.
int SuffixShift(char c) {
  switch (c) {
    case 'p':
      return 12;
    case 'k':
      return 10;
    case 'm':
      return 20;
    case 'g':
      return 30;
    default:
      return -1;
  }
}

int DigitValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

absl::Status TooLarge(absl::string_view word) {
  return absl::InvalidArgumentError(
      absl::StrCat("the number '", word, "' does not fit in 64 bits"));
}

}  // namespace

bool IsName(absl::string_view word) {
  if (word.empty() || absl::ascii_isdigit(word[0])) return false;
  return std::all_of(word.begin(), word.end(),
                     [](char c) { return absl::ascii_isalnum(c) || c == '_'; });
}

bool Expr::IsConstant() const {
  return std::all_of(terms.begin(), terms.end(),
                     [](const Term& t) { return t.symbol.empty(); });
}

absl::StatusOr<uint64_t> ParseNumber(absl::string_view word) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  absl::string_view digits = word;
  const uint64_t base =
      absl::ConsumePrefix(&digits, "0x") || absl::ConsumePrefix(&digits, "0X")
          ? 16
          : 10;
  int shift = 0;
  if (!digits.empty() && SuffixShift(digits.back()) >= 0) {
    shift = SuffixShift(digits.back());
    digits.remove_suffix(1);
  }
  if (digits.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a number, found '", word, "'"));
  }
  uint64_t value = 0;
  for (char c : digits) {
    const uint64_t digit = static_cast<uint64_t>(DigitValue(c));
    if (digit >= base) {
      return absl::InvalidArgumentError(absl::StrCat(
          "'", word,
          "' is not a number (decimal or 0xHEX, then p, k, m or g)"));
    }
    if (value > (kMax - digit) / base) return TooLarge(word);
    value = value * base + digit;
  }
  if (value > (kMax >> shift)) return TooLarge(word);
  return value << shift;
}

absl::StatusOr<Expr> ParseExpr(absl::string_view word, int column,
                               int* error_column) {
  Expr expr;
  expr.column = column;
  bool negative = !word.empty() && word[0] == '-';
  size_t pos = negative ? 1 : 0;
  while (true) {
    const size_t end = std::min(word.find_first_of("+-", pos), word.size());
    const absl::string_view operand = word.substr(pos, end - pos);
    Term term;
    term.negative = negative;
    term.column = column + static_cast<int>(pos);
    *error_column = term.column;
    if (!operand.empty() && operand[0] == '$') {
      term.symbol = std::string(operand.substr(1));
      if (!IsName(term.symbol)) {
        return absl::InvalidArgumentError(
            absl::StrCat("'", operand,
                         "' is not a name: write $label, $brk "
                         "or $stk"));
      }
    } else if (operand.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("a number or $name is missing in '", word, "'"));
    } else {
      absl::StatusOr<uint64_t> number = ParseNumber(operand);
      if (!number.ok()) return number.status();
      term.value = *number;
    }
    expr.terms.push_back(std::move(term));
    if (end == word.size()) return expr;
    negative = word[end] == '-';
    pos = end + 1;
  }
}

absl::StatusOr<uint64_t> Evaluate(const Expr& expr,
                                  const SymbolLookup& lookup) {
  uint64_t sum = 0;
  for (const Term& term : expr.terms) {
    uint64_t value = term.value;
    if (!term.symbol.empty()) {
      const std::optional<uint64_t> found = lookup(term.symbol);
      if (!found) {
        return absl::NotFoundError(absl::StrCat(
            "$", term.symbol, " has no value: nothing that ran is labelled '",
            term.symbol, ":'"));
      }
      value = *found;
    }
    sum += term.negative ? 0 - value : value;
  }
  return sum;
}

uint64_t ConstantValue(const Expr& expr) {
  uint64_t sum = 0;
  for (const Term& term : expr.terms) {
    sum += term.negative ? 0 - term.value : term.value;
  }
  return sum;
}

}  // namespace faultline::scenario
