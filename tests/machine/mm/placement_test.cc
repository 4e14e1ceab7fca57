// get_unmapped_area: where a mapping goes that may go anywhere.
#include <gtest/gtest.h>

#include "server/machine/mm/mmap.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kBase = 0x7ffff7fff000;  // without randomisation
constexpr uint64_t kPage = kPageSize, kHuge = uint64_t{2} << 20;
constexpr uint64_t kAnonPrivate = mman::kAnonymous | mman::kPrivate;

uint64_t Place(Sim& s, uint64_t hint, uint64_t pages, uint64_t flags = 0,
               int32_t fd = -1, uint64_t prot = kRw) {
  if (fd < 0) flags |= mman::kAnonymous;
  if (!(flags & mman::kTypeMask)) flags |= mman::kPrivate;
  Outcome out = s.Do(Mmap{hint, pages * kPage, prot, flags, fd, 0});
  EXPECT_EQ(ResultOf(out), "OK");
  return static_cast<uint64_t>(out.value);
}

TEST(Placement, IsDownwardsFromTheBase) {
  Sim s;
  EXPECT_EQ(Place(s, 0, 1), kBase - kPage);
  EXPECT_EQ(Place(s, 0, 3), kBase - 4 * kPage);
  EXPECT_EQ(Place(s, 0, 1), kBase - 5 * kPage);
}

TEST(Placement, UsesTheHighestHoleThatFits) {
  Sim s;
  uint64_t a = Place(s, 0, 16);
  s.Do(Munmap{a + 2 * kPage, 2 * kPage});
  s.Do(Munmap{a + 8 * kPage, 4 * kPage});
  EXPECT_EQ(Place(s, 0, 2), a + 10 * kPage);
  EXPECT_EQ(Place(s, 0, 3), a - 3 * kPage);
  EXPECT_EQ(Place(s, 0, 2), a + 8 * kPage);
  EXPECT_EQ(Place(s, 0, 2), a + 2 * kPage);
}

TEST(Placement, AFreeHintIsTakenAndRoundedDown) {
  Sim s;
  EXPECT_EQ(Place(s, At(5), 2), At(5));
  EXPECT_EQ(Place(s, At(8) + 123, 2), At(8));
  EXPECT_EQ(Place(s, At(7), 1), At(7)) << "an exact fit";
}

TEST(Placement, ATakenHintIsIgnored) {
  Sim s;
  Place(s, At(5), 2);
  EXPECT_EQ(Place(s, At(5), 1), kBase - kPage);
  EXPECT_EQ(Place(s, At(4), 2), kBase - 3 * kPage);
  EXPECT_EQ(Place(s, 0x7ffffffff000, 1), kBase - 4 * kPage);
}

TEST(Placement, ALowHintIsRaisedToTheMinimum) {
  Sim s;
  EXPECT_EQ(Place(s, 0x1000, 1), 0x10000u);
}

TEST(Placement, AStackKeepsTwoHundredFiftySixPagesFree) {
  Sim s;
  s.Run("map 1000-1004 rw growsdown");
  uint64_t top = kBase;
  EXPECT_EQ(Place(s, At(1000 - 256), 1), top - kPage) << "refused";
  EXPECT_EQ(Place(s, At(1000 - 257), 1), At(1000 - 257)) << "accepted";
  s.Run("map 999 rw noreplace");
}

TEST(Placement, TheGuardGapIsABootParameter) {
  MachineConfig config;
  config.sysctls = {{"stack_guard_gap", 1}};
  Sim s(config);
  s.Run("map 1000-1004 rw growsdown");
  EXPECT_EQ(Place(s, At(1000 - 1), 1), kBase - kPage);
  EXPECT_EQ(Place(s, At(1000 - 2), 1), At(1000 - 2));
  EXPECT_EQ(ResultOf(s.Do(Sysctl{"stack_guard_gap", 2}, 0)), "ENOENT");
}

TEST(Placement, TwoMegabyteMultiplesAreAligned) {
  Sim s;
  Place(s, 0, 1);
  uint64_t a = Place(s, 0, 512);
  EXPECT_EQ(a % kHuge, 0u);
  EXPECT_EQ(Place(s, 0, 1024) % kHuge, 0u);
  EXPECT_NE(Place(s, 0, 513) % kHuge, 0u);
}

TEST(Placement, LinuxSixOneDoesNotAlign) {
  MachineConfig config;
  config.personality = Personality::kLinux61;
  Sim s(config);
  EXPECT_EQ(Place(s, 0, 1), kBase - kPage);
  EXPECT_EQ(Place(s, 0, 512), kBase - kPage - kHuge);
}

TEST(Placement, Map32BitIsUpwardsBelowTwoGigabytes) {
  Sim s;
  EXPECT_EQ(Place(s, 0, 2, mman::k32Bit), 0x40000000u);
  EXPECT_EQ(Place(s, 0, 2, mman::k32Bit), 0x40002000u);
  EXPECT_EQ(ResultOf(s.Do(Mmap{0, uint64_t{1} << 31, kR,
                               kAnonPrivate | mman::k32Bit, -1, 0})),
            "ENOMEM");
}

TEST(Placement, TheLegacyLayoutIsUpwardsFromAThird) {
  MachineConfig config;
  config.sysctls = {{"vm.legacy_va_layout", 1}};
  Sim s(config);
  s.SetSysctl("vm.legacy_va_layout", 0);  // for those that execve later
  EXPECT_EQ(Place(s, 0, 2), 0x2aaaaaaab000u);
  EXPECT_EQ(Place(s, 0, 2), 0x2aaaaaaad000u);
}

TEST(Placement, GoesUpwardsWhenNothingFitsBelow) {
  Sim s;
  // All below the base is one mapping; what is left is above it.
  uint64_t low = 0x10000;
  Outcome all =
      s.Do(Mmap{low, kBase - low, 0,
                kAnonPrivate | mman::kFixed | mman::kNoReserve, -1, 0});
  ASSERT_EQ(ResultOf(all), "OK");
  EXPECT_GE(Place(s, 0, 100), kBase);
}

TEST(Placement, NothingFitsIsEnomem) {
  Sim s;
  EXPECT_EQ(ResultOf(s.Do(Mmap{0, 0x7fffff000000, 0,
                               kAnonPrivate | mman::kNoReserve, -1, 0})),
            "ENOMEM");
}

TEST(Placement, A32BitMachineHasItsOwnBase) {
  MachineConfig config;
  config.profile = Profile::kI386Pae;
  Sim s(config);
  EXPECT_EQ(Place(s, 0, 1), 0xb8000000u - kPage);
  EXPECT_EQ(ResultOf(s.Do(Mmap{0xc0000000, kPage, kR,
                               kAnonPrivate | mman::kFixed, -1, 0})),
            "ENOMEM");
}

}  // namespace
}  // namespace faultline
