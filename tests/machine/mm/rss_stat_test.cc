// The resident set as Linux 6.1 shows it: a task's own faults are told to its
// mm every 64 of them, or when it unmaps something. Seen on Debian's 6.1, whose
// recordings tests/scenarios/recorded_test.cc compares.
#include <gtest/gtest.h>

#include <string>

#include "server/machine/proc/proc.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kCloneVm = 0x100;

MachineConfig Of61() {
  MachineConfig config;
  config.personality = Personality::kLinux61;
  return config;
}

// Pages of RssAnon in /proc/1/status; the stack's page is one of them.
uint64_t RssAnon(const Sim& s) {
  const std::string text = ReadProc(s.kernel(), "/proc/1/status").value();
  return std::stoull(text.substr(text.find("RssAnon:") + 8)) / 4;
}

TEST(RssStat, LagsUntilSomethingIsUnmapped) {
  Sim s(Of61());
  s.Run("map 0-20 rw; write 0-10 +10");
  EXPECT_EQ(RssAnon(s), 1u);
  EXPECT_EQ(s.mm().Rss(kRssAnon), 11u);
  s.Run("map 30 rw; unmap 30");
  EXPECT_EQ(RssAnon(s), 11u);
}

TEST(RssStat, IsToldAtEachSixtySixthFault) {
  Sim s(Of61());
  s.Run("map 0-200 rw; write 0-65 +65");
  EXPECT_EQ(RssAnon(s), 1u);
  s.Run("write 65 +1");  // before this one is counted
  EXPECT_EQ(RssAnon(s), 66u);
  s.Run("write 66-131 +65");
  EXPECT_EQ(RssAnon(s), 66u);
  s.Run("write 131 +1");
  EXPECT_EQ(RssAnon(s), 132u);
}

TEST(RssStat, EachTaskTellsItsOwn) {
  Sim s(Of61());
  s.Do(Clone{kCloneVm});
  s.Run("map 0-20 rw; write 0-3 +3; 2: write 3-8 +5");
  EXPECT_EQ(RssAnon(s), 1u);
  s.Run("2: unmap 19");
  EXPECT_EQ(RssAnon(s), 6u);
  s.Do(Exit{}, 2);
  s.Run("unmap 18");
  EXPECT_EQ(RssAnon(s), 9u);
}

TEST(RssStat, AChildHasWhatForkCopied) {
  Sim s(Of61());
  s.Run("map 0-4 rw; write 0-4 +4; fork; 2: write 0 +1");
  EXPECT_EQ(RssAnon(s), 1u);
  const std::string child = ReadProc(s.kernel(), "/proc/2/statm").value();
  EXPECT_EQ(child.substr(child.find(' ') + 1, 2), "5 ");
}

TEST(RssStat, Linux618SumsItsCounters) {
  Sim s;
  s.Run("map 0-20 rw; write 0-10 +10");
  EXPECT_EQ(RssAnon(s), 11u);
}

}  // namespace
}  // namespace faultline
