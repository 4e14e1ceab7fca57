// Random lives of machines are the same each time; whether they are with every
// compiler, fingerprints.sh says. What memory calls come to, golden.txt says: a
// change of it is a change of what a program sees, and reviewers read the
// difference. To write it anew:
//   FAULTLINE_REWRITE_GOLDEN=1 build/dev/bin/fingerprints_test
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "server/machine/base/archive.h"
#include "tests/fingerprints/lives.h"
#include "tests/model/lockstep.h"
#include "tests/model/workload.h"

namespace faultline {
namespace {

constexpr char kGolden[] = "tests/fingerprints/golden.txt";

// What a program sees of a random sequence of calls: returns, errnos, signals,
// fault counts. Nothing of how the machine is made goes into it.
uint64_t SeenOf(uint64_t seed) {
  constexpr int kCommands = 400;
  Machine machine = model::MachineWithFiles();
  Hasher hasher;
  for (const Command& command : model::RandomCommands(seed, kCommands)) {
    const Outcome outcome = machine.Apply(command, EventLevel::kNone);
    hasher(outcome.value, outcome.error, outcome.signal, outcome.min_flt,
           outcome.maj_flt, outcome.no_process);
  }
  return hasher.hash();
}

TEST(Fingerprints, WhatProgramsSeeIsGolden) {
  std::ostringstream seen;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    seen << seed << " " << std::hex << SeenOf(seed) << std::dec << "\n";
  }
  if (std::getenv("FAULTLINE_REWRITE_GOLDEN") != nullptr) {
    std::ofstream(kGolden) << seen.str();
  }
  std::ifstream file(kGolden);
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(seen.str(), golden.str())
      << "memory calls come to something else than they did; if that is right, "
         "run this test with FAULTLINE_REWRITE_GOLDEN=1 and commit "
      << kGolden;
}

TEST(Fingerprints, AreTheSameTwice) {
  EXPECT_EQ(LivesText(3, 5, 300), LivesText(3, 5, 300));
}

TEST(Fingerprints, DifferBySeedAndByTheLastCommand) {
  const Life life = LiveOf(1, 300);
  EXPECT_NE(life.outcomes, LiveOf(2, 300).outcomes);
  EXPECT_NE(life.state, LiveOf(2, 300).state);
  EXPECT_NE(life.outcomes, LiveOf(1, 301).outcomes);
  EXPECT_NE(life.state, LiveOf(1, 301).state);
}

}  // namespace
}  // namespace faultline
