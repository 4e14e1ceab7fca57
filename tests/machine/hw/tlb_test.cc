#include "server/machine/hw/tlb.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "server/machine/base/archive.h"

namespace faultline {
namespace {

constexpr Asid kOne = 1, kTwo = 2;

bool Holds(Tlb& tlb, Asid asid, uint64_t vpn) {
  return tlb.Lookup(asid, vpn) != nullptr;
}

TEST(Tlb, HoldsFourPagesOfOneSetAndDropsTheOldest) {
  Tlb tlb;
  for (uint64_t i = 0; i < 5; i++) {
    tlb.Insert(kOne, 7 + i * Tlb::kSets, Pfn(static_cast<uint32_t>(i)), 0);
  }
  EXPECT_FALSE(Holds(tlb, kOne, 7));
  for (uint64_t i = 1; i < 5; i++) {
    EXPECT_TRUE(Holds(tlb, kOne, 7 + i * Tlb::kSets)) << i;
  }
}

TEST(Tlb, HoldsAPageInEveryWayOfEverySet) {
  Tlb tlb;
  constexpr uint64_t kAll = Tlb::kSets * Tlb::kWays;
  for (uint64_t vpn = 0; vpn < kAll; vpn++) {
    tlb.Insert(kOne, vpn, Pfn(static_cast<uint32_t>(vpn + 1)), 0);
  }
  for (uint64_t vpn = 0; vpn < kAll; vpn++) {
    ASSERT_TRUE(Holds(tlb, kOne, vpn));
    EXPECT_EQ(tlb.Lookup(kOne, vpn)->pfn.value(), vpn + 1);
  }
}

TEST(Tlb, InsertOfAHeldPageReplacesItsOwnEntry) {
  Tlb tlb;
  for (uint64_t i = 0; i < 4; i++) tlb.Insert(kOne, i * Tlb::kSets, Pfn(1), 0);
  tlb.Insert(kOne, 2 * Tlb::kSets, Pfn(9), TlbEntry::kWrite);
  for (uint64_t i = 0; i < 4; i++) {
    EXPECT_TRUE(Holds(tlb, kOne, i * Tlb::kSets));
  }
  const TlbEntry* e = tlb.Lookup(kOne, 2 * Tlb::kSets);
  EXPECT_EQ(e->pfn, Pfn(9));
  EXPECT_EQ(e->flags, TlbEntry::kWrite);
}

TEST(Tlb, TagsKeepAddressSpacesApart) {
  Tlb tlb;
  tlb.Insert(kOne, 5, Pfn(1), 0);
  tlb.Insert(kTwo, 5, Pfn(2), 0);
  EXPECT_EQ(tlb.Lookup(kOne, 5)->pfn, Pfn(1));
  EXPECT_EQ(tlb.Lookup(kTwo, 5)->pfn, Pfn(2));
}

TEST(Tlb, FlushPageDropsOnePageOfOneSpace) {
  Tlb tlb;
  tlb.Insert(kOne, 5, Pfn(1), 0);
  tlb.Insert(kOne, 6, Pfn(1), 0);
  tlb.Insert(kTwo, 5, Pfn(2), 0);
  tlb.FlushPage(kOne, 5);
  EXPECT_FALSE(Holds(tlb, kOne, 5));
  EXPECT_TRUE(Holds(tlb, kOne, 6));
  EXPECT_TRUE(Holds(tlb, kTwo, 5));
}

TEST(Tlb, FlushAsidDropsEverythingOfOneSpace) {
  Tlb tlb;
  for (uint64_t vpn = 0; vpn < 50; vpn++) {
    tlb.Insert(kOne, vpn, Pfn(1), 0);
    tlb.Insert(kTwo, vpn, Pfn(2), 0);
  }
  tlb.FlushAsid(kOne);
  for (uint64_t vpn = 0; vpn < 50; vpn++) {
    EXPECT_FALSE(Holds(tlb, kOne, vpn));
    EXPECT_TRUE(Holds(tlb, kTwo, vpn));
  }
}

TEST(Tlb, FlushAsidFindsWhatWasEnteredAfterAFlush) {
  Tlb tlb;
  tlb.Insert(kOne, 3, Pfn(1), 0);
  tlb.Insert(kTwo, 3, Pfn(2), 0);
  tlb.FlushAsid(kOne);
  tlb.Insert(kOne, 4, Pfn(3), 0);
  tlb.FlushAsid(kTwo);
  EXPECT_FALSE(Holds(tlb, kTwo, 3));
  EXPECT_TRUE(Holds(tlb, kOne, 4));
  tlb.FlushAsid(kOne);
  EXPECT_FALSE(Holds(tlb, kOne, 4));
}

TEST(Tlb, FlushAsidFindsWhatWasLoaded) {
  Tlb saved;
  saved.Insert(kOne, 3, Pfn(1), 0);
  std::string bytes;
  {
    Writer writer([&](std::string_view piece) { bytes.append(piece); });
    writer(saved);
    writer.Flush();
  }
  Tlb tlb;
  Reader reader(bytes);
  reader(tlb);
  EXPECT_TRUE(Holds(tlb, kOne, 3));
  tlb.FlushAsid(kOne);
  EXPECT_FALSE(Holds(tlb, kOne, 3));
}

TEST(Tlb, CachedTablesServeTheirRegionUntilAnyFlush) {
  Tlb tlb;
  EXPECT_FALSE(tlb.CachedTable(kOne, 0x1000).valid());
  tlb.CacheTable(kOne, 0x1000, Pfn(42));
  EXPECT_EQ(tlb.CachedTable(kOne, 0x1000), Pfn(42));
  EXPECT_FALSE(tlb.CachedTable(kOne, 0x1001).valid());
  EXPECT_FALSE(tlb.CachedTable(kOne, 0x1010).valid()) << "in its place";
  EXPECT_FALSE(tlb.CachedTable(kTwo, 0x1000).valid());
  tlb.FlushPage(kTwo, 0x1000);
  EXPECT_TRUE(tlb.CachedTable(kOne, 0x1000).valid());
  tlb.FlushPage(kOne, 0x777777);
  EXPECT_FALSE(tlb.CachedTable(kOne, 0x1000).valid());
  tlb.CacheTable(kOne, 0x1000, Pfn(42));
  tlb.FlushAsid(kOne);
  EXPECT_FALSE(tlb.CachedTable(kOne, 0x1000).valid());
}

TEST(Tlb, CountsHitsMissesAndFlushes) {
  Tlb tlb;
  (void)tlb.Lookup(kOne, 5);
  tlb.Insert(kOne, 5, Pfn(1), 0);
  (void)tlb.Lookup(kOne, 5);
  (void)tlb.Lookup(kOne, 5);
  tlb.FlushPage(kOne, 5);
  tlb.FlushAsid(kOne);
  EXPECT_EQ(tlb.counters().misses, 1u);
  EXPECT_EQ(tlb.counters().hits, 2u);
  EXPECT_EQ(tlb.counters().flushes, 2u);
}

}  // namespace
}  // namespace faultline
