// What a simulated machine needs for the calls that the benchmark compares:
// the same calls, on the same sizes, as native_mm.h asks of the real kernel. No
// events are kept, as the real kernel is not being traced either.

#ifndef FAULTLINE_TESTS_BENCH_OUR_MM_H_
#define FAULTLINE_TESTS_BENCH_OUR_MM_H_

#include <functional>
#include <string>

namespace faultline::bench {

// Measures `name` of NativeMeasurements() once, in its unit, on a machine of
// its own that lives as long as the function. Ends the program when a call does
// not do what it must.
std::function<double()> OurMeasurement(const std::string& name);

}  // namespace faultline::bench

#endif  // FAULTLINE_TESTS_BENCH_OUR_MM_H_
