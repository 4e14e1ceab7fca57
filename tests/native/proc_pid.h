// Reads /proc/PID of an observed process: maps, smaps, status, page faults,
// and pagemap with what kpagecount and kpageflags say of its frames.

#ifndef FAULTLINE_TESTS_NATIVE_PROC_PID_H_
#define FAULTLINE_TESTS_NATIVE_PROC_PID_H_

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace faultline::native {

struct ProcMapsRow {
  uint64_t start = 0;
  uint64_t end = 0;
  std::string perms;
  uint64_t offset = 0;
  std::string device;  // "00:2d".
  uint64_t inode = 0;
  std::string name;
};

struct ProcSmapsRow {
  uint64_t start = 0;
  uint64_t end = 0;
  std::vector<std::pair<std::string, uint64_t>> kilobytes;  // As printed.
  std::string flags;
};

struct ProcPage {
  uint64_t vpn = 0;
  uint64_t entry = 0;     // As pagemap has it.
  uint64_t pfn = 0;       // 0: not present.
  uint64_t mapcount = 0;  // kpagecount.
  uint64_t kpageflags = 0;
};

struct FaultCounts {
  uint64_t minor = 0;
  uint64_t major = 0;
};

// Each ends the program with a message when /proc cannot be read. The vsyscall
// page, which is none of the process's areas, is left out.
std::string ReadWholeFile(const std::string& path);
std::vector<ProcMapsRow> ReadMaps(pid_t pid);
std::vector<ProcSmapsRow> ReadSmaps(pid_t pid);
std::vector<std::pair<std::string, uint64_t>> ReadStatus(pid_t pid);
FaultCounts ReadFaults(pid_t pid);
// /proc/PID/limits, whose lines are in the order of the resources' numbers.
rlimit ReadLimit(pid_t pid, uint64_t resource);
// What this process, and so one that it traces, may do: CapEff.
uint64_t OwnCapabilities();
uint64_t ReadStartBrk(pid_t pid);
std::vector<uint8_t> ReadMemory(pid_t pid, uint64_t addr, uint64_t bytes);
// The pages of [start, end) that are present, swapped out or guarded.
// The entry of one page.
uint64_t ReadPagemapEntry(pid_t pid, uint64_t vpn);

std::vector<ProcPage> ReadPages(pid_t pid, uint64_t start, uint64_t end);

}  // namespace faultline::native

#endif  // FAULTLINE_TESTS_NATIVE_PROC_PID_H_
