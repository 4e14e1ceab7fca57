// The expressions of an exercise: parsing, and what they refer to.
//
//   cond    = or [ "?" cond ":" cond ]
//   or      = and { "||" and }            and    = compare { "&&" compare }
//   compare = bits [ ("=="|"!="|"<"|"<="|">"|">=") bits ]
//   bits    = shift { ("&"|"|") shift }   shift  = sum { ("<<"|">>") sum }
//   sum     = product { ("+"|"-") product }
//   product = unary { ("*"|"/"|"%") unary }
//   unary   = { "-" | "!" | "~" } primary
//   primary = number | 'text' | name | $label | label.field
//           | function "(" [ cond { "," cond } ] ")"
//           | "[" [ cond { "," cond } ] "]" | "(" cond ")"
//
// Numbers are written as in a scenario. Truth is 1 and 0, and whatever is not 0
// is true. & and | bind more tightly than comparisons.
#ifndef FAULTLINE_SERVER_GRADING_EXPRESSION_H_
#define FAULTLINE_SERVER_GRADING_EXPRESSION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/grading/value.h"

namespace faultline::grading {

// A tree; the operands of a node are its children.
struct Expression {
  enum class Kind {
    kConstant,     // value
    kName,         // name: a variable, or a word for some functions
    kLabel,        // name: what $name returned
    kField,        // name.field
    kCall,         // name(operands)
    kList,         // [operands]
    kUnary,        // name: the operator
    kBinary,       // name: the operator
    kConditional,  // operands: condition, then, else
  };

  Kind kind = Kind::kConstant;
  Value value;
  std::string name;
  std::string field;
  std::vector<Expression> operands;
  int column = 1;  // in the text, from 1
};

// INVALID_ARGUMENT says at which column and what would be right.
absl::StatusOr<Expression> ParseExpression(absl::string_view text);

// What expressions stand on. NOT_FOUND for what there is not; any error is a
// sentence without a final dot.
class Scope {
 public:
  virtual ~Scope() = default;
  virtual absl::StatusOr<Value> Name(const std::string& name) const = 0;
  virtual absl::StatusOr<Value> Label(const std::string& label) const = 0;
  virtual absl::StatusOr<Value> Field(const std::string& label,
                                      const std::string& field) const = 0;
  // The arguments are not evaluated: some are words, and at() moves in time.
  virtual absl::StatusOr<Value> Call(const Expression& call) const = 0;
};

absl::StatusOr<Value> Evaluate(const Expression& expression,
                               const Scope& scope);

// Parses and evaluates; errors begin with the text.
absl::StatusOr<Value> Evaluate(absl::string_view text, const Scope& scope);
// The same of what must be a number.
absl::StatusOr<int64_t> EvaluateNumber(absl::string_view text,
                                       const Scope& scope);
// Whether it is not 0.
absl::StatusOr<bool> EvaluateTruth(absl::string_view text, const Scope& scope);

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_EXPRESSION_H_
