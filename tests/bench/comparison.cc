#include "tests/bench/comparison.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace faultline::bench {
namespace {

std::string Number(double value, const char* format) {
  char text[64];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

}  // namespace

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  if (values.size() % 2 == 1) return values[half];
  return (values[half - 1] + values[half]) / 2;
}

Comparison Compare(const std::string& name, const std::string& unit,
                   std::optional<double> wanted,
                   const std::function<double()>& ours,
                   const std::function<double()>& reference,
                   const ComparisonLimits& limits) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> our_times;
  std::vector<double> reference_times;
  std::vector<double> ratios;
  ours();
  reference();
  const auto end = Clock::now() + std::chrono::duration<double>(limits.seconds);
  while (static_cast<int>(ratios.size()) < limits.rounds_min ||
         Clock::now() < end) {
    reference_times.push_back(reference());
    our_times.push_back(ours());
    ratios.push_back(our_times.back() / reference_times.back());
  }
  Comparison result;
  result.name = name;
  result.unit = unit;
  result.ours = Median(our_times);
  result.reference = Median(reference_times);
  result.ratio = Median(ratios);
  result.wanted = wanted;
  result.rounds = static_cast<int>(ratios.size());
  return result;
}

std::string JsonLine(const Comparison& c) {
  const char* of = !c.wanted                         ? "null"
                   : c.wanted_of == WantedOf::kRatio ? "\"ratio\""
                                                     : "\"ours\"";
  const char* met = !c.wanted ? "null" : c.Met() ? "true" : "false";
  return "{\"name\":\"" + c.name + "\",\"ours\":" + Number(c.ours, "%.1f") +
         ",\"reference\":" + Number(c.reference, "%.1f") + ",\"unit\":\"" +
         c.unit + "\",\"ratio\":" + Number(c.ratio, "%.4f") +
         ",\"wanted\":" + (c.wanted ? Number(*c.wanted, "%g") : "null") +
         ",\"of\":" + of + ",\"met\":" + met + "}";
}

}  // namespace faultline::bench
