// The policies on their own: reference strings of the textbooks, with the
// fault counts that the textbooks give.
#include "server/machine/mm/replacement_policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace faultline {
namespace {

using Policy = ReplacementPolicy;

// A memory of so many frames, each access through its policy.
class Frames {
 public:
  Frames(Policy policy, size_t frames, std::vector<uint64_t> future = {}) {
    r_.policy = policy;
    r_.slots.resize(frames);
    r_.future = std::move(future);
  }

  // Returns the page that left, or 0.
  uint64_t Access(uint64_t page, bool write = false) {
    r_.accesses++;
    uint64_t victim = 0;
    if (Find(page) == r_.slots.end()) victim = Load(page);
    ReplacementSlot& slot = *Find(page);
    slot.used_at = r_.accesses;
    slot.uses++;
    accessed_.insert(page);
    if (write) dirty_.insert(page);
    return victim;
  }
  void Tick() {
    for (ReplacementSlot& slot : r_.slots) {
      slot.age = AgeAfter(slot.age, accessed_.count(slot.vpn) > 0, 1);
    }
    accessed_.clear();
  }
  uint64_t faults() const { return r_.faults; }
  std::vector<uint64_t> pages() const {
    std::vector<uint64_t> pages;
    for (const ReplacementSlot& slot : r_.slots) pages.push_back(slot.vpn);
    return pages;
  }

 private:
  std::vector<ReplacementSlot>::iterator Find(uint64_t page) {
    return std::find_if(r_.slots.begin(), r_.slots.end(),
                        [&](const auto& s) { return s.used && s.vpn == page; });
  }
  uint64_t Load(uint64_t page) {
    r_.faults++;
    auto slot = std::find_if(r_.slots.begin(), r_.slots.end(),
                             [](const auto& s) { return !s.used; });
    uint64_t victim = 0;
    if (slot == r_.slots.end()) {
      std::vector<ReplacementCandidate> pages;
      for (uint32_t i = 0; i < r_.slots.size(); i++) {
        const uint64_t vpn = r_.slots[i].vpn;
        pages.push_back({i, accessed_.count(vpn) > 0, dirty_.count(vpn) > 0});
      }
      const uint32_t chosen =
          ChooseVictim(r_, std::move(pages), prng_,
                       [&](uint32_t i) { accessed_.erase(r_.slots[i].vpn); });
      slot = r_.slots.begin() + chosen;
      victim = slot->vpn;
      accessed_.erase(victim);
      dirty_.erase(victim);
    }
    *slot = {.used = true,
             .vpn = page,
             .loaded_at = r_.accesses,
             .queued_at = ++r_.queue_end};
    return victim;
  }

