// Makes a failing script as short as it goes.

#ifndef FAULTLINE_TESTS_NATIVE_SHRINK_H_
#define FAULTLINE_TESTS_NATIVE_SHRINK_H_

#include <functional>
#include <string>
#include <vector>

namespace faultline::native {

// Removes lines, in runs that get shorter, as long as `fails` stays true; at
// the end no single line can be left out. REQUIRES: fails(lines). Asks `fails`
// at most `tries` times.
std::vector<std::string> Shrink(
    std::vector<std::string> lines,
    const std::function<bool(const std::vector<std::string>&)>& fails,
    int tries);

}  // namespace faultline::native

#endif  // FAULTLINE_TESTS_NATIVE_SHRINK_H_
