#include "server/scenario/dump.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace faultline::scenario {
namespace {

constexpr uint64_t kPageSize = 4096;
constexpr uint64_t kEntrySize = 8;
constexpr uint64_t kBlockEntries = 512;
constexpr uint64_t kPartMax = uint64_t{1} << 20;

// Documentation/admin-guide/mm/pagemap.rst
constexpr uint64_t kPresent = uint64_t{1} << 63;
constexpr uint64_t kSwapped = uint64_t{1} << 62;
constexpr uint64_t kPfnMask = (uint64_t{1} << 55) - 1;
constexpr uint64_t kKpfZeroPage = uint64_t{1} << 24;

constexpr char kVsyscall[] = "[vsyscall]";

// The fields of smaps that a dump shows: those of how pages are used, not the
// sizes of the VMA and its pages.
bool IsShown(const std::string& field) {
  static const auto& shown = *new std::set<std::string>{"Rss",
                                                        "Pss",
                                                        "Shared_Clean",
                                                        "Shared_Dirty",
                                                        "Private_Clean",
                                                        "Private_Dirty",
                                                        "Referenced",
                                                        "Anonymous",
                                                        "LazyFree",
                                                        "AnonHugePages",
                                                        "ShmemPmdMapped",
                                                        "FilePmdMapped",
                                                        "Shared_Hugetlb",
                                                        "Private_Hugetlb",
                                                        "Swap",
                                                        "SwapPss",
                                                        "Locked"};
  return shown.count(field) > 0;
}

bool IsStatusShown(const std::string& field) {
  return absl::StartsWith(field, "Vm") || absl::StartsWith(field, "Rss") ||
         field == "HugetlbPages" || field == "THP_enabled";
}

SmapsRow Row(const SmapsEntry& entry) {
  SmapsRow row;
  row.start = entry.vma.start;
  row.end = entry.vma.end;
  row.flags = entry.vm_flags;
  for (const auto& field : entry.kilobytes) {
    if (IsShown(field.first)) row.kilobytes.push_back(field);
  }
  return row;
}

std::string ProcPath(uint32_t pid, const char* file) {
  return absl::StrCat("/proc/", pid, "/", file);
}

}  // namespace

absl::StatusOr<std::vector<DumpResult>> Dumper::Dump(
    const DumpParts& parts, int number,
    const std::vector<LiveProcess>& processes) {
  std::vector<DumpResult> results;
  Frames frames;
  for (const LiveProcess& process : processes) {
    absl::StatusOr<DumpResult> result = DumpOne(parts, process, &frames);
    if (!result.ok()) return result.status();
    result->number = number;
    results.push_back(*std::move(result));
  }
  return results;
}

MapsRow Dumper::Row(const MapsLine& line) {
  MapsRow row;
  row.start = line.start;
  row.end = line.end;
  row.perms = line.perms;
  row.offset = line.offset;
  row.name = ShortName(line.name);
  if (line.inode != 0) {
    const int next = static_cast<int>(inodes_.size()) + 1;
    row.inode =
        inodes_.try_emplace({line.device, line.inode}, next).first->second;
  }
  return row;
}

absl::StatusOr<DumpResult> Dumper::DumpOne(const DumpParts& parts,
                                           const LiveProcess& process,
                                           Frames* frames) {
  DumpResult result;
  result.process = process.number;
  result.parts = parts;
  if (parts.maps || parts.pagemap) {
    auto text = target_.ReadProc(ProcPath(process.pid, "maps"));
    if (!text.ok()) return text.status();
    auto lines = ParseMaps(*text);
    if (!lines.ok()) return lines.status();
    for (const MapsLine& line : *lines) {
      if (line.name == kVsyscall) continue;
      if (parts.maps) result.maps.push_back(Row(line));
      if (!parts.pagemap) continue;
      absl::Status status =
          AppendPages(line, process.pid, frames, &result.pages);
      if (!status.ok()) return status;
    }
  }
  if (parts.smaps) {
    auto text = target_.ReadProc(ProcPath(process.pid, "smaps"));
    if (!text.ok()) return text.status();
    auto entries = ParseSmaps(*text);
    if (!entries.ok()) return entries.status();
    for (const SmapsEntry& entry : *entries) {
      if (entry.vma.name != kVsyscall) {
        result.smaps.push_back(scenario::Row(entry));
      }
    }
  }
  if (parts.status) {
    auto text = target_.ReadProc(ProcPath(process.pid, "status"));
    if (!text.ok()) return text.status();
    for (auto& field : ParseFields(*text)) {
      if (IsStatusShown(field.first)) result.status.push_back(field);
    }
  }
  return result;
}

absl::Status Dumper::AppendPages(const MapsLine& vma, uint32_t pid,
                                 Frames* frames, std::vector<PageRow>* pages) {
  const std::string path = ProcPath(pid, "pagemap");
  const uint64_t end = vma.end / kPageSize * kEntrySize;
  uint64_t at = vma.start / kPageSize * kEntrySize;
  while (at < end) {
    auto part = target_.ReadProcAt(path, at, std::min(kPartMax, end - at));
    if (!part.ok()) return part.status();
    if (part->size() < kEntrySize) break;
    for (size_t i = 0; i + kEntrySize <= part->size(); i += kEntrySize) {
      const uint64_t entry = WordAt(*part, i);
      if ((entry & (kPresent | kSwapped)) == 0) continue;
      auto page = Page((at + i) / kEntrySize, entry, frames);
      if (!page.ok()) return page.status();
      pages->push_back(*std::move(page));
    }
    at += part->size() / kEntrySize * kEntrySize;
  }
  return absl::OkStatus();
}

absl::StatusOr<PageRow> Dumper::Page(uint64_t vpn, uint64_t entry,
                                     Frames* frames) {
  PageRow row;
  row.vpn = vpn;
  row.flags = PagemapLetters(entry);
  if ((entry & kPresent) == 0) return row;
  const uint64_t pfn = entry & kPfnMask;
  auto flags = FrameWord("/proc/kpageflags", pfn, frames);
  if (!flags.ok()) return flags.status();
  if (*flags & kKpfZeroPage) {
    // The recordings show neither count nor flags of the shared zero page.
    row.zero_page = true;
    return row;
  }
  auto count = FrameWord("/proc/kpagecount", pfn, frames);
  if (!count.ok()) return count.status();
  const int next = static_cast<int>(frames->ordinals.size()) + 1;
  row.ordinal = frames->ordinals.try_emplace(pfn, next).first->second;
  row.kpageflags = *flags;
  row.mapcount = *count;
  return row;
}

absl::StatusOr<uint64_t> Dumper::FrameWord(const std::string& path,
                                           uint64_t pfn, Frames* frames) {
  const uint64_t block = pfn / kBlockEntries;
  auto [it, absent] = frames->blocks.try_emplace({path, block});
  if (absent) {
    auto bytes = target_.ReadProcAt(path, block * kBlockEntries * kEntrySize,
                                    kBlockEntries * kEntrySize);
    if (!bytes.ok()) return bytes.status();
    it->second = *std::move(bytes);
  }
  const size_t at = pfn % kBlockEntries * kEntrySize;
  if (at + kEntrySize > it->second.size()) {
    return absl::InternalError(absl::StrCat(path, " ends before frame ", pfn));
  }
  return WordAt(it->second, at);
}

}  // namespace faultline::scenario
