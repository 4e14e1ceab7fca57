#include "server/grading/facts.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "server/codec/status_macros.h"
#include "server/codec/view.h"
#include "server/grading/events.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/vma_tree.h"
#include "server/machine/proc/proc.h"
#include "server/scenario/expect.h"
#include "server/scenario/proc_text.h"
#include "server/scenario/suggest.h"

namespace faultline::grading {
namespace {

constexpr uint64_t kPageMask = kPageSize - 1;

absl::Status NoField(const std::string& label, const std::string& field,
                     const std::vector<std::string>& fields) {
  return absl::NotFoundError(absl::StrCat("there is no ", label, ".", field,
                                          scenario::DidYouMean(field, fields)));
}

int64_t Signed(uint64_t value) { return static_cast<int64_t>(value); }

// The byte that an access read, or that pread read; -1 at the end of a file.
int64_t ByteOf(const Step& step) {
  if (!step.command.has_read()) return step.outcome.value() & 0xff;
  const std::string& data = step.outcome.data();
  return data.empty() ? -1 : static_cast<uint8_t>(data[0]);
}

absl::StatusOr<int64_t> FieldOf(const Step& step, int64_t label,
                                const std::string& field) {
  const v1::Outcome& o = step.outcome;
  if (field == "ret" || field == "child") return label;
  if (field == "err") return int64_t{o.error()};
  if (field == "sig") return int64_t{o.signal().signal()};
  if (field == "code") return int64_t{o.signal().code()};
  if (field == "addr") return Signed(o.signal().addr());
  if (field == "val") return ByteOf(step);
  if (field == "min") return Signed(o.min_flt());
  if (field == "maj") return Signed(o.maj_flt());
  if (field == "faults") return Signed(o.min_flt() + o.maj_flt());
  if (field == "accesses") return Signed(o.accesses());
  if (field == "cost") return Signed(o.cost_ns());
  if (field == "exited") return int64_t{o.exited()};
  return NoField(step.label, field, StepFields());
}

bool CountsFaults(const std::string& field) {
  return field == "min" || field == "maj" || field == "faults";
}

// The frames that a process maps, without the zero page.
std::set<uint64_t> FramesOf(const Kernel& k, const Mm& mm) {
  std::set<uint64_t> frames;
  for (Id<Vma> at = mm.mmap; at; at = k.vmas[at].next) {
    const Vma& vma = k.vmas[at];
    ForEachPte(k, mm, vma.start, vma.end, [&](VirtAddr, Pte pte) {
      if (pte.present() && !pte.special()) frames.insert(pte.pfn().value());
    });
  }
  return frames;
}

const Vma* VmaAt(const Kernel& k, const Mm& mm, int64_t address) {
  const VirtAddr at(static_cast<uint64_t>(address));
  const Id<Vma> found = LookupVma(k, mm, at);
  return found && k.vmas[found].Contains(at) ? &k.vmas[found] : nullptr;
}

Pte PteAt(const Kernel& k, const Mm& mm, int64_t address) {
  const VirtAddr page(static_cast<uint64_t>(address) & ~uint64_t{kPageMask});
  return LookAtPte(k, mm, page);
}

std::string Permissions(const Kernel& k, const Vma& vma) {
  v1::Vma proto;
  VmaToProto(k, vma, &proto);
  return proto.permissions();
}

absl::Status NoProcess(int64_t process) {
  return absl::NotFoundError(absl::StrCat("there is no process ", process,
                                          ": it has ended, or never was"));
}

}  // namespace

const std::vector<std::string>& StepFields() {
  static const auto& fields = *new std::vector<std::string>{
      "ret", "err", "sig",    "code",     "addr", "val",   "child",
      "min", "maj", "faults", "accesses", "cost", "exited"};
  return fields;
}

const std::vector<std::string>& TotalFields() {
  static const auto& fields = *new std::vector<std::string>{
      "min", "maj", "faults", "accesses", "cost", "commands", "errors"};
  return fields;
}

absl::StatusOr<Value> TrialScope::Name(const std::string& name) const {
  return variables_.Name(name);
}

absl::StatusOr<Value> TrialScope::Label(const std::string& label) const {
  FL_ASSIGN_OR_RETURN(const size_t step, StepOf(label));
  trace_.step = static_cast<int>(step);
  return Value(trial_.labels().at(label));
}

absl::StatusOr<size_t> TrialScope::StepOf(const std::string& label) const {
  const int step = trial_.StepOf(label);
  const auto at = static_cast<size_t>(step);
  if (step >= 0 && at < steps_end_ && trial_.labels().count(label) > 0) {
    return at;
  }
  std::vector<std::string> labels;
  for (const auto& [known, value] : trial_.labels()) labels.push_back(known);
  return absl::NotFoundError(
      absl::StrCat("no operation of the set-up that ran is labelled '", label,
                   ":'", scenario::DidYouMean(label, labels)));
}

absl::StatusOr<Value> TrialScope::Field(const std::string& label,
                                        const std::string& field) const {
  if (label == "total") return TotalField(field);
  FL_ASSIGN_OR_RETURN(const size_t step, StepOf(label));
  FL_ASSIGN_OR_RETURN(
      const int64_t number,
      FieldOf(trial_.steps()[step], trial_.labels().at(label), field));
  trace_.step = static_cast<int>(step);
  CountFaults(step, field);
  return Value(number);
}

absl::StatusOr<Value> TrialScope::TotalField(const std::string& field) const {
  if (std::count(TotalFields().begin(), TotalFields().end(), field) == 0) {
    return NoField("total", field, TotalFields());
  }
  int64_t sum = 0;
  for (size_t i = first_step(); i < steps_end_; ++i) {
    const Step& step = trial_.steps()[i];
    if (field == "commands") {
      ++sum;
    } else if (field == "errors") {
      sum += step.outcome.error() != v1::ERRNO_UNSPECIFIED;
    } else {
      FL_ASSIGN_OR_RETURN(const int64_t number, FieldOf(step, 0, field));
      sum += number;
      CountFaults(i, field);
    }
  }
  return Value(sum);
}

// Each fault of the counters has its event fault_resolved.
void TrialScope::CountFaults(size_t step, const std::string& field) const {
  if (!CountsFaults(field)) return;
  const auto& events = trial_.steps()[step].outcome.events();
  for (int i = 0; i < events.size(); ++i) {
    if (!events[i].has_fault_resolved()) continue;
    const bool major = events[i].fault_resolved().major();
    if (field == "faults" || major == (field == "maj")) {
      trace_.counted.push_back({step, i});
    }
  }
}

void TrialScope::LookAt(bool Trace::*what) const {
  trace_.*what = true;
  trace_.steps_end = std::max(trace_.steps_end, steps_end_);
}

absl::StatusOr<Value> TrialScope::Call(const Expression& call) const {
  FL_ASSIGN_OR_RETURN(const FunctionSpec* spec, FindFunction(call));
  const Function f = spec->function;
  if (IsPure(f)) return CallPure(f, call, *this);
  if (f == Function::kAt) return At(call);
  if (f == Function::kEvents) return Events(call);
  if (f <= Function::kSmaps) return CallProc(f, call);
  if (f <= Function::kVmaEnd) return CallVmas(f, call);
  return CallMemory(f, call);
}

absl::StatusOr<Value> TrialScope::At(const Expression& call) const {
  FL_ASSIGN_OR_RETURN(const std::string label, WordArgument(call, 0));
  FL_ASSIGN_OR_RETURN(const size_t step, StepOf(label));
  const Machine* machine = trial_.MomentOf(label);
  if (machine == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("the machine was not kept after '", label, ":'"));
  }
  TrialScope then(trial_, variables_.values(), *machine, step + 1);
  then.trace_ = trace_;
  absl::StatusOr<Value> value = Evaluate(call.operands[1], then);
  trace_ = then.trace_;
  return value;
}

