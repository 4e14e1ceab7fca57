// Models fs/proc/{root,base}.c (v6.18): which file a path names (one of
// /sys/kernel/mm/ksm is as welcome), and the files of a process that are one
// number.
#include <algorithm>
#include <charconv>
#include <utility>

#include "server/machine/mm/oom_kill.h"
#include "server/machine/proc/proc.h"
#include "server/machine/proc/proc_files.h"
#include "server/machine/proc/proc_sys.h"

namespace faultline {
namespace {

using PidText = ErrnoOr<std::string> (*)(const Kernel&, const Task&);
using Text = std::string (*)(const Kernel&);
using Words = std::string (*)(const Kernel&, uint64_t, uint64_t);

constexpr std::pair<std::string_view, PidText> kPidFiles[] = {
    {"maps", ProcPidMaps},
    {"smaps", ProcPidSmaps},
    {"smaps_rollup", ProcPidSmapsRollup},
    {"status", ProcPidStatus},
    {"stat", ProcPidStat},
    {"statm", ProcPidStatm},
    {"oom_score", ProcPidOomScore},
    {"oom_score_adj", ProcPidOomScoreAdj},
    {"numa_maps", ProcPidNumaMaps},
    {"ksm_stat", ProcPidKsmStat},
    {"ksm_merging_pages", ProcPidKsmMergingPages},
};
constexpr std::pair<std::string_view, Text> kFiles[] = {
    {"/proc/meminfo", ProcMeminfo},
    {"/proc/zoneinfo", ProcZoneinfo},
    {"/proc/buddyinfo", ProcBuddyinfo},
    {"/proc/pagetypeinfo", ProcPagetypeinfo},
    {"/proc/vmstat", ProcVmstat},
    {"/proc/slabinfo", ProcSlabinfo},
    {"/proc/vmallocinfo", ProcVmallocinfo},
    {"/proc/devices", ProcDevices},
    {"/proc/modules", ProcModules},
    {"/proc/diskstats", ProcDiskstats},
    {"/proc/swaps", ProcSwaps},
    {"/sys/kernel/debug/extfrag/extfrag_index", SysExtfragIndex},
    {"/sys/kernel/debug/extfrag/unusable_index", SysUnusableIndex},
};
constexpr std::pair<std::string_view, Words> kWordFiles[] = {
    {"kpagecount", ProcKpagecount},
    {"kpageflags", ProcKpageflags},
};

// A path, taken apart. Exactly one of the six is set.
struct Node {
  PidText pid_text = nullptr;
  Text text = nullptr;
  Words words = nullptr;
  bool pagemap = false;
  std::string_view ksm;        // a file of /sys/kernel/mm/ksm
  std::string_view sysctl;     // a file of /proc/sys
  const Task* task = nullptr;  // with pid_text and pagemap

