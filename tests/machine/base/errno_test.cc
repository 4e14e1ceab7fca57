#include "server/machine/base/errno.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>

namespace faultline {
namespace {

TEST(ErrnoNames, AreTheHostsNamesForTheSameNumbers) {
  std::set<std::string> names;
  for (uint16_t n = 1; n < 4096; n++) {
    std::string name(ErrnoName(static_cast<Errno>(n)));
    if (name.empty()) continue;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(name, strerrorname_np(n));
  }
  EXPECT_EQ(names.size(), 32u);
}

TEST(ErrnoNames, SuccessAndUnknownNumbersHaveNone) {
  EXPECT_EQ(ErrnoName(Errno::kOk), "");
  EXPECT_EQ(ErrnoName(static_cast<Errno>(4095)), "");
}

TEST(ErrnoOr, HoldsAValueOrAnError) {
  ErrnoOr<std::string> good(std::string("text"));
  ErrnoOr<std::string> bad(Errno::kENOMEM);
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(good.error(), Errno::kOk);
  EXPECT_EQ(good.value(), "text");
  EXPECT_FALSE(bad.ok());
  EXPECT_EQ(bad.error(), Errno::kENOMEM);
}

Errno Checked(Errno e, int* reached) {
  FL_TRY(e);
  ++*reached;
  return Errno::kOk;
}
ErrnoOr<int> Doubled(ErrnoOr<int> in, int* reached) {
  int v = FL_TRY_VALUE(in);
  ++*reached;
  return 2 * v;
}

TEST(ErrnoOr, TryReturnsTheErrorAtOnce) {
  int reached = 0;
  EXPECT_EQ(Checked(Errno::kEPERM, &reached), Errno::kEPERM);
  EXPECT_EQ(Doubled(Errno::kEAGAIN, &reached).error(), Errno::kEAGAIN);
  EXPECT_EQ(reached, 0);
}

TEST(ErrnoOr, TryGoesOnWithTheValue) {
  int reached = 0;
  EXPECT_EQ(Checked(Errno::kOk, &reached), Errno::kOk);
  EXPECT_EQ(Doubled(21, &reached).value(), 42);
  EXPECT_EQ(reached, 2);
}

TEST(ErrnoOr, TryTakesAnExpressionOnce) {
  int calls = 0;
  auto next = [&]() -> ErrnoOr<int> { return ++calls; };
  auto twice = [&]() -> ErrnoOr<int> { return FL_TRY_VALUE(next()); };
  EXPECT_EQ(twice().value(), 1);
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace faultline
