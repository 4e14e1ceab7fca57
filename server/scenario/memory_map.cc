#include "server/scenario/memory_map.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/scenario/parser.h"

namespace faultline::scenario {
namespace {

constexpr absl::string_view kRam = " : System RAM";

// "00100000-3ffdffff", whose end is the last byte.
absl::StatusOr<AddressRange> ParseRange(absl::string_view text) {
  const std::vector<absl::string_view> ends = absl::StrSplit(text, '-');
  AddressRange range;
  if (ends.size() != 2 || !absl::SimpleHexAtoi(ends[0], &range.start) ||
      !absl::SimpleHexAtoi(ends[1], &range.end) || range.end < range.start) {
    return absl::InvalidArgumentError(
        absl::StrCat("the memory map has '", text,
                     "': write START-END, in hexadecimal, END the last byte"));
  }
  range.end++;
  return range;
}

bool IsRanges(absl::string_view given) {
  return given.find_first_not_of("0123456789abcdefABCDEFx,-") ==
             absl::string_view::npos &&
         absl::StrContains(given, '-');
}

}  // namespace

absl::StatusOr<std::vector<AddressRange>> ParseIomem(absl::string_view text) {
  std::vector<AddressRange> map;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    // Indented lines are parts of the one above.
    if (absl::StartsWith(line, " ")) continue;
    if (!absl::ConsumeSuffix(&line, kRam)) continue;
    absl::StatusOr<AddressRange> range = ParseRange(line);
    if (!range.ok()) return range.status();
    map.push_back(*range);
  }
  if (map.empty()) {
    return absl::InvalidArgumentError(
        "the memory map has no 'System RAM': read /proc/iomem as root");
  }
  return map;
}

absl::StatusOr<std::vector<AddressRange>> ReadMemoryMap(
    const std::string& given) {
  if (IsRanges(given)) {
    return ParseIomem(absl::StrCat(
        absl::StrReplaceAll(given, {{",", absl::StrCat(kRam, "\n")}}), kRam));
  }
  absl::StatusOr<std::string> text = ReadFile(given);
  if (!text.ok()) return text.status();
  return ParseIomem(*text);
}

}  // namespace faultline::scenario
