#include "server/codec/view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "server/machine/machine.h"

namespace faultline {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::SizeIs;

v1::Page PageAt(const Kernel& k, uint64_t pfn) {
  v1::Page page;
  EXPECT_TRUE(PageToProto(k, pfn, &page)) << pfn;
  return page;
}

class ViewTest : public ::testing::Test {
 protected:
  ViewTest() : machine_(Config()) {
    start_ = static_cast<uint64_t>(
        machine_.Apply({1, Mmap{0, 4 * 4096, 3, 0x22, -1, 0}}).value);
    machine_.Apply({1, Access{AccessKind::kWrite, start_, 1, 4096, 7}});
  }

  static MachineConfig Config() {
    MachineConfig config;
    config.ram_bytes = 64 << 20;
    return config;
  }

  const Kernel& k() const { return machine_.kernel(); }

  v1::WalkPageTableResponse Walk(uint64_t address) {
    v1::WalkPageTableResponse walk;
    WalkToProto(k(), *FindMm(k(), 1), address, &walk);
    return walk;
  }

  Machine machine_;
  uint64_t start_ = 0;
};

TEST_F(ViewTest, FindsTheAddressSpaceOfAProcessThatLives) {
  EXPECT_NE(FindMm(k(), 1), nullptr);
  EXPECT_EQ(FindMm(k(), 99), nullptr);
  machine_.Apply({1, Exit{}});
  EXPECT_EQ(FindMm(k(), 1), nullptr);
}

TEST_F(ViewTest, ShowsAVma) {
  const Mm& mm = *FindMm(k(), 1);
  std::vector<v1::Vma> found;
  for (Id<Vma> at = mm.mmap; at; at = k().vmas[at].next) {
    v1::Vma vma;
    VmaToProto(k(), k().vmas[at], &vma);
    if (vma.start() <= start_ && start_ < vma.end()) found.push_back(vma);
  }
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].start(), start_);
  EXPECT_EQ(found[0].end(), start_ + 4 * 4096);
  EXPECT_EQ(found[0].permissions(), "rw-p");
  EXPECT_EQ(found[0].flags() & 0x3, 0x3U);
  EXPECT_EQ(found[0].inode(), 0U);
}

TEST_F(ViewTest, ShowsAVmaOfAFile) {
  CreateFile file;
  file.path = "/data";
  file.size = 8192;
  file.inode = 77;
  machine_.Apply({0, file});
  const int64_t fd = machine_.Apply({1, Open{"/data", 0, -1}}).value;
  const auto at = static_cast<uint64_t>(
      machine_.Apply({1, Mmap{0, 4096, 1, 1, static_cast<int32_t>(fd), 4096}})
          .value);
  const Mm& mm = *FindMm(k(), 1);
  v1::Vma vma;
  for (Id<Vma> id = mm.mmap; id; id = k().vmas[id].next) {
    if (k().vmas[id].start.value() == at) VmaToProto(k(), k().vmas[id], &vma);
  }
  EXPECT_EQ(vma.name(), "/data");
  EXPECT_EQ(vma.inode(), 77U);
  EXPECT_EQ(vma.offset(), 4096U);
  EXPECT_EQ(vma.permissions(), "r--s");
}

TEST_F(ViewTest, WalksToThePageAndSaysWhatTheEntriesAllow) {
  const v1::WalkPageTableResponse walk = Walk(start_ + 123);
  ASSERT_THAT(walk.steps(), SizeIs(4));
  EXPECT_TRUE(walk.present());
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(walk.steps(i).level(), static_cast<uint32_t>(4 - i));
    EXPECT_EQ(walk.steps(i).entry() & 1, 1U);
    EXPECT_EQ(walk.steps(i).index(), (start_ >> (39 - 9 * i)) & 511);
  }
  EXPECT_EQ(walk.steps(3).entry() & 0x62, 0x62U) << "writable, accessed, dirty";
  EXPECT_EQ((walk.steps(3).entry() >> 12) & 0xffffffffff, walk.pfn());
}

