// Loading of ELF images.
#ifndef FAULTLINE_SERVER_MACHINE_TASK_BINFMT_ELF_H_
#define FAULTLINE_SERVER_MACHINE_TASK_BINFMT_ELF_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "server/machine/command.h"
#include "server/machine/kernel.h"

namespace faultline {

// One PT_LOAD of an image.
struct ElfSegment {
  uint64_t vaddr = 0;
  uint64_t offset = 0;
  uint64_t filesz = 0;
  uint64_t memsz = 0;
  uint64_t align = 0;
  uint64_t prot = 0;  // PROT_*
};

// What execve needs of the headers of a file.
struct ElfImage {
  Id<Inode> inode;
  bool position_independent = false;  // ET_DYN
  uint64_t entry = 0;
  uint64_t phdr_offset = 0;
  uint64_t phdr_count = 0;
  std::vector<ElfSegment> segments;
  std::string interpreter;        // PT_INTERP, "" when there is none
  bool executable_stack = false;  // PT_GNU_STACK has PF_X
};

// Parses the headers; `ra` says what was read of them. ENOEXEC for what is no
// ELF image of this machine. That its segments can be mapped is not known yet.
ErrnoOr<ElfImage> ReadElf(Kernel& k, Id<Inode> inode, FileRa ra);

// The image's interpreter; nothing when it names none. ENOENT, EACCES,
// ETXTBSY, EIO, and ELIBBAD for what is no ELF image.
ErrnoOr<std::optional<ElfImage>> ReadInterpreter(Kernel& k,
                                                 const ElfImage& image);

// load_elf_binary() from the point of no return on: `make_stack(bytes)` sets
// up the stack for that many bytes of strings and tables. EINVAL, ENOMEM and
// others for an image that cannot be mapped: the process is to be killed.
Errno LoadElf(Kernel& k, Mm& mm, const ElfImage& image,
              const std::optional<ElfImage>& interpreter, const Execve& call,
              const std::function<Errno(uint64_t bytes)>& make_stack);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_TASK_BINFMT_ELF_H_
