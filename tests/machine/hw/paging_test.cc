#include "server/machine/hw/paging.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

#include "server/machine/base/archive.h"

namespace faultline {
namespace {

constexpr PagingMode kFour(4), kPae(3), kTwo(2);

TEST(PagingMode, GeometryFollowsFromTheLevels) {
  for (const PagingMode wide : {kFour, kPae}) {
    EXPECT_EQ(wide.entries(), 512);
    EXPECT_EQ(wide.TableSpan(), uint64_t{2} << 20);
    EXPECT_TRUE(wide.has_nx());
  }
  EXPECT_EQ(kTwo.entries(), 1024);
  EXPECT_EQ(kTwo.TableSpan(), uint64_t{4} << 20);
  EXPECT_EQ(kTwo.LevelShift(2), 22);
  EXPECT_FALSE(kTwo.has_nx());
}

TEST(PagingMode, AnAddressIsItsIndexes) {
  constexpr VirtAddr kAddr(0xbfc01abc);
  EXPECT_EQ(kTwo.IndexAt(kAddr, 2), 767);
  EXPECT_EQ(kTwo.IndexAt(kAddr, 1), 1);
  EXPECT_EQ(kTwo.PteIndex(kAddr), 1);
  EXPECT_EQ(kPae.IndexAt(kAddr, 3), 2);
  EXPECT_EQ(kPae.IndexAt(kAddr, 2), 510);
  EXPECT_EQ(kPae.PteIndex(VirtAddr(0xbfdff000)), 511);
  EXPECT_EQ(kTwo.PteIndex(VirtAddr(0xbfdff000)), 511);
  EXPECT_EQ(kTwo.PteIndex(VirtAddr(0xbfe00000)), 512);
}

TEST(PagingMode, ARegionIsWhatOneTableTranslates) {
  EXPECT_EQ(kTwo.RegionStart(VirtAddr(0x10600000)), VirtAddr(0x10400000));
  EXPECT_EQ(kTwo.RegionEnd(VirtAddr(0x10600000)), VirtAddr(0x10800000));
  EXPECT_EQ(kPae.RegionEnd(VirtAddr(0x10600000)), VirtAddr(0x10800000));
  EXPECT_EQ(kPae.RegionStart(VirtAddr(0x10600000)), VirtAddr(0x10600000));
  EXPECT_EQ(kTwo.RegionOf(VirtAddr(0x10600000)), 0x10600000u >> 22);
  EXPECT_EQ(kFour.RegionEnd(VirtAddr(0xffffffffffe00000)), VirtAddr(0));
}

TEST(PagingMode, NarrowEntriesFillTheirPage) {
  std::array<uint64_t, kPageSize / 8> table{};
  const auto* bytes = reinterpret_cast<const uint8_t*>(table.data());
  kTwo.Store(table.data(), 0, Pte::Make(Pfn(0xfffff), Pte::kPresent));
  kTwo.Store(table.data(), 1023, Pte::Make(Pfn(0x12345), Pte::kPresent));
  EXPECT_EQ(table[0], 0xfffff001u) << "and nothing of the entry beside it";
  EXPECT_EQ(table[511], 0x1234500100000000u);
  EXPECT_EQ(bytes[4095], 0x12);
  EXPECT_EQ(kTwo.Load(table.data(), 1023).pfn(), Pfn(0x12345));
  EXPECT_TRUE(kTwo.Load(table.data(), 1022).none());
  kTwo.Store(table.data(), 0, Pte());
  EXPECT_EQ(table[0], 0u);
}

// arch/x86/include/asm/pgtable-2level.h
TEST(NarrowPte, HasLinuxsBits) {
  EXPECT_EQ(Pte().Narrow(), 0u);
  EXPECT_EQ(Pte::Make(Pfn(0x80), 0x8000000000000067).Narrow(), 0x80067u)
      << "no bit for what may not be executed";
  EXPECT_EQ(Pte::Swap(0, 1).Narrow(), 0x200u);
  EXPECT_EQ(Pte::Swap(3, 5).Narrow(), 5u << 9 | 3u << 1);
  EXPECT_EQ(Pte::Swap(3, 5).With(Pte::kSwpExclusive).Narrow(),
            5u << 9 | 1u << 7 | 3u << 1);
  EXPECT_EQ(Pte::Guard().Narrow(), 4u << 9 | 31u << 1);
}

TEST(NarrowPte, ComesBackAsItWas) {
  for (const Pte pte :
       {Pte(), Pte::Make(Pfn(0xfffff), Pte::kPresent | Pte::kDirty),
        Pte::Make(Pfn(7), Pte::kProtNone | Pte::kAccessed),
        Pte::Make(Pfn(1024), Pte::kPresent | Pte::kPageSizeBit), Pte::Guard(),
        Pte::Swap(0, 1), Pte::Swap(15, Pte::kNarrowSlots - 1),
        Pte::Swap(1, 2).With(Pte::kSwpExclusive)}) {
    EXPECT_EQ(Pte::FromNarrow(pte.Narrow()), pte) << std::hex << pte.value();
  }
}

TEST(PagingMode, IsSavedAsItsLevels) {
  for (const PagingMode mode : {kFour, kPae, kTwo}) {
    std::string bytes;
    Writer writer([&](std::string_view piece) { bytes.append(piece); });
    PagingMode saved = mode;
    writer(saved);
    writer.Flush();
    PagingMode loaded;
    Reader reader(bytes);
    reader(loaded);
    EXPECT_EQ(loaded.levels(), mode.levels());
    EXPECT_EQ(loaded.entries(), mode.entries());
  }
}

}  // namespace
}  // namespace faultline
