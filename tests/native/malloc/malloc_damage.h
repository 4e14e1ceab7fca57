// Ways to damage a heap, the same for a real program and for a simulated one:
// both must end with the same message.
#ifndef FAULTLINE_TESTS_NATIVE_MALLOC_MALLOC_DAMAGE_H_
#define FAULTLINE_TESTS_NATIVE_MALLOC_MALLOC_DAMAGE_H_

#include <cstdint>

namespace faultline::native {

struct DamageStep {
  enum Kind : uint32_t { kEnd, kNew, kFree, kPoke, kLink };
  Kind kind = kEnd;
  uint32_t slot = 0;
  int64_t offset = 0;  // kFree, kPoke: from the slot's memory
  uint64_t value = 0;  // kNew: bytes; kPoke: the byte; kLink: the other slot
};

struct DamageCase {
  const char* name;
  DamageStep steps[24];
};

// kLink stores at the start of a slot, free on a fast list, a link to the chunk
// of another, as glibc mangles it.
inline constexpr DamageCase kDamageCases[] = {
    {"FreeOfWhatIsNoChunk",
     {{DamageStep::kNew, 0, 0, 100}, {DamageStep::kFree, 0, 8}}},
    {"FreeOfZeros",
     {{DamageStep::kNew, 0, 0, 100}, {DamageStep::kFree, 0, 32}}},
    {"DoubleFreeInTheCache",
     {{DamageStep::kNew, 0, 0, 100},
      {DamageStep::kFree, 0},
      {DamageStep::kFree, 0}}},
    {"DoubleFreeOnTheFastList",
     {{DamageStep::kNew, 0, 0, 40},
      {DamageStep::kNew, 1, 0, 40},
      {DamageStep::kNew, 2, 0, 40},
      {DamageStep::kNew, 3, 0, 40},
      {DamageStep::kNew, 4, 0, 40},
      {DamageStep::kNew, 5, 0, 40},
      {DamageStep::kNew, 6, 0, 40},
      {DamageStep::kNew, 7, 0, 40},
      {DamageStep::kFree, 0},
      {DamageStep::kFree, 1},
      {DamageStep::kFree, 2},
      {DamageStep::kFree, 3},
      {DamageStep::kFree, 4},
      {DamageStep::kFree, 5},
      {DamageStep::kFree, 6},
      {DamageStep::kFree, 7},
      {DamageStep::kFree, 7}}},
    {"DoubleFreeOfALargeChunk",
     {{DamageStep::kNew, 0, 0, 3000},
      {DamageStep::kNew, 1, 0, 24},
      {DamageStep::kFree, 0},
      {DamageStep::kFree, 0}}},
    {"DoubleFreeOfTheTop",
     {{DamageStep::kNew, 0, 0, 3000},
      {DamageStep::kFree, 0},
      {DamageStep::kFree, 0}}},
    {"OverflowIntoTheTop",
     {{DamageStep::kNew, 0, 0, 24},
      {DamageStep::kPoke, 0, 30, 0xff},
      {DamageStep::kNew, 1, 0, 5000}}},
    {"OverflowIntoTheNextSize",
     {{DamageStep::kNew, 0, 0, 3000},
      {DamageStep::kNew, 1, 0, 3000},
      {DamageStep::kNew, 2, 0, 24},
      {DamageStep::kPoke, 1, -8, 0x20},
      {DamageStep::kFree, 0}}},
    {"NextSizeTooLarge",
     {{DamageStep::kNew, 0, 0, 3000},
      {DamageStep::kNew, 1, 0, 3000},
      {DamageStep::kNew, 2, 0, 24},
      {DamageStep::kPoke, 1, -4, 0x20},
      {DamageStep::kFree, 0}}},
    {"FastNextSizeTooLarge",
     {{DamageStep::kNew, 0, 0, 40},
      {DamageStep::kNew, 1, 0, 40},
      {DamageStep::kNew, 2, 0, 40},
      {DamageStep::kNew, 3, 0, 40},
      {DamageStep::kNew, 4, 0, 40},
      {DamageStep::kNew, 5, 0, 40},
      {DamageStep::kNew, 6, 0, 40},
      {DamageStep::kNew, 7, 0, 40},
      {DamageStep::kNew, 8, 0, 40},
      {DamageStep::kFree, 0},
      {DamageStep::kFree, 1},
      {DamageStep::kFree, 2},
      {DamageStep::kFree, 3},
      {DamageStep::kFree, 4},
      {DamageStep::kFree, 5},
      {DamageStep::kFree, 6},
      {DamageStep::kPoke, 8, -4, 1},
      {DamageStep::kFree, 7}}},
    {"WriteAfterFreeIntoTheList",
     {{DamageStep::kNew, 0, 0, 3000},
      {DamageStep::kNew, 1, 0, 24},
      {DamageStep::kFree, 0},
      {DamageStep::kPoke, 0, 8, 0x10},
      {DamageStep::kNew, 2, 0, 3000}}},
    {"SizeOfAFreeChunk",
     {{DamageStep::kNew, 0, 0, 3000},
      {DamageStep::kNew, 1, 0, 24},
      {DamageStep::kFree, 0},
      {DamageStep::kPoke, 0, -7, 0x1b},
      {DamageStep::kNew, 2, 0, 3000}}},
    {"AFastListThatIsACircle",
     {{DamageStep::kNew, 0, 0, 40},   {DamageStep::kNew, 1, 0, 40},
      {DamageStep::kNew, 2, 0, 40},   {DamageStep::kNew, 3, 0, 40},
      {DamageStep::kNew, 4, 0, 40},   {DamageStep::kNew, 5, 0, 40},
      {DamageStep::kNew, 6, 0, 40},   {DamageStep::kNew, 7, 0, 40},
      {DamageStep::kNew, 8, 0, 40},   {DamageStep::kNew, 9, 0, 40},
      {DamageStep::kFree, 0},         {DamageStep::kFree, 1},
      {DamageStep::kFree, 2},         {DamageStep::kFree, 3},
      {DamageStep::kFree, 4},         {DamageStep::kFree, 5},
      {DamageStep::kFree, 6},         {DamageStep::kFree, 7},
      {DamageStep::kFree, 8},         {DamageStep::kLink, 7, 0, 8},
      {DamageStep::kNew, 10, 0, 3000}}},
    {"CacheListMisaligned",
     {{DamageStep::kNew, 0, 0, 40},
      {DamageStep::kNew, 1, 0, 40},
      {DamageStep::kFree, 0},
      {DamageStep::kFree, 1},
      {DamageStep::kPoke, 1, 0, 0x77},
      {DamageStep::kNew, 2, 0, 40},
      {DamageStep::kNew, 3, 0, 40}}},
    {"FreeOfAMappingMoved",
     {{DamageStep::kNew, 0, 0, 300000},
      {DamageStep::kPoke, 0, -16, 8},
      {DamageStep::kFree, 0}}},
};
inline constexpr int kDamageCaseCount =
    sizeof kDamageCases / sizeof kDamageCases[0];

}  // namespace faultline::native

#endif  // FAULTLINE_TESTS_NATIVE_MALLOC_MALLOC_DAMAGE_H_
