#include "server/grading/draw.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/codec/status_macros.h"
#include "server/grading/function.h"
#include "server/limits.h"
#include "server/machine/base/prng.h"
#include "server/scenario/suggest.h"

namespace faultline::grading {
namespace {

bool IsDrawn(const v1::Variable& variable) { return variable.value().empty(); }

// r * n / 2^64, without bias that anybody could see: n is far below 2^32.
uint64_t Pick(Prng* prng, uint64_t n) {
  const auto r = prng->Next();
  // Schoolbook: the high word of r * n for n < 2^32.
  const uint64_t low = (r & 0xffffffff) * n;
  return ((r >> 32) * n + (low >> 32)) >> 32;
}

uint64_t CountOf(const v1::Range& range) {
  const int64_t step = std::max<int64_t>(range.step(), 1);
  return (static_cast<uint64_t>(range.max()) -
          static_cast<uint64_t>(range.min())) /
             static_cast<uint64_t>(step) +
         1;
}

// A choice is a number only when all of them are.
Value ValueOfChoice(const v1::Variable& variable, const std::string& choice) {
  for (const std::string& other : variable.choices()) {
    if (!ValueOfWord(other).is_number()) return Value(choice);
  }
  return ValueOfWord(choice);
}

Value DrawOne(const v1::Variable& variable, Prng* prng) {
  if (variable.choices_size() > 0) {
    const auto n = static_cast<uint64_t>(variable.choices_size());
    return ValueOfChoice(variable,
                         variable.choices(static_cast<int>(Pick(prng, n))));
  }
  const v1::Range& range = variable.range();
  const auto at = static_cast<int64_t>(Pick(prng, CountOf(range)));
  return Value(range.min() + at * std::max<int64_t>(range.step(), 1));
}

absl::Status Compute(const v1::Variable& variable, Values* values) {
  auto value = Evaluate(variable.value(), VariableScope(*values));
  if (!value.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "variable ", variable.name(), ": ", value.status().message()));
  }
  (*values)[variable.name()] = *std::move(value);
  return absl::OkStatus();
}

absl::StatusOr<Values> DrawOnce(const v1::Exercise& exercise, Prng* prng) {
  Values values;
  for (const v1::Variable& variable : exercise.variables()) {
    if (IsDrawn(variable)) {
      values[variable.name()] = DrawOne(variable, prng);
    } else {
      FL_RETURN_IF_ERROR(Compute(variable, &values));
    }
  }
  return values;
}

absl::StatusOr<bool> IsAllowed(const v1::Exercise& exercise,
                               const Values& values) {
  for (const std::string& condition : exercise.require()) {
    FL_ASSIGN_OR_RETURN(const bool holds,
                        EvaluateTruth(condition, VariableScope(values)));
    if (!holds) return false;
  }
  return true;
}

absl::Status NoMachine(absl::string_view what) {
  return absl::NotFoundError(absl::StrCat(
      what,
      " is known only after the set-up has run; here are variables "
      "alone"));
}

}  // namespace

std::string Sha256(absl::string_view bytes) {
  std::string digest(32, '\0');
  unsigned int size = 0;
  const int done = EVP_Digest(bytes.data(), bytes.size(),
                              reinterpret_cast<unsigned char*>(digest.data()),
                              &size, EVP_sha256(), nullptr);
  // OpenSSL fails here only when it is out of memory or misconfigured.
  if (done != 1) std::abort();
  return digest;
}

std::string Sha256Hex(absl::string_view bytes) {
  return absl::BytesToHexString(Sha256(bytes));
}

uint64_t SeedOf(const v1::Exercise& exercise, absl::string_view student) {
  const std::string digest =
      Sha256(absl::StrCat("faultline variant 1\n", exercise.id(), "\n",
                          exercise.secret(), "\n", student));
  uint64_t seed = 0;
  for (size_t i = 0; i < sizeof seed; ++i) {
    seed |= uint64_t{static_cast<uint8_t>(digest[i])} << (8 * i);
  }
  return seed;
}

absl::StatusOr<Values> Draw(const v1::Exercise& exercise, uint64_t seed) {
  Prng prng(seed);
  for (int i = 0; i < limits::kDrawsMax; ++i) {
    FL_ASSIGN_OR_RETURN(Values values, DrawOnce(exercise, &prng));
    FL_ASSIGN_OR_RETURN(const bool allowed, IsAllowed(exercise, values));
    if (allowed) return values;
  }
  return absl::OutOfRangeError(
      absl::StrCat("none of ", limits::kDrawsMax,
                   " draws is what `require` asks for: loosen it, or choose "
                   "the ranges so that it holds more often"));
}

DrawnValues ToProto(const v1::Exercise& exercise, const Values& values) {
  DrawnValues drawn;
  for (const v1::Variable& variable : exercise.variables()) {
    v1::VariableValue* value = drawn.Add();
    value->set_name(variable.name());
    value->set_value(values.at(variable.name()).ToText());
  }
  return drawn;
}

absl::StatusOr<Values> FromProto(const v1::Exercise& exercise,
                                 const DrawnValues& drawn) {
  std::map<std::string, std::string> kept;
  for (const v1::VariableValue& value : drawn) {
    kept[value.name()] = value.value();
  }
  Values values;
  for (const v1::Variable& variable : exercise.variables()) {
    if (!IsDrawn(variable)) {
      FL_RETURN_IF_ERROR(Compute(variable, &values));
      continue;
    }
    const auto found = kept.find(variable.name());
    if (found == kept.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("no value was drawn for variable ", variable.name(),
                       ", which the exercise did not have then"));
    }
    values[variable.name()] = ValueOfChoice(variable, found->second);
  }
  return values;
}

absl::StatusOr<Value> VariableScope::Name(const std::string& name) const {
  const auto found = values_.find(name);
  if (found != values_.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, value] : values_) names.push_back(known);
  return absl::NotFoundError(absl::StrCat("there is no variable '", name, "'",
                                          scenario::DidYouMean(name, names)));
}

absl::StatusOr<Value> VariableScope::Label(const std::string& label) const {
  return NoMachine(absl::StrCat("$", label));
}

absl::StatusOr<Value> VariableScope::Field(const std::string& label,
                                           const std::string& field) const {
  return NoMachine(absl::StrCat(label, ".", field));
}

absl::StatusOr<Value> VariableScope::Call(const Expression& call) const {
  FL_ASSIGN_OR_RETURN(const FunctionSpec* spec, FindFunction(call));
  if (IsPure(spec->function)) return CallPure(spec->function, call, *this);
  return NoMachine(absl::StrCat(call.name, "()"));
}

}  // namespace faultline::grading
