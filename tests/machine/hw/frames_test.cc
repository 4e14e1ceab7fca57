#include "server/machine/hw/frames.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <utility>

#include "server/machine/base/prng.h"

namespace faultline {
namespace {

using Plain = std::array<uint8_t, kPageSize>;

void ExpectSame(const PageBytes& page, const Plain& plain) {
  for (uint32_t i = 0; i < kPageSize; i++) {
    ASSERT_EQ(page.Read(i), plain[i]) << "at " << i;
  }
  bool zero =
      std::all_of(plain.begin(), plain.end(), [](uint8_t b) { return b == 0; });
  ASSERT_EQ(page.IsZero(), zero);
}

PageBytes RoundTrip(const PageBytes& page) {
  std::string bytes = BytesOf(page);
  Reader r(bytes);
  PageBytes out;
  r(out);
  return out;
}

TEST(PageBytes, ZerosAndPatternsNeedNoBuffer) {
  PageBytes page;
  EXPECT_TRUE(page.IsZero());
  EXPECT_FALSE(page.IsBuffer());
  EXPECT_EQ(page.words(), nullptr);
  for (int byte = 0; byte < 256; byte++) {
    PageBytes filled = PageBytes::Filled(static_cast<uint8_t>(byte));
    EXPECT_FALSE(filled.IsBuffer());
    EXPECT_EQ(filled.Read(0), byte);
    EXPECT_EQ(filled.Read(4095), byte);
    EXPECT_EQ(filled.IsZero(), byte == 0);
  }
}

// Every fill, every offset in turn, and a byte that differs.
TEST(PageBytes, OneByteThatDiffersNeedsNoBuffer) {
  for (uint32_t offset = 0; offset < kPageSize; offset++) {
    auto fill = static_cast<uint8_t>(offset * 5);
    auto byte = static_cast<uint8_t>(fill + 1 + offset % 255);
    PageBytes page = PageBytes::Filled(fill);
    page.Write(offset, byte);
    EXPECT_FALSE(page.IsBuffer());
    EXPECT_EQ(page.Read(offset), byte);
    EXPECT_EQ(page.Read((offset + 1) % kPageSize), fill);
    page.Write(offset, fill);
    EXPECT_EQ(page.Read(offset), fill);
    EXPECT_FALSE(page.IsBuffer());
  }
}

TEST(PageBytes, ASecondByteThatDiffersNeedsTheBuffer) {
  PageBytes page;
  page.Write(0, 1);
  page.Write(4095, 2);
  EXPECT_TRUE(page.IsBuffer());
  EXPECT_EQ(page.Read(0), 1);
  EXPECT_EQ(page.Read(4095), 2);
  EXPECT_EQ(page.Read(1), 0);
}

TEST(PageBytes, AgreesWithAPlainArrayUnderRandomWrites) {
  for (uint64_t seed = 0; seed < 40; seed++) {
    Prng prng(seed);
    auto fill = static_cast<uint8_t>(seed % 3 == 0 ? 0 : prng.Next());
    PageBytes page = PageBytes::Filled(fill);
    Plain plain;
    plain.fill(fill);
    // Few different bytes and offsets, so that forms change both ways.
    for (int step = 0; step < 30; step++) {
      auto offset = static_cast<uint32_t>(prng.Next() % (1 + seed * 100));
      auto byte = static_cast<uint8_t>(fill + prng.Next() % 3);
      if (prng.Next() % 10 == 0) {
        auto n = static_cast<uint32_t>(prng.Next() % (kPageSize - offset + 1));
        if (prng.Next() % 4 == 0) {
          offset = 0;
          n = kPageSize;
        }
        page.Zero(offset, n);
        std::fill_n(plain.begin() + offset, n, 0);
      } else {
        page.Write(offset, byte);
        plain[offset] = byte;
      }
      if (step % 7 == 0) page = RoundTrip(page);
    }
    ExpectSame(page, plain);
    ExpectSame(RoundTrip(page), plain);
  }
}

TEST(PageBytes, CopiesShareUntilOneWrites) {
  PageBytes a;
  for (uint32_t i = 0; i < 100; i++) a.Write(i, static_cast<uint8_t>(i));
  PageBytes b = a;
  EXPECT_EQ(a.words(), b.words());
  b.Write(50, 1);
  EXPECT_NE(a.words(), b.words());
  EXPECT_EQ(a.Read(50), 50);
  EXPECT_EQ(b.Read(51), 51);
  const uint64_t* mine = a.words();
  a.Write(0, 9);
  EXPECT_EQ(a.words(), mine) << "an only owner writes in place";
}

TEST(PageBytes, InlineCopiesAreIndependentToo) {
  PageBytes a = PageBytes::Filled(7);
  PageBytes b = a;
  b.Write(3, 1);
  EXPECT_EQ(a.Read(3), 7);
  a = std::move(b);
  EXPECT_EQ(a.Read(3), 1);
}

TEST(PageBytes, ZeroOfARangeLeavesTheRest) {
  PageBytes page = PageBytes::Filled(0xff);
  page.Zero(100, 0);
  EXPECT_FALSE(page.IsBuffer());
  page.Zero(100, 50);
  EXPECT_EQ(page.Read(99), 0xff);
  EXPECT_EQ(page.Read(100), 0);
  EXPECT_EQ(page.Read(149), 0);
  EXPECT_EQ(page.Read(150), 0xff);
  page.Zero(0, kPageSize);
  EXPECT_FALSE(page.IsBuffer());
  EXPECT_TRUE(page.IsZero());
}

TEST(PageBytes, AreReadAsWords) {
  PageBytes page;
  page.MutWords()[511] = 0x0102030405060708;
  EXPECT_EQ(page.Read(4088), 8);
  EXPECT_EQ(page.Read(4095), 1);
  EXPECT_EQ(page.words()[511], 0x0102030405060708u);
  PageBytes filled = PageBytes::Filled(0x11);
  EXPECT_EQ(filled.MutWords()[3], 0x1111111111111111u);
}

TEST(PageBytes, AnUnknownSavedFormIsRefused) {
  std::string bytes = BytesOf(uint64_t{4});
  Reader r(bytes);
  PageBytes page;
  EXPECT_THROW(r(page), ArchiveError);
}

TEST(Frames, CopiesAreIndependent) {
  Frames a;
  a[Pfn(7)].Write(0, 1);
  a.MutTable(Pfn(8))[5] = 99;
  Frames b = a;
  b[Pfn(7)].Write(0, 2);
  b.MutTable(Pfn(8))[5] = 100;
  EXPECT_EQ(std::as_const(a)[Pfn(7)].Read(0), 1);
  EXPECT_EQ(std::as_const(a).Table(Pfn(8))[5], 99u);
  EXPECT_EQ(std::as_const(b).Table(Pfn(8))[5], 100u);
  EXPECT_EQ(std::as_const(a).Table(Pfn(9)), nullptr);
}

}  // namespace
}  // namespace faultline