TEST_F(ViewTest, AddressesOfTheKernelHaveItsEntries) {
  constexpr uint32_t kGfpKernel = 0xcc0;
  constexpr uint64_t kDirectMap = 0xffff888000000000;
  const auto bytes = static_cast<uint64_t>(
      machine_.Apply({1, Kmalloc{100, kGfpKernel}}).value);
  const std::string before = machine_.Save();
  v1::WalkPageTableResponse walk = Walk(bytes);
  EXPECT_TRUE(walk.present());
  EXPECT_EQ(walk.pfn(), (bytes - kDirectMap) >> 12);
  ASSERT_GE(walk.steps_size(), 3);
  EXPECT_EQ(walk.steps().rbegin()->entry() & 4, 0u) << "not a user's";
  EXPECT_EQ(machine_.Save(), before) << "looking changes nothing";

  const auto area =
      static_cast<uint64_t>(machine_.Apply({1, Vmalloc{10'000, 0}}).value);
  walk = Walk(area + 4096);
  EXPECT_TRUE(walk.present());
  EXPECT_THAT(walk.steps(), SizeIs(4));
  EXPECT_EQ(PageAt(k(), walk.pfn()).kind(), "kernel");
  EXPECT_FALSE(Walk(area + uint64_t{3} * 4096).present()) << "the guard";
  EXPECT_FALSE(Walk(kDirectMap + (uint64_t{1} << 40)).present())
      << "beyond memory";
}

TEST_F(ViewTest, StopsWhereNothingIsPresent) {
  const v1::WalkPageTableResponse untouched = Walk(start_ + 4096);
  EXPECT_FALSE(untouched.present());
  EXPECT_THAT(untouched.steps(), SizeIs(4)) << "its neighbour made the tables";
  EXPECT_EQ(untouched.steps(3).entry(), 0U);
  EXPECT_THAT(Walk(0x1000).steps(), SizeIs(::testing::Le(4)));
}

TEST_F(ViewTest, ShowsThePageBehindAnAddress) {
  v1::Page page;
  ASSERT_TRUE(PageToProto(k(), Walk(start_).pfn(), &page));
  EXPECT_EQ(page.kind(), "anon");
  EXPECT_EQ(page.mapcount(), 1);
  EXPECT_GE(page.refcount(), 1);
  EXPECT_EQ(page.zone(), "DMA32");
  EXPECT_THAT(page.flags(), Contains("swapbacked"));

  v1::Page table;
  ASSERT_TRUE(PageToProto(k(), Walk(start_).steps(3).table_pfn(), &table));
  EXPECT_EQ(table.kind(), "page-table");
}

TEST_F(ViewTest, ThereIsNoPageBeyondMemory) {
  v1::Page page;
  EXPECT_FALSE(PageToProto(k(), (64 << 20) / 4096 + 100'000, &page));
  EXPECT_FALSE(PageToProto(k(), ~uint64_t{0}, &page));
}

TEST_F(ViewTest, ZonesAndTheirFreeAreasAgree) {
  v1::ListZonesResponse zones;
  ZonesToProto(k(), &zones);
  v1::GetFreeAreasResponse areas;
  FreeAreasToProto(k(), &areas);
  ASSERT_EQ(zones.zones_size(), areas.zones_size());
  std::vector<std::string> names;
  for (int i = 0; i < zones.zones_size(); ++i) {
    const v1::Zone& zone = zones.zones(i);
    names.push_back(zone.name());
    EXPECT_EQ(areas.zones(i).zone(), zone.name());
    EXPECT_LE(zone.min(), zone.low());
    EXPECT_LE(zone.low(), zone.high());
    EXPECT_LE(zone.managed(), zone.present());
    EXPECT_LE(zone.present(), zone.spanned());
    uint64_t free = 0;
    for (int order = 0; order < areas.zones(i).blocks_size(); ++order) {
      free += areas.zones(i).blocks(order) << order;
    }
    EXPECT_EQ(free, zone.free()) << zone.name();
  }
  EXPECT_THAT(names, ElementsAre("DMA", "DMA32"));
}

TEST_F(ViewTest, AnAnonymousPageKnowsItsListAndItsPlace) {
  machine_.Apply({1, Access{AccessKind::kWrite, start_ + 4096, 2, 4096, 7}});
  const uint64_t pfn = Walk(start_ + 4096).pfn();
  const v1::Page page = PageAt(k(), pfn);
  EXPECT_EQ(page.list(), "inactive_anon");
  EXPECT_EQ(page.order(), 0U);
  EXPECT_EQ(page.head_pfn(), pfn);
  EXPECT_NE(page.anon_vma(), 0U);
  EXPECT_EQ(page.index(), (start_ + 4096) >> 12);
  EXPECT_EQ(page.migrate_type(), "Movable");
  EXPECT_EQ(page.inode(), 0U);
  // The page that was touched after it is nearer to the head.
  ASSERT_TRUE(page.has_prev_pfn());
  EXPECT_EQ(page.prev_pfn(), Walk(start_ + 8192).pfn());
  EXPECT_EQ(PageAt(k(), page.prev_pfn()).next_pfn(), pfn);
  EXPECT_FALSE(PageAt(k(), page.prev_pfn()).has_prev_pfn()) << "the head";
}

TEST_F(ViewTest, APageTableHasAnOwner) {
  const v1::Page page = PageAt(k(), Walk(start_).steps(3).table_pfn());
  EXPECT_EQ(page.table_of_pid(), 1U);
  EXPECT_EQ(page.list(), "");
  EXPECT_EQ(page.migrate_type(), "Unmovable");
}

TEST_F(ViewTest, AKernelPageTableIsNoZombies) {
  machine_.Apply({1, Fork{}});
  machine_.Apply({2, Exit{}});  // not waited for: it has no mm
  const Outcome area = machine_.Apply({0, Vmalloc{4096}});
  ASSERT_EQ(area.error, Errno::kOk);
  const Pfn pgd = k().kernel_maps.pgd;
  ASSERT_TRUE(pgd.valid());
  EXPECT_FALSE(PageAt(k(), pgd.value()).has_table_of_pid());
}

TEST_F(ViewTest, AFreePageIsPartOfABlock) {
  v1::GetFreeAreasResponse areas;
  FreeAreasToProto(k(), &areas);
  for (const Zone& zone : k().zones) {
    for (int order = 1; order <= kMaxPageOrder; order++) {
      const Pfn head = zone.free_area[order].lists[0].head;  // Unmovable
      if (!head.valid()) continue;
      const v1::Page tail = PageAt(k(), head.value() + 1);
      EXPECT_EQ(tail.kind(), "free");
      EXPECT_EQ(tail.list(), "free");
      EXPECT_EQ(tail.head_pfn(), head.value());
      EXPECT_EQ(tail.order(), static_cast<uint32_t>(order));
      EXPECT_FALSE(tail.has_prev_pfn());
    }
    if (zone.pristine.empty()) continue;
    const uint32_t first = zone.pristine.front().begin.value();
    const v1::Page untouched = PageAt(k(), first + 700);
    EXPECT_EQ(untouched.kind(), "free");
    EXPECT_EQ(untouched.head_pfn(), first);
    EXPECT_EQ(untouched.order(), 10U);
  }
}

TEST_F(ViewTest, ASlabHasItsCachesName) {
  constexpr uint32_t kGfpKernel = 0xcc0;
  const auto address = static_cast<uint64_t>(
      machine_.Apply({1, Kmalloc{1024, kGfpKernel}}).value);
  constexpr uint64_t kDirectMap = 0xffff888000000000;
  const v1::Page page = PageAt(k(), (address - kDirectMap) >> 12);
  EXPECT_EQ(page.kind(), "kernel");
  EXPECT_EQ(page.cache(), "kmalloc-1k");
  EXPECT_THAT(page.flags(), Contains("slab"));
  EXPECT_GT(page.order(), 0U);
  EXPECT_LE(page.head_pfn(), page.pfn());
}

TEST_F(ViewTest, WhatBootKeptIsReserved) {
  const v1::Page page = PageAt(k(), 1);
  EXPECT_EQ(page.kind(), "reserved");
  EXPECT_EQ(page.refcount(), 1);
  EXPECT_THAT(page.flags(), ElementsAre("reserved"));
}

TEST_F(ViewTest, OnlyCompoundPagesHaveAHead) {
  AllocPages call;
  call.gfp = 0xcc0;
  call.order = 2;
  auto pfn = static_cast<uint64_t>(machine_.Apply({1, call}).value);
  EXPECT_THAT(PageAt(k(), pfn).flags(), ::testing::IsEmpty());
  EXPECT_EQ(PageAt(k(), pfn).refcount(), 1);
  EXPECT_EQ(PageAt(k(), pfn + 1).refcount(), 0);
  EXPECT_EQ(PageAt(k(), pfn + 1).order(), 2u) << "it is one block all the same";
  call.gfp |= 0x40000;  // __GFP_COMP
  pfn = static_cast<uint64_t>(machine_.Apply({1, call}).value);
  EXPECT_THAT(PageAt(k(), pfn).flags(), ElementsAre("head"));
  EXPECT_THAT(PageAt(k(), pfn + 3).flags(), ElementsAre("tail"));
}

TEST(LargeFolioView, EachPageShowsTheWhole) {
  MachineConfig config;
  config.ram_bytes = 64 << 20;
  config.thp = ThpMode::kAlways;
  Machine machine(config);
  constexpr uint64_t kHuge = 2 << 20, kAt = 0x40000000;
  machine.Apply({1, Mmap{kAt, kHuge, 3, 0x32, -1, 0}});
  machine.Apply({1, Access{AccessKind::kWrite, kAt, 1, 4096, 7}});
  v1::WalkPageTableResponse walk;
  WalkToProto(machine.kernel(), *FindMm(machine.kernel(), 1), kAt + 5 * 4096,
              &walk);
  ASSERT_THAT(walk.steps(), SizeIs(3)) << "a huge page";
  const v1::Page tail = PageAt(machine.kernel(), walk.pfn());
  EXPECT_EQ(tail.order(), 9U);
  EXPECT_EQ(tail.head_pfn() + 5, tail.pfn());
  EXPECT_EQ(tail.index(), (kAt >> 12) + 5);
  EXPECT_EQ(tail.list(), "inactive_anon");
  EXPECT_THAT(tail.flags(), Contains("tail"));
  EXPECT_THAT(tail.flags(), Contains("swapbacked")) << "the folio's";
  EXPECT_THAT(tail.flags(), ::testing::Not(Contains("head")));
  EXPECT_EQ(tail.anon_vma(),
            PageAt(machine.kernel(), tail.head_pfn()).anon_vma());
}

TEST_F(ViewTest, AZoneShowsAllThatZoneinfoHas) {
  v1::ListZonesResponse zones;
  ZonesToProto(k(), &zones);
  v1::GetFreeAreasResponse areas;
  FreeAreasToProto(k(), &areas);
  uint64_t lru = 0;
  for (int i = 0; i < zones.zones_size(); i++) {
    const v1::Zone& zone = zones.zones(i);
    EXPECT_LE(zone.high(), zone.promo());
    EXPECT_EQ(zone.boost(), 0U);
    EXPECT_THAT(zone.protection(), SizeIs(5)) << "with ZONE_DEVICE";
    EXPECT_GT(zone.pcp().batch(), 0U);
    EXPECT_LE(zone.pcp().high_min(), zone.pcp().high_max());
    lru += zone.lru().inactive_anon();
    ASSERT_THAT(areas.zones(i).types(), SizeIs(kMigrateTypes));
    for (int order = 0; order <= kMaxPageOrder; order++) {
      uint64_t blocks = 0;
      for (const v1::FreeBlocks& type : areas.zones(i).types()) {
        blocks += type.blocks(order);
      }
      EXPECT_EQ(blocks, areas.zones(i).blocks(order));
    }
  }
  EXPECT_EQ(zones.zones(0).protection(1), k().zones[0].lowmem_reserve[1]);
  EXPECT_EQ(lru, k().lruvec.Size(kInactiveAnon));
  EXPECT_GT(lru, 0U);
}

}  // namespace
}  // namespace faultline
