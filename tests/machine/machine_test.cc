// The machine as a value: copied, saved, loaded, compared.
#include "server/machine/machine.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/machine/campaign.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kGiB = uint64_t{1} << 30;

Machine Worked(uint64_t seed, int steps) {
  Campaign campaign(seed);
  Machine m{MachineConfig()};
  for (int i = 0; i < steps; i++) m.Apply(campaign.Next(m.kernel()));
  return m;
}

// What the next commands give, as digests.
std::vector<uint64_t> Future(Machine m, uint64_t seed, int steps) {
  Campaign campaign(seed);
  std::vector<uint64_t> digests;
  for (int i = 0; i < steps; i++) {
    digests.push_back(m.Apply(campaign.Next(m.kernel())).Digest());
  }
  digests.push_back(m.Fingerprint());
  return digests;
}

TEST(Machine, ACopyIsEqualUntilOneOfThemMoves) {
  Machine a = Worked(1, 300);
  Machine b = a;
  EXPECT_EQ(a.Fingerprint(), b.Fingerprint());
  a.Apply({0, Tick{1}});
  EXPECT_NE(a.Fingerprint(), b.Fingerprint());
  b.Apply({0, Tick{1}});
  EXPECT_EQ(a.Fingerprint(), b.Fingerprint());
}

TEST(Machine, CopiesDivergeIndependently) {
  Machine a = Worked(2, 300);
  uint64_t before = a.Fingerprint();
  Machine b = a, c = a;
  Campaign campaign(3);
  for (int i = 0; i < 300; i++) b.Apply(campaign.Next(b.kernel()));
  EXPECT_EQ(a.Fingerprint(), before);
  EXPECT_EQ(c.Fingerprint(), before);
  EXPECT_EQ(a.Verify(), "");
  EXPECT_EQ(b.Verify(), "");
  EXPECT_EQ(Future(a, 4, 100), Future(c, 4, 100));
}

TEST(Machine, FingerprintsNameTheSubsystemThatDiffers) {
  Machine a = Worked(1, 100), b = a;
  b.Apply({0, Tick{1}});
  auto of_a = a.Fingerprints(), of_b = b.Fingerprints();
  ASSERT_EQ(of_a.size(), of_b.size());
  for (size_t i = 0; i < of_a.size(); i++) {
    bool differs = of_a[i].hash != of_b[i].hash;
    EXPECT_EQ(differs, std::string(of_a[i].name) == "clock") << of_a[i].name;
  }
}

TEST(Machine, SavedAndLoadedItIsEqualAndBehavesEqually) {
  for (uint64_t seed = 1; seed <= 3; seed++) {
    Machine m = Worked(seed, 400);
    std::string bytes = m.Save();
    Machine loaded = Machine::Load(bytes);
    EXPECT_EQ(loaded.Fingerprint(), m.Fingerprint());
    EXPECT_EQ(loaded.Verify(), m.Verify());
    EXPECT_EQ(loaded.Save(), bytes);
    EXPECT_EQ(Future(loaded, seed + 10, 200), Future(m, seed + 10, 200));
  }
}

TEST(Machine, LoadRefusesBytesCutShortAnywhere) {
  std::string bytes = Machine(MachineConfig()).Save();
  for (size_t n = 0; n < bytes.size(); n += 1 + n / 40) {
    EXPECT_THROW(Machine::Load(bytes.substr(0, n)), ArchiveError) << n;
  }
  EXPECT_THROW(Machine::Load(bytes.substr(0, bytes.size() - 1)), ArchiveError);
  EXPECT_THROW(Machine::Load(bytes + '\0'), ArchiveError);
  EXPECT_THROW(Machine::Load("something else entirely"), ArchiveError);
}

TEST(Machine, LoadRefusesEveryFlippedBit) {
  std::string bytes = Machine(MachineConfig()).Save();
  for (size_t bit = 0; bit < bytes.size() * 8; bit += 1 + bit / 50) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_THROW(Machine::Load(damaged), ArchiveError) << bit;
  }
}

// A source of `bytes` in pieces of a size.
ByteSource Pieces(std::string_view bytes, size_t size) {
  return [bytes, size]() mutable {
    const std::string_view piece = bytes.substr(0, size);
    bytes.remove_prefix(piece.size());
    return piece;
  };
}

TEST(Machine, LoadsFromPiecesOfAnySize) {
  Machine m = Worked(4, 300);
  const std::string bytes = m.Save();
  for (size_t size : {1, 3, 8, 4095, 1 << 20}) {
    Machine loaded = Machine::Load(bytes.size(), Pieces(bytes, size));
    EXPECT_EQ(loaded.Fingerprint(), m.Fingerprint()) << size;
  }
}