absl::StatusOr<Value> TrialScope::Events(const Expression& call) const {
  FL_ASSIGN_OR_RETURN(const std::string kind, WordArgument(call, 0));
  FL_RETURN_IF_ERROR(CheckEventKind(kind));
  size_t first = first_step(), end = steps_end_;
  if (call.operands.size() == 2) {
    FL_ASSIGN_OR_RETURN(const std::string label, WordArgument(call, 1));
    FL_ASSIGN_OR_RETURN(first, StepOf(label));
    end = first + 1;
  }
  int64_t count = 0;
  for (size_t i = first; i < end; ++i) {
    const auto& events = trial_.steps()[i].outcome.events();
    for (int j = 0; j < events.size(); ++j) {
      if (events[j].has_events_lost()) {
        return absl::OutOfRangeError(
            absl::StrCat("`", trial_.steps()[i].text,
                         "` made more events than are kept: touch fewer pages "
                         "in one operation"));
      }
      if (!IsOfKind(events[j], kind)) continue;
      ++count;
      trace_.counted.push_back({i, j});
    }
  }
  return Value(count);
}

absl::StatusOr<std::string> TrialScope::ProcText(int64_t process,
                                                 absl::string_view file) const {
  FL_RETURN_IF_ERROR(MmOfProcess(process).status());
  auto text = ReadProc(
      kernel(), absl::StrCat("/proc/", trial_.PidOf(process), "/", file));
  if (!text.ok()) return NoProcess(process);
  return std::move(text.value());
}

