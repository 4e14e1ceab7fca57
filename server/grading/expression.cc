#include "server/grading/expression.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/codec/status_macros.h"
#include "server/limits.h"
#include "server/scenario/expr.h"

namespace faultline::grading {
namespace {

using Kind = Expression::Kind;

// Operators that take two operands, from the loosest to the tightest.
constexpr int kLevels = 7;
constexpr int kComparison = 2;
const std::vector<absl::string_view>& OperatorsOf(int level) {
  static const auto& operators =
      *new std::vector<std::vector<absl::string_view>>{
          {"||"},         {"&&"},       {"==", "!=", "<=", ">=", "<", ">"},
          {"&", "|"},     {"<<", ">>"}, {"+", "-"},
          {"*", "/", "%"}};
  return operators[static_cast<size_t>(level)];
}

bool IsNameStart(char c) {
  return absl::ascii_isalpha(static_cast<unsigned char>(c)) || c == '_';
}
bool IsNameChar(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
}

class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) {}

  absl::StatusOr<Expression> Parse() {
    FL_ASSIGN_OR_RETURN(Expression whole, Conditional());
    SkipBlanks();
    if (pos_ < text_.size()) {
      return Error(absl::StrCat("an operator is missing before '",
                                text_.substr(pos_, 1), "'"));
    }
    return whole;
  }

 private:
  // Counts how deep the parser is in itself.
  class Depth {
   public:
    explicit Depth(int* depth) : depth_(*depth) { ++depth_; }
    ~Depth() { --depth_; }

   private:
    int& depth_;
  };

  absl::Status Error(const std::string& what) const {
    return absl::InvalidArgumentError(
        absl::StrCat("at column ", pos_ + 1, ": ", what));
  }

  void SkipBlanks() {
    while (pos_ < text_.size() &&
           absl::ascii_isspace(static_cast<unsigned char>(text_[pos_]))) {
      ++pos_;
    }
  }

  // Takes `token` if it is next. "<" is not the beginning of "<<".
  bool Take(absl::string_view token) {
    SkipBlanks();
    absl::string_view rest = text_.substr(pos_);
    if (!absl::ConsumePrefix(&rest, token)) return false;
    const bool longer =
        token.size() == 1 && !rest.empty() &&
        ((rest[0] == token[0] &&
          (token == "<" || token == ">" || token == "&" || token == "|")) ||
         (token == "!" && rest[0] == '='));
    if (longer) return false;
    pos_ += token.size();
    return true;
  }

  absl::Status Expect(absl::string_view token) {
    if (Take(token)) return absl::OkStatus();
    return Error(pos_ < text_.size()
                     ? absl::StrCat("'", token, "' is missing before '",
                                    text_.substr(pos_, 1), "'")
                     : absl::StrCat("'", token, "' is missing at the end"));
  }

  Expression Node(Kind kind, std::string name,
                  std::vector<Expression> operands) const {
    Expression node;
    node.kind = kind;
    node.name = std::move(name);
    node.column =
        operands.empty() ? static_cast<int>(pos_) + 1 : operands.front().column;
    node.operands = std::move(operands);
    return node;
  }

  absl::StatusOr<Expression> Conditional() {
    const Depth depth(&depth_);
    if (depth_ > limits::kExpressionDepthMax) {
      return Error(absl::StrCat("nested deeper than ",
                                limits::kExpressionDepthMax, " levels"));
    }
    FL_ASSIGN_OR_RETURN(Expression condition, Binary(0));
    if (!Take("?")) return condition;
    FL_ASSIGN_OR_RETURN(Expression then, Conditional());
    FL_RETURN_IF_ERROR(Expect(":"));
    FL_ASSIGN_OR_RETURN(Expression otherwise, Conditional());
    return Node(Kind::kConditional, "?",
                {std::move(condition), std::move(then), std::move(otherwise)});
  }

  absl::StatusOr<Expression> Binary(int level) {
    if (level == kLevels) return Unary();
    FL_ASSIGN_OR_RETURN(Expression left, Binary(level + 1));
    int chained = 0;
    while (true) {
      absl::string_view taken;
      for (absl::string_view token : OperatorsOf(level)) {
        if (Take(token)) {
          taken = token;
          break;
        }
      }
      if (taken.empty()) return left;
      if (level == kComparison && ++chained > 1) {
        return Error("comparisons do not chain: write a < b && b < c");
      }
      if (++nodes_ > limits::kExpressionNodesMax) return TooLong();
      FL_ASSIGN_OR_RETURN(Expression right, Binary(level + 1));
      left = Node(Kind::kBinary, std::string(taken),
                  {std::move(left), std::move(right)});
    }
  }

  absl::StatusOr<Expression> Unary() {
    const Depth depth(&depth_);
    if (depth_ > limits::kExpressionDepthMax) {
      return Error(absl::StrCat("nested deeper than ",
                                limits::kExpressionDepthMax, " levels"));
    }
    for (const char* token : {"-", "!", "~"}) {
      if (!Take(token)) continue;
      FL_ASSIGN_OR_RETURN(Expression operand, Unary());
      return Node(Kind::kUnary, token, {std::move(operand)});
    }
    return Primary();
  }

