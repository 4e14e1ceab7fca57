// The table of all operations: their words, their arguments, one line of help.

#ifndef FAULTLINE_SERVER_SCENARIO_OP_TABLE_H_
#define FAULTLINE_SERVER_SCENARIO_OP_TABLE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/scenario/script.h"

namespace faultline::scenario {

// One argument, by the field of Op that it fills.
enum class Param {
  kAddr,
  kLength,
  kNewLength,
  kNewAddr,
  kOffset,
  kByte,
  kCount,
  kStride,
  kProt,
  kMmapFlags,
  kMremapFlags,
  kAdvice,
  kMsyncFlags,
  kMlock2Flags,
  kMlockallFlags,
  kFallocateMode,
  kSeals,
  kCloneFlags,
  kPrctlOption,
  kSignal,
  kNumber,  // Op::flags
  kResource,
  kFile,
  kFileOrNone,
  kGfp,
  kSlabFlags,
  kFadvice,
  kMempolicyMode,
  kNodes,
  kMbindFlags,
  kMempolicyFlags,
  kPolicy,
  kFuture,  // Any number of them.
  kName,
  kWord,
  kSpecial,  // The op parses its arguments itself.
};

struct OpSpec {
  const char* name;
  OpKind kind;
  std::vector<Param> required;
  std::vector<Param> optional;
  const char* usage;  // Its arguments, for messages and completion.
  const char* help;   // One sentence.
};

const std::vector<OpSpec>& OpTable();

// The op of this name, or nullptr. `exec` gives kExec.
const OpSpec* FindOp(absl::string_view name);

std::vector<std::string> OpNames();

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_OP_TABLE_H_
