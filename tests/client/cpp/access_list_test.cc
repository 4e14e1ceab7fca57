#include "client/cpp/access_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace faultline::client {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(AccessList, SaysOnceWhatAllEntriesShare) {
  const v1::Command command = AccessList()
                                  .Store(0x7f0000002000, 7)
                                  .Store(0x7f0000000010, 7)
                                  .CommandOf(3);
  EXPECT_EQ(command.pid(), 3u);
  const v1::AccessMany& many = command.access_many();
  EXPECT_EQ(many.base(), 0x7f0000000010u);
  EXPECT_THAT(many.addr(), ElementsAre(0x1ff0, 0));
  EXPECT_THAT(many.kind(), ElementsAre(v1::ACCESS_KIND_WRITE));
  EXPECT_EQ(many.value(), "\7");
  EXPECT_THAT(many.count(), IsEmpty());
  EXPECT_THAT(many.stride(), IsEmpty());
  EXPECT_FALSE(many.data());
}

TEST(AccessList, KeepsAColumnOfDifferences) {
  const v1::AccessMany many = AccessList()
                                  .Load(0x2000, 8, 64)
                                  .Store(0x1000, 9, 2)
                                  .Fetch(0x1000)
                                  .WithData()
                                  .CommandOf(1)
                                  .access_many();
  EXPECT_THAT(many.addr(), ElementsAre(0x1000, 0, 0));
  EXPECT_THAT(many.kind(),
              ElementsAre(v1::ACCESS_KIND_READ, v1::ACCESS_KIND_WRITE,
                          v1::ACCESS_KIND_FETCH));
  EXPECT_THAT(many.count(), ElementsAre(8, 2, 1));
  EXPECT_THAT(many.stride(), ElementsAre(64, 4096, 4096));
  EXPECT_EQ(many.value(), "\x9") << "a load stores nothing";
  EXPECT_TRUE(many.data());
}

TEST(AccessList, KeepsTheValuesThatStoresStore) {
  const v1::AccessMany many =
      AccessList().Store(0, 7).Load(0).Store(0, 0).CommandOf(1).access_many();
  EXPECT_EQ(many.value(), std::string("\7\0\0", 3));
}

TEST(AccessList, KeepsAValueThatIsNotTheDefault) {
  const v1::AccessMany many =
      AccessList().Load(0, 3, 0).Load(1, 3, 0).CommandOf(1).access_many();
  EXPECT_THAT(many.count(), ElementsAre(3));
  EXPECT_THAT(many.stride(), ElementsAre(0));
  EXPECT_EQ(many.value(), "");
}

TEST(AccessList, MayBeEmptyAndUsedAgain) {
  AccessList list;
  EXPECT_EQ(list.CommandOf(1).access_many().addr_size(), 0);
  list.Load(0x5000);
  EXPECT_EQ(list.size(), 1u);
  EXPECT_EQ(list.CommandOf(1).access_many().base(), 0x5000u);
  list.Load(0x4000);
  EXPECT_THAT(list.CommandOf(1).access_many().addr(), ElementsAre(0x1000, 0));
}

}  // namespace
}  // namespace faultline::client
