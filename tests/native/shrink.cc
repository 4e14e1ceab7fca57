#include "tests/native/shrink.h"

#include <algorithm>

namespace faultline::native {
namespace {

std::vector<std::string> Without(const std::vector<std::string>& lines,
                                 size_t first, size_t count) {
  std::vector<std::string> rest(lines.begin(),
                                lines.begin() + static_cast<long>(first));
  const size_t end = std::min(first + count, lines.size());
  rest.insert(rest.end(), lines.begin() + static_cast<long>(end), lines.end());
  return rest;
}

}  // namespace

std::vector<std::string> Shrink(
    std::vector<std::string> lines,
    const std::function<bool(const std::vector<std::string>&)>& fails,
    int tries) {
  for (size_t run = std::max<size_t>(lines.size() / 2, 1); tries > 0;) {
    bool shorter = false;
    // From the end: what came last has nothing that depends on it.
    for (size_t end = lines.size(); end > 0 && tries > 0;) {
      const size_t first = end > run ? end - run : 0;
      std::vector<std::string> fewer = Without(lines, first, end - first);
      --tries;
      if (!fewer.empty() && fails(fewer)) {
        lines = std::move(fewer);
        shorter = true;
      }
      end = std::min(first, lines.size());
    }
    if (run == 1 && !shorter) break;
    if (run > 1) run = (run + 1) / 2;
  }
  return lines;
}

}  // namespace faultline::native
