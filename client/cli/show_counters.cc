#include "client/cli/show_counters.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cli/terminal.h"
#include "server/scenario/names.h"
#include "server/scenario/report.h"

namespace faultline::cli {
namespace {

constexpr int kLabelColumns = 14;
constexpr int kNumberColumns = 9;

// Of /proc/PID/status. All fit into the narrowest picture.
constexpr const char* kFields[] = {"VmSize", "RssAnon", "RssFile", "RssShmem",
                                   "VmPTE"};
static_assert(kLabelColumns + kNumberColumns * std::size(kFields) <=
              kPictureWidthMin);

void AddNumber(PictureLine& line, absl::string_view number, Paint paint) {
  const int spaces = kNumberColumns - ColumnsOf(number);
  line.PadTo(line.columns() + std::max(spaces, 1)).Add(number, paint);
}

std::string ProcessTable(const std::vector<ProcessLook>& processes,
                         const PictureStyle& style) {
  if (processes.empty()) return "";
  PictureLine line(style);
  line.Add("Memory in KiB", Paint::kBold).PadTo(kLabelColumns);
  for (const char* field : kFields) AddNumber(line, field, Paint::kDim);
  std::string text = line.Take();
  for (const ProcessLook& process : processes) {
    if (process.zombie) continue;
    line.Add(absl::StrCat("  process ", process.pid)).PadTo(kLabelColumns);
    for (const char* field : kFields) {
      AddNumber(line, absl::StrCat(process.Kilobytes(field)), Paint::kPlain);
    }
    text += line.Take();
  }
  return text;
}

std::string FaultsTable(const SessionTally& tally, const PictureStyle& style) {
  PictureLine line(style);
  line.Add("Faults", Paint::kBold).PadTo(kLabelColumns);
  line.Add(absl::StrCat(Count(tally.minor_faults(), "minor fault"), ", ",
                        Count(tally.major_faults(), "major fault")));
  std::string text = line.Take();
  for (const auto& [resolution, count] : tally.resolutions()) {
    line.Add(absl::StrFormat("  %10d  ", count));
    line.Add(FitEnd(scenario::ResolutionText(resolution), line.left(), style),
             Paint::kDim);
    text += line.Take();
  }
  return text;
}

// "SIGSEGV 2, SIGBUS 1".
std::string Named(const std::map<int, uint64_t>& counts,
                  const scenario::NameTable& names) {
  return absl::StrJoin(counts, ", ", [&](std::string* out, const auto& entry) {
    const char* name = names.NameOf(static_cast<uint64_t>(entry.first));
    absl::StrAppend(out, name != nullptr ? name : absl::StrCat(entry.first),
                    " ", entry.second);
  });
}

std::string LabelledLine(absl::string_view label, absl::string_view words,
                         const PictureStyle& style) {
  if (words.empty()) return "";
  PictureLine line(style);
  line.Add(label, Paint::kBold).PadTo(kLabelColumns);
  line.Add(FitEnd(words, line.left(), style));
  return line.Take();
}

std::string ZoneText(const ZoneLook& zone) {
  return absl::StrCat(zone.name, " ", zone.free_pages, " of ",
                      zone.managed_pages);
}

// "  pages free     3975" -> 3975 for the name "pages free".
bool ParseCount(absl::string_view line, absl::string_view name,
                uint64_t* count) {
  line = absl::StripAsciiWhitespace(line);
  return absl::ConsumePrefix(&line, name) && absl::SimpleAtoi(line, count);
}

}  // namespace

std::vector<ZoneLook> ParseZoneinfo(absl::string_view text) {
  std::vector<ZoneLook> zones;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::StartsWith(line, "Node ")) {
      zones.emplace_back().name = std::string(line.substr(line.rfind(' ') + 1));
    } else if (!zones.empty()) {
      ParseCount(line, "pages free", &zones.back().free_pages);
      ParseCount(line, "managed", &zones.back().managed_pages);
    }
  }
  zones.erase(std::remove_if(
                  zones.begin(), zones.end(),
                  [](const ZoneLook& zone) { return zone.managed_pages == 0; }),
              zones.end());
  return zones;
}

std::string TimeText(uint64_t nanoseconds) {
  const auto time = static_cast<double>(nanoseconds);
  if (nanoseconds < 1000) return absl::StrCat(nanoseconds, " ns");
  if (nanoseconds < 1000000) return absl::StrFormat("%.1f us", time / 1e3);
  if (nanoseconds < 1000000000) return absl::StrFormat("%.1f ms", time / 1e6);
  return absl::StrFormat("%.1f s", time / 1e9);
}

std::string CountersText(const std::vector<ProcessLook>& processes,
                         const std::vector<ZoneLook>& zones,
                         const SessionTally& tally, const PictureStyle& style) {
  return absl::StrCat(
      ProcessTable(processes, style), FaultsTable(tally, style),
      LabelledLine("Signals", Named(tally.signals(), scenario::SignalNames()),
                   style),
      LabelledLine("Refused", Named(tally.errors(), scenario::ErrnoNames()),
                   style),
      LabelledLine("Free pages",
                   absl::StrJoin(zones, ", ",
                                 [](std::string* out, const ZoneLook& zone) {
                                   *out += ZoneText(zone);
                                 }),
                   style),
      LabelledLine("Time",
                   absl::StrCat(TimeText(tally.cost_ns()), " simulated"),
                   style));
}

}  // namespace faultline::cli
