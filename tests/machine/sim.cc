#include "tests/machine/sim.h"

#include <sstream>
#include <utility>
#include <vector>

#include "server/machine/mm/mmap.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

struct Words {
  Pid pid = 1;
  std::string verb;
  std::vector<std::string> args;
  std::string result;  // after '='
  int64_t min_flt = -1, maj_flt = -1;
};

Words Parse(const std::string& text) {
  Words w;
  std::istringstream in(text);
  for (std::string word; in >> word;) {
    if (word.back() == ':' && w.verb.empty()) {
      w.pid = static_cast<Pid>(std::stoul(word));
    } else if (word[0] == '=') {
      w.result = word.substr(1);
    } else if (word[0] == '+') {
      w.min_flt = std::stoll(word.substr(1));
    } else if (word[0] == '!') {
      w.maj_flt = std::stoll(word.substr(1));
    } else if (w.verb.empty()) {
      w.verb = word;
    } else {
      w.args.push_back(word);
    }
  }
  return w;
}

uint64_t Number(const std::string& s) { return std::stoull(s, nullptr, 0); }

struct Range {
  uint64_t addr = 0;
  uint64_t length = 0;
};
Range ParseRange(const std::string& s) {
  size_t dash = s.find('-');
  uint64_t from = Number(s.substr(0, dash));
  uint64_t to =
      dash == std::string::npos ? from + 1 : Number(s.substr(dash + 1));
  return {At(from), (to - from) * kPageSize};
}

uint64_t ParseProt(const std::string& s) {
  uint64_t prot = 0;
  for (char c : s) {
    if (c == 'r') prot |= kR;
    if (c == 'w') prot |= kW;
    if (c == 'x') prot |= kX;
  }
  return prot;
}

Mmap ParseMap(const std::vector<std::string>& args) {
  Range r = ParseRange(args[0]);
  Mmap call{r.addr, r.length, ParseProt(args[1]), mman::kFixed, -1, 0};
  bool anonymous = true;
  uint64_t type = mman::kPrivate;
  for (size_t i = 2; i < args.size(); i++) {
    const std::string& flag = args[i];
    if (flag == "shared") type = mman::kShared;
    if (flag == "locked") call.flags |= mman::kLocked;
    if (flag == "growsdown") call.flags |= mman::kGrowsDown;
    if (flag == "stack") call.flags |= mman::kStack;
    if (flag == "noreserve") call.flags |= mman::kNoReserve;
    if (flag == "populate") call.flags |= mman::kPopulate;
    if (flag == "noreplace") call.flags |= mman::kFixedNoReplace;
    if (flag.rfind("fd", 0) == 0) {
      anonymous = false;
      size_t at = flag.find('@');
      call.fd = static_cast<int32_t>(Number(flag.substr(2, at - 2)));
      if (at != std::string::npos) {
        call.offset = Number(flag.substr(at + 1)) * kPageSize;
      }
    }
  }
  call.flags |= type | (anonymous ? mman::kAnonymous : 0);
  return call;
}

Operation ParseAccess(const Words& w) {
  Range r = ParseRange(w.args[0]);
  Access call{AccessKind::kRead, r.addr, r.length / kPageSize, kPageSize, 0};
  if (w.verb == "write") {
    call.kind = AccessKind::kWrite;
    call.value = 1;
    if (w.args.size() > 1) {
      call.value = static_cast<uint8_t>(Number(w.args[1].substr(1)));
    }
  }
  if (w.verb == "fetch") call.kind = AccessKind::kFetch;
  return call;
}

Operation ParseRemap(const Words& w) {
  constexpr uint64_t kMayMove = 1, kFixed = 2, kDontUnmap = 4;
  Range r = ParseRange(w.args[0]);
  uint64_t n = Number(w.args[1]);
  if (w.verb == "resize") return Mremap{r.addr, r.length, n * kPageSize, 0, 0};
  if (w.verb == "grow") {
    return Mremap{r.addr, r.length, n * kPageSize, kMayMove, 0};
  }
  uint64_t flags = kMayMove | kFixed;
  if (w.args.size() > 2) flags = kMayMove | kFixed | kDontUnmap;
  return Mremap{r.addr, r.length, r.length, flags, At(n)};
}