TEST(Machine, SavesInPiecesThatAreNeverLarge) {
  Machine m = Worked(6, 300);
  std::string bytes;
  m.Save([&](std::string_view piece) {
    EXPECT_LE(piece.size(), 65536u);
    EXPECT_FALSE(piece.empty());
    bytes.append(piece);
  });
  EXPECT_EQ(bytes, m.Save());
}

TEST(Machine, LoadingPiecesRefusesWhatIsDamagedOrCutShort) {
  const std::string bytes = Worked(7, 50).Save();
  for (size_t n = 0; n < bytes.size(); n += 1 + n / 20) {
    const std::string_view part = std::string_view(bytes).substr(0, n);
    EXPECT_THROW(Machine::Load(n, Pieces(part, 100)), ArchiveError) << n;
    EXPECT_THROW(Machine::Load(bytes.size(), Pieces(part, 100)), ArchiveError)
        << n;
  }
  for (size_t bit = 0; bit < bytes.size() * 8; bit += 1 + bit / 20) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_THROW(Machine::Load(damaged.size(), Pieces(damaged, 100)),
                 ArchiveError)
        << bit;
  }
}

TEST(Machine, WhatTheSourceThrowsLoadThrows) {
  EXPECT_THROW(Machine::Load(1000, []() -> std::string_view { throw 7; }), int);
}

TEST(Machine, LoadNamesTheVersionItCannotRead) {
  const std::array<uint64_t, 2> head = {0x4d4c46, kStateVersion + 1};
  try {
    Machine::Load(BytesOf(head));
    FAIL() << "loaded";
  } catch (const ArchiveError& e) {
    EXPECT_NE(std::string(e.what()).find(std::to_string(kStateVersion + 1)),
              std::string::npos);
  }
}

// Damage below the seal: the reader itself must survive it.
TEST(Machine, ReadingADamagedKernelIsAnErrorOrAKernel) {
  std::string bytes = BytesOf(Worked(5, 100).kernel());
  Prng prng(9);
  for (int i = 0; i < 150; i++) {
    std::string damaged = bytes;
    size_t at = prng.Next() % damaged.size();
    damaged[at] = static_cast<char>(prng.Next());
    Kernel k;
    Reader r(damaged);
    try {
      r(k);
    } catch (const ArchiveError&) {
    }
  }
}

TEST(Machine, TheEventLevelChangesNoDigest) {
  const EventLevel levels[] = {EventLevel::kNone, EventLevel::kCounters,
                               EventLevel::kFaults, EventLevel::kAll};
  std::vector<Machine> machines(4, Machine(MachineConfig()));
  Campaign campaign(6);
  for (int i = 0; i < 600; i++) {
    Command command = campaign.Next(machines[0].kernel());
    uint64_t digest = machines[0].Apply(command, levels[0]).Digest();
    for (size_t m = 1; m < machines.size(); m++) {
      Outcome out = machines[m].Apply(command, levels[m]);
      ASSERT_EQ(out.Digest(), digest) << OperationName(command.op);
    }
  }
  for (const Machine& m : machines) {
    EXPECT_EQ(m.Fingerprint(), machines[0].Fingerprint());
  }
}

TEST(Machine, TheDigestCoversEveryFieldButTheEvents) {
  Outcome plain;
  std::vector<Outcome> changed(11);
  changed[0].value = 1;
  changed[1].error = Errno::kENOMEM;
  changed[2].signal.signal = 11;
  changed[3].exited = true;
  changed[4].no_process = true;
  changed[5].min_flt = 1;
  changed[6].maj_flt = 1;
  changed[7].accesses = 1;
  changed[8].cost_ns = 1;
  changed[9].data = "x";
  changed[10].faulted = {{0, 1, 0}};
  for (const Outcome& out : changed) EXPECT_NE(out.Digest(), plain.Digest());
  Outcome events;
  events.events.push_back({1, MmPageFree{}});
  EXPECT_EQ(events.Digest(), plain.Digest());
}

TEST(Machine, TheSizeOfASaveFollowsWhatIsTouched) {
  MachineConfig small, large;
  large.ram_bytes = 64 * kGiB;
  size_t small_size = Machine(small).Save().size();
  size_t large_size = Machine(large).Save().size();
  EXPECT_LT(large_size, 2 * small_size);
  EXPECT_LT(large_size, uint64_t{1} << 20);
}

TEST(Machine, ALargeMachineBootsAndWorks) {
  MachineConfig config;
  config.ram_bytes = 64 * kGiB;
  Sim s(config);
  EXPECT_GT(s.free_pages(), 62 * kGiB / kPageSize);
  s.Run("map 0-16 rw; write 0-16 v3; fork =2; 2: read 0 =3");
}