  Replacement r_;
  Prng prng_{7};
  std::set<uint64_t> accessed_, dirty_;
};

uint64_t Faults(Policy policy, size_t frames,
                const std::vector<uint64_t>& string) {
  Frames memory(policy, frames, string);
  for (const uint64_t page : string) memory.Access(page);
  return memory.faults();
}

// Belady, Nelson, Shedler 1969.
const std::vector<uint64_t> kBelady = {1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5};
// Silberschatz, Galvin, Gagne: Operating System Concepts, chapter 10.4 (7 for
// its page 0, which is 8 here).
const std::vector<uint64_t> kSilberschatz = {7, 8, 1, 2, 8, 3, 8, 4, 2, 3,
                                             8, 3, 2, 1, 2, 8, 1, 7, 8, 1};

TEST(ReplacementPolicy, FifoHasBeladysAnomaly) {
  EXPECT_EQ(Faults(Policy::kFifo, 3, kBelady), 9);
  EXPECT_EQ(Faults(Policy::kFifo, 4, kBelady), 10)
      << "more frames, more faults";
}

TEST(ReplacementPolicy, StackAlgorithmsHaveNot) {
  for (const Policy policy : {Policy::kLru, Policy::kOpt}) {
    uint64_t before = ~uint64_t{0};
    for (size_t frames = 1; frames <= 6; frames++) {
      const uint64_t faults = Faults(policy, frames, kBelady);
      EXPECT_LE(faults, before) << frames;
      before = faults;
    }
    EXPECT_EQ(before, 5) << "each page once";
  }
}

TEST(ReplacementPolicy, TextbookCounts) {
  EXPECT_EQ(Faults(Policy::kFifo, 3, kSilberschatz), 15);
  EXPECT_EQ(Faults(Policy::kOpt, 3, kSilberschatz), 9);
  EXPECT_EQ(Faults(Policy::kLru, 3, kSilberschatz), 12);
  EXPECT_EQ(Faults(Policy::kLru, 4, kBelady), 8);
  EXPECT_EQ(Faults(Policy::kOpt, 4, kBelady), 6);
}

TEST(ReplacementPolicy, NoneBeatsTheOptimum) {
  Prng random(3);
  for (int round = 0; round < 200; round++) {
    std::vector<uint64_t> string;
    for (int i = 0; i < 60; i++) string.push_back(1 + random.Next() % 8);
    const uint64_t best = Faults(Policy::kOpt, 4, string);
    for (const Policy policy :
         {Policy::kFifo, Policy::kLru, Policy::kClock, Policy::kSecondChance,
          Policy::kLfu, Policy::kMru, Policy::kNru, Policy::kAging,
          Policy::kRandom}) {
      EXPECT_GE(Faults(policy, 4, string), best);
    }
  }
}

TEST(ReplacementPolicy, MruSuitsALoopThatLruDoesNot) {
  std::vector<uint64_t> loop;
  for (int i = 0; i < 40; i++) loop.push_back(1 + i % 5);
  EXPECT_EQ(Faults(Policy::kLru, 4, loop), 40) << "every access";
  EXPECT_LT(Faults(Policy::kMru, 4, loop), 20);
}

TEST(ReplacementPolicy, LfuKeepsWhatIsUsedOften) {
  Frames memory(Policy::kLfu, 2);
  for (const uint64_t page : {1, 1, 1, 2, 2}) memory.Access(page);
  EXPECT_EQ(memory.Access(3), 2);
  EXPECT_EQ(memory.Access(2), 3);
}

TEST(ReplacementPolicy, ClockPassesWhatWasAccessed) {
  Frames memory(Policy::kClock, 3);
  for (const uint64_t page : {1, 2, 3}) memory.Access(page);
  // All have been accessed: the hand goes round once, and takes the first.
  EXPECT_EQ(memory.Access(4), 1);
  memory.Access(2);
  EXPECT_EQ(memory.Access(5), 3) << "2 was accessed since the hand came by";
  EXPECT_EQ(memory.pages(), (std::vector<uint64_t>{4, 2, 5}));
}

TEST(ReplacementPolicy, SecondChanceIsClockWithAQueue) {
  Prng random(5);
  for (int round = 0; round < 100; round++) {
    std::vector<uint64_t> string;
    for (int i = 0; i < 80; i++) string.push_back(1 + random.Next() % 9);
    EXPECT_EQ(Faults(Policy::kSecondChance, 4, string),
              Faults(Policy::kClock, 4, string));
  }
}

TEST(ReplacementPolicy, NruTakesTheLowestClass) {
  Frames memory(Policy::kNru, 4);
  memory.Access(1, true);
  memory.Access(2);
  memory.Tick();
  memory.Access(3, true);
  memory.Access(4);
  EXPECT_EQ(memory.Access(5), 2) << "neither accessed nor dirty";
  EXPECT_EQ(memory.Access(6), 1) << "not accessed, dirty";
  EXPECT_EQ(memory.Access(7), 4) << "accessed and clean, the longest in memory";
}

TEST(ReplacementPolicy, AgingForgetsAtEachTick) {
  EXPECT_EQ(AgeAfter(0, true, 1), 0x80);
  EXPECT_EQ(AgeAfter(0x80, false, 1), 0x40);
  EXPECT_EQ(AgeAfter(0xff, true, 3), 0x3f);
  EXPECT_EQ(AgeAfter(0xff, true, 0), 0xff);
  EXPECT_EQ(AgeAfter(0xff, true, 1000), 0);
  Frames memory(Policy::kAging, 2);
  memory.Access(1);
  memory.Access(2);
  memory.Tick();
  memory.Access(1);
  memory.Tick();
  EXPECT_EQ(memory.Access(3), 2);
}

}  // namespace
}  // namespace faultline
