#include "tests/bench/native_mm.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace faultline::bench {
namespace {

TEST(NativeMm, EveryMeasurementAnswersFromItsOwnProcess) {
  std::set<std::string> names;
  for (const NativeMeasurement& measurement : NativeMeasurements()) {
    EXPECT_TRUE(names.insert(measurement.name).second) << measurement.name;
    ReferenceProcess reference(measurement, 0);
    const double ns = reference.Measure();
    EXPECT_GT(ns, 0.1) << measurement.name << " cannot be that fast";
    EXPECT_LT(ns, 60e9) << measurement.name;
  }
}

// 256 MiB are 65,536 pages: giving them back costs more than taking one.
TEST(NativeMm, UnmappingALotTakesLongerThanOneFault) {
  EXPECT_GT(Munmap256MiB(), AnonymousWriteFault());
}

}  // namespace
}  // namespace faultline::bench
