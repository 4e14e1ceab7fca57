// Makes a failing sequence, the lines of a script or commands, as short as it
// goes.

#ifndef FAULTLINE_TESTS_NATIVE_SHRINK_H_
#define FAULTLINE_TESTS_NATIVE_SHRINK_H_

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace faultline::native {

// Removes items, in runs that get shorter, as long as `fails` stays true; at
// the end no single one can be left out. REQUIRES: fails(items). Asks `fails`
// at most `tries` times.
template <typename T, typename Fails>
std::vector<T> Shrink(std::vector<T> items, const Fails& fails, int tries) {
  for (size_t run = std::max<size_t>(items.size() / 2, 1); tries > 0;) {
    bool shorter = false;
    // From the end: what came last has nothing that depends on it.
    for (size_t end = items.size(); end > 0 && tries > 0;) {
      const size_t first = end > run ? end - run : 0;
      std::vector<T> fewer(items.begin(),
                           items.begin() + static_cast<ptrdiff_t>(first));
      fewer.insert(fewer.end(), items.begin() + static_cast<ptrdiff_t>(end),
                   items.end());
      --tries;
      if (!fewer.empty() && fails(fewer)) {
        items = std::move(fewer);
        shorter = true;
      }
      end = std::min(first, items.size());
    }
    if (run == 1 && !shorter) break;
    if (run > 1) run = (run + 1) / 2;
  }
  return items;
}

}  // namespace faultline::native

#endif  // FAULTLINE_TESTS_NATIVE_SHRINK_H_
