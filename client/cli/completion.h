// What the word at the cursor of the REPL may become.

#ifndef FAULTLINE_CLIENT_CLI_COMPLETION_H_
#define FAULTLINE_CLIENT_CLI_COMPLETION_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace faultline::cli {

// What the session so far makes known.
struct CompletionState {
  std::vector<std::string> labels;
  std::vector<std::string> files;  // numbers, as text
  int processes = 1;
};

// The REPL's own commands, besides the ops of the language.
const std::vector<std::string>& ReplCommands();

// Every word that could stand in place of the last one of `line`, which ends
// at the cursor. Of flags joined by |, and of an expression, only the last
// part is completed; the words given include what stands before it.
std::vector<std::string> Complete(absl::string_view line,
                                  const CompletionState& state);

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_COMPLETION_H_
