#include "server/scenario/expect.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/scenario/json_lines.h"
#include "server/scenario/names.h"
#include "server/scenario/proc_text.h"

namespace faultline::scenario {
namespace {

const char* Symbol(Comparison comparison) {
  switch (comparison) {
    case Comparison::kEq:
      return "==";
    case Comparison::kNe:
      return "!=";
    case Comparison::kLt:
      return "<";
    case Comparison::kLe:
      return "<=";
    case Comparison::kGt:
      return ">";
    case Comparison::kGe:
      return ">=";
    case Comparison::kContains:
      return "contains";
    case Comparison::kLacks:
      return "lacks";
  }
  return "?";
}

bool Compare(uint64_t a, Comparison comparison, uint64_t b) {
  switch (comparison) {
    case Comparison::kEq:
      return a == b;
    case Comparison::kNe:
      return a != b;
    case Comparison::kLt:
      return a < b;
    case Comparison::kLe:
      return a <= b;
    case Comparison::kGt:
      return a > b;
    case Comparison::kGe:
      return a >= b;
    default:
      return false;
  }
}

template <typename T>
std::optional<uint64_t> AsNumber(const std::optional<T>& field) {
  if (!field) return std::nullopt;
  return static_cast<uint64_t>(*field);
}

std::optional<uint64_t> ReturnValue(const OpResult& last) {
  if (last.error) return 0 - static_cast<uint64_t>(*last.error);
  if (last.file_ret) return static_cast<uint64_t>(*last.file_ret);
  return last.ret;
}

// A field of the last outcome; nothing when that op has no such field. No
// error, signal or death is 0.
std::optional<uint64_t> OutcomeField(const OpResult& last,
                                     const std::string& subject) {
  if (absl::string_view name = subject; absl::ConsumePrefix(&name, "event.")) {
    const auto it = last.events.find(std::string(name));
    return it == last.events.end() ? 0 : it->second;
  }
  const OpResult::Signal signal = last.signal.value_or(OpResult::Signal{});
  if (subject == "ret") return ReturnValue(last);
  if (subject == "err") return last.error.value_or(0);
  if (subject == "sig") return signal.number;
  if (subject == "code") return signal.code;
  if (subject == "addr" && last.signal) return signal.addr;
  if (subject == "val") return AsNumber(last.value);
  if (subject == "fetchfault") return AsNumber(last.fetch_fault);
  if (subject == "child" && last.child) return last.child->process;
  if (subject == "min") return last.minor_faults;
  if (subject == "maj") return last.major_faults;
  if (subject == "tlb_misses") return last.tlb_misses;
  if (subject == "table_loads") return last.table_loads;
  if (subject == "exited") return last.exited ? 1 : 0;
  if (subject == "died") return last.died.value_or(0);
  if (subject == "skip") return last.skip ? 1 : 0;
  return std::nullopt;
}

bool IsState(const std::string& subject) {
  return subject == "vmas" || (absl::StrContains(subject, ".") &&
                               !absl::StartsWith(subject, "event."));
}

bool IsOfVma(const Expectation& expect) { return !expect.addr.empty(); }

// Names for errnos and signals, hex for addresses, decimal for the rest.
std::string Show(const std::string& subject, uint64_t value) {
  const char* name = nullptr;
  if (subject == "err") name = ErrnoNames().NameOf(value);
  if (subject == "sig" || subject == "died") name = SignalNames().NameOf(value);
  if (name != nullptr) return name;
  if (subject == "ret" || subject == "addr") {
    return absl::StrCat("0x", absl::Hex(value));
  }
  return absl::StrCat(value);
}

absl::Status CheckOk(const OpResult& last) {
  if (last.error || last.signal || last.died || last.skip) {
    return absl::FailedPreconditionError(
        absl::StrCat("expected ok, but the outcome was ", JsonLine(last)));
  }
  return absl::OkStatus();
}

absl::Status CheckText(const Expectation& expect, const StateSource& state) {
  absl::StatusOr<std::string> text = state.text(expect.path);
  if (!text.ok()) return text.status();
  const bool contains = absl::StrContains(*text, expect.text);
  if (contains == (expect.comparison == Comparison::kContains)) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "expected that ", expect.path, " ", Symbol(expect.comparison), " '",
      expect.text, "', but it is:\n", *text));
}

