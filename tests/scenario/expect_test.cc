#include "server/scenario/expect.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "server/scenario/parser.h"

namespace faultline::scenario {
namespace {

StateSource State() {
  StateSource state;
  state.number = [](absl::string_view subject) -> absl::StatusOr<uint64_t> {
    if (subject == "vmas") return 3;
    if (subject == "status.VmRSS") return 12;
    return absl::NotFoundError("no such number");
  };
  state.text = [](const std::string& path) -> absl::StatusOr<std::string> {
    if (path == "/proc/self/smaps") {
      return std::string(
          "00001000-00003000 rw-p 00000000 00:00 0 \n"
          "Rss:                   4 kB\n"
          "VmFlags: rd wr lo ac \n");
    }
    return std::string("7ffffffde000-7ffffffff000 rw-p [stack]\n");
  };
  state.page = [](uint64_t vpn) -> absl::StatusOr<uint64_t> {
    constexpr uint64_t kPresent = uint64_t{1} << 63;
    constexpr uint64_t kExclusive = uint64_t{1} << 56;
    return vpn == 1 ? kPresent | kExclusive : 0;
  };
  return state;
}

absl::Status Check(const std::string& line, const OpResult& last) {
  Parser parser("");
  auto op = parser.ParseLine(line);
  EXPECT_TRUE(op.ok()) << op.status();
  return CheckExpectation(
      **op, last,
      [](absl::string_view) -> std::optional<uint64_t> { return 0x1000; },
      State());
}

bool Holds(const std::string& line, const OpResult& last) {
  return Check(line, last).ok();
}

TEST(Expect, AReturnMayBeAnErrno) {
  OpResult good;
  good.ret = 0x2000;
  EXPECT_TRUE(Holds("expect ok", good));
  EXPECT_TRUE(Holds("expect ret $brk+1p", good));
  EXPECT_TRUE(Holds("expect ret >= 0x2000", good));
  EXPECT_FALSE(Holds("expect ret != 0x2000", good));
  EXPECT_FALSE(Holds("expect err ENOMEM", good));
  OpResult failed;
  failed.error = 12;
  EXPECT_TRUE(Holds("expect err ENOMEM", failed));
  EXPECT_TRUE(Holds("expect ret 0-12", failed));
  EXPECT_FALSE(Holds("expect ok", failed));
}

TEST(Expect, FaultsSignalsAndValues) {
  OpResult access;
  access.minor_faults = 2;
  access.signal = OpResult::Signal{11, 2, 0x3000};
  EXPECT_TRUE(Holds("expect min 2", access));
  EXPECT_TRUE(Holds("expect maj 0", access));
  EXPECT_TRUE(Holds("expect sig SIGSEGV", access));
  EXPECT_TRUE(Holds("expect code ACCERR", access));
  EXPECT_TRUE(Holds("expect addr 0x3000", access));
  EXPECT_FALSE(Holds("expect min < 2", access));
  EXPECT_FALSE(Holds("expect val 0", access)) << "a signalled read has none";
  EXPECT_FALSE(Holds("expect val != 0", access));
  EXPECT_TRUE(Holds("expect sig 0", OpResult())) << "no signal is 0";
}

TEST(Expect, StateAndText) {
  EXPECT_TRUE(Holds("expect vmas 3", OpResult()));
  EXPECT_FALSE(Holds("expect vmas > 3", OpResult()));
  EXPECT_TRUE(Holds("expect status.VmRSS <= 12", OpResult()));
  EXPECT_EQ(Check("expect vmstat.nonesuch 1", OpResult()).code(),
            absl::StatusCode::kNotFound);
  EXPECT_TRUE(Holds("expect cat /proc/self/maps contains [stack]", OpResult()));
  EXPECT_FALSE(Holds("expect cat /proc/self/maps lacks [stack]", OpResult()));
}

TEST(Expect, TheVmaThatHoldsAnAddress) {
  EXPECT_TRUE(Holds("expect smaps.Rss@$brk+1p 4", OpResult()));
  EXPECT_FALSE(Holds("expect smaps.Rss@0x1000 > 4", OpResult()));
  EXPECT_FALSE(Holds("expect smaps.Rss@0x3000 4", OpResult())) << "unmapped";
  EXPECT_EQ(Check("expect smaps.Rsss@0x1000 4", OpResult()).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Holds("expect flags@0x1000 contains lo", OpResult()));
  EXPECT_TRUE(Holds("expect flags@0x1000 lacks l", OpResult()));
  EXPECT_FALSE(Holds("expect flags@0x2fff lacks ac", OpResult()));
}

TEST(Expect, ThePagemapEntryOfAPage) {
  EXPECT_TRUE(Holds("expect page@0x1fff contains PE", OpResult()));
  EXPECT_TRUE(Holds("expect page@0x1000 lacks DG", OpResult()));
  EXPECT_FALSE(Holds("expect page@0x1000 contains PD", OpResult()));
  EXPECT_FALSE(Holds("expect page@0x1000 lacks DE", OpResult()));
  EXPECT_TRUE(Holds("expect page@0x2000 lacks PSFEDG", OpResult()));
}

TEST(Expect, TheVectorOfMincore) {
  OpResult mincore;
  mincore.vec = "010";
  EXPECT_TRUE(Holds("expect vec == 010", mincore));
  EXPECT_TRUE(Holds("expect vec != 011", mincore));
  EXPECT_FALSE(Holds("expect vec == 010", OpResult()));
}

TEST(Expect, AFailureSaysWhatWasFound) {
  OpResult failed;
  failed.error = 22;
  EXPECT_EQ(Check("expect err ENOMEM", failed).message(),
            "expected err == ENOMEM, but it was EINVAL");
}

TEST(Expect, NumbersAreFoundInProcText) {
  EXPECT_EQ(*NumberFromProcText("VmPeak:\t  40 kB\nVmRSS:\t  12 kB\n", "VmRSS"),
            12u);
  EXPECT_EQ(*NumberFromProcText("pgfault 7\n", "pgfault"), 7u);
  EXPECT_FALSE(NumberFromProcText("pgfault 7\n", "pgfaul").ok());
  EXPECT_FALSE(NumberFromProcText("Name:\tcat\n", "Name").ok());
}

}  // namespace
}  // namespace faultline::scenario