  absl::Status TooLong() const {
    return Error(absl::StrCat("more than ", limits::kExpressionNodesMax,
                              " operands: compute parts of it in variables"));
  }

  absl::StatusOr<Expression> Primary() {
    SkipBlanks();
    if (++nodes_ > limits::kExpressionNodesMax) return TooLong();
    if (pos_ == text_.size()) return Error("an operand is missing at the end");
    const char c = text_[pos_];
    if (c == '(') {
      ++pos_;
      FL_ASSIGN_OR_RETURN(Expression inner, Conditional());
      FL_RETURN_IF_ERROR(Expect(")"));
      return inner;
    }
    if (c == '[') return List();
    if (c == '\'') return Text();
    if (c == '$') return Label();
    if (absl::ascii_isdigit(static_cast<unsigned char>(c))) return Number();
    if (IsNameStart(c)) return NameOrCall();
    return Error(absl::StrCat("an operand is missing before '",
                              text_.substr(pos_, 1), "'"));
  }

  // Operands up to `close`.
  absl::StatusOr<std::vector<Expression>> Operands(absl::string_view close) {
    std::vector<Expression> operands;
    if (Take(close)) return operands;
    do {
      FL_ASSIGN_OR_RETURN(Expression operand, Conditional());
      operands.push_back(std::move(operand));
    } while (Take(","));
    FL_RETURN_IF_ERROR(Expect(close));
    return operands;
  }

  absl::StatusOr<Expression> List() {
    Expression list = Node(Kind::kList, "[", {});
    ++pos_;
    FL_ASSIGN_OR_RETURN(list.operands, Operands("]"));
    return list;
  }

  absl::StatusOr<Expression> Text() {
    Expression constant = Node(Kind::kConstant, "", {});
    const size_t end = text_.find('\'', pos_ + 1);
    if (end == absl::string_view::npos) {
      return Error("the text that begins here has no closing '");
    }
    constant.value = Value(std::string(text_.substr(pos_ + 1, end - pos_ - 1)));
    pos_ = end + 1;
    return constant;
  }

  std::string Word() {
    const size_t start = pos_;
    while (pos_ < text_.size() && IsNameChar(text_[pos_])) ++pos_;
    return std::string(text_.substr(start, pos_ - start));
  }

  absl::StatusOr<Expression> Number() {
    Expression constant = Node(Kind::kConstant, "", {});
    const size_t start = pos_;
    const auto number = scenario::ParseNumber(Word());
    if (!number.ok()) {
      pos_ = start;
      return Error(std::string(number.status().message()));
    }
    constant.value = Value(static_cast<int64_t>(*number));
    return constant;
  }

  absl::StatusOr<Expression> Label() {
    Expression label = Node(Kind::kLabel, "", {});
    ++pos_;
    if (pos_ == text_.size() || !IsNameStart(text_[pos_])) {
      return Error("the name of a label is missing after $");
    }
    label.name = Word();
    return label;
  }

  absl::StatusOr<Expression> NameOrCall() {
    Expression node = Node(Kind::kName, "", {});
    node.name = Word();
    if (pos_ < text_.size() && text_[pos_] == '.') {
      ++pos_;
      if (pos_ == text_.size() || !IsNameStart(text_[pos_])) {
        return Error(absl::StrCat("the name of a field is missing after '",
                                  node.name, ".'"));
      }
      node.kind = Kind::kField;
      node.field = Word();
    } else if (Take("(")) {
      node.kind = Kind::kCall;
      FL_ASSIGN_OR_RETURN(node.operands, Operands(")"));
    }
    return node;
  }

  absl::string_view text_;
  size_t pos_ = 0;
  int depth_ = 0;
  int nodes_ = 0;
};

// --- Evaluation

absl::Status Mismatch(const std::string& op, const Value& value) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", op, "' takes numbers, not ", value.kind()));
}

absl::StatusOr<Value> Divide(const std::string& op, int64_t a, int64_t b) {
  if (b == 0) return absl::InvalidArgumentError("a division by 0");
  // The one quotient that does not fit, INT64_MIN / -1, wraps around.
  if (b == -1)
    return Value(op == "/" ? static_cast<int64_t>(0 - static_cast<uint64_t>(a))
                           : 0);
  return Value(op == "/" ? a / b : a % b);
}

int64_t Shift(const std::string& op, uint64_t a, int64_t by) {
  if (by < 0 || by > 63) return 0;
  return static_cast<int64_t>(op == "<<" ? a << by : a >> by);
}