// The VMA that holds the expectation's address, as smaps tells of it.
absl::StatusOr<SmapsEntry> VmaAt(const Expectation& expect,
                                 const SymbolLookup& lookup,
                                 const StateSource& state) {
  const absl::StatusOr<uint64_t> addr = Evaluate(expect.addr, lookup);
  if (!addr.ok()) return addr.status();
  const absl::StatusOr<std::string> text = state.text("/proc/self/smaps");
  if (!text.ok()) return text.status();
  absl::StatusOr<std::vector<SmapsEntry>> entries = ParseSmaps(*text);
  if (!entries.ok()) return entries.status();
  for (SmapsEntry& entry : *entries) {
    if (entry.vma.start <= *addr && *addr < entry.vma.end) {
      return std::move(entry);
    }
  }
  return absl::FailedPreconditionError(
      absl::StrCat("expected a VMA at 0x", absl::Hex(*addr),
                   ", but nothing is mapped there"));
}

absl::Status CheckFlags(const Expectation& expect, const SymbolLookup& lookup,
                        const StateSource& state) {
  const absl::StatusOr<SmapsEntry> vma = VmaAt(expect, lookup, state);
  if (!vma.ok()) return vma.status();
  const std::vector<std::string> flags = absl::StrSplit(vma->vm_flags, ' ');
  const bool contains =
      std::find(flags.begin(), flags.end(), expect.text) != flags.end();
  if (contains == (expect.comparison == Comparison::kContains)) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("expected VmFlags that ", Symbol(expect.comparison), " '",
                   expect.text, "', but they are ", vma->vm_flags));
}

absl::Status CheckPage(const Expectation& expect, const SymbolLookup& lookup,
                       const StateSource& state) {
  const absl::StatusOr<uint64_t> addr = Evaluate(expect.addr, lookup);
  if (!addr.ok()) return addr.status();
  constexpr uint64_t kPageBytes = 4096;
  const absl::StatusOr<uint64_t> entry = state.page(*addr / kPageBytes);
  if (!entry.ok()) return entry.status();
  const std::string letters = PagemapLetters(*entry);
  const bool contains = expect.comparison == Comparison::kContains;
  for (const char letter : expect.text) {
    if ((letters.find(letter) != std::string::npos) == contains) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("expected a page that ", Symbol(expect.comparison), " '",
                     expect.text, "', but it has '", letters, "'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> SmapsField(const Expectation& expect,
                                    const SymbolLookup& lookup,
                                    const StateSource& state) {
  const absl::StatusOr<SmapsEntry> vma = VmaAt(expect, lookup, state);
  if (!vma.ok()) return vma.status();
  const std::string field =
      expect.subject.substr(absl::string_view("smaps.").size());
  for (const auto& [name, kilobytes] : vma->kilobytes) {
    if (name == field) return kilobytes;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("smaps has no field '", field, "' of a VMA"));
}

absl::Status CheckVector(const Expectation& expect, const OpResult& last) {
  const bool equal = last.vec && *last.vec == expect.text;
  if (equal == (expect.comparison == Comparison::kEq)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "expected vec ", Symbol(expect.comparison), " ", expect.text, ", but ",
      last.vec ? absl::StrCat("it was ", *last.vec)
               : absl::StrCat("the outcome has none: ", JsonLine(last))));
}

}  // namespace

absl::Status CheckExpectation(const Op& op, const OpResult& last,
                              const SymbolLookup& lookup,
                              const StateSource& state) {
  const Expectation& expect = op.expect;
  if (expect.subject == "ok") return CheckOk(last);
  if (expect.subject == "cat") return CheckText(expect, state);
  if (expect.subject == "flags") return CheckFlags(expect, lookup, state);
  if (expect.subject == "page") return CheckPage(expect, lookup, state);
  if (expect.subject == "vec") return CheckVector(expect, last);
  absl::StatusOr<uint64_t> wanted = Evaluate(expect.value, lookup);
  if (!wanted.ok()) return wanted.status();
  std::optional<uint64_t> found;
  if (IsState(expect.subject)) {
    absl::StatusOr<uint64_t> number = IsOfVma(expect)
                                          ? SmapsField(expect, lookup, state)
                                          : state.number(expect.subject);
    if (!number.ok()) return number.status();
    found = *number;
  } else {
    found = OutcomeField(last, expect.subject);
  }
  if (found && Compare(*found, expect.comparison, *wanted)) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "expected ", expect.subject, " ", Symbol(expect.comparison), " ",
      Show(expect.subject, *wanted), ", but ",
      found ? absl::StrCat("it was ", Show(expect.subject, *found))
            : absl::StrCat("the outcome has none: ", JsonLine(last))));
}

absl::StatusOr<uint64_t> NumberFromProcText(absl::string_view text,
                                            absl::string_view field) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(": \t"), absl::SkipEmpty());
    uint64_t value = 0;
    if (words.size() >= 2 && words[0] == field &&
        absl::SimpleAtoi(words[1], &value)) {
      return value;
    }
  }
  return absl::NotFoundError(
      absl::StrCat("no line '", field, "' with a number is in that file"));
}

}  // namespace faultline::scenario
