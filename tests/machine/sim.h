// The language the machine's tests are written in. A Sim is a machine that is
// verified after every command; a script is a list of steps on a window of
// pages, and what each must answer:
//
//   map 0-4 rw; write 1-3 v7 +2; protect 0-2 r; write 0 =SEGV/2; 2: read 1 =7
//
// A step is [PID:] VERB ARGUMENTS [EXPECTATIONS]. A-B are pages of the window,
// B not included; a lone A is A-(A+1). Verbs:
//   map A-B PROT [FLAG…]    mmap, private, anonymous and fixed unless told
//                           otherwise: shared locked growsdown stack noreserve
//                           populate noreplace fdN fdN@PAGE
//   unmap A-B  protect A-B PROT  lock A-B  onfault A-B  unlock A-B
//   advise A-B NUMBER  sync A-B FLAGS  name A-B TEXT
//   resize A-B N            mremap to N pages, in place
//   grow A-B N              mremap to N pages, may move
//   move A-B C [keep]       mremap to page C, same size; keep: DONTUNMAP
//   read A-B  write A-B [vBYTE]  fetch A
//   fork  clone FLAGS  exit [STATUS]  wait  close FD  truncate FD PAGES  fsync
//   FD
// Expectations: =NAME an errno or a signal (SEGV/1, SEGV/2, BUS/2), =NUMBER the
// value (for read the byte), +N minor faults, !N major ones. Without a =NAME
// the step must succeed.
#ifndef FAULTLINE_TESTS_MACHINE_SIM_H_
#define FAULTLINE_TESTS_MACHINE_SIM_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "server/machine/machine.h"

namespace faultline {

// The window's first address: a multiple of 2 MiB.
inline constexpr uint64_t kWindow = 0x10000000;
inline constexpr uint64_t kWindowPages = 4096;
constexpr uint64_t At(uint64_t page) { return kWindow + page * kPageSize; }

inline constexpr uint64_t kR = 1, kW = 2, kX = 4, kRw = 3;
inline constexpr uint64_t kOpenRead = 0, kOpenWrite = 1, kOpenBoth = 2;

// A machine with this kernel. Tests edit what no command can reach.
Machine MachineFrom(const Kernel& k);

class Sim {
 public:
  explicit Sim(const MachineConfig& config = {}) : machine_(config) {}
  explicit Sim(Machine machine) : machine_(std::move(machine)) {}

  // Runs the steps of a script.
  void Run(std::string_view script);

  // One command; the machine must verify afterwards.
  Outcome Do(Operation op, Pid pid = 1, EventLevel level = EventLevel::kFaults);
  // The same without Verify, for the thousandth time.
  Outcome Apply(Operation op, Pid pid = 1,
                EventLevel level = EventLevel::kNone) {
    return machine_.Apply({pid, std::move(op)}, level);
  }
  // Changes the kernel behind the machine's back.
  void Edit(const std::function<void(Kernel&)>& edit);
  // Process 1 without capabilities.
  void DropCapabilities();
  void SetSysctl(const std::string& name, uint64_t value);
  void Limit(RlimitResource what, uint64_t value, Pid pid = 1);

  // Puts a file of `pages` pages that hold page k's pattern, and opens it.
  int32_t File(const std::string& path, uint64_t pages,
               uint64_t flags = kOpenBoth, FsType fs = FsType::kRamfs,
               bool cached = true);
  // The byte that FileContent::kPattern gives page k of seed 0.
  static uint8_t PatternByte(uint64_t page) {
    return static_cast<uint8_t>(page * 7 + 1);
  }

  // The VMAs of the window: "0-4:rw 6-8:rS". After the protection: S shared,
  // L locked, F lock-on-fault, D grows down, N no reserve, H no huge pages,
  // A charged (only with `accounts`).
  std::string Vmas(Pid pid = 1, bool accounts = false) const;
  // The VMA that holds an address; fails the test when there is none.
  const Vma& VmaOf(uint64_t addr, Pid pid = 1) const;
  Pte PteOf(uint64_t addr, Pid pid = 1) const;
  const Page& PageOf(uint64_t addr, Pid pid = 1) const;
  // VMAs of the process outside the window too.
  uint32_t map_count(Pid pid = 1) const { return mm(pid).map_count; }

  const Kernel& kernel() const { return machine_.kernel(); }
  Machine& machine() { return machine_; }
  const Mm& mm(Pid pid = 1) const;
  const Task& task(Pid pid = 1) const;
  uint64_t free_pages() const;

 private:
  void Step(const std::string& text);
  Machine machine_;
};

// "OK", "ENOMEM", "SEGV/1": what a command came to.
std::string ResultOf(const Outcome& out);

}  // namespace faultline

#endif  // FAULTLINE_TESTS_MACHINE_SIM_H_