absl::StatusOr<Value> TrialScope::CallProc(Function f,
                                           const Expression& call) const {
  FL_ASSIGN_OR_RETURN(const std::string field, WordArgument(call, 0));
  LookAt(&Trace::memory);
  if (f == Function::kMeminfo || f == Function::kVmstat) {
    auto text = ReadProc(
        kernel(), f == Function::kMeminfo ? "/proc/meminfo" : "/proc/vmstat");
    FL_ASSIGN_OR_RETURN(const uint64_t number,
                        scenario::NumberFromProcText(text.value(), field));
    return Value(Signed(number));
  }
  if (f == Function::kStatus) {
    FL_ASSIGN_OR_RETURN(const int64_t process,
                        NumberArgument(call, 1, *this, 0));
    FL_ASSIGN_OR_RETURN(const std::string text, ProcText(process, "status"));
    FL_ASSIGN_OR_RETURN(const uint64_t number,
                        scenario::NumberFromProcText(text, field));
    return Value(Signed(number));
  }
  FL_ASSIGN_OR_RETURN(const int64_t address, NumberArgument(call, 1, *this));
  FL_ASSIGN_OR_RETURN(const int64_t process, NumberArgument(call, 2, *this, 0));
  FL_ASSIGN_OR_RETURN(const std::string text, ProcText(process, "smaps"));
  FL_ASSIGN_OR_RETURN(const auto entries, scenario::ParseSmaps(text));
  const auto at = static_cast<uint64_t>(address);
  for (const scenario::SmapsEntry& entry : entries) {
    if (at < entry.vma.start || at >= entry.vma.end) continue;
    for (const auto& [name, kilobytes] : entry.kilobytes) {
      if (name == field) return Value(Signed(kilobytes));
    }
    return absl::NotFoundError(
        absl::StrCat("smaps has no field '", field, "'"));
  }
  return absl::NotFoundError(
      absl::StrCat("nothing is mapped at ", Hex(address)));
}

absl::StatusOr<Value> TrialScope::CallVmas(Function f,
                                           const Expression& call) const {
  LookAt(&Trace::vmas);
  if (f == Function::kVmas || f == Function::kMaps) {
    FL_ASSIGN_OR_RETURN(const int64_t process,
                        NumberArgument(call, 0, *this, 0));
    FL_ASSIGN_OR_RETURN(const Mm* mm, MmOfProcess(process));
    if (f == Function::kVmas) return Value(int64_t{mm->map_count});
    FL_ASSIGN_OR_RETURN(std::string text, ProcText(process, "maps"));
    return Value(std::move(text));
  }
  FL_ASSIGN_OR_RETURN(const int64_t address, NumberArgument(call, 0, *this));
  if (f == Function::kMapsIn) {
    FL_ASSIGN_OR_RETURN(const int64_t end, NumberArgument(call, 1, *this));
    FL_ASSIGN_OR_RETURN(const int64_t process,
                        NumberArgument(call, 2, *this, 0));
    FL_ASSIGN_OR_RETURN(const std::string text, ProcText(process, "maps"));
    FL_ASSIGN_OR_RETURN(const auto lines, scenario::ParseMaps(text));
    std::string overlapping;
    for (const scenario::MapsLine& line : lines) {
      if (line.end <= static_cast<uint64_t>(address) ||
          line.start >= static_cast<uint64_t>(end)) {
        continue;
      }
      absl::StrAppend(&overlapping, scenario::FormatMapsLine(line), "\n");
    }
    return Value(std::move(overlapping));
  }
  FL_ASSIGN_OR_RETURN(const int64_t process, NumberArgument(call, 1, *this, 0));
  FL_ASSIGN_OR_RETURN(const Mm* mm, MmOfProcess(process));
  const Vma* vma = VmaAt(kernel(), *mm, address);
  if (f == Function::kPerms) {
    return Value(vma == nullptr ? std::string("none")
                                : Permissions(kernel(), *vma));
  }
  if (vma == nullptr) return Value(int64_t{0});
  return Value(
      Signed((f == Function::kVmaStart ? vma->start : vma->end).value()));
}

