// The memory map that `boot e820=` gives: lines of /proc/iomem, or ranges.
#ifndef FAULTLINE_SERVER_SCENARIO_MEMORY_MAP_H_
#define FAULTLINE_SERVER_SCENARIO_MEMORY_MAP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace faultline::scenario {

// Memory: the addresses [start, end).
struct AddressRange {
  uint64_t start = 0;
  uint64_t end = 0;
};

// The "System RAM" lines of /proc/iomem. kInvalidArgument when there are none,
// or for one that is no range of addresses.
absl::StatusOr<std::vector<AddressRange>> ParseIomem(absl::string_view text);

// Of a file with such lines, or of ranges as "1000-9fbff,100000-3ffdffff". Also
// what keeps the file from being read.
absl::StatusOr<std::vector<AddressRange>> ReadMemoryMap(
    const std::string& given);

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_MEMORY_MAP_H_
