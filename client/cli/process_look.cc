#include "client/cli/process_look.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace faultline::cli {
namespace {

constexpr uint64_t kWordSize = 8;
// Frames whose flags are read at once.
constexpr uint64_t kFramesReadMax = 4096;

std::string ProcPath(uint32_t pid, const char* file) {
  return absl::StrCat("/proc/", pid, "/", file);
}

uint64_t WordAt(const std::string& bytes, uint64_t index) {
  uint64_t word = 0;
  for (uint64_t i = 0; i < kWordSize; ++i) {
    const auto byte = static_cast<uint8_t>(bytes[index * kWordSize + i]);
    word |= uint64_t{byte} << (8 * i);
  }
  return word;
}

// The pagemap of one process. VMAs that lie near each other are read together.
class Pagemap {
 public:
  Pagemap(Recording& recording, int64_t revision, uint32_t pid,
          const std::vector<scenario::SmapsEntry>& vmas)
      : recording_(recording), revision_(revision), pid_(pid) {
    for (const scenario::SmapsEntry& entry : vmas) {
      ends_.push_back(entry.vma.end / kShownPageSize);
    }
  }

  // The words of pages [first, first + count), at most kPagesReadMax; zero
  // beyond the end of the file.
  absl::StatusOr<std::vector<PagemapWord>> Read(uint64_t first,
                                                uint64_t count) {
    if (first < first_ || first + count > first_ + words()) {
      absl::Status status = Fetch(first, count);
      if (!status.ok()) return status;
    }
    std::vector<PagemapWord> result;
    result.reserve(count);
    for (uint64_t i = first - first_; i < first - first_ + count; ++i) {
      result.emplace_back(i < words() ? WordAt(bytes_, i) : 0);
    }
    return result;
  }

 private:
  uint64_t words() const { return bytes_.size() / kWordSize; }

  absl::Status Fetch(uint64_t first, uint64_t count) {
    // On to the last VMA that fits as a whole.
    const auto beyond =
        std::upper_bound(ends_.begin(), ends_.end(), first + kPagesReadMax);
    if (beyond != ends_.begin() && *(beyond - 1) > first + count) {
      count = *(beyond - 1) - first;
    }
    auto bytes = recording_.ReadProcAt(ProcPath(pid_, "pagemap"), revision_,
                                       first * kWordSize, count * kWordSize);
    if (!bytes.ok()) return bytes.status();
    first_ = first;
    bytes_ = *std::move(bytes);
    return absl::OkStatus();
  }

  Recording& recording_;
  int64_t revision_;
  uint32_t pid_;
  std::vector<uint64_t> ends_;  // of the VMAs, in pages
  uint64_t first_ = 0;
  std::string bytes_;
};

// /proc/kpageflags, read as it is needed.
class FrameFlags {
 public:
  FrameFlags(Recording& recording, int64_t revision)
      : recording_(recording), revision_(revision) {}

  absl::StatusOr<uint64_t> Of(uint64_t pfn) {
    auto [it, absent] = blocks_.try_emplace(pfn / kFramesReadMax);
    if (absent) {
      auto bytes = recording_.ReadProcAt("/proc/kpageflags", revision_,
                                         it->first * kFramesReadMax * kWordSize,
                                         kFramesReadMax * kWordSize);
      if (!bytes.ok()) return bytes.status();
      it->second = *std::move(bytes);
    }
    const uint64_t index = pfn % kFramesReadMax;
    if (index >= it->second.size() / kWordSize) return uint64_t{0};
    return WordAt(it->second, index);
  }

 private:
  Recording& recording_;
  int64_t revision_;
  std::unordered_map<uint64_t, std::string> blocks_;
};

// Which VMAs map which frames, over all processes of a look.
class FrameOwners {
 public:
  void Add(uint64_t pfn, size_t process, size_t vma) {
    owners_[pfn].push_back({process, vma});
  }

  void TellVmas(std::vector<ProcessLook>& processes) const {
    for (const auto& [pfn, owners] : owners_) {
      for (const Owner& self : owners) {
        for (const uint32_t pid : Others(processes, owners, self)) {
          ++processes[self.process].vmas[self.vma].shared_with[pid];
        }
      }
    }
  }

 private:
  struct Owner {
    size_t process;
    size_t vma;
  };

  // The pids of the owners beside `self`, each once.
  static std::vector<uint32_t> Others(const std::vector<ProcessLook>& processes,
                                      const std::vector<Owner>& owners,
                                      const Owner& self) {
    std::vector<uint32_t> pids;
    for (const Owner& other : owners) {
      if (other.process != self.process) {
        pids.push_back(processes[other.process].pid);
      }
    }
    std::sort(pids.begin(), pids.end());
    pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
    return pids;
  }

  std::unordered_map<uint64_t, std::vector<Owner>> owners_;
};

// Fills in the cells of one VMA after the other.
class VmaReader {
 public:
  VmaReader(Pagemap& pagemap, FrameFlags& flags)
      : pagemap_(pagemap), flags_(flags) {}

