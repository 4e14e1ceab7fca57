#include "server/scenario/memory_map.h"

#include <gtest/gtest.h>

namespace faultline::scenario {
namespace {

TEST(MemoryMap, OnlyTopLevelRamIsMemory) {
  const auto map = ParseIomem(
      "00000000-00000fff : Reserved\n"
      "00001000-0009fbff : System RAM\n"
      "00100000-3ffdffff : System RAM\n"
      "  27c00000-28a01d31 : Kernel code\n"
      "100000000-17fffffff : PCI Bus 0000:00\n");
  ASSERT_TRUE(map.ok()) << map.status();
  ASSERT_EQ(map->size(), 2u);
  EXPECT_EQ((*map)[0].start, 0x1000u);
  EXPECT_EQ((*map)[0].end, 0x9fc00u);
  EXPECT_EQ((*map)[1].end, 0x3ffe0000u);
}

TEST(MemoryMap, RangesMayBeWrittenInOneWord) {
  const auto map = ReadMemoryMap("1000-9fbff,0x100000-0x3ffdffff");
  ASSERT_TRUE(map.ok()) << map.status();
  ASSERT_EQ(map->size(), 2u);
  EXPECT_EQ((*map)[1].start, 0x100000u);
  EXPECT_EQ((*map)[1].end, 0x3ffe0000u);
}

TEST(MemoryMap, AFileIsRead) {
  const auto map = ReadMemoryMap("tests/machine/mm/machines/amd64-1g/iomem");
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ(map->size(), 2u);
  EXPECT_FALSE(ReadMemoryMap("no/such/file").ok());
}

TEST(MemoryMap, WhatIsNoMapIsRefused) {
  for (const char* text :
       {"", "00100000 : System RAM\n", "001g-3ff : System RAM\n",
        "200-100 : System RAM\n"}) {
    EXPECT_FALSE(ParseIomem(text).ok()) << text;
  }
}

}  // namespace
}  // namespace faultline::scenario
