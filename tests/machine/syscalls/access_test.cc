// AccessMany is the same Accesses one after the other, and nothing else.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "server/machine/base/bug.h"
#include "tests/machine/campaign.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr auto kRead = AccessKind::kRead;
constexpr auto kWrite = AccessKind::kWrite;
constexpr auto kFetch = AccessKind::kFetch;

template <class T>
T OfEntry(const std::vector<T>& column, size_t i, T absent) {
  if (column.empty()) return absent;
  return column.size() == 1 ? column[0] : column[i];
}

// The entries, each as a command of its own.
std::vector<Access> OneByOne(const AccessMany& many) {
  const Access one;
  std::vector<Access> accesses;
  for (size_t i = 0; i < many.addr.size(); i++) {
    const size_t v = many.value.size() > 1 ? i : 0;
    accesses.push_back(
        {OfEntry(many.kind, i, one.kind), many.base + many.addr[i],
         OfEntry(many.count, i, one.count), OfEntry(many.stride, i, one.stride),
         many.value.empty() ? uint8_t{0}
                            : static_cast<uint8_t>(many.value[v])});
  }
  return accesses;
}

// What AccessMany must answer: the outcomes of its entries, added up.
Outcome Expected(Machine& machine, const AccessMany& many) {
  Outcome sum;
  const std::vector<Access> accesses = OneByOne(many);
  for (size_t i = 0; i < accesses.size(); i++) {
    Outcome one = machine.Apply({1, accesses[i]}, EventLevel::kAll);
    if (accesses[i].kind != kWrite && one.accesses > 0) sum.value = one.value;
    sum.signal = one.signal;
    sum.exited = one.exited;
    sum.min_flt += one.min_flt;
    sum.maj_flt += one.maj_flt;
    sum.accesses += one.accesses;
    sum.cost_ns += one.cost_ns;
    if (one.min_flt + one.maj_flt > 0) {
      sum.faulted.push_back({static_cast<uint32_t>(i),
                             static_cast<uint32_t>(one.min_flt),
                             static_cast<uint32_t>(one.maj_flt)});
    }
    for (Event& event : one.events) sum.events.push_back(std::move(event));
    if (one.signal.signal != 0) break;
  }
  return sum;
}

std::vector<std::string> Said(const Outcome& outcome) {
  std::vector<std::string> texts;
  for (const Event& event : outcome.events) texts.push_back(Say(event));
  return texts;
}

void ExpectTheSame(Machine machine, AccessMany many) {
  Machine other = machine;
  const Outcome out = machine.Apply({1, many}, EventLevel::kAll);
  Outcome expected = Expected(other, many);
  if (many.data) {
    EXPECT_EQ(out.data.size(), expected.accesses);
    expected.data = out.data;
  }
  EXPECT_EQ(out.Digest(), expected.Digest());
  EXPECT_EQ(out.accesses, expected.accesses);
  EXPECT_EQ(out.faulted.size(), expected.faulted.size());
  EXPECT_EQ(Said(out), Said(expected));
  EXPECT_EQ(machine.Fingerprint(), other.Fingerprint());
  EXPECT_EQ(machine.Verify(), "");
}

// --- Against the single commands.

class ManyOfACampaign : public ::testing::TestWithParam<uint64_t> {};

