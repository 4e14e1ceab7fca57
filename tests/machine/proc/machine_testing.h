// The verbs the /proc and Verify tests are written in.
#ifndef FAULTLINE_TESTS_MACHINE_PROC_MACHINE_TESTING_H_
#define FAULTLINE_TESTS_MACHINE_PROC_MACHINE_TESTING_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>

#include "server/machine/machine.h"
#include "server/machine/proc/proc.h"

namespace faultline {

// prot and flags of mmap(2).
inline constexpr uint64_t kProtRead = 1, kProtWrite = 2, kProtExec = 4;
inline constexpr uint64_t kMapShared = 1, kMapPrivate = 2, kMapFixed = 0x10,
                          kMapAnonymous = 0x20, kMapNoReserve = 0x4000,
                          kMapStack = 0x20000;

// A machine on which every command must succeed and leave it consistent.
class Driver {
 public:
  explicit Driver(const MachineConfig& config = {}) : machine_(config) {}

  int64_t Do(Operation op, Pid pid = 1) {
    Outcome out = machine_.Apply({pid, std::move(op)});
    EXPECT_FALSE(out.no_process);
    EXPECT_EQ(out.error, Errno::kOk);
    EXPECT_EQ(out.signal.signal, 0);
    EXPECT_EQ(machine_.Verify(), "");
    return out.value;
  }
  uint64_t MapAnon(uint64_t addr, uint64_t pages, uint64_t prot = 3,
                   uint64_t flags = kMapPrivate) {
    Mmap call;
    call.addr = addr;
    call.length = pages * kPageSize;
    call.prot = prot;
    call.flags = flags | kMapAnonymous | (addr != 0 ? kMapFixed : 0);
    return static_cast<uint64_t>(Do(call));
  }
  uint64_t MapFile(uint64_t addr, uint64_t pages, uint64_t prot, uint64_t flags,
                   int64_t fd, uint64_t offset = 0) {
    Mmap call;
    call.addr = addr;
    call.length = pages * kPageSize;
    call.prot = prot;
    call.flags = flags | (addr != 0 ? kMapFixed : 0);
    call.fd = static_cast<int32_t>(fd);
    call.offset = offset;
    return static_cast<uint64_t>(Do(call));
  }
  int64_t OpenFile(const std::string& path, uint64_t flags) {
    Open call;
    call.path = path;
    call.flags = flags;
    return Do(call);
  }
  void Touch(AccessKind kind, uint64_t addr, uint64_t pages = 1, Pid pid = 1) {
    Access call;
    call.kind = kind;
    call.addr = addr;
    call.count = pages;
    Do(call, pid);
  }
  void WriteTo(uint64_t addr, uint64_t pages = 1, Pid pid = 1) {
    Touch(AccessKind::kWrite, addr, pages, pid);
  }
  void ReadFrom(uint64_t addr, uint64_t pages = 1, Pid pid = 1) {
    Touch(AccessKind::kRead, addr, pages, pid);
  }

  std::string Cat(const std::string& path) const {
    ErrnoOr<std::string> text = ReadProc(machine_.kernel(), path);
    EXPECT_TRUE(text.ok()) << path << ": " << ErrnoName(text.error());
    return text.ok() ? text.value() : "";
  }
  Errno CatError(const std::string& path) const {
    return ReadProc(machine_.kernel(), path).error();
  }
  const Kernel& kernel() const { return machine_.kernel(); }

 private:
  Machine machine_;
};

// The lines of `text` that start with `prefix`.
inline std::string LinesWith(const std::string& text,
                             const std::string& prefix) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at) + 1;
    if (end == 0) end = text.size();
    if (text.compare(at, prefix.size(), prefix) == 0) {
      out += text.substr(at, end - at);
    }
    at = end;
  }
  return out;
}

}  // namespace faultline

#endif  // FAULTLINE_TESTS_MACHINE_PROC_MACHINE_TESTING_H_
