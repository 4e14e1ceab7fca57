// A short run of `model`, and the model and the shrinking themselves.
#include "tests/model/model.h"

#include <gtest/gtest.h>

#include <vector>

#include "server/machine/mm/mmap.h"
#include "tests/model/lockstep.h"
#include "tests/model/workload.h"
#include "tests/native/shrink.h"

namespace faultline::model {
namespace {

Command MapOf(uint64_t page, uint64_t pages, uint64_t flags) {
  return {1, Mmap{.addr = PageAt(page),
                  .length = pages * kPageSize,
                  .prot = mman::kProtRead | mman::kProtWrite,
                  .flags = mman::kFixed | mman::kAnonymous | flags}};
}
Command WriteOf(Pid pid, uint64_t page, uint8_t value) {
  return {pid, Access{AccessKind::kWrite, PageAt(page), 1, kPageSize, value}};
}

TEST(Model, TheMachineAgreesOnRandomSequences) {
  uint64_t done = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    const std::string why = RunCommands(RandomCommands(seed, 120), &done);
    ASSERT_EQ(why, "") << "seed " << seed << "; model --first " << seed
                       << " --last " << seed << " --ops 120 makes it short";
  }
  EXPECT_GT(done, 10000u) << "most commands must be done";
}

TEST(Model, ForkCopiesPrivateMemoryAndSharesTheRest) {
  Lockstep pair;
  for (const Command& command :
       {MapOf(0, 1, mman::kPrivate), MapOf(1, 1, mman::kShared),
        WriteOf(1, 0, 5), WriteOf(1, 1, 6), Command{1, Fork{}},
        WriteOf(2, 0, 7), WriteOf(2, 1, 8)}) {
    ASSERT_EQ(pair.Do(command), "");
  }
  const Model& model = pair.model();
  EXPECT_EQ(model.Look(1, AccessKind::kRead, PageAt(0)).value, 5);
  EXPECT_EQ(model.Look(2, AccessKind::kRead, PageAt(0)).value, 7);
  EXPECT_EQ(model.Look(1, AccessKind::kRead, PageAt(1)).value, 8);
}

TEST(Model, WhatItDoesNotKnowIsNotDone) {
  Lockstep pair;
  EXPECT_EQ(pair.Do({1, Mremap{PageAt(0), 2 * kPageSize, 4 * kPageSize, 1}}),
            "");
  EXPECT_EQ(pair.Do({9, Munmap{PageAt(0), kPageSize}}), "");
  EXPECT_EQ(pair.done(), 0u);
}

// The instrument must be able to fail.
TEST(Model, ADifferenceIsFound) {
  const auto found = [](const Command& machines, const Command& models) {
    Lockstep pair;
    EXPECT_EQ(pair.Do(MapOf(0, 2, mman::kPrivate)), "");
    return pair.DoEach(machines, models);
  };
  const uint64_t kR = mman::kProtRead;
  const auto protect = [&](uint64_t prot) {
    return Command{1, Mprotect{PageAt(0), kPageSize, prot}};
  };
  EXPECT_EQ(found(protect(kR), protect(0)),
            "process 1: 0x10000000 is prot 0 in the model, prot 1 in the "
            "machine");
  EXPECT_EQ(found(WriteOf(1, 0, 5), WriteOf(1, 0, 6)),
            "reading 0x10000000 in process 1: value 0x6 in the model, value "
            "0x5 in the machine");
  EXPECT_EQ(found(WriteOf(1, 2, 5), WriteOf(1, 1, 5)),
            "success in the model, signal 11/1 at 0x10002000 in the machine");
  EXPECT_EQ(found({1, Munmap{PageAt(0), kPageSize}},
                  {1, Munmap{PageAt(0), 2 * kPageSize}}),
            "process 1: 0x10001000 is not mapped in the model, prot 3 in the "
            "machine");
}

TEST(Shrink, LeavesOnlyWhatIsNeeded) {
  std::vector<int> numbers;
  for (int i = 0; i < 100; ++i) numbers.push_back(i);
  const auto needed = [](const std::vector<int>& some) {
    int found = 0;
    for (const int i : some) found += i == 13 || i == 77;
    return found == 2;
  };
  EXPECT_EQ(native::Shrink(numbers, needed, 1000), (std::vector<int>{13, 77}));
}

TEST(ScenarioLine, IsOfTheLanguage) {
  EXPECT_EQ(ScenarioLine(MapOf(0, 2, mman::kPrivate)),
            "@0 mmap 268435456 8192 3 50");
  EXPECT_EQ(ScenarioLine(WriteOf(2, 1, 7)), "@1 writer 268439552 1 4096 7");
}

}  // namespace
}  // namespace faultline::model