Operation ParseRanged(const Words& w) {
  Range r = ParseRange(w.args[0]);
  if (w.verb == "unmap") return Munmap{r.addr, r.length};
  if (w.verb == "protect") {
    return Mprotect{r.addr, r.length, ParseProt(w.args[1])};
  }
  if (w.verb == "lock") return Mlock{r.addr, r.length, 0};
  if (w.verb == "onfault") return Mlock{r.addr, r.length, 1};
  if (w.verb == "unlock") return Munlock{r.addr, r.length};
  if (w.verb == "advise") {
    return Madvise{r.addr, r.length, static_cast<int32_t>(Number(w.args[1]))};
  }
  if (w.verb == "sync") return Msync{r.addr, r.length, Number(w.args[1])};
  if (w.verb == "name") return SetVmaName{r.addr, r.length, w.args[1]};
  if (w.verb == "map") return ParseMap(w.args);
  if (w.verb == "read" || w.verb == "write" || w.verb == "fetch") {
    return ParseAccess(w);
  }
  return ParseRemap(w);
}

Operation ParseOperation(const Words& w) {
  auto arg = [&](size_t i, uint64_t otherwise) {
    return i < w.args.size() ? Number(w.args[i]) : otherwise;
  };
  if (w.verb == "fork") return Fork{};
  if (w.verb == "clone") return Clone{arg(0, 0)};
  if (w.verb == "exit") return Exit{static_cast<int32_t>(arg(0, 0)), true};
  if (w.verb == "wait") return Wait{};
  if (w.verb == "close") return Close{static_cast<int32_t>(arg(0, 0))};
  if (w.verb == "fsync") return Fsync{static_cast<int32_t>(arg(0, 0))};
  if (w.verb == "truncate") {
    return Truncate{static_cast<int32_t>(arg(0, 0)),
                    static_cast<int64_t>(arg(1, 0) * kPageSize)};
  }
  return ParseRanged(w);
}

std::string Letters(const Vma& vma, bool accounts) {
  std::string s;
  if (vma.Has(vm::kRead)) s += 'r';
  if (vma.Has(vm::kWrite)) s += 'w';
  if (vma.Has(vm::kExec)) s += 'x';
  if (s.empty()) s = "-";
  if (vma.Has(vm::kMayShare)) s += 'S';
  if (vma.Has(vm::kLockOnFault)) {
    s += 'F';
  } else if (vma.Has(vm::kLocked)) {
    s += 'L';
  }
  if (vma.Has(vm::kGrowsDown)) s += 'D';
  if (vma.Has(vm::kNoReserve)) s += 'N';
  if (vma.Has(vm::kNoHugePage)) s += 'H';
  if (accounts && vma.Has(vm::kAccount)) s += 'A';
  return s;
}

}  // namespace

Machine MachineFrom(const Kernel& k) { return Machine::Load(SaveKernel(k)); }

std::string ResultOf(const Outcome& out) {
  if (out.no_process) return "NOPROCESS";
  if (out.signal.signal != 0) {
    const char* name = out.signal.signal == 7 ? "BUS/" : "SEGV/";
    return name + std::to_string(out.signal.code);
  }
  return out.error == Errno::kOk ? "OK" : std::string(ErrnoName(out.error));
}

Outcome Sim::Do(Operation op, Pid pid, EventLevel level) {
  Outcome out = machine_.Apply({pid, std::move(op)}, level);
  EXPECT_EQ(machine_.Verify(), "");
  return out;
}

