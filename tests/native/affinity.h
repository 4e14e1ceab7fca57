// One CPU for the whole program, so that per-CPU batches of the kernel's
// counters repeat.

#ifndef FAULTLINE_TESTS_NATIVE_AFFINITY_H_
#define FAULTLINE_TESTS_NATIVE_AFFINITY_H_

namespace faultline::native {

// The first CPU that the program may use.
void PinToFirstCpu();

}  // namespace faultline::native

#endif  // FAULTLINE_TESTS_NATIVE_AFFINITY_H_