TEST(Machine, AdministrationNeedsNoProcess) {
  Sim s;
  s.Run("fork =2");
  EXPECT_FALSE(s.Do(Tick{5}, 0).no_process);
  EXPECT_FALSE(s.Do(Sysctl{"vm.overcommit_memory", 1}, 0).no_process);
  EXPECT_EQ(ResultOf(s.Do(Sysctl{"vm.nothing", 1}, 0)), "ENOENT");
  EXPECT_EQ(ResultOf(s.Do(Kill{2, 9}, 0)), "OK");
  CreateFile file;
  file.path = "/f";
  EXPECT_EQ(ResultOf(s.Do(file, 0)), "OK");
  EXPECT_EQ(s.kernel().sysctl.overcommit_memory, 1u);
}

TEST(Machine, CallsOfNobodyDoNothing) {
  Sim s;
  uint64_t before = s.machine().Fingerprint();
  const Operation ops[] = {Mmap{}, Fork{}, Access{}, AccessMany{}, Open{},
                           Wait{}, Exit{}, Execve{}, Brk{},        Setrlimit{}};
  for (const Operation& op : ops) {
    for (Pid pid : {0u, 77u, ~0u}) {
      Outcome out = s.Do(op, pid);
      EXPECT_TRUE(out.no_process) << OperationName(op);
      EXPECT_EQ(out.cost_ns, 0u);
    }
  }
  EXPECT_EQ(s.machine().Fingerprint(), before);
}

TEST(Machine, TimeIsWhatCommandsCost) {
  Sim s;
  uint64_t clock = s.kernel().clock_ns;
  uint64_t cost = s.Do(Tick{1000}, 0).cost_ns;
  EXPECT_EQ(cost, 1000u);
  cost += s.Do(Mmap{0, 40960, kRw, 0x22, -1, 0}).cost_ns;
  cost += s.Do(Fork{}).cost_ns;
  EXPECT_EQ(s.kernel().clock_ns, clock + cost);
}

TEST(Machine, OperationsHaveTheirCallsNames) {
  EXPECT_STREQ(OperationName(Mmap{}), "mmap");
  EXPECT_STREQ(OperationName(Access{}), "access");
  EXPECT_STREQ(OperationName(Tick{}), "tick");
  EXPECT_STREQ(OperationName(AccessMany{}), "access_many");
}

// Thousands of commands of every kind; the machine verifies after each, and
// when all processes and files are gone every page is free again.
class Campaigns : public ::testing::TestWithParam<uint64_t> {};

TEST_P(Campaigns, StayConsistentAndGiveEverythingBack) {
  MachineConfig config;
  config.ram_bytes = uint64_t{64} << 20;
  if (GetParam() % 2 == 0) config.profile = Profile::kI386Pae;
  if (GetParam() % 4 == 3) config.profile = Profile::kI386;
  if (GetParam() % 3 == 0) config.personality = Personality::kLinux61;
  Machine m(config);
  uint64_t free_at_boot = Campaign::FreePages(m.kernel());
  uint64_t init_pages =
      m.kernel().mms[m.kernel().tasks[m.kernel().pids.at(1)].mm].RssPages();
  Campaign campaign(GetParam());
  for (int i = 0; i < 1500; i++) {
    Command command = campaign.Next(m.kernel());
    m.Apply(command, EventLevel::kNone);
    ASSERT_EQ(m.Verify(), "")
        << "step " << i << ": " << OperationName(command.op);
  }
  for (const Command& command : Campaign::Teardown(m.kernel())) {
    m.Apply(command, EventLevel::kNone);
    ASSERT_EQ(m.Verify(), "") << OperationName(command.op);
  }
  EXPECT_TRUE(m.kernel().pids.empty());
  EXPECT_EQ(m.kernel().vmas.count(), 0u);
  EXPECT_EQ(m.kernel().anon_vmas.count(), 0u);
  EXPECT_EQ(m.kernel().anon_chains.count(), 0u);
  EXPECT_EQ(m.kernel().vm_committed, 0u);
  // Init had its pages, its page tables and its top table.
  EXPECT_GE(Campaign::FreePages(m.kernel()), free_at_boot + init_pages + 1);
  Machine fresh(config);
  fresh.Apply({1, Exit{}});
  EXPECT_EQ(Campaign::FreePages(m.kernel()),
            Campaign::FreePages(fresh.kernel()));
}

INSTANTIATE_TEST_SUITE_P(Seeds, Campaigns, ::testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace faultline
