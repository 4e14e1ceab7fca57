// In which order Linux 6.18 and Linux 6.1 check the arguments of mremap, and
// what a call that fails has done by then (mm/mremap.c of both).
#include <gtest/gtest.h>

#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kPage = kPageSize;
constexpr uint64_t kMayMove = 1, kFixed = 2, kDontUnmap = 4;
constexpr uint64_t kMove = kMayMove | kFixed;
constexpr uint64_t kHuge = uint64_t{1} << 60;

Sim Machine61() {
  MachineConfig config;
  config.personality = Personality::kLinux61;
  return Sim(config);
}

struct Row {
  const char* name;
  Mremap call;
  const char* on_618;
  const char* on_61;
};

TEST(MremapOrder, OfBothKernels) {
  const Row rows[] = {
      {"an unknown flag", {At(0), kPage, kPage, 8, 0}, "EINVAL", "EINVAL"},
      {"FIXED without MAYMOVE",
       {At(0), kPage, kPage, kFixed, At(9)},
       "EINVAL",
       "EINVAL"},
      {"DONTUNMAP that resizes",
       {At(0), kPage, 2 * kPage, kMayMove | kDontUnmap, 0},
       "EINVAL",
       "EINVAL"},
      {"DONTUNMAP of as many pages",
       {At(0), kPage - 1, kPage, kMayMove | kDontUnmap, At(9)},
       "OK",
       "EINVAL"},
      {"no source, a target that is not aligned",
       {At(20), kPage, kPage, kMove, At(9) + 1},
       "EINVAL",
       "EFAULT"},
      {"no source, a target that overlaps it",
       {At(20), 2 * kPage, 2 * kPage, kMove, At(21)},
       "EINVAL",
       "EFAULT"},
      {"no source, a target out of reach",
       {At(20), kPage, kPage, kMove, kHuge},
       "EINVAL",
       "EFAULT"},
      {"no source, more than the address space",
       {At(20), kPage, kHuge, 0, 0},
       "EINVAL",
       "EFAULT"},
      {"a source, more than the address space",
       {At(0), kPage, kHuge, 0, 0},
       "EINVAL",
       "ENOMEM"},
  };
  for (const Row& row : rows) {
    Sim now, then = Machine61();
    for (Sim* s : {&now, &then}) s->Run("map 0-4 rw");
    EXPECT_EQ(ResultOf(now.Do(row.call)), row.on_618) << row.name;
    EXPECT_EQ(ResultOf(then.Do(row.call)), row.on_61) << row.name;
  }
}

TEST(MremapOrder, AMoveThatFailsDestroysTheTargetOn61Only) {
  const Mremap beyond_its_end{At(0), 6 * kPage, 7 * kPage, kMove, At(10)};
  Sim now, then = Machine61();
  for (Sim* s : {&now, &then}) {
    s->Run("map 0-4 rw; map 10-20 rw");
    EXPECT_EQ(ResultOf(s->Do(beyond_its_end)), "EFAULT");
  }
  EXPECT_EQ(now.Vmas(), "0-4:rw 10-20:rw");
  EXPECT_EQ(then.Vmas(), "0-4:rw 17-20:rw");
}

TEST(MremapOrder, SeveralVmasMoveOn618Only) {
  const Mremap two{At(0), 4 * kPage, 4 * kPage, kMove, At(10)};
  Sim now, then = Machine61();
  for (Sim* s : {&now, &then}) s->Run("map 0-2 rw; map 2-4 r; map 10-14 rwx");
  EXPECT_EQ(ResultOf(now.Do(two)), "OK");
  EXPECT_EQ(now.Vmas(), "10-12:rw 12-14:r");
  EXPECT_EQ(ResultOf(then.Do(two)), "EFAULT");
  EXPECT_EQ(then.Vmas(), "0-2:rw 2-4:r");
}

}  // namespace
}  // namespace faultline
