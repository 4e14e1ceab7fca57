// What is kept of a process: its maps and status, and the headers of the ELF
// files that its image came from.

#ifndef FAULTLINE_TESTS_NATIVE_RECORD_SNAPSHOT_H_
#define FAULTLINE_TESTS_NATIVE_RECORD_SNAPSHOT_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace faultline::record {

// The text of /proc/TASK/NAME, empty when the task is gone.
std::string ProcText(pid_t task, const std::string& name);

// The value after `label` in /proc/TASK/status, for example "Tgid:".
std::optional<uint64_t> StatusField(const std::string& status,
                                    const std::string& label, int base);

// The string at `address` of the task's memory.
std::optional<std::string> StringAt(pid_t task, uint64_t address);

// The path that was given to the execve that made the task's image (AT_EXECFN).
std::optional<std::string> ExecutedPath(pid_t task);

// The start of an ELF file, as much as the kernel reads to map it: the ELF
// header, the program headers and the interpreter's name.
struct ElfHead {
  std::string path;   // as it was asked for: by execve or in PT_INTERP
  std::string real;   // as /proc/PID/maps names it
  uint64_t size = 0;  // of the whole file
  std::string bytes;
};

// The head of the task's program and, if it has one, of its interpreter.
std::vector<ElfHead> ElfHeadsOf(pid_t task, const std::string& executed_path);

}  // namespace faultline::record

#endif  // FAULTLINE_TESTS_NATIVE_RECORD_SNAPSHOT_H_