void Sim::Step(const std::string& text) {
  SCOPED_TRACE(text);
  Words w = Parse(text);
  if (w.verb.empty()) return;
  Outcome out = Do(ParseOperation(w), w.pid);
  bool number = !w.result.empty() && std::isdigit(w.result[0]);
  EXPECT_EQ(ResultOf(out), w.result.empty() || number ? "OK" : w.result);
  if (number) {
    EXPECT_EQ(out.value, static_cast<int64_t>(Number(w.result)));
  }
  if (w.min_flt >= 0) {
    EXPECT_EQ(out.min_flt, static_cast<uint64_t>(w.min_flt)) << "minor faults";
  }
  if (w.maj_flt >= 0) {
    EXPECT_EQ(out.maj_flt, static_cast<uint64_t>(w.maj_flt)) << "major faults";
  }
}

void Sim::Run(std::string_view script) {
  while (!script.empty()) {
    size_t end = std::min(script.find(';'), script.size());
    Step(std::string(script.substr(0, end)));
    script.remove_prefix(std::min(end + 1, script.size()));
  }
}

void Sim::Edit(const std::function<void(Kernel&)>& edit) {
  Kernel k = machine_.kernel();
  edit(k);
  machine_ = MachineFrom(k);
}

void Sim::DropCapabilities() {
  Edit([](Kernel& k) { k.tasks[k.pids.at(1)].uid = 1000; });
}

void Sim::SetSysctl(const std::string& name, uint64_t value) {
  EXPECT_EQ(ResultOf(Do(Sysctl{name, value}, 0)), "OK");
}

void Sim::Limit(RlimitResource what, uint64_t value, Pid pid) {
  EXPECT_EQ(ResultOf(Do(Setrlimit{what, value, kRlimInfinity}, pid)), "OK");
}

int32_t Sim::File(const std::string& path, uint64_t pages, uint64_t flags,
                  FsType fs, bool cached) {
  CreateFile call;
  call.path = path;
  call.size = pages * kPageSize;
  call.content = FileContent::kPattern;
  call.fs = fs;
  call.cached = cached;
  if (!kernel().names.contains(path)) {
    EXPECT_EQ(ResultOf(Do(call, 0)), "OK");
  }
  return static_cast<int32_t>(Do(Open{path, flags, -1}).value);
}

const Task& Sim::task(Pid pid) const {
  return kernel().tasks[kernel().pids.at(pid)];
}
const Mm& Sim::mm(Pid pid) const { return kernel().mms[task(pid).mm]; }

std::string Sim::Vmas(Pid pid, bool accounts) const {
  std::string out;
  for (Id<Vma> at = mm(pid).mmap; at; at = kernel().vmas[at].next) {
    const Vma& vma = kernel().vmas[at];
    if (vma.start.value() < kWindow) continue;
    if (vma.start.value() >= At(kWindowPages)) break;
    if (!out.empty()) out += ' ';
    out += std::to_string((vma.start.value() - kWindow) / kPageSize) + '-' +
           std::to_string((vma.end.value() - kWindow) / kPageSize) + ':' +
           Letters(vma, accounts);
  }
  return out;
}

const Vma& Sim::VmaOf(uint64_t addr, Pid pid) const {
  Id<Vma> id = LookupVma(kernel(), mm(pid), VirtAddr(addr));
  EXPECT_TRUE(id);
  return kernel().vmas[id];
}

Pte Sim::PteOf(uint64_t addr, Pid pid) const {
  return LookAtPte(kernel(), mm(pid), VirtAddr(addr));
}

const Page& Sim::PageOf(uint64_t addr, Pid pid) const {
  Pte pte = PteOf(addr, pid);
  EXPECT_TRUE(pte.present());
  return kernel().page(pte.pfn());
}

uint64_t Sim::free_pages() const {
  uint64_t n = 0;
  for (const Zone& zone : kernel().zones) {
    n += zone.nr_free_pages + static_cast<uint64_t>(zone.pcp.count);
  }
  return n;
}

}  // namespace faultline
