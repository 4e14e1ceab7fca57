#include "tests/model/lockstep.h"

#include <sstream>

#include "server/machine/mm/vma_tree.h"

namespace faultline::model {
namespace {

// Where the stack of the first process is, and of all that fork from it.
constexpr uint64_t kStackLow = 0x7ffffff00000;

std::string PathOf(int file) { return "/f" + std::to_string(file); }

// FileContent::kPattern of file `seed`.
std::vector<uint8_t> Pattern(int seed) {
  std::vector<uint8_t> bytes(kFilePages);
  for (uint64_t k = 0; k < kFilePages; ++k) {
    bytes[k] = static_cast<uint8_t>(seed * 37 + k * 7 + 1);
  }
  return bytes;
}

std::vector<Object> Files() {
  return {{.bytes = Pattern(0), .writable = true, .file = true},
          {.bytes = Pattern(1), .writable = true, .file = true},
          {.bytes = Pattern(2), .writable = false, .file = true}};
}

std::string Hex(uint64_t value) {
  std::ostringstream out;
  out << "0x" << std::hex << value;
  return out.str();
}

std::string Text(const Expected& e) {
  if (e.error != Errno::kOk) return std::string(ErrnoName(e.error));
  if (e.signal != 0) {
    return "signal " + std::to_string(e.signal) + "/" + std::to_string(e.code) +
           " at " + Hex(e.signal_addr);
  }
  return e.value ? "value " + Hex(static_cast<uint64_t>(*e.value)) : "success";
}

// The same of what the machine did.
Expected Seen(const Outcome& outcome, bool with_value) {
  Expected seen{.error = outcome.error,
                .signal = outcome.signal.signal,
                .code = outcome.signal.code,
                .signal_addr = outcome.signal.addr};
  const bool failed = seen.error != Errno::kOk || seen.signal != 0;
  if (with_value && !failed) seen.value = outcome.value;
  return seen;
}

std::string AreaText(const PageState& page) {
  std::string text = "prot " + std::to_string(page.prot);
  if (page.shared) text += " shared";
  if (page.locked) text += " locked";
  if (page.dont_fork) text += " dontfork";
  if (page.wipe_on_fork) text += " wipeonfork";
  if (page.object != -1) {
    text += (page.object == -2 ? " shmem"
                               : " file " + std::to_string(page.object)) +
            " page " + std::to_string(page.index);
  }
  return text;
}

// A page of this VMA as the model has it; an object that is not a declared
// file is -2.
PageState PageOf(const Kernel& k, const Vma& vma, uint64_t addr) {
  PageState page{.prot = vma.flags & vm::kAccessFlags,
                 .shared = vma.Has(vm::kMayShare),
                 .locked = vma.Has(vm::kLocked),
                 .dont_fork = vma.Has(vm::kDontCopy),
                 .wipe_on_fork = vma.Has(vm::kWipeOnFork)};
  if (!vma.file) return page;
  page.index = vma.PageIndex(VirtAddr(addr));
  page.object = -2;
  const Id<Inode> inode = k.open_files[vma.file].inode;
  for (int file = 0; file < 3; ++file) {
    if (k.names.at(PathOf(file)) == inode) page.object = file;
  }
  return page;
}

std::map<uint64_t, std::string> AreasOf(const Kernel& k, const Mm& mm) {
  std::map<uint64_t, std::string> areas;
  for (Id<Vma> at = mm.mmap; at; at = k.vmas[at].next) {
    const Vma& vma = k.vmas[at];
    if (vma.start.value() >= kStackLow) break;
    for (uint64_t addr = vma.start.value(); addr < vma.end.value();
         addr += kPageSize) {
      areas[addr / kPageSize] = AreaText(PageOf(k, vma, addr));
    }
  }
  return areas;
}

std::string FirstDifference(const std::map<uint64_t, std::string>& model,
                            const std::map<uint64_t, std::string>& machine) {
  for (const auto& [vpn, text] : model) {
    const auto at = machine.find(vpn);
    if (at != machine.end() && at->second == text) continue;
    return Hex(vpn * kPageSize) + " is " + text + " in the model, " +
           (at == machine.end() ? "not mapped" : at->second) +
           " in the machine";
  }
  for (const auto& [vpn, text] : machine) {
    if (model.count(vpn) == 0) {
      return Hex(vpn * kPageSize) + " is not mapped in the model, " + text +
             " in the machine";
    }
  }
  return "";
}

}  // namespace

Machine MachineWithFiles() {
  Machine machine(MachineConfig{});
  for (int file = 0; file < 3; ++file) {
    CreateFile create;
    create.path = PathOf(file);
    create.size = kFilePages * kPageSize;
    create.content = FileContent::kPattern;
    create.seed = static_cast<uint64_t>(file);
    machine.Apply({0, create});
    const uint64_t read_write = file == kReadOnlyFd - kReadWriteFd ? 0 : 2;
    machine.Apply({1, Open{PathOf(file), read_write, kReadWriteFd + file}});
  }
  return machine;
}

Lockstep::Lockstep()
    : machine_(MachineWithFiles()), model_(kStartBrk, Files()) {}

std::string Lockstep::DoEach(const Command& machines, const Command& models) {
  if (!model_.Knows(models)) return "";
  ++done_;
  const Outcome outcome = machine_.Apply(machines, EventLevel::kNone);
  const Expected expected = model_.Apply(models, outcome);
  if (std::string why = machine_.Verify(); !why.empty()) {
    return "Verify: " + why;
  }
  if (std::string why = CompareOutcome(expected, outcome); !why.empty()) {
    return why;
  }
  if (std::string why = CompareAreas(); !why.empty()) return why;
  return ComparePages();
}

std::string Lockstep::CompareOutcome(const Expected& expected,
                                     const Outcome& outcome) const {
  const std::string model = Text(expected);
  const std::string machine = Text(Seen(outcome, expected.value.has_value()));
  if (model == machine) return "";
  return model + " in the model, " + machine + " in the machine";
}

std::string Lockstep::CompareAreas() const {
  const Kernel& k = machine_.kernel();
  for (const auto& [pid, process] : model_.processes()) {
    std::map<uint64_t, std::string> areas;
    for (const auto& [vpn, page] : process.pages) {
      PageState area = page;
      if (area.object >= 0 && !model_.object(area.object).file) {
        area.object = -2;
      }
      areas[vpn] = AreaText(area);
    }
    const std::string why =
        FirstDifference(areas, AreasOf(k, k.mms[k.tasks[k.pids.at(pid)].mm]));
    if (!why.empty()) return "process " + std::to_string(pid) + ": " + why;
  }
  return "";
}

// On a copy of the machine, since to look is to fault.
std::string Lockstep::ComparePages() const {
  Machine copy = machine_;
  for (const auto& [pid, process] : model_.processes()) {
    for (const auto& [vpn, page] : process.pages) {
      const uint64_t addr = vpn * kPageSize;
      const Expected expected = model_.Look(pid, AccessKind::kRead, addr);
      const Outcome outcome =
          copy.Apply({pid, Access{AccessKind::kRead, addr, 1, kPageSize, 0}},
                     EventLevel::kNone);
      if (std::string why = CompareOutcome(expected, outcome); !why.empty()) {
        return "reading " + Hex(addr) + " in process " + std::to_string(pid) +
               ": " + why;
      }
    }
  }
  return "";
}

std::string RunCommands(const std::vector<Command>& commands, uint64_t* done) {
  Lockstep pair;
  std::string why;
  for (size_t i = 0; i < commands.size() && why.empty(); ++i) {
    why = pair.Do(commands[i]);
    if (!why.empty()) why = "command " + std::to_string(i + 1) + ": " + why;
  }
  if (done != nullptr) *done += pair.done();
  return why;
}

}  // namespace faultline::model
