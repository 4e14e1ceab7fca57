#include "tests/native/scoreboard.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/scenario/script.h"
#include "tests/conformance/run_row.h"
#include "tests/native/compare.h"
#include "tests/native/conformance.h"
#include "tests/native/real_kernel.h"

namespace faultline::native {
namespace {

using conformance::Row;

// kOther: the row claims something of 6.18 that this older kernel does not do;
// the machine of this kernel's personality does as it does.
enum class State { kPass, kFail, kMissing, kSkipped, kOther };
constexpr size_t kStates = 5;

const char* NameOf(State state) {
  switch (state) {
    case State::kPass:
      return "pass";
    case State::kFail:
      return "FAIL";
    case State::kMissing:
      return "missing";
    case State::kSkipped:
      return "skipped";
    case State::kOther:
      return "other";
  }
  return "?";
}

struct Verdict {
  State here = State::kMissing;
  State real = State::kSkipped;
  std::string why;  // of what is not a pass
};

struct Run {
  std::string failure;
  std::string lines;
};

Run RunHere(const scenario::Script& script,
            const scenarios::KernelFacts& kernel) {
  std::ostringstream out;
  std::string failure = conformance::RunHere(script, kernel, out);
  return {std::move(failure), out.str()};
}

bool NeedsDisk(const scenario::Script& script) {
  return std::any_of(script.ops.begin(), script.ops.end(),
                     [](const scenario::Op& op) {
                       return op.kind == scenario::OpKind::kFile &&
                              (op.file.disk || op.file.cold);
                     });
}

std::optional<Difference> DifferenceOf(const Answer& real, const Run& here) {
  std::istringstream a(real.lines);
  std::istringstream b(here.lines);
  CompareOptions options;
  options.hidden_page = Side::kA;
  options.hidden_on_both = true;
  return CompareRuns(a, b, options).difference;
}

// Does `boot` say no more than that it is this kernel, and how it has huge
// pages?
bool BootsThisKernel(const scenario::Op& op, v1::Personality personality) {
  const std::string name = native::NameOf(personality);
  if (!op.boot.personality.empty() && op.boot.personality != name) return false;
  std::string said = "boot";
  for (const auto& [key, value] :
       {std::pair("personality", op.boot.personality),
        std::pair("thp", op.boot.thp)}) {
    if (!value.empty()) absl::StrAppend(&said, " ", key, "=", value);
  }
  return op.text == said;
}

bool NamesAKernel(const scenario::Script& script) {
  return std::any_of(script.ops.begin(), script.ops.end(),
                     [](const scenario::Op& op) {
                       return op.kind == scenario::OpKind::kBoot &&
                              !op.boot.personality.empty();
                     });
}

// Empty: it can be asked. A row that boots a machine of its own cannot: nobody
// changes the settings of the kernel that everybody uses.
std::string WhyNotReal(const scenario::Script& script,
                       const RealKernel& kernel) {
  for (const scenario::Op& op : script.ops) {
    if (op.kind == scenario::OpKind::kBoot &&
        !BootsThisKernel(op, kernel.facts().machine.personality)) {
      return absl::StrCat("needs a machine of its own: ", op.text);
    }
  }
  if (!kernel.facts().has_disk && NeedsDisk(script)) {
    return "needs files on a disk: --files DIR";
  }
  return "";
}

Verdict Judge(const Row& row, RealKernel& kernel) {
  Verdict verdict;
  const auto script = conformance::ScriptOf(row);
  if (!script.ok()) {
    verdict.why = row.missing.empty() ? std::string(script.status().message())
                                      : row.missing;
    verdict.here = row.missing.empty() ? State::kFail : State::kMissing;
    return verdict;
  }
  const scenarios::KernelFacts& facts = kernel.facts().machine;
  std::string cannot = WhyNotReal(*script, kernel);
  Answer real;
  if (cannot.empty()) {
    real = kernel.Ask(row.name, conformance::TextOf(row), NeedsDisk(*script));
    cannot = real.problem;
  }
  if (cannot.empty()) {
    verdict.real = real.failure.empty() ? State::kPass : State::kFail;
    verdict.why = real.failure;
  } else {
    verdict.why = cannot;
  }
  if (!row.missing.empty()) {
    absl::StrAppend(&verdict.why, verdict.why.empty() ? "" : "; ",
                    "here: ", row.missing);
    return verdict;
  }
  const Run here = RunHere(*script, facts);
  verdict.here = here.failure.empty() ? State::kPass : State::kFail;
  if (!here.failure.empty()) verdict.why = here.failure;
  const bool neither = !here.failure.empty() && !real.failure.empty();
  if (neither && facts.personality != v1::PERSONALITY_LINUX_6_18 &&
      !NamesAKernel(*script)) {
    verdict.here = verdict.real = State::kOther;
  } else if (verdict.here != State::kPass || verdict.real != State::kPass) {
    return verdict;
  }
  // Both do what the row claims; and everything else that a run prints?
  if (const auto difference = DifferenceOf(real, here)) {
    verdict.here = State::kFail;
    verdict.why = difference->Text();
  }
  return verdict;
}

bool Passes(const Verdict& verdict) {
  return verdict.here != State::kFail && verdict.real != State::kFail;
}

Verdict JudgeRepeatably(const Row& row, RealKernel& kernel) {
  Verdict last = Judge(row, kernel);
  int in_a_row = 1;
  for (int i = 0; i < kRepeatTries && !Passes(last) && in_a_row < kInARow;
       ++i) {
    Verdict next = Judge(row, kernel);
    in_a_row = next.why == last.why ? in_a_row + 1 : 1;
    last = std::move(next);
  }
  return last;
}

using Verdicts = std::map<std::string, Verdict>;  // by FAMILY/NAME

// What the rows of a case come to: the worst, but on Linux one that could be
// asked counts before one that could not.
Verdict JudgeCase(const conformance::Case& one, const Verdicts& verdicts) {
  Verdict worst{.here = State::kPass, .real = State::kSkipped, .why = {}};
  for (const auto& [name, verdict] : verdicts) {
    if (std::none_of(one.rows.begin(), one.rows.end(),
                     [&name = name](const std::string& row) {
                       return conformance::IsRowOf(row, name);
                     })) {
      continue;
    }
    if (verdict.here == State::kFail ||
        (verdict.here == State::kMissing && worst.here == State::kPass)) {
      worst.here = verdict.here;
    }
    if (verdict.real == State::kFail || worst.real == State::kSkipped) {
      worst.real = verdict.real;
    }
  }
  return worst;
}

void PrintCases(const std::vector<conformance::Case>& cases,
                const Verdicts& verdicts, std::ostream& out) {
  out << absl::StreamFormat("\n%-50s %-7s %-7s  %s\n", "case", "here", "Linux",
                            "rows");
  int passed = 0;
  int without = 0;
  for (const conformance::Case& one : cases) {
    if (!one.why_none.empty()) {
      ++without;
      out << absl::StreamFormat("%-50s %-15s  %s\n", one.name, "no row",
                                one.why_none);
      continue;
    }
    const Verdict verdict = JudgeCase(one, verdicts);
    passed += verdict.here == State::kPass ? 1 : 0;
    out << absl::StreamFormat("%-50s %-7s %-7s  %s\n", one.name,
                              NameOf(verdict.here), NameOf(verdict.real),
                              absl::StrJoin(one.rows, " "));
  }
  out << absl::StreamFormat("%d cases: %d pass here, %d have no row\n\n",
                            cases.size(), passed, without);
}

struct Totals {
  int rows = 0;
  int assertions = 0;
  std::array<int, kStates> here = {};
  std::array<int, kStates> real = {};

