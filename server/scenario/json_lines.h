// The JSON lines that a run prints: one object per operation, one per process
// and dump. The simulator and the native runner print through here, so that
// two runs can be compared byte by byte.

#ifndef FAULTLINE_SERVER_SCENARIO_JSON_LINES_H_
#define FAULTLINE_SERVER_SCENARIO_JSON_LINES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/scenario/script.h"

namespace faultline::scenario {

// What one operation did. Fields that do not apply stay empty.
struct OpResult {
  int number = 0;  // From 1; declarations, dumps and expectations do not count.
  int process = 0;
  std::string op;  // Op::text.

  struct Signal {
    int number = 0;
    int code = 0;
    uint64_t addr = 0;
  };
  struct Child {
    int process = 0;
    uint64_t minor_faults = 0;
    uint64_t major_faults = 0;
  };

  bool skip = false;        // The process was dead.
  std::optional<int> died;  // The signal that killed it.
  std::optional<Signal> signal;
  std::optional<int> value;  // A single read.
  // mincore: a digit for each page; get_mempolicy: for each node.
  std::optional<std::string> vec;
  std::optional<int> fetch_fault;   // A fetch: 0 or 1.
  std::optional<Child> child;       // A fork that succeeded.
  std::optional<uint64_t> ret;      // A system call, in hex.
  std::optional<int64_t> file_ret;  // A call on a file, in decimal.
  std::optional<int> error;         // Errno, positive.
  bool exited = false;
  std::optional<std::string> printed;  // The text of cat.
  uint64_t minor_faults = 0;
  uint64_t major_faults = 0;
  uint64_t tlb_misses = 0;   // Of the kernel's own accesses,
  uint64_t table_loads = 0;  // and the page-table entries read for them.
  std::map<std::string, uint64_t> events;  // By name; not printed.
};

struct MapsRow {
  uint64_t start = 0;
  uint64_t end = 0;
  std::string perms;  // "rw-p".
  uint64_t offset = 0;
  int inode = 0;     // Ordinal by first sight; 0: none.
  std::string name;  // f0, zero, [stack], or empty.
};

struct SmapsRow {
  uint64_t start = 0;
  uint64_t end = 0;
  // In the order and by the names of /proc/PID/smaps, from Rss to Locked.
  // KernelPageSize and MMUPageSize are left out.
  std::vector<std::pair<std::string, uint64_t>> kilobytes;
  std::string flags;  // "rd wr mr mw me ac".
};

// The letters of an entry of /proc/PID/pagemap: P present, S swapped, F file or
// shared, E exclusive, D soft-dirty (where that exists), G a guard.
std::string PagemapLetters(uint64_t entry);

struct PageRow {
  uint64_t vpn = 0;
  std::string flags;  // PagemapLetters().
  bool zero_page = false;
  int ordinal = 0;  // Of the frame, by first appearance over all processes.
  uint64_t mapcount = 0;
  uint64_t kpageflags = 0;
};

// One process at one dump.
struct DumpResult {
  int number = 0;  // Of the operation before it.
  int process = 0;
  DumpParts parts;
  std::vector<MapsRow> maps;
  std::vector<SmapsRow> smaps;
  std::vector<PageRow> pages;
  std::vector<std::pair<std::string, uint64_t>> status;
};

// One JSON object without a newline.
std::string JsonLine(const OpResult& result);
std::string JsonLine(const DumpResult& dump);

// A JSON string with its quotes.
std::string JsonString(absl::string_view text);

// What a name in /proc/PID/maps is called in a dump: f0 for /f0, zero for
// shared anonymous memory.
std::string ShortName(const std::string& name);

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_JSON_LINES_H_
