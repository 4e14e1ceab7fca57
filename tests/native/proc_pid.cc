#include "tests/native/proc_pid.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/native/tracee.h"

namespace faultline::native {
namespace {

constexpr uint64_t kTaskSize = uint64_t{1} << 47;
constexpr uint64_t kPresent = uint64_t{1} << 63;
constexpr uint64_t kSwapped = uint64_t{1} << 62;
constexpr uint64_t kGuard = uint64_t{1} << 58;
constexpr uint64_t kPfnMask = (uint64_t{1} << 55) - 1;

std::string PidPath(pid_t pid, const char* file) {
  return absl::StrCat("/proc/", pid, "/", file);
}

int OpenOrDie(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) Die("cannot open " + path);
  return fd;
}

// "10000000-10004000 rw-p 00000000 00:00 0    [stack]"; false when it is not
// such a line, as the other lines of smaps are not.
bool ParseMapsLine(absl::string_view line, ProcMapsRow* row) {
  const std::vector<absl::string_view> fields =
      absl::StrSplit(line, absl::MaxSplits(absl::ByAnyChar(" "), 5));
  if (fields.size() < 5) return false;
  const std::vector<absl::string_view> range = absl::StrSplit(fields[0], '-');
  if (range.size() != 2 || !absl::SimpleHexAtoi(range[0], &row->start) ||
      !absl::SimpleHexAtoi(range[1], &row->end)) {
    return false;
  }
  row->perms = std::string(fields[1]);
  row->device = std::string(fields[3]);
  row->name.clear();
  if (fields.size() > 5) {
    row->name = std::string(absl::StripLeadingAsciiWhitespace(fields[5]));
  }
  return absl::SimpleHexAtoi(fields[2], &row->offset) &&
         absl::SimpleAtoi(fields[4], &row->inode);
}

// "Rss:      12 kB" or "THP_enabled: 0".
bool ParseCountLine(absl::string_view line,
                    std::pair<std::string, uint64_t>* out) {
  const std::vector<absl::string_view> fields =
      absl::StrSplit(line, absl::ByAnyChar(": \t"), absl::SkipEmpty());
  if (fields.size() < 2 || !absl::SimpleAtoi(fields[1], &out->second)) {
    return false;
  }
  out->first = std::string(fields[0]);
  return true;
}

// The fields of /proc/PID/stat after the name, "state" being the first.
std::vector<std::string> StatFields(pid_t pid) {
  const std::string stat = ReadWholeFile(PidPath(pid, "stat"));
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) Die("cannot read a process's stat");
  return absl::StrSplit(absl::string_view(stat).substr(name_end + 2), ' ');
}

uint64_t StatNumber(const std::vector<std::string>& fields, size_t number) {
  uint64_t value = 0;
  // proc(5) counts from 1, the state being field 3.
  if (number - 3 >= fields.size() ||
      !absl::SimpleAtoi(fields[number - 3], &value)) {
    Die(absl::StrCat("field ", number, " of a process's stat is no number"));
  }
  return value;
}

uint64_t ReadFrameWord(int fd, uint64_t pfn) {
  uint64_t word = 0;
  if (pread(fd, &word, sizeof(word), static_cast<off_t>(pfn * 8)) !=
      sizeof(word)) {
    return 0;
  }
  return word;
}

void AddFrameFacts(ProcPage* page) {
  static const int counts = OpenOrDie("/proc/kpagecount");
  static const int flags = OpenOrDie("/proc/kpageflags");
  page->mapcount = ReadFrameWord(counts, page->pfn);
  page->kpageflags = ReadFrameWord(flags, page->pfn);
}

}  // namespace

std::string ReadWholeFile(const std::string& path) {
  const int fd = OpenOrDie(path);
  std::string text;
  char buffer[65536];
  ssize_t n = 0;
  while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
    text.append(buffer, static_cast<size_t>(n));
  }
  if (n < 0) Die("cannot read " + path);
  close(fd);
  return text;
}

