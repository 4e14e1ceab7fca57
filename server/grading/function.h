// The functions of expressions: their names and arguments. What those that look
// at a machine do is in facts.cc.
#ifndef FAULTLINE_SERVER_GRADING_FUNCTION_H_
#define FAULTLINE_SERVER_GRADING_FUNCTION_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/grading/expression.h"

namespace faultline::grading {

enum class Function {
  // Of numbers alone.
  kMin,
  kMax,
  kPages,
  kIndex,
  // Of what happened.
  kAt,
  kEvents,
  // Of the text of /proc.
  kStatus,
  kMeminfo,
  kVmstat,
  kSmaps,
  // Of address spaces.
  kVmas,
  kMaps,
  kMapsIn,
  kPerms,
  kVmaStart,
  kVmaEnd,
  // Of pages and frames.
  kPresent,
  kPfn,
  kIsZeroPage,
  kMapcount,
  kByte,
  kFrames,
  kShared,
  kWalkEntries,
  // Of processes.
  kAlive,
  kProcesses,
};

struct FunctionSpec {
  const char* name;
  Function function;
  int args_min;
  int args_max;
  const char* usage;  // "status(FIELD [, process])"
  const char* help;   // one sentence
};

const std::vector<FunctionSpec>& FunctionTable();

// NOT_FOUND with the nearest name; INVALID_ARGUMENT for a wrong number of
// arguments, with the usage.
absl::StatusOr<const FunctionSpec*> FindFunction(const Expression& call);

// Calls one that needs no machine; `function` is one of the first group.
absl::StatusOr<Value> CallPure(Function function, const Expression& call,
                               const Scope& scope);
bool IsPure(Function function);

// An argument that is a word, a number; `otherwise` for one that is not there.
absl::StatusOr<std::string> WordArgument(const Expression& call, size_t i);
absl::StatusOr<int64_t> NumberArgument(const Expression& call, size_t i,
                                       const Scope& scope);
absl::StatusOr<int64_t> NumberArgument(const Expression& call, size_t i,
                                       const Scope& scope, int64_t otherwise);

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_FUNCTION_H_
