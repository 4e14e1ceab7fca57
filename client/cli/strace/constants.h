// The names that strace prints for numbers of the Linux x86-64 ABI. The values
// are written down here, not taken from the host's headers, so that a recording
// means the same wherever it is read.

#ifndef FAULTLINE_CLIENT_CLI_STRACE_CONSTANTS_H_
#define FAULTLINE_CLIENT_CLI_STRACE_CONSTANTS_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace faultline::strace {

// The value of a flag or of an enumerated argument: PROT_READ, MAP_FIXED,
// MADV_DONTNEED, CLONE_VM, O_CLOEXEC, RLIMIT_STACK, PR_SET_VMA, NULL …
std::optional<uint64_t> ConstantValue(std::string_view name);

// The number of an errno name, for example 12 for "ENOMEM". Also the kernel's
// internal ones that strace shows, for example 512 for "ERESTARTSYS".
std::optional<int> ErrnoNumber(std::string_view name);

// The number of a signal name, for example 11 for "SIGSEGV". Also "SIGRT_3"
// and "SIGRTMIN".
std::optional<int> SignalNumber(std::string_view name);

}  // namespace faultline::strace

#endif  // FAULTLINE_CLIENT_CLI_STRACE_CONSTANTS_H_
