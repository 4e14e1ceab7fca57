#include "server/codec/page_cache_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "server/machine/machine.h"

namespace faultline {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class PageCacheViewTest : public ::testing::Test {
 protected:
  PageCacheViewTest() {
    machine_.Apply({0, CreateFile{.path = "/data",
                                  .size = 100 * kPageSize,
                                  .content = FileContent::kPattern,
                                  .data = {},
                                  .cached = false,
                                  .fs = FsType::kExt4,
                                  .inode = 77}});
    machine_.Apply({1, Open{"/data", 2, 3}});
  }
  const Kernel& k() const { return machine_.kernel(); }
  v1::AddressSpace Look() const {
    v1::AddressSpace mapping;
    AddressSpaceToProto(k(), FindInode(k(), "/data"), &mapping);
    return mapping;
  }

  Machine machine_{MachineConfig{}};
};

TEST_F(PageCacheViewTest, FindsAFileByNameAndByNumber) {
  EXPECT_EQ(FindInode(k(), "/data"), FindInode(k(), 77));
  EXPECT_FALSE(FindInode(k(), "/nothing"));
  EXPECT_FALSE(FindInode(k(), 78));
}

TEST_F(PageCacheViewTest, ShowsTheTreeAndWhatIsTagged) {
  EXPECT_EQ(Look().height(), 0u);
  machine_.Apply({1, Write{3, 70 * kPageSize, std::string(kPageSize, 'x')}});
  machine_.Apply({1, Read{3, 0, kPageSize}});
  const v1::AddressSpace mapping = Look();
  EXPECT_EQ(mapping.host(), 77u);
  EXPECT_EQ(mapping.path(), "/data");
  EXPECT_EQ(mapping.file_system(), "ext4");
  EXPECT_EQ(mapping.a_ops(), "ext4_da_aops");
  EXPECT_EQ(mapping.height(), 2u);
  EXPECT_EQ(mapping.nodes(), 3u);
  EXPECT_EQ(mapping.nrpages(), 5u);  // one written, four read
  EXPECT_EQ(mapping.tagged_dirty(), 1u);
  EXPECT_EQ(mapping.tagged_writeback(), 0u);
  EXPECT_EQ(mapping.wb_list(), "b_dirty");
  const v1::BackingDevInfo& bdi = mapping.backing_dev_info();
  EXPECT_EQ(bdi.name(), "8:0");
  EXPECT_EQ(bdi.ra_pages(), 32u);
  EXPECT_EQ(bdi.reclaimable(), 1u);
  EXPECT_THAT(bdi.b_dirty(), ElementsAre(77));
  EXPECT_EQ(bdi.reads().ios(), 1u);
}

TEST_F(PageCacheViewTest, ShowsWhoMapsIt) {
  machine_.Apply({1, Mmap{0x10000000, 2 * kPageSize, 3, 0x11, 3, kPageSize}});
  machine_.Apply({1, Mmap{0x20000000, kPageSize, 1, 0x12, 3, 0}});
  const v1::AddressSpace mapping = Look();
  ASSERT_THAT(mapping.i_mmap(), SizeIs(2));
  EXPECT_FALSE(mapping.i_mmap(0).shared());
  EXPECT_TRUE(mapping.i_mmap(1).shared());
  EXPECT_EQ(mapping.i_mmap(1).pid(), 1u);
  EXPECT_EQ(mapping.i_mmap(1).start(), 0x10000000u);
  EXPECT_EQ(mapping.i_mmap(1).pgoff(), 1u);
  EXPECT_EQ(mapping.i_mmap_writable(), 1u);
}

TEST_F(PageCacheViewTest, ShowsACachedPage) {
  machine_.Apply({1, Write{3, 0, "x"}});
  v1::CachedPage page;
  CachedPageToProto(k(), k().inodes[FindInode(k(), "/data")], 0, &page);
  EXPECT_EQ(page.refcount(), 1);
  EXPECT_EQ(page.mapcount(), 0);
  EXPECT_THAT(page.flags(), Contains("dirty"));
  EXPECT_THAT(page.tags(), ElementsAre("dirty"));
}

TEST_F(PageCacheViewTest, APageThatIsReadAheadIsLockedUntilTheDiskIsThrough) {
  machine_.Apply({1, Read{3, 0, kPageSize}});
  machine_.Apply({1, Read{3, kPageSize, kPageSize}});
  const auto page = [&] {
    v1::CachedPage proto;
    CachedPageToProto(k(), k().inodes[FindInode(k(), "/data")], 4, &proto);
    return proto;
  };
  EXPECT_THAT(page().flags(), Contains("locked"));
  EXPECT_THAT(page().flags(), Contains("readahead"));
  EXPECT_EQ(page().order(), 2u);
  machine_.Apply({0, Tick{1'000'000'000}});
  EXPECT_THAT(page().flags(), Not(Contains("locked")));
}

TEST_F(PageCacheViewTest, WhatLivesInMemoryHasNoDisk) {
  machine_.Apply(
      {0, CreateFile{.path = "/tmp", .data = {}, .fs = FsType::kTmpfs}});
  v1::AddressSpace mapping;
  AddressSpaceToProto(k(), FindInode(k(), "/tmp"), &mapping);
  EXPECT_EQ(mapping.a_ops(), "shmem_aops");
  EXPECT_EQ(mapping.backing_dev_info().name(), "");
  EXPECT_THAT(mapping.flags(), IsEmpty());
}

}  // namespace
}  // namespace faultline