TEST_P(ManyOfACampaign, IsTheSameAccessesOneByOne) {
  Campaign campaign(GetParam());
  Machine machine{MachineConfig()};
  for (int i = 0; i < 400; i++) machine.Apply(campaign.Next(machine.kernel()));
  for (int i = 0; i < 40; i++) {
    ExpectTheSame(machine, campaign.NextMany());
    machine.Apply(campaign.Next(machine.kernel()));
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ManyOfACampaign,
                         ::testing::Range<uint64_t>(1, 6));

TEST(AccessMany, OneValueStandsForAllEntries) {
  Sim s;
  s.Run("map 0-8 rw");
  const AccessMany one{
      .base = At(0), .addr = {0, 1, 2}, .kind = {kWrite}, .value = "x"};
  const AccessMany each{.addr = {At(0), At(0) + 1, At(0) + 2},
                        .kind = {kWrite, kWrite, kWrite},
                        .count = {1, 1, 1},
                        .stride = {kPageSize, kPageSize, kPageSize},
                        .value = "xxx"};
  Machine other = s.machine();
  EXPECT_EQ(s.Do(one).Digest(), other.Apply({1, each}).Digest());
  EXPECT_EQ(s.machine().Fingerprint(), other.Fingerprint());
}

// --- What it answers.

TEST(AccessMany, AnswersTheByteAsItWasWhenItWasReadLast) {
  Sim s;
  s.Run("map 0-8 rw");
  s.Do(AccessMany{.addr = {At(0), At(0) + 1}, .kind = {kWrite}, .value = "ab"});
  // All of it is in the TLB by now.
  const Outcome out =
      s.Do(AccessMany{.addr = {At(0) + 1, At(0), At(0) + 1, At(0)},
                      .kind = {kRead, kRead, kWrite, kWrite},
                      .value = "--cd"});
  EXPECT_EQ(out.value, 'a');
  EXPECT_EQ(s.Do(AccessMany{.addr = {At(0)}, .kind = {kRead}}).value, 'd');
}

TEST(AccessMany, SaysWhichEntriesFaulted) {
  Sim s;
  s.File("/cold", 2, kOpenBoth, FsType::kExt4, /*cached=*/false);
  s.Run("map 0-8 rw; write 1; map 8 r fd3");
  const Outcome out = s.Do(AccessMany{
      .base = At(0),
      .addr = {0, kPageSize, 2 * kPageSize, 2 * kPageSize, 8 * kPageSize},
      .kind = {kRead},
      .count = {1, 1, 4, 1, 1}});
  ASSERT_EQ(out.faulted.size(), 3u);
  EXPECT_EQ(out.faulted[0].entry, 0u);
  EXPECT_EQ(out.faulted[0].min_flt, 1u);
  EXPECT_EQ(out.faulted[1].entry, 2u);
  EXPECT_EQ(out.faulted[1].min_flt, 4u);
  EXPECT_EQ(out.faulted[2].entry, 4u);
  EXPECT_EQ(out.faulted[2].maj_flt, 1u);
  EXPECT_EQ(out.min_flt, 5u);
  EXPECT_EQ(out.maj_flt, 1u);
  EXPECT_EQ(out.accesses, 8u);
}

TEST(AccessMany, GivesTheBytesWhenAskedFor) {
  Sim s;
  s.Run("map 0-2 rw; write 0 v7; write 1 v8");
  AccessMany many{.base = At(0),
                  .addr = {0, kPageSize, 5},
                  .kind = {kRead, kWrite, kRead},
                  .count = {2, 1, 1},
                  .value = "x",
                  .data = true};
  EXPECT_EQ(s.Do(many).data, (std::string{7, 8, 'x', 0}));
  many.data = false;
  EXPECT_EQ(s.Do(many).data, "");
}

TEST(AccessMany, KeepsWhatWasDoneBeforeTheSignal) {
  Sim s;
  s.Run("map 0-4 rw; map 6-8 rw");
  const Outcome out = s.Do(AccessMany{.base = At(0) + 7,
                                      .addr = {0, 2 * kPageSize, 0},
                                      .kind = {kWrite},
                                      .count = {1, 8, 1},
                                      .value = "abc"});
  EXPECT_EQ(ResultOf(out), "SEGV/1");
  EXPECT_EQ(out.signal.addr, At(4) + 7);
  EXPECT_EQ(out.accesses, 3u);
  EXPECT_FALSE(out.exited);
  EXPECT_EQ(s.Do(Access{kRead, At(0) + 7}).value, 'a') << "not c";
  EXPECT_EQ(s.Do(Access{kRead, At(3) + 7}).value, 'b');
  EXPECT_EQ(s.Do(Access{kRead, At(6) + 7}).value, 0);
}

TEST(AccessMany, DiesWithItsProcessWhenMemoryEnds) {
  MachineConfig config;
  config.ram_bytes = uint64_t{32} << 20;
  Sim s(config);
  s.SetSysctl("vm.overcommit_memory", 1);
  s.Run("map 0-4000 rw; map 4000-9000 rw");
  const Outcome out = s.Do(AccessMany{
      .base = At(0), .addr = {0, 5}, .kind = {kWrite}, .count = {9000}});
  EXPECT_EQ(out.signal.signal, 9);
  EXPECT_TRUE(out.exited);
  EXPECT_LT(out.accesses, 9000u);
}

TEST(AccessMany, OfNoEntryDoesNothing) {
  Sim s;
  const uint64_t before = s.machine().Fingerprint();
  const Outcome out = s.Do(AccessMany{.kind = {kRead}});
  EXPECT_EQ(out.accesses, 0u);
  EXPECT_EQ(out.cost_ns, 0u);
  EXPECT_EQ(s.machine().Fingerprint(), before);
}

TEST(AccessMany, ColumnsOfAnotherLengthAreABug) {
  Sim s;
  s.Run("map 0-4 rw");
  EXPECT_THROW(s.machine().Apply({1, AccessMany{.addr = {At(0), At(1), At(2)},
                                                .kind = {kRead, kRead}}}),
               KernelBug);
}

TEST(AccessMany, CountsItsAccesses) {
  EXPECT_EQ(AccessesOf({.addr = {1, 2, 3}}), 3u);
  EXPECT_EQ(AccessesOf({.addr = {1, 2, 3}, .count = {5}}), 15u);
  EXPECT_EQ(AccessesOf({.addr = {1, 2, 3}, .count = {5, 0, 2}}), 7u);
  EXPECT_EQ(AccessesOf({.addr = {1, 2}, .count = {~uint64_t{0}}}),
            ~uint64_t{0});
  EXPECT_EQ(AccessesOf({.addr = {1, 2}, .count = {~uint64_t{0}, 1}}),
            ~uint64_t{0});
}

// A pointer of i386 has 32 bits, whatever a caller computes.
TEST(AccessTest, AnAddressOfI386Wraps) {
  MachineConfig config;
  config.profile = Profile::kI386Pae;
  Sim s(config);
  constexpr uint64_t kAbove = uint64_t{1} << 32;
  s.Run("map 0-2 rw; write 0 v7 +1");
  const Outcome alias = s.Do(Access{kRead, kAbove + At(0), 1, 0, 0});
  EXPECT_EQ(alias.value, 7u);
  EXPECT_EQ(alias.min_flt, 0u);
  s.Run("unmap 0-1");
  const Outcome gone = s.Do(Access{kRead, kAbove + At(0), 1, 0, 0});
  EXPECT_EQ(gone.signal.addr, At(0));
  const Outcome error = s.Do(Access{kRead, ~uint64_t{21}, 1, 0, 0});
  EXPECT_EQ(ResultOf(error), "SEGV/1");
  EXPECT_EQ(error.signal.addr, 0xffffffeau);
  // Nor does a stride lead out of it.
  const Outcome around = s.Do(Access{kRead, At(1), 2, kAbove, 0});
  EXPECT_EQ(around.accesses, 2u);
  EXPECT_EQ(around.min_flt, 1u);
}

}  // namespace
}  // namespace faultline