  // `mapped(pfn)` is called for every frame that is seen, but the zero page's.
  template <class Mapped>
  absl::Status Read(VmaLook& vma, int columns, Mapped mapped) {
    const scenario::MapsLine& line = vma.smaps.vma;
    const uint64_t start = line.start / kShownPageSize;
    vma.layout = LayoutOf((line.end - line.start) / kShownPageSize, columns);
    vma.sampled = vma.layout.pages > kPagesReadMax;
    if (!vma.sampled) {
      auto states = States(vma, start, vma.layout.pages, mapped);
      if (!states.ok()) return states.status();
      vma.cells = CellsOf(vma.layout, *states);
      return absl::OkStatus();
    }
    for (uint64_t cell = 0; cell < vma.layout.cells; ++cell) {
      const uint64_t first = vma.layout.FirstPage(cell);
      const uint64_t count =
          std::min(kSampleRun, vma.layout.FirstPage(cell + 1) - first);
      auto states = States(vma, start + first, count, mapped);
      if (!states.ok()) return states.status();
      vma.cells.push_back(*std::max_element(states->begin(), states->end()));
    }
    return absl::OkStatus();
  }

 private:
  template <class Mapped>
  absl::StatusOr<std::vector<PageState>> States(VmaLook& vma, uint64_t first,
                                                uint64_t count, Mapped mapped) {
    auto words = pagemap_.Read(first, count);
    if (!words.ok()) return words.status();
    std::vector<PageState> states;
    states.reserve(count);
    for (const PagemapWord word : *words) {
      uint64_t flags = 0;
      if (word.present()) {
        auto read = flags_.Of(word.pfn());
        if (!read.ok()) return read.status();
        flags = *read;
      }
      const PageState state = StateOf(word, flags);
      if (state == PageState::kZeroPage) ++vma.zero_pages;
      if (word.present() && state != PageState::kZeroPage) mapped(word.pfn());
      states.push_back(state);
    }
    return states;
  }

  Pagemap& pagemap_;
  FrameFlags& flags_;
};

absl::Status ReadVmas(Recording& recording, int64_t revision, int columns,
                      size_t index, FrameFlags& flags, FrameOwners& owners,
                      ProcessLook& process) {
  auto text = recording.ReadProc(ProcPath(process.pid, "smaps"), revision);
  if (!text.ok()) return text.status();
  auto entries = scenario::ParseSmaps(*text);
  if (!entries.ok()) return entries.status();
  Pagemap pagemap(recording, revision, process.pid, *entries);
  VmaReader reader(pagemap, flags);
  for (scenario::SmapsEntry& entry : *entries) {
    VmaLook& vma = process.vmas.emplace_back();
    vma.smaps = std::move(entry);
    const size_t at = process.vmas.size() - 1;
    absl::Status status = reader.Read(
        vma, columns, [&](uint64_t pfn) { owners.Add(pfn, index, at); });
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// "Name:\tcat" -> "cat".
std::string NameOf(const std::string& status) {
  for (absl::string_view line : absl::StrSplit(status, '\n')) {
    if (absl::ConsumePrefix(&line, "Name:")) {
      return std::string(absl::StripLeadingAsciiWhitespace(line));
    }
  }
  return "";
}

// NOT_FOUND: there is no process of that pid; a thread is none.
absl::StatusOr<ProcessLook> LookAtStatus(Recording& recording, int64_t revision,
                                         uint32_t pid) {
  auto text = recording.ReadProc(ProcPath(pid, "status"), revision);
  if (!text.ok()) return text.status();
  ProcessLook process;
  process.pid = pid;
  process.name = NameOf(*text);
  process.zombie = absl::StrContains(*text, "\nState:\tZ");
  for (const auto& [name, value] : scenario::ParseFields(*text)) {
    process.status[name] = value;
  }
  process.parent = static_cast<uint32_t>(process.Kilobytes("PPid"));
  if (process.Kilobytes("Tgid") != pid) {
    return absl::NotFoundError(absl::StrCat(pid, " is a thread"));
  }
  return process;
}

}  // namespace

uint64_t ProcessLook::Kilobytes(const std::string& field) const {
  const auto it = status.find(field);
  return it == status.end() ? 0 : it->second;
}

std::vector<uint32_t> PidsThatMayBe(const SessionTally& tally,
                                    const v1::Session& session) {
  std::set<uint32_t> pids;
  const uint32_t tried = session.has_origin() ? kPidsTriedMax : 1;
  for (uint32_t pid = 1; pid <= tried; ++pid) pids.insert(pid);
  for (const uint32_t pid : tally.PidsLeft()) pids.insert(pid);
  return {pids.begin(), pids.end()};
}

absl::StatusOr<std::vector<ProcessLook>> LookAtStatuses(
    Recording& recording, int64_t revision, const std::vector<uint32_t>& pids) {
  std::vector<ProcessLook> processes;
  for (const uint32_t pid : pids) {
    if (processes.size() == kProcessesLookedAtMax) break;
    auto process = LookAtStatus(recording, revision, pid);
    if (absl::IsNotFound(process.status())) continue;
    if (!process.ok()) return process.status();
    processes.push_back(*std::move(process));
  }
  std::sort(
      processes.begin(), processes.end(),
      [](const ProcessLook& a, const ProcessLook& b) { return a.pid < b.pid; });
  return processes;
}

absl::StatusOr<std::vector<ProcessLook>> LookAtProcesses(
    Recording& recording, int64_t revision, const std::vector<uint32_t>& pids,
    int columns) {
  auto found = LookAtStatuses(recording, revision, pids);
  if (!found.ok()) return found.status();
  std::vector<ProcessLook> processes = *std::move(found);
  FrameFlags flags(recording, revision);
  FrameOwners owners;
  for (size_t i = 0; i < processes.size(); ++i) {
    absl::Status status =
        ReadVmas(recording, revision, columns, i, flags, owners, processes[i]);
    if (!status.ok()) return status;
  }
  owners.TellVmas(processes);
  return processes;
}

}  // namespace faultline::cli
