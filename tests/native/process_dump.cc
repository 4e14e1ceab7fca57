#include "tests/native/process_dump.h"

#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/native/tracee.h"

namespace faultline::native {
namespace {

constexpr uint64_t kZeroPageFlag = uint64_t{1} << 24;

bool IsRecordedSmapsField(const std::string& name) {
  static const auto& left_out = *new std::set<std::string>{
      "Size",      "KernelPageSize", "MMUPageSize",
      "Pss_Dirty", "THPeligible",    "ProtectionKey"};
  return left_out.count(name) == 0;
}

bool IsRecordedStatusField(const std::string& name) {
  return absl::StartsWith(name, "Vm") || absl::StartsWith(name, "Rss") ||
         name == "HugetlbPages" || name == "THP_enabled";
}

std::vector<scenario::SmapsRow> SmapsRows(pid_t pid) {
  std::vector<scenario::SmapsRow> rows;
  for (ProcSmapsRow& row : ReadSmaps(pid)) {
    if (row.start == kHiddenPage) continue;
    scenario::SmapsRow out{row.start, row.end, {}, std::move(row.flags)};
    for (auto& field : row.kilobytes) {
      if (IsRecordedSmapsField(field.first)) {
        out.kilobytes.push_back(std::move(field));
      }
    }
    rows.push_back(std::move(out));
  }
  return rows;
}

}  // namespace

scenario::MapsRow ProcessDumper::MapsRowOf(const ProcMapsRow& row) {
  scenario::MapsRow out{row.start, row.end, row.perms, row.offset, 0, row.name};
  if (row.inode == 0) return out;
  const std::string inode = absl::StrCat(row.device, " ", row.inode);
  out.inode = inodes_.emplace(inode, inodes_.size() + 1).first->second;
  if (absl::StartsWith(row.name, "/memfd:")) {
    out.name = scenario::ShortName(row.name);
  } else if (row.name == "/dev/zero (deleted)") {
    out.name = "zero";
  } else if (std::string name = files_.NameOfInode(row.inode); !name.empty()) {
    out.name = std::move(name);
  }
  return out;
}

scenario::PageRow ProcessDumper::PageRowOf(const ProcPage& page) {
  scenario::PageRow out;
  out.vpn = page.vpn;
  out.flags = scenario::PagemapLetters(page.entry);
  out.zero_page = (page.kpageflags & kZeroPageFlag) != 0;
  if (!out.zero_page && page.pfn != 0) {
    out.ordinal = frames_.emplace(page.pfn, frames_.size() + 1).first->second;
    out.mapcount = page.mapcount;
    out.kpageflags = page.kpageflags;
  }
  return out;
}

scenario::DumpResult ProcessDumper::Dump(pid_t pid,
                                         const scenario::DumpParts& parts) {
  scenario::DumpResult dump;
  dump.parts = parts;
  for (const ProcMapsRow& row : ReadMaps(pid)) {
    if (row.start == kHiddenPage) continue;
    if (parts.maps) dump.maps.push_back(MapsRowOf(row));
    if (!parts.pagemap) continue;
    for (const ProcPage& page : ReadPages(pid, row.start, row.end)) {
      dump.pages.push_back(PageRowOf(page));
    }
  }
  if (parts.smaps) dump.smaps = SmapsRows(pid);
  if (!parts.status) return dump;
  for (auto& field : ReadStatus(pid)) {
    if (IsRecordedStatusField(field.first)) {
      dump.status.push_back(std::move(field));
    }
  }
  return dump;
}

}  // namespace faultline::native
