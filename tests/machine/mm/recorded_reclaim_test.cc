// The recorded 256 MiB machine under memory pressure (Linux 6.1, 512 MiB of
// swap): a process writes so many pages, reads the first 2,000 and then all.
// Between two runs of the real machine most figures differ by 3 %, and how
// kswapd and direct reclaim share the work by much more, so these are bounds.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "server/machine/machine.h"
#include "server/scenario/memory_map.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

struct Pressure {
  const char* name;
  uint64_t pages;
  // What both recordings had, rounded outwards.
  uint64_t majors_of_2000[2], majors_of_all[2];
  uint64_t pswpin[2], pswpout[2];
};

constexpr Pressure kRuns[] = {
    {"Fits", 40000, {0, 0}, {0, 0}, {0, 0}, {0, 0}},
    {"P50000", 50000, {245, 250}, {5935, 6059}, {47936, 49379}, {49962, 50552}},
    {"P60000", 60000, {252, 253}, {7251, 7321}, {59274, 59634}, {59750, 60077}},
    {"P65000", 65000, {254, 255}, {7889, 7923}, {64491, 64657}, {64949, 65051}},
};

class RecordedReclaim : public ::testing::TestWithParam<Pressure> {
 protected:
  static MachineConfig Config() {
    MachineConfig config;
    config.personality = Personality::kLinux61;
    config.swap_bytes = uint64_t{524288} << 10;
    std::ifstream file("tests/machine/mm/machines/amd64-256m/iomem");
    std::stringstream text;
    text << file.rdbuf();
    const auto map = scenario::ParseIomem(text.str());
    EXPECT_TRUE(map.ok()) << map.status();
    for (const auto& range : map.value()) {
      config.e820.push_back({range.start, range.end});
    }
    // present - managed
    config.reserved = {{"DMA", 3998 - 3840}, {"DMA32", 61405 - 48848}};
    config.initmem = {{"DMA32", 0}};
    return config;
  }
};

// 5 % and a little to either side.
void ExpectWithin(uint64_t value, const uint64_t (&bounds)[2],
                  const char* what) {
  EXPECT_GE(value * 100, bounds[0] * 95) << what;
  EXPECT_LE(value * 100, bounds[1] * 105 + 500) << what;
}

TEST_P(RecordedReclaim, FaultsAndSwapsAsMuch) {
  const Pressure& run = GetParam();
  Sim s(Config());
  // What the kernel and the other programs of that machine held: 44,304 pages
  // were free of 52,688.
  constexpr uint32_t kGfpKernel = 0xcc0;
  for (int i = 0; i < 8; i++) s.Apply(AllocPages{kGfpKernel, 10});
  s.Apply(Mmap{At(0), 65536 * kPageSize, kRw, 0x32, -1, 0});
  const auto access = [&](AccessKind kind, uint64_t pages) {
    return s.Apply(Access{kind, At(0), pages, kPageSize, 1});
  };
  const Outcome write = access(AccessKind::kWrite, run.pages);
  EXPECT_EQ(write.min_flt, run.pages);
  EXPECT_EQ(write.maj_flt, 0u);
  const Outcome some = access(AccessKind::kRead, 2000);
  const Outcome all = access(AccessKind::kRead, run.pages);
  const auto& events = s.kernel().vmstat.events;
  ExpectWithin(some.maj_flt, run.majors_of_2000, "maj_flt of the first read");
  ExpectWithin(all.maj_flt, run.majors_of_all, "maj_flt of the second");
  ExpectWithin(events[kPswpIn], run.pswpin, "pswpin");
  ExpectWithin(events[kPswpOut], run.pswpout, "pswpout");
  // Each page is read ahead in sevens, and all of them are used.
  EXPECT_GE(events[kSwapRaHit] * 100, events[kSwapRa] * 98);
  // Nearly all of the work is kswapd's, in both.
  EXPECT_GE(events[kPgStealKswapd] * 100,
            (events[kPgStealKswapd] + events[kPgStealDirect]) * 80);
  EXPECT_EQ(s.machine().Verify(), "");
}

INSTANTIATE_TEST_SUITE_P(Recorded, RecordedReclaim, ::testing::ValuesIn(kRuns),
                         [](const auto& info) {
                           return std::string(info.param.name);
                         });

}  // namespace
}  // namespace faultline
