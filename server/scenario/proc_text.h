// Reads the text of /proc/PID/maps, smaps and status back into fields: what a
// dump prints and what an import compares.

#ifndef FAULTLINE_SERVER_SCENARIO_PROC_TEXT_H_
#define FAULTLINE_SERVER_SCENARIO_PROC_TEXT_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace faultline::scenario {

// One line of /proc/PID/maps.
struct MapsLine {
  uint64_t start = 0;
  uint64_t end = 0;
  std::string perms;  // "rw-p"
  uint64_t offset = 0;
  std::string device;  // "fe:00"
  uint64_t inode = 0;
  std::string name;  // path, "[stack]" or empty

  friend bool operator==(const MapsLine&, const MapsLine&) = default;
};

// One VMA of /proc/PID/smaps: the maps line and "Rss: 4 kB" … in file order.
struct SmapsEntry {
  MapsLine vma;
  std::vector<std::pair<std::string, uint64_t>> kilobytes;
  std::string vm_flags;
};

// INVALID_ARGUMENT names the line that is not one of /proc/PID/maps.
absl::StatusOr<std::vector<MapsLine>> ParseMaps(absl::string_view text);
absl::StatusOr<std::vector<SmapsEntry>> ParseSmaps(absl::string_view text);

// The fields of status, meminfo or vmstat that hold a number: "VmRSS" -> 36.
std::vector<std::pair<std::string, uint64_t>> ParseFields(
    absl::string_view text);

// The word at `at` of a file of words, such as /proc/PID/pagemap.
uint64_t WordAt(const std::string& bytes, size_t at);

// A MapsLine as Linux prints it, without the newline.
std::string FormatMapsLine(const MapsLine& line);

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_PROC_TEXT_H_
