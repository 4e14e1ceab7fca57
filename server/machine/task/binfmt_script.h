// Scripts: files that begin with "#!".
#ifndef FAULTLINE_SERVER_MACHINE_TASK_BINFMT_SCRIPT_H_
#define FAULTLINE_SERVER_MACHINE_TASK_BINFMT_SCRIPT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "server/machine/base/errno.h"

namespace faultline {

// BINPRM_BUF_SIZE: what is read of a file to tell what it is.
constexpr uint64_t kBinprmBufSize = 256;

struct ScriptLine {
  std::string interpreter;
  std::optional<std::string> argument;  // may be empty
};

// `head` are the first kBinprmBufSize bytes of a file, fewer of a shorter one.
bool IsScript(const std::string& head);

// load_script(): what the line of a script says. ENOEXEC when it names no
// interpreter, or when its path may go on behind what was read.
ErrnoOr<ScriptLine> ParseScript(std::string head);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_TASK_BINFMT_SCRIPT_H_
