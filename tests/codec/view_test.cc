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

}  // namespace
}  // namespace faultline
