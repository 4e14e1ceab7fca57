// Measures two sides in turn and says how they compare. In turn, because a
// machine that is busy or throttled for a while then weighs on both.

#ifndef FAULTLINE_TESTS_BENCH_COMPARISON_H_
#define FAULTLINE_TESTS_BENCH_COMPARISON_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace faultline::bench {

// What a bound is a bound of.
enum class WantedOf { kRatio, kOurs };

struct Comparison {
  std::string name;
  std::string unit;
  double ours = 0;               // Median, in `unit`.
  double reference = 0;          // Median, in `unit`.
  double ratio = 0;              // Median of the rounds' ours / reference.
  std::optional<double> wanted;  // The bound, where one is stated.
  WantedOf wanted_of = WantedOf::kRatio;
  int rounds = 0;

  // True when there is no bound.
  bool Met() const {
    return !wanted || (wanted_of == WantedOf::kRatio ? ratio : ours) <= *wanted;
  }
};

struct ComparisonLimits {
  double seconds = 2;  // Of wall time; a round that began is finished.
  int rounds_min = 5;
};

// Runs rounds of one measurement of each side, the first of them for warming
// up only.
Comparison Compare(const std::string& name, const std::string& unit,
                   std::optional<double> wanted,
                   const std::function<double()>& ours,
                   const std::function<double()>& reference,
                   const ComparisonLimits& limits);

// {"name":..,"ours":..,"reference":..,"unit":..,"ratio":..,"wanted":..,
// "of":"ratio" or "ours","met":..}; without a bound `wanted`, `of` and `met`
// are null.
std::string JsonLine(const Comparison& comparison);

// The middle one, or the mean of the middle two. REQUIRES: not empty.
double Median(std::vector<double> values);

}  // namespace faultline::bench

#endif  // FAULTLINE_TESTS_BENCH_COMPARISON_H_