absl::StatusOr<Value> Arithmetic(const std::string& op, int64_t a, int64_t b) {
  const auto x = static_cast<uint64_t>(a);
  const auto y = static_cast<uint64_t>(b);
  if (op == "+") return Value(static_cast<int64_t>(x + y));
  if (op == "-") return Value(static_cast<int64_t>(x - y));
  if (op == "*") return Value(static_cast<int64_t>(x * y));
  if (op == "&") return Value(static_cast<int64_t>(x & y));
  if (op == "|") return Value(static_cast<int64_t>(x | y));
  if (op == "<<" || op == ">>") return Value(Shift(op, x, b));
  if (op == "<") return Value(int64_t{a < b});
  if (op == "<=") return Value(int64_t{a <= b});
  if (op == ">") return Value(int64_t{a > b});
  if (op == ">=") return Value(int64_t{a >= b});
  return Divide(op, a, b);
}

absl::StatusOr<bool> Truth(const std::string& op, const Value& value) {
  if (!value.is_number()) return Mismatch(op, value);
  return value.number() != 0;
}

absl::StatusOr<Value> EvaluateUnary(const Expression& e, const Scope& scope) {
  FL_ASSIGN_OR_RETURN(const Value value, Evaluate(e.operands[0], scope));
  if (!value.is_number()) return Mismatch(e.name, value);
  const int64_t n = value.number();
  if (e.name == "!") return Value(int64_t{n == 0});
  if (e.name == "~") return Value(~n);
  return Value(static_cast<int64_t>(0 - static_cast<uint64_t>(n)));
}

absl::StatusOr<Value> EvaluateBinary(const Expression& e, const Scope& scope) {
  FL_ASSIGN_OR_RETURN(const Value left, Evaluate(e.operands[0], scope));
  if (e.name == "&&" || e.name == "||") {
    FL_ASSIGN_OR_RETURN(const bool first, Truth(e.name, left));
    if (first == (e.name == "||")) return Value(int64_t{first});
    FL_ASSIGN_OR_RETURN(const Value right, Evaluate(e.operands[1], scope));
    FL_ASSIGN_OR_RETURN(const bool second, Truth(e.name, right));
    return Value(int64_t{second});
  }
  FL_ASSIGN_OR_RETURN(const Value right, Evaluate(e.operands[1], scope));
  if (e.name == "==") return Value(int64_t{left == right});
  if (e.name == "!=") return Value(int64_t{!(left == right)});
  if (!left.is_number()) return Mismatch(e.name, left);
  if (!right.is_number()) return Mismatch(e.name, right);
  return Arithmetic(e.name, left.number(), right.number());
}

absl::StatusOr<Value> EvaluateList(const Expression& e, const Scope& scope) {
  std::vector<int64_t> numbers;
  for (const Expression& operand : e.operands) {
    FL_ASSIGN_OR_RETURN(const Value value, Evaluate(operand, scope));
    if (!value.is_number()) return Mismatch("[", value);
    numbers.push_back(value.number());
  }
  return Value(std::move(numbers));
}

}  // namespace

absl::StatusOr<Expression> ParseExpression(absl::string_view text) {
  return Parser(text).Parse();
}

absl::StatusOr<Value> Evaluate(const Expression& e, const Scope& scope) {
  switch (e.kind) {
    case Kind::kConstant:
      return e.value;
    case Kind::kName:
      return scope.Name(e.name);
    case Kind::kLabel:
      return scope.Label(e.name);
    case Kind::kField:
      return scope.Field(e.name, e.field);
    case Kind::kCall:
      return scope.Call(e);
    case Kind::kList:
      return EvaluateList(e, scope);
    case Kind::kUnary:
      return EvaluateUnary(e, scope);
    case Kind::kBinary:
      return EvaluateBinary(e, scope);
    case Kind::kConditional: {
      FL_ASSIGN_OR_RETURN(const Value value, Evaluate(e.operands[0], scope));
      FL_ASSIGN_OR_RETURN(const bool holds, Truth("?", value));
      return Evaluate(e.operands[holds ? 1 : 2], scope);
    }
  }
  return Value();
}

absl::StatusOr<Value> Evaluate(absl::string_view text, const Scope& scope) {
  const absl::StatusOr<Expression> parsed = ParseExpression(text);
  absl::StatusOr<Value> value = parsed.ok()
                                    ? Evaluate(*parsed, scope)
                                    : absl::StatusOr<Value>(parsed.status());
  if (value.ok()) return value;
  return absl::Status(value.status().code(),
                      absl::StrCat("`", text, "`: ", value.status().message()));
}

absl::StatusOr<int64_t> EvaluateNumber(absl::string_view text,
                                       const Scope& scope) {
  FL_ASSIGN_OR_RETURN(const Value value, Evaluate(text, scope));
  if (value.is_number()) return value.number();
  return absl::InvalidArgumentError(
      absl::StrCat("`", text, "` must give a number, not ", value.kind()));
}

absl::StatusOr<bool> EvaluateTruth(absl::string_view text, const Scope& scope) {
  FL_ASSIGN_OR_RETURN(const int64_t number, EvaluateNumber(text, scope));
  return number != 0;
}

}  // namespace faultline::grading
