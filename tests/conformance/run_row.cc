#include "tests/conformance/run_row.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/scenario/parser.h"
#include "tests/native/tracee.h"

namespace faultline::conformance {

std::string TextOf(const Row& row) {
  return absl::StrCat(absl::StrJoin(row.lines, "\n"), "\ndump all\n");
}

absl::StatusOr<scenario::Script> ScriptOf(const Row& row) {
  return scenario::ParseScript(row.name, TextOf(row));
}

std::string RunHere(const scenario::Script& script,
                    const scenarios::KernelFacts& kernel, std::ostream& out) {
  // A long row is about how many there are, not about each of them.
  constexpr size_t kVerifiedOpsMax = 2000;
  return scenarios::SimulateWithHiddenPage(
      script, native::kHiddenPage, kernel,
      script.ops.size() > kVerifiedOpsMax
          ? scenarios::Verification::kNone
          : scenarios::Verification::kAfterEveryCommand,
      out);
}

}  // namespace faultline::conformance