  void Add(const Row& row, const Verdict& verdict) {
    ++rows;
    assertions += row.assertions;
    ++here[static_cast<size_t>(verdict.here)];
    ++real[static_cast<size_t>(verdict.real)];
  }
};

void Print(const Row& row, const Verdict& verdict, std::ostream& out) {
  out << absl::StreamFormat(
      "%-46s %-7s %-7s %3d  %s", absl::StrCat(row.family, "/", row.name),
      NameOf(verdict.here), NameOf(verdict.real), row.assertions, row.claim);
  if (!verdict.why.empty()) out << "\n      " << verdict.why;
  out << std::endl;
}

}  // namespace

bool PrintScoreboard(const std::vector<Row>& rows,
                     const ScoreboardOptions& options, std::ostream& out) {
  out << absl::StreamFormat("%-46s %-7s %-7s %3s  %s\n", "row", "here", "Linux",
                            "n", "what is claimed");
  Totals totals;
  Verdicts verdicts;
  for (const Row& row : rows) {
    const std::string name = absl::StrCat(row.family, "/", row.name);
    if (!absl::StrContains(name, options.only)) continue;
    const Verdict verdict = JudgeRepeatably(row, *options.kernel);
    totals.Add(row, verdict);
    Print(row, verdict, out);
    verdicts.emplace(name, verdict);
  }
  if (options.only.empty()) PrintCases(options.cases, verdicts, out);
  const auto count = [](const std::array<int, kStates>& states, State state) {
    return states[static_cast<size_t>(state)];
  };
  const int other = count(totals.real, State::kOther);
  out << absl::StreamFormat(
      "%d rows, %d assertions; here: pass=%d fail=%d missing=%d; Linux: "
      "pass=%d fail=%d skipped=%d%s\n",
      totals.rows, totals.assertions, count(totals.here, State::kPass),
      count(totals.here, State::kFail), count(totals.here, State::kMissing),
      count(totals.real, State::kPass), count(totals.real, State::kFail),
      count(totals.real, State::kSkipped),
      other == 0 ? "" : absl::StrCat(" other=", other));
  return count(totals.here, State::kFail) == 0 &&
         count(totals.real, State::kFail) == 0;
}

}  // namespace faultline::native
