// How text for people looks: colours, counted nouns.

#ifndef FAULTLINE_SERVER_SCENARIO_STYLE_H_
#define FAULTLINE_SERVER_SCENARIO_STYLE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace faultline::scenario {

// Wraps text in the terminal's escape sequences, or leaves it alone.
class Style {
 public:
  explicit Style(bool color) : color_(color) {}

  std::string Bold(absl::string_view text) const { return Wrap("1", text); }
  std::string Dim(absl::string_view text) const { return Wrap("2", text); }
  std::string Good(absl::string_view text) const { return Wrap("32", text); }
  std::string Bad(absl::string_view text) const { return Wrap("31", text); }
  std::string Note(absl::string_view text) const { return Wrap("36", text); }

 private:
  std::string Wrap(const char* code, absl::string_view text) const;

  bool color_;
};

// "1 fault", "2 faults". `plural` empty: the noun plus "s".
std::string Count(uint64_t n, absl::string_view noun,
                  absl::string_view plural = "");

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_STYLE_H_
