// What a new program finds on its stack: strings, the auxiliary vector, the
// pointers to arguments and environment, their count. Models fs/exec.c:
// copy_strings() and fs/binfmt_elf.c: create_elf_tables() (v6.18).
#ifndef FAULTLINE_SERVER_MACHINE_TASK_INITIAL_STACK_H_
#define FAULTLINE_SERVER_MACHINE_TASK_INITIAL_STACK_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "server/machine/kernel.h"

namespace faultline {

// What the auxiliary vector says of the images in memory.
struct LoadedImages {
  uint64_t phdr = 0;        // AT_PHDR
  uint64_t phdr_count = 0;  // AT_PHNUM
  uint64_t base = 0;        // AT_BASE: where the interpreter is; 0: none
  uint64_t entry = 0;       // AT_ENTRY
  uint64_t vdso = 0;        // AT_SYSINFO_EHDR
};

class InitialStack {
 public:
  InitialStack(const Kernel& k, const Mm& mm, const Execve& call);

  // Bytes of strings: from the lowest to the top.
  uint64_t StringBytes(const Mm& mm) const {
    return mm.start_stack.value() - arg_start_;
  }

  // Writes it all through the page tables; sets the fields of `mm` that say
  // where it is, saved_auxv among them.
  Errno Write(Kernel& k, Mm& mm, const LoadedImages& images) const;

 private:
  uint64_t Push(const std::string& text);
  std::vector<uint64_t> Auxv(const Kernel& k, const LoadedImages& images) const;

  uint64_t p_;  // the lowest byte in use
  uint64_t exec_path_ = 0, platform_ = 0, random_ = 0;
  uint64_t arg_start_ = 0, env_start_ = 0, env_end_ = 0, sp_ = 0;
  std::vector<uint64_t> argv_, envp_;  // addresses of the strings
  std::vector<std::pair<uint64_t, std::string>> strings_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_TASK_INITIAL_STACK_H_