  bool binary() const { return pagemap || words != nullptr; }
};

// name_to_int() and proc_pid_lookup(): a decimal number without leading zeros.
const Task* FindTask(const Kernel& k, std::string_view name) {
  Pid pid = 0;
  auto [end, error] =
      std::from_chars(name.data(), name.data() + name.size(), pid);
  if (error != std::errc() || end != name.data() + name.size()) return nullptr;
  if (name.front() == '0') return nullptr;
  auto found = k.pids.find(pid);
  return found == k.pids.end() ? nullptr : &k.tasks[found->second];
}

ErrnoOr<Node> Lookup(const Kernel& k, std::string_view path) {
  constexpr std::string_view kRoot = "/proc/", kSys = "/proc/sys/",
                             kKsm = "/sys/kernel/mm/ksm/";
  if (path.starts_with(kKsm)) {
    Node node;
    node.ksm = path.substr(kKsm.size());
    return node;
  }
  Node node;
  if (path.starts_with(kSys)) {
    node.sysctl = path.substr(kSys.size());
    if (node.sysctl.empty()) return Errno::kEISDIR;
    return node;
  }
  for (const auto& [name, show] : kFiles) {
    if (path == name) node.text = show;
  }
  if (node.text != nullptr) return node;
  if (!path.starts_with(kRoot)) return Errno::kENOENT;
  path.remove_prefix(kRoot.size());
  for (const auto& [name, show] : kWordFiles) {
    if (path == name) node.words = show;
  }
  if (node.words != nullptr) return node;
  size_t slash = path.find('/');
  if (slash == std::string_view::npos) {
    return FindTask(k, path) == nullptr ? Errno::kENOENT : Errno::kEISDIR;
  }
  node.task = FindTask(k, path.substr(0, slash));
  if (node.task == nullptr) return Errno::kENOENT;
  path.remove_prefix(slash + 1);
  node.pagemap = path == "pagemap";
  for (const auto& [name, show] : kPidFiles) {
    if (path == name) node.pid_text = show;
  }
  if (!node.pagemap && node.pid_text == nullptr) return Errno::kENOENT;
  return node;
}

ErrnoOr<std::string> ShowText(const Kernel& k, const Node& node) {
  if (node.text != nullptr) return node.text(k);
  if (!node.sysctl.empty()) return ProcSys(k, node.sysctl);
  if (node.pid_text == nullptr) return SysKsm(k, node.ksm);
  return node.pid_text(k, *node.task);
}

ErrnoOr<std::string> ShowWords(const Kernel& k, const Node& node,
                               uint64_t offset, uint64_t length) {
  if (offset % 8 != 0 || length % 8 != 0) return Errno::kEINVAL;
  uint64_t count = std::min(length, kProcReadMax) / 8;
  if (node.pagemap) return ProcPidPagemap(k, *node.task, offset / 8, count);
  return node.words(k, offset / 8, count);
}

}  // namespace

void AppendWord(std::string& out, uint64_t word) {
  for (int i = 0; i < 8; i++) {
    out.push_back(static_cast<char>(word >> (8 * i)));
  }
}

uint32_t ThreadCount(const Kernel& k, const Task& task) {
  uint32_t n = 0;
  k.tasks.ForEach(
      [&](Id<Task>, const Task& t) { n += t.tgid == task.tgid ? 1 : 0; });
  return n;
}

ErrnoOr<std::string> ReadProc(const Kernel& k, std::string_view path) {
  Node node = FL_TRY_VALUE(Lookup(k, path));
  if (!node.binary()) return ShowText(k, node);
  uint64_t words =
      node.pagemap ? ProcPagemapWords(k, *node.task) : ProcKpageWords(k);
  if (words > kProcReadMax / 8) return Errno::kEFBIG;
  return ShowWords(k, node, 0, words * 8);
}

ErrnoOr<std::string> ReadProcAt(const Kernel& k, std::string_view path,
                                uint64_t offset, uint64_t length) {
  Node node = FL_TRY_VALUE(Lookup(k, path));
  if (node.binary()) return ShowWords(k, node, offset, length);
  std::string text = FL_TRY_VALUE(ShowText(k, node));
  if (offset >= text.size()) return std::string();
  return text.substr(offset, length);
}

// proc_oom_score(): 0 of who is never killed.
ErrnoOr<std::string> ProcPidOomScore(const Kernel& k, const Task& task) {
  int64_t score = 0;
  const int64_t badness =
      MmOf(k, task) == nullptr ? kOomUnkillable : OomBadness(k, task);
  if (badness != kOomUnkillable) {
    const auto total = static_cast<int64_t>(OomTotalPages(k));
    score = std::max<int64_t>((1000 + badness * 1000 / total) * 2 / 3, 0);
  }
  return std::to_string(score) + "\n";
}

ErrnoOr<std::string> ProcPidOomScoreAdj(const Kernel&, const Task& task) {
  return std::to_string(task.oom_score_adj) + "\n";
}

}  // namespace faultline
