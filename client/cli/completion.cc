#include "client/cli/completion.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/scenario/names.h"
#include "server/scenario/op_table.h"

namespace faultline::cli {
namespace {

using scenario::NameTable;
using scenario::OpKind;
using scenario::OpSpec;
using scenario::Param;

using Words = std::vector<std::string>;

const NameTable* TableOf(Param param) {
  switch (param) {
    case Param::kMmapFlags:
      return &scenario::MmapFlags();
    case Param::kMremapFlags:
      return &scenario::MremapFlags();
    case Param::kAdvice:
      return &scenario::MadviseAdvice();
    case Param::kMsyncFlags:
      return &scenario::MsyncFlags();
    case Param::kMlock2Flags:
      return &scenario::Mlock2Flags();
    case Param::kMlockallFlags:
      return &scenario::MlockallFlags();
    case Param::kGfp:
      return &scenario::GfpNames();
    default:
      return nullptr;
  }
}

bool IsExpression(Param param) {
  switch (param) {
    case Param::kAddr:
    case Param::kLength:
    case Param::kNewLength:
    case Param::kNewAddr:
    case Param::kOffset:
    case Param::kByte:
    case Param::kCount:
    case Param::kStride:
      return true;
    default:
      return false;
  }
}

Words ProcPaths(int processes) {
  Words paths = {"/proc/buddyinfo", "/proc/meminfo", "/proc/vmstat",
                 "/proc/zoneinfo"};
  Words pids = {"self"};
  for (int pid = 1; pid <= processes; ++pid) pids.push_back(absl::StrCat(pid));
  for (const std::string& pid : pids) {
    for (const char* file : {"maps", "smaps", "statm", "status"}) {
      paths.push_back(absl::StrCat("/proc/", pid, "/", file));
    }
  }
  return paths;
}

Words Subjects() {
  return {
      "addr",   "cat",        "child",        "code",          "died", "err",
      "exited", "fetchfault", "maj",          "min",           "ok",   "ret",
      "sig",    "skip",       "status.VmRSS", "status.VmSize", "val",  "vmas"};
}

Words BootKeys() {
  Words keys = {"cpus=",
                "personality=linux-6.1",
                "personality=linux-6.18",
                "profile=i386",
                "profile=i386-nopae",
                "profile=x86_64",
                "ram=",
                "seed=",
                "swap=",
                "thp=always",
                "thp=madvise",
                "thp=never"};
  for (const std::string& name : scenario::SysctlNames()) {
    keys.push_back(name + "=");
  }
  return keys;
}

Words Symbols(const CompletionState& state) {
  Words symbols = {"$brk", "$stk"};
  for (const std::string& label : state.labels) symbols.push_back("$" + label);
  return symbols;
}

// Those of an op that parses its arguments itself.
Words SpecialArguments(OpKind kind, size_t index) {
  switch (kind) {
    case OpKind::kBoot:
      return BootKeys();
    case OpKind::kSysctl:
      return index == 0 ? scenario::SysctlNames() : Words();
    case OpKind::kAccesses:
      return index == 0 ? Words{"grow", "read", "readr", "write", "writer"}
                        : Words();
    case OpKind::kDump:
      return {"all", "maps", "pagemap", "smaps", "status"};
    case OpKind::kExpect:
      return index == 0 ? Subjects() : Words();
    default:
      return {};
  }
}

// The words that may stand at argument `index` of `spec`, and the characters
// after which a new part of the word begins.
struct Choice {
  Words words;
  const char* separators = "";
};

Choice Arguments(const OpSpec& spec, size_t index,
                 const CompletionState& state) {
  if (spec.kind == OpKind::kCat) return {ProcPaths(state.processes), ""};
  if (spec.kind == OpKind::kExpect && index == 1) {
    Words words = {"contains", "lacks"};
    for (const Words& paths : {ProcPaths(state.processes)}) {
      words.insert(words.end(), paths.begin(), paths.end());
    }
    return {words, ""};
  }
  std::vector<Param> params = spec.required;
  params.insert(params.end(), spec.optional.begin(), spec.optional.end());
  if (!params.empty() && params.front() == Param::kSpecial) {
    return {SpecialArguments(spec.kind, index), ","};
  }
  if (index >= params.size()) return {};
  const Param param = params[index];
  if (const NameTable* table = TableOf(param)) return {table->Names(), "|"};
  if (IsExpression(param)) return {Symbols(state), "+-"};
  if (param == Param::kProt) {
    return {{"---", "r--", "r-x", "rw-", "rwx"}, ""};
  }
  if (param == Param::kFile || param == Param::kFileOrNone) {
    return {state.files, ""};
  }
  return {};
}

}  // namespace

const std::vector<std::string>& ReplCommands() {
  static const auto& commands = *new Words{"help", "quit"};
  return commands;
}

std::vector<std::string> Complete(absl::string_view line,
                                  const CompletionState& state) {
  Words words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  std::string last;
  if (!line.empty() && line.back() != ' ' && !words.empty()) {
    last = words.back();
    words.pop_back();
  }
  while (!words.empty() &&
         (words.front()[0] == '@' || words.front().back() == ':')) {
    words.erase(words.begin());
  }
  Choice choice;
  if (words.empty()) {
    choice.words = scenario::OpNames();
    choice.words.insert(choice.words.end(), ReplCommands().begin(),
                        ReplCommands().end());
  } else if (words.front() == "help") {
    choice.words = scenario::OpNames();
  } else if (const OpSpec* spec = scenario::FindOp(words.front())) {
    choice = Arguments(*spec, words.size() - 1, state);
  }
  const size_t cut = last.find_last_of(choice.separators);
  const std::string before =
      cut == std::string::npos ? "" : last.substr(0, cut + 1);
  const std::string part = last.substr(before.size());
  Words matches;
  for (const std::string& word : choice.words) {
    if (absl::StartsWithIgnoreCase(word, part))
      matches.push_back(before + word);
  }
  std::sort(matches.begin(), matches.end());
  return matches;
}

}  // namespace faultline::cli
