#include "server/session/pacer.h"

#include <gtest/gtest.h>

namespace faultline {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

Pacer MakePacer() {
  return Pacer(
      {.turns_per_second = 100, .bytes_per_second = 1000, .turns_burst = 10});
}

// Takes what it may until `end`, waking when the pacer says so.
int TurnsUntil(Pacer& pacer, absl::Time start, absl::Time end, size_t bytes) {
  int turns = 0;
  absl::Time now = start;
  while (now < end) {
    if (pacer.MayTake(now)) {
      pacer.Take(bytes, now);
      ++turns;
    } else {
      now = pacer.WakeAt();
    }
  }
  return turns;
}

TEST(Pacer, AllowsSoManyTurnsASecond) {
  Pacer pacer = MakePacer();
  const int turns = TurnsUntil(pacer, kStart, kStart + absl::Seconds(10), 0);
  EXPECT_GE(turns, 1000);
  EXPECT_LE(turns, 1000 + 11);
}

TEST(Pacer, AllowsSoManyBytesASecond) {
  Pacer pacer = MakePacer();
  const int turns = TurnsUntil(pacer, kStart, kStart + absl::Seconds(10), 90);
  EXPECT_GE(turns, 100);
  EXPECT_LE(turns, 105);
}

TEST(Pacer, ARestIsGoodForSomeTurnsAtOnceAndNoMore) {
  Pacer pacer = MakePacer();
  for (const absl::Duration rest : {absl::Seconds(1), absl::Hours(1)}) {
    const absl::Time now = kStart + rest;
    int turns = 0;
    while (pacer.MayTake(now)) {
      pacer.Take(0, now);
      ++turns;
    }
    EXPECT_EQ(turns, 11);
  }
}

TEST(Pacer, GoesOnWhenTheClockIsSetBack) {
  Pacer pacer = MakePacer();
  pacer.Take(0, kStart);
  EXPECT_TRUE(pacer.MayTake(kStart - absl::Hours(1)));
  pacer.Take(0, kStart - absl::Hours(1));
}

}  // namespace
}  // namespace faultline
