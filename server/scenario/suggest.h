// Finds the word a person most likely meant, for "did you mean" messages.

#ifndef FAULTLINE_SERVER_SCENARIO_SUGGEST_H_
#define FAULTLINE_SERVER_SCENARIO_SUGGEST_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace faultline::scenario {

// The number of insertions, deletions, replacements and swaps of two
// neighbouring letters that turn `a` into `b`. Letter case costs nothing.
int EditDistance(absl::string_view a, absl::string_view b);

// The candidate nearest to `word`, or an empty string when none is near: more
// than a third of the word (at least one letter) would have to change.
std::string NearestWord(absl::string_view word,
                        const std::vector<std::string>& candidates);

// "; did you mean 'mmap'?" or an empty string.
std::string DidYouMean(absl::string_view word,
                       const std::vector<std::string>& candidates);

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_SUGGEST_H_
