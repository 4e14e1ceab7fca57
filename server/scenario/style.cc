#include "server/scenario/style.h"

#include "absl/strings/str_cat.h"

namespace faultline::scenario {

std::string Style::Wrap(const char* code, absl::string_view text) const {
  if (!color_) return std::string(text);
  return absl::StrCat("\033[", code, "m", text, "\033[0m");
}

std::string Count(uint64_t n, absl::string_view noun,
                  absl::string_view plural) {
  if (n == 1) return absl::StrCat("1 ", noun);
  if (!plural.empty()) return absl::StrCat(n, " ", plural);
  return absl::StrCat(n, " ", noun, "s");
}

}  // namespace faultline::scenario
