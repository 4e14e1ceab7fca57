// A process of the real kernel in which nothing of ours runs except one page of
// code. The tracer injects system calls and single accesses with ptrace, so
// what /proc shows of the process is what the script did to it.
//
// The process is exec'ed from a static ELF file of one page with an empty
// environment and no address randomisation. The tracer maps one anonymous
// page far from everything, writes the stubs there through /proc/PID/mem,
// unmaps the ELF page and the vdso, and turns huge pages off. The page is
// anonymous so that fork copies its entry: a child takes no fault for it.

#ifndef FAULTLINE_TESTS_NATIVE_TRACEE_H_
#define FAULTLINE_TESTS_NATIVE_TRACEE_H_

#include <sys/types.h>
#include <sys/user.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace faultline::native {

// Where the page with our code is; no dump shows it.
inline constexpr uint64_t kHiddenPage = 0x7fffff000000;

// Ends the program with a message and, when errno is set, its text.
[[noreturn]] void Die(const std::string& what);

// A descriptor that the process inherits.
struct InheritedFd {
  int ours = -1;
  int theirs = -1;
};

class Tracee {
 public:
  struct Signal {
    int number = 0;
    int code = 0;
    uint64_t addr = 0;
  };

  // How an injected piece of code ended.
  struct Stop {
    enum class Kind { kDone, kSignal, kExited, kKilled } kind = Kind::kDone;
    Signal signal;                  // kSignal.
    int killer = 0;                 // kKilled: the signal's number.
    uint64_t result = 0;            // kDone: rax.
    std::unique_ptr<Tracee> child;  // Of a fork.
  };

  // Starts process 0. `directory` is where the ELF file may be written; it
  // must be gone from the process once it runs, so any file system will do.
  enum class HugePages { kDisabled, kAsTheKernelSays };
  static std::unique_ptr<Tracee> Launch(
      const std::string& directory, const std::vector<InheritedFd>& fds,
      HugePages huge_pages = HugePages::kDisabled);
  // Kills the process if it still lives.
  ~Tracee();
  Tracee(const Tracee&) = delete;
  Tracee& operator=(const Tracee&) = delete;

  pid_t pid() const { return pid_; }

  // Bytes for a system call to read: where they are until the next Put.
  // REQUIRES: they fit into half a page.
  uint64_t Put(const void* bytes, size_t size);
  // Waits for the end of a process that was killed.
  void Bury();

  Stop Syscall(long number, const std::array<uint64_t, 6>& args);
  // One load or store of a byte. With `stack_pointer`, rsp is the address.
  Stop Load(uint64_t addr);
  Stop Store(uint64_t addr, uint8_t byte, bool stack_pointer);
  // `count` loads or stores, `stride` bytes apart, until one is signalled.
  Stop LoadRange(uint64_t addr, uint64_t count, uint64_t stride);
  Stop StoreRange(uint64_t addr, uint64_t count, uint64_t stride, uint8_t byte);
  // Executes one instruction at `addr`.
  Stop Fetch(uint64_t addr);

 private:
  Tracee(pid_t pid, const user_regs_struct& base) : pid_(pid), base_(base) {}

  // Sets the registers, lets the process run, and waits for its next stop.
  Stop Run(const user_regs_struct& regs);
  // The registers with which a stub starts.
  user_regs_struct At(uint64_t offset) const;
  void MapHiddenPage(uint64_t elf_page);
  void UnmapAllButStack();

  pid_t pid_ = -1;
  bool alive_ = true;
  uint64_t code_ = kHiddenPage;
  user_regs_struct base_;
};

}  // namespace faultline::native

#endif  // FAULTLINE_TESTS_NATIVE_TRACEE_H_