absl::StatusOr<Value> TrialScope::CallMemory(Function f,
                                             const Expression& call) const {
  LookAt(&Trace::memory);
  if (f == Function::kProcesses) return Value(CountLive());
  if (f == Function::kAlive) {
    FL_ASSIGN_OR_RETURN(const int64_t process, NumberArgument(call, 0, *this));
    return Value(int64_t{MmOfProcess(process).ok()});
  }
  if (f == Function::kFrames || f == Function::kShared) {
    FL_ASSIGN_OR_RETURN(const int64_t process,
                        NumberArgument(call, 0, *this, 0));
    FL_ASSIGN_OR_RETURN(const Mm* mm, MmOfProcess(process));
    const std::set<uint64_t> frames = FramesOf(kernel(), *mm);
    if (f == Function::kFrames) return Value(Signed(frames.size()));
    FL_ASSIGN_OR_RETURN(const int64_t other, NumberArgument(call, 1, *this));
    FL_ASSIGN_OR_RETURN(const Mm* other_mm, MmOfProcess(other));
    int64_t both = 0;
    for (const uint64_t pfn : FramesOf(kernel(), *other_mm)) {
      both += static_cast<int64_t>(frames.count(pfn));
    }
    return Value(both);
  }
  FL_ASSIGN_OR_RETURN(const int64_t address, NumberArgument(call, 0, *this));
  FL_ASSIGN_OR_RETURN(const int64_t process, NumberArgument(call, 1, *this, 0));
  FL_ASSIGN_OR_RETURN(const Mm* mm, MmOfProcess(process));
  return CallAt(f, address, *mm);
}

absl::StatusOr<Value> TrialScope::CallAt(Function f, int64_t address,
                                         const Mm& mm) const {
  if (f == Function::kWalkEntries) {
    v1::WalkPageTableResponse walk;
    WalkToProto(kernel(), mm, static_cast<uint64_t>(address), &walk);
    return Value(int64_t{walk.steps_size()});
  }
  const Pte pte = PteAt(kernel(), mm, address);
  const bool present = pte.present();
  const bool zero = present && pte.pfn() == kernel().zero_page;
  switch (f) {
    case Function::kPresent:
      return Value(int64_t{present});
    case Function::kIsZeroPage:
      return Value(int64_t{zero});
    case Function::kPfn:
      return Value(present ? int64_t{pte.pfn().value()} : 0);
    case Function::kMapcount:
      if (!present || pte.special()) return Value(int64_t{0});
      return Value(int64_t{kernel().page(pte.pfn()).mapcount});
    default:
      if (!present) return Value(int64_t{-1});
      return Value(int64_t{kernel().frames[pte.pfn()].Read(
          static_cast<uint32_t>(static_cast<uint64_t>(address) & kPageMask))});
  }
}

absl::StatusOr<const Mm*> TrialScope::MmOfProcess(int64_t process) const {
  const uint32_t pid = trial_.PidOf(process);
  const Mm* mm = pid == 0 ? nullptr : FindMm(kernel(), pid);
  if (mm == nullptr) return NoProcess(process);
  return mm;
}

int64_t TrialScope::CountLive() const {
  int64_t live = 0;
  for (const uint32_t pid : trial_.pids()) {
    live += FindMm(kernel(), pid) != nullptr;
  }
  return live;
}

}  // namespace faultline::grading