std::vector<ProcMapsRow> ReadMaps(pid_t pid) {
  std::vector<ProcMapsRow> rows;
  const std::string text = ReadWholeFile(PidPath(pid, "maps"));
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ProcMapsRow row;
    if (ParseMapsLine(line, &row) && row.start < kTaskSize) {
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

std::vector<ProcSmapsRow> ReadSmaps(pid_t pid) {
  std::vector<ProcSmapsRow> rows;
  const std::string text = ReadWholeFile(PidPath(pid, "smaps"));
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ProcMapsRow head;
    std::pair<std::string, uint64_t> count;
    if (ParseMapsLine(line, &head)) {
      if (head.start >= kTaskSize) break;
      rows.push_back({head.start, head.end, {}, ""});
    } else if (absl::StartsWith(line, "VmFlags:") && !rows.empty()) {
      rows.back().flags =
          std::string(absl::StripAsciiWhitespace(line.substr(8)));
    } else if (!rows.empty() && ParseCountLine(line, &count)) {
      rows.back().kilobytes.push_back(std::move(count));
    }
  }
  return rows;
}

std::vector<std::pair<std::string, uint64_t>> ReadStatus(pid_t pid) {
  std::vector<std::pair<std::string, uint64_t>> fields;
  const std::string text = ReadWholeFile(PidPath(pid, "status"));
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    std::pair<std::string, uint64_t> count;
    if (ParseCountLine(line, &count)) fields.push_back(std::move(count));
  }
  return fields;
}

rlimit ReadLimit(pid_t pid, uint64_t resource) {
  constexpr uint64_t kHeading = 1;
  constexpr size_t kNameColumns = 26;
  const std::string text = ReadWholeFile(PidPath(pid, "limits"));
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  const std::string numbers =
      lines.at(resource + kHeading).substr(kNameColumns);
  const std::vector<std::string> words =
      absl::StrSplit(numbers, ' ', absl::SkipEmpty());
  const auto number = [](const std::string& word) {
    uint64_t value = RLIM_INFINITY;
    if (word == "unlimited" || absl::SimpleAtoi(word, &value)) return value;
    errno = 0;
    Die("no limit in /proc/PID/limits: " + word);
  };
  return {number(words.at(0)), number(words.at(1))};
}

uint64_t OwnCapabilities() {
  const std::string text = ReadWholeFile("/proc/self/status");
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    uint64_t caps = 0;
    if (absl::ConsumePrefix(&line, "CapEff:\t") &&
        absl::SimpleHexAtoi(line, &caps)) {
      return caps;
    }
  }
  errno = 0;
  Die("no CapEff in /proc/self/status");
}

FaultCounts ReadFaults(pid_t pid) {
  const std::vector<std::string> fields = StatFields(pid);
  return {StatNumber(fields, 10), StatNumber(fields, 12)};
}

uint64_t ReadStartBrk(pid_t pid) { return StatNumber(StatFields(pid), 47); }

std::vector<uint8_t> ReadMemory(pid_t pid, uint64_t addr, uint64_t bytes) {
  const int fd = OpenOrDie(PidPath(pid, "mem"));
  std::vector<uint8_t> memory(bytes);
  if (pread(fd, memory.data(), bytes, static_cast<off_t>(addr)) !=
      static_cast<ssize_t>(bytes)) {
    Die("cannot read a process's memory");
  }
  close(fd);
  return memory;
}

uint64_t ReadPagemapEntry(pid_t pid, uint64_t vpn) {
  const int fd = OpenOrDie(PidPath(pid, "pagemap"));
  uint64_t entry = 0;
  if (pread(fd, &entry, sizeof(entry),
            static_cast<off_t>(vpn * sizeof(entry))) != sizeof(entry)) {
    Die("cannot read a process's pagemap");
  }
  close(fd);
  return entry;
}

std::vector<ProcPage> ReadPages(pid_t pid, uint64_t start, uint64_t end) {
  constexpr uint64_t kChunkPages = 8192;
  const int fd = OpenOrDie(PidPath(pid, "pagemap"));
  std::vector<ProcPage> pages;
  std::vector<uint64_t> entries(kChunkPages);
  for (uint64_t vpn = start / 4096; vpn < end / 4096; vpn += kChunkPages) {
    const uint64_t count = std::min(kChunkPages, end / 4096 - vpn);
    if (pread(fd, entries.data(), count * 8, static_cast<off_t>(vpn * 8)) !=
        static_cast<ssize_t>(count * 8)) {
      Die("cannot read a process's pagemap");
    }
    for (uint64_t i = 0; i < count; ++i) {
      if ((entries[i] & (kPresent | kSwapped | kGuard)) == 0) continue;
      ProcPage page;
      page.vpn = vpn + i;
      page.entry = entries[i];
      if ((page.entry & kPresent) != 0) {
        page.pfn = page.entry & kPfnMask;
        AddFrameFacts(&page);
      }
      pages.push_back(page);
    }
  }
  close(fd);
  return pages;
}

}  // namespace faultline::native
