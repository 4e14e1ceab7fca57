#include "server/grading/function.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/codec/status_macros.h"
#include "server/scenario/suggest.h"

namespace faultline::grading {
namespace {

constexpr int64_t kPageBytes = 4096;

std::vector<std::string> FunctionNames() {
  std::vector<std::string> names;
  for (const FunctionSpec& spec : FunctionTable()) names.push_back(spec.name);
  return names;
}

// Which entry of a table translates an address, with so many bits a level: 9 in
// four-level and PAE paging, 10 without PAE.
int64_t TableIndex(int64_t level, int64_t address, int64_t bits) {
  return (address >> (12 + bits * (level - 1))) & ((1 << bits) - 1);
}

}  // namespace

const std::vector<FunctionSpec>& FunctionTable() {
  using F = Function;
  static const auto& table = *new std::vector<FunctionSpec>{
      {"min", F::kMin, 2, 2, "min(a, b)", "The smaller of two numbers."},
      {"max", F::kMax, 2, 2, "max(a, b)", "The greater of two numbers."},
      {"pages", F::kPages, 1, 1, "pages(bytes)",
       "How many pages of 4096 bytes they take, rounded up."},
      {"index", F::kIndex, 2, 3, "index(level, address [, bits])",
       "The entry of a page table that translates an address: level 4 PGD, 3 "
       "PUD, 2 PMD, 1 page table. 9 bits a level; 10 in profile i386-nopae."},
      {"at", F::kAt, 2, 2, "at(label, expression)",
       "The expression as it was just after the labelled operation of the "
       "set-up."},
      {"events", F::kEvents, 1, 2, "events(KIND [, label])",
       "How many events of a kind there were, in one operation or in all."},
      {"status", F::kStatus, 1, 2, "status(FIELD [, process])",
       "A number of /proc/PID/status, in its unit: status(VmRSS)."},
      {"meminfo", F::kMeminfo, 1, 1, "meminfo(FIELD)",
       "A number of /proc/meminfo."},
      {"vmstat", F::kVmstat, 1, 1, "vmstat(FIELD)",
       "A number of /proc/vmstat."},
      {"smaps", F::kSmaps, 2, 3, "smaps(FIELD, address [, process])",
       "A number of the VMA at an address in /proc/PID/smaps, in kB."},
      {"vmas", F::kVmas, 0, 1, "vmas([process])",
       "How many VMAs a process has."},
      {"maps", F::kMaps, 0, 1, "maps([process])",
       "The text of /proc/PID/maps."},
      {"maps_in", F::kMapsIn, 2, 3, "maps_in(start, end [, process])",
       "Its lines that overlap a range."},
      {"perms", F::kPerms, 1, 2, "perms(address [, process])",
       "The permissions of the VMA at an address, as 'rw-p', or 'none'."},
      {"vma_start", F::kVmaStart, 1, 2, "vma_start(address [, process])",
       "Where the VMA at an address begins; 0: there is none."},
      {"vma_end", F::kVmaEnd, 1, 2, "vma_end(address [, process])",
       "Where it ends."},
      {"present", F::kPresent, 1, 2, "present(address [, process])",
       "1 when a page is mapped there, else 0."},
      {"pfn", F::kPfn, 1, 2, "pfn(address [, process])",
       "The frame of the page there; 0: none is mapped."},
      {"is_zero_page", F::kIsZeroPage, 1, 2,
       "is_zero_page(address [, process])",
       "1 when the shared zero page is mapped there."},
      {"mapcount", F::kMapcount, 1, 2, "mapcount(address [, process])",
       "How many page-table entries map the frame there."},
      {"byte", F::kByte, 1, 2, "byte(address [, process])",
       "The byte there, read without a fault; -1: no page is mapped."},
      {"frames", F::kFrames, 0, 1, "frames([process])",
       "How many frames a process maps, the zero page not counted."},
      {"shared", F::kShared, 2, 2, "shared(process, process)",
       "How many frames both processes map, the zero page not counted."},
      {"walk_entries", F::kWalkEntries, 1, 2,
       "walk_entries(address [, process])",
       "How many page-table entries the processor reads for an address."},
      {"alive", F::kAlive, 1, 1, "alive(process)",
       "1 when the process lives, else 0."},
      {"processes", F::kProcesses, 0, 0, "processes()",
       "How many processes live."},
  };
  return table;
}

absl::StatusOr<const FunctionSpec*> FindFunction(const Expression& call) {
  for (const FunctionSpec& spec : FunctionTable()) {
    if (call.name != spec.name) continue;
    const int args = static_cast<int>(call.operands.size());
    if (args >= spec.args_min && args <= spec.args_max) return &spec;
    return absl::InvalidArgumentError(absl::StrCat(
        call.name, " does not take ", args, " arguments: write ", spec.usage));
  }
  return absl::NotFoundError(
      absl::StrCat("there is no function '", call.name, "'",
                   scenario::DidYouMean(call.name, FunctionNames())));
}

bool IsPure(Function function) { return function <= Function::kIndex; }

absl::StatusOr<Value> CallPure(Function function, const Expression& call,
                               const Scope& scope) {
  FL_ASSIGN_OR_RETURN(const int64_t a, NumberArgument(call, 0, scope));
  if (function == Function::kPages) {
    return Value((a + kPageBytes - 1) / kPageBytes);
  }
  FL_ASSIGN_OR_RETURN(const int64_t b, NumberArgument(call, 1, scope));
  if (function == Function::kMin) return Value(std::min(a, b));
  if (function == Function::kMax) return Value(std::max(a, b));
  if (a < 1 || a > 4) {
    return absl::InvalidArgumentError(
        absl::StrCat("index() takes a level from 1 to 4, not ", a));
  }
  FL_ASSIGN_OR_RETURN(const int64_t bits, NumberArgument(call, 2, scope, 9));
  if (bits != 9 && bits != 10) {
    return absl::InvalidArgumentError(
        absl::StrCat("index() takes 9 or 10 bits a level, not ", bits));
  }
  return Value(TableIndex(a, b, bits));
}

absl::StatusOr<std::string> WordArgument(const Expression& call, size_t i) {
  const Expression& argument = call.operands[i];
  if (argument.kind == Expression::Kind::kName) return argument.name;
  if (argument.kind == Expression::Kind::kConstant &&
      argument.value.is_text()) {
    return argument.value.text();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("argument ", i + 1, " of ", call.name, "() must be a name"));
}

absl::StatusOr<int64_t> NumberArgument(const Expression& call, size_t i,
                                       const Scope& scope) {
  FL_ASSIGN_OR_RETURN(const Value value, Evaluate(call.operands[i], scope));
  if (value.is_number()) return value.number();
  return absl::InvalidArgumentError(
      absl::StrCat("argument ", i + 1, " of ", call.name,
                   "() must be a number, not ", value.kind()));
}

absl::StatusOr<int64_t> NumberArgument(const Expression& call, size_t i,
                                       const Scope& scope, int64_t otherwise) {
  return i < call.operands.size() ? NumberArgument(call, i, scope) : otherwise;
}

}  // namespace faultline::grading
