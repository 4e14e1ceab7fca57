// Reference strings: the pages that a process accesses, in order. As words of
// the command line, or as a session recorded them.

#ifndef FAULTLINE_CLIENT_CLI_REFERENCE_STRING_H_
#define FAULTLINE_CLIENT_CLI_REFERENCE_STRING_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/recording.h"

namespace faultline::cli {

// Pages are numbers from 0 to kPagesMax - 1.
inline constexpr uint64_t kPagesMax = 10'000;
// The most accesses that OPT can be told of.
inline constexpr size_t kReferencesMax = 65'536;

struct Reference {
  uint64_t page = 0;
  bool write = false;

  friend bool operator==(const Reference& a, const Reference& b) {
    return a.page == b.page && a.write == b.write;
  }
};

// "7", or "7w" for a store.
absl::StatusOr<std::vector<Reference>> ParseReferences(
    const std::vector<std::string>& words);

// What process `pid` accessed in a session: the accesses that were done, of
// Access and AccessMany. The pages are numbered from 0 up in the order of their
// addresses. NOT_FOUND: the process made none. OUT_OF_RANGE: more accesses or
// pages than above.
absl::StatusOr<std::vector<Reference>> RecordedReferences(Recording& recording,
                                                          uint32_t pid);

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_REFERENCE_STRING_H_
