// Expressions of the scenario language: numbers and $names joined by + and -.
// They stay unevaluated until the line runs, because $names stand for what
// earlier calls returned.

#ifndef FAULTLINE_SERVER_SCENARIO_EXPR_H_
#define FAULTLINE_SERVER_SCENARIO_EXPR_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace faultline::scenario {

// One operand. A symbol ("r1", "brk", "stk") when `symbol` is not empty, else
// the number `value`.
struct Term {
  bool negative = false;
  std::string symbol;
  uint64_t value = 0;
  int column = 0;  // Of the operand itself, 1-based.
};

struct Expr {
  std::vector<Term> terms;
  int column = 0;

  bool empty() const { return terms.empty(); }
  // True when the value is known without a symbol.
  bool IsConstant() const;
};

// Gives the value of $name. Called with a label's name, "brk" or "stk". A label
// whose line has not run, or whose process was dead, has the value 0.
using SymbolLookup =
    std::function<std::optional<uint64_t>(absl::string_view name)>;

// The value, modulo 2^64 as an address is. NOT_FOUND names the symbol that
// `lookup` does not know.
absl::StatusOr<uint64_t> Evaluate(const Expr& expr, const SymbolLookup& lookup);

// The value of a constant. REQUIRES: expr.IsConstant().
uint64_t ConstantValue(const Expr& expr);

// A number: decimal or 0xHEX, with an optional suffix p (pages of 4096), k, m
// or g. INVALID_ARGUMENT says what is wrong with the word.
absl::StatusOr<uint64_t> ParseNumber(absl::string_view word);

// An expression. On failure *error_column is where, counted from `column`, the
// column of the word's first letter.
absl::StatusOr<Expr> ParseExpr(absl::string_view word, int column,
                               int* error_column);

// True for a letter or underscore followed by letters, digits, underscores.
bool IsName(absl::string_view word);

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_EXPR_H_
