// VM_BUG_ON: the simulator itself is wrong. Caught in one place, the session
// layer, which marks that one machine panicked and lets the others live on.
#ifndef FAULTLINE_SERVER_MACHINE_BASE_BUG_H_
#define FAULTLINE_SERVER_MACHINE_BASE_BUG_H_

#include <stdexcept>
#include <string>

namespace faultline {

// A broken invariant of the simulator: the expression and where it stands.
class KernelBug : public std::logic_error {
 public:
  KernelBug(const char* expression, const char* file, int line)
      : std::logic_error(std::string("kernel BUG at ") + file + ":" +
                         std::to_string(line) + ": " + expression) {}
};

// Out of line, so that a check costs its caller a compare and a branch.
[[noreturn, gnu::cold, gnu::noinline]] inline void ThrowKernelBug(
    const char* expression, const char* file, int line) {
  throw KernelBug(expression, file, line);
}

#define VM_BUG_ON(cond)                                       \
  do {                                                        \
    if (__builtin_expect(static_cast<bool>(cond), 0))         \
      ::faultline::ThrowKernelBug(#cond, __FILE__, __LINE__); \
  } while (0)

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_BASE_BUG_H_
