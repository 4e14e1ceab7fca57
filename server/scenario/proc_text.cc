#include "server/scenario/proc_text.h"

#include <charconv>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace faultline::scenario {
namespace {

// fs/proc/task_mmu.c: show_map_vma() pads the line to this column before the
// name.
constexpr size_t kNameColumn = 73;

bool ParseNumber(absl::string_view text, int base, uint64_t* value) {
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, *value, base);
  return result.ec == std::errc() && result.ptr == end && !text.empty();
}

absl::string_view TakeWord(absl::string_view* rest) {
  const size_t end = std::min(rest->find(' '), rest->size());
  const absl::string_view word = rest->substr(0, end);
  rest->remove_prefix(end);
  while (!rest->empty() && rest->front() == ' ') rest->remove_prefix(1);
  return word;
}

std::optional<MapsLine> ParseMapsLine(absl::string_view text) {
  MapsLine line;
  const absl::string_view range = TakeWord(&text);
  const size_t dash = range.find('-');
  if (dash == absl::string_view::npos) return std::nullopt;
  line.perms = std::string(TakeWord(&text));
  const absl::string_view offset = TakeWord(&text);
  line.device = std::string(TakeWord(&text));
  const absl::string_view inode = TakeWord(&text);
  line.name = std::string(text);
  if (!ParseNumber(range.substr(0, dash), 16, &line.start) ||
      !ParseNumber(range.substr(dash + 1), 16, &line.end) ||
      !ParseNumber(offset, 16, &line.offset) ||
      !ParseNumber(inode, 10, &line.inode) || line.perms.size() != 4) {
    return std::nullopt;
  }
  return line;
}

absl::Status BadLine(const char* what, size_t number, absl::string_view line) {
  return absl::InvalidArgumentError(absl::StrCat(
      "line ", number, " is not a line of /proc/PID/", what, ": '", line, "'"));
}

// "Rss:    4 kB": the name and the number.
std::optional<std::pair<std::string, uint64_t>> ParseField(
    absl::string_view line) {
  const size_t colon = line.find_first_of(": \t");
  if (colon == absl::string_view::npos) return std::nullopt;
  absl::string_view value = absl::StripAsciiWhitespace(line.substr(colon + 1));
  absl::ConsumeSuffix(&value, " kB");
  uint64_t number = 0;
  if (!ParseNumber(absl::StripAsciiWhitespace(value), 10, &number)) {
    return std::nullopt;
  }
  return std::make_pair(std::string(line.substr(0, colon)), number);
}

}  // namespace

absl::StatusOr<std::vector<MapsLine>> ParseMaps(absl::string_view text) {
  std::vector<MapsLine> lines;
  size_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    std::optional<MapsLine> parsed = ParseMapsLine(line);
    if (!parsed) return BadLine("maps", number, line);
    lines.push_back(*std::move(parsed));
  }
  return lines;
}

absl::StatusOr<std::vector<SmapsEntry>> ParseSmaps(absl::string_view text) {
  std::vector<SmapsEntry> entries;
  size_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    if (std::optional<MapsLine> vma = ParseMapsLine(line)) {
      entries.emplace_back().vma = *std::move(vma);
      continue;
    }
    if (entries.empty()) return BadLine("smaps", number, line);
    if (absl::ConsumePrefix(&line, "VmFlags:")) {
      entries.back().vm_flags = std::string(absl::StripAsciiWhitespace(line));
    } else if (auto field = ParseField(line)) {
      entries.back().kilobytes.push_back(*std::move(field));
    } else {
      return BadLine("smaps", number, line);
    }
  }
  return entries;
}

std::vector<std::pair<std::string, uint64_t>> ParseFields(
    absl::string_view text) {
  std::vector<std::pair<std::string, uint64_t>> fields;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (auto field = ParseField(line)) fields.push_back(*std::move(field));
  }
  return fields;
}

uint64_t WordAt(const std::string& bytes, size_t at) {
  uint64_t word = 0;
  for (size_t i = 0; i < sizeof(word); ++i) {
    word |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[at + i]))
            << (8 * i);
  }
  return word;
}

std::string FormatMapsLine(const MapsLine& line) {
  std::string text =
      absl::StrFormat("%08x-%08x %s %08x %s %d ", line.start, line.end,
                      line.perms, line.offset, line.device, line.inode);
  if (line.name.empty()) return text;
  if (text.size() < kNameColumn) text.append(kNameColumn - text.size(), ' ');
  return absl::StrCat(text, line.name);
}

}  // namespace faultline::scenario
