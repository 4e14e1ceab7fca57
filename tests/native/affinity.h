// One CPU for the whole program, so that per-CPU batches of the kernel's
// counters repeat.

#ifndef FAULTLINE_TESTS_NATIVE_AFFINITY_H_
#define FAULTLINE_TESTS_NATIVE_AFFINITY_H_

namespace faultline::native {

// The first CPU that the program may use.
void PinToFirstCpu();

// Empties the CPU's folio batches (new, mlocked, lazily freed pages), as any
// other program that gives memory back does. They hold references, so that a
// page in one of them is copied at a write where it would be reused (departure
// D28 of the machine).
void DrainFolioBatches();
// The same of all CPUs. The one that the end of a write to swap interrupts puts
// the page in a batch of its own (folio_rotate_reclaimable()), and until that
// is full reclaim cannot free the page.
void DrainAllFolioBatches();

}  // namespace faultline::native

#endif  // FAULTLINE_TESTS_NATIVE_AFFINITY_H_
