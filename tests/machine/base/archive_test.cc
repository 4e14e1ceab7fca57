#include "server/machine/base/archive.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "server/machine/base/cow.h"
#include "server/machine/base/pool.h"
#include "server/machine/base/prng.h"
#include "server/machine/base/units.h"

namespace faultline {
namespace {

enum class Colour : uint8_t { kRed = 1, kBlue = 200 };
// No Describe: an aggregate is its fields in order.
struct Leaf {
  uint32_t number = 0;
  bool flag = false;
  std::string text;
  friend bool operator==(const Leaf&, const Leaf&) = default;
};
struct Sixteen {
  int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p;
  friend bool operator==(const Sixteen&, const Sixteen&) = default;
};

// One field of every kind.
struct Everything {
  bool flag = true;
  int32_t negative = -5;
  uint64_t big = ~uint64_t{0};
  Colour colour = Colour::kBlue;
  Pfn pfn{0xabcdef};
  VirtAddr addr{0x7ffff7fff000};
  std::string text = "some text";
  std::vector<Leaf> leaves = {{1, true, "one"}, {2, false, "two"}};
  std::array<uint16_t, 3> triple = {1, 300, 65535};
  std::optional<Leaf> maybe = Leaf{7, true, ""};
  std::optional<uint8_t> none;
  std::map<std::string, Pfn> named = {{"a", Pfn(1)}, {"b", Pfn(2)}};
  std::pair<uint32_t, uint64_t> two = {3, 4};
  std::variant<Leaf, std::string, Pfn> either = std::string("second");
  Sixteen sixteen = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.flag, s.negative, s.big, s.colour, s.pfn, s.addr, s.text, s.leaves,
       s.triple, s.maybe, s.none, s.named, s.two, s.either, s.sixteen);
  }
  friend bool operator==(const Everything&, const Everything&) = default;
};

template <class T>
T ReadBack(std::string_view bytes) {
  Reader r(bytes);
  T value{};
  r(value);
  EXPECT_TRUE(r.AtEnd());
  return value;
}

TEST(Archive, RoundTripsEveryKindOfField) {
  Everything e;
  EXPECT_EQ(ReadBack<Everything>(BytesOf(e)), e);
  e.none = 9;
  e.maybe.reset();
  e.leaves.clear();
  e.named.clear();
  e.text = std::string("\0\xff", 2);
  e.either = Leaf{4, false, "leaf"};
  EXPECT_EQ(ReadBack<Everything>(BytesOf(e)), e);
}

TEST(Archive, RoundTripsTheExtremesOfNumbers) {
  for (int shift = 0; shift < 64; shift++) {
    for (uint64_t v : {uint64_t{1} << shift, (uint64_t{1} << shift) - 1}) {
      EXPECT_EQ(ReadBack<uint64_t>(BytesOf(v)), v);
      auto s = static_cast<int64_t>(v);
      EXPECT_EQ(ReadBack<int64_t>(BytesOf(s)), s);
      EXPECT_EQ(ReadBack<int64_t>(BytesOf(~s)), ~s);
    }
  }
}

TEST(Archive, FormatIsLeb128AndCounts) {
  EXPECT_EQ(BytesOf(uint64_t{300}), "\xac\x02");
  EXPECT_EQ(BytesOf(std::string("ab")),
            "\x02"
            "ab");
  EXPECT_EQ(BytesOf(std::vector<uint8_t>{1, 2}), "\x02\x01\x02");
}

TEST(Archive, WritesAndReadsInPieces) {
  std::vector<std::string> texts;
  for (int i = 0; i < 100; i++) {
    texts.emplace_back(static_cast<size_t>(i * 50), static_cast<char>(i));
  }
  std::vector<std::string> pieces;
  Writer w([&](std::string_view piece) { pieces.emplace_back(piece); });
  w(texts);
  w.Flush();
  w.Flush();
  ASSERT_EQ(pieces.size(), 4u);  // of 64 KiB
  uint64_t bytes = 0;
  for (const std::string& piece : pieces) bytes += piece.size();
  auto next = pieces.begin();
  Reader r(bytes, [&]() -> std::string_view { return *next++; });
  std::vector<std::string> back;
  r(back);
  EXPECT_EQ(back, texts);
  EXPECT_TRUE(r.AtEnd());
}

TEST(Archive, RefusesASourceThatGivesMoreOrLessThanItShould) {
  const std::string bytes = BytesOf(Everything());
  for (int wrong : {-1, 1}) {
    bool given = false;
    Reader r(bytes.size() - static_cast<size_t>(wrong), [&] {
      const std::string_view piece = given ? "" : bytes;
      given = true;
      return piece;
    });
    Everything e;
    EXPECT_THROW((r(e), r.Number()), ArchiveError);
  }
}

TEST(Archive, RefusesBytesThatAreCutShortAnywhere) {
  std::string bytes = BytesOf(Everything());
  for (size_t n = 0; n < bytes.size(); n++) {
    Reader r(std::string_view(bytes).substr(0, n));
    Everything e;
    EXPECT_THROW(r(e), ArchiveError) << "cut at " << n;
  }
}

TEST(Archive, RefusesCountsThatTheBytesCannotHold) {
  for (uint64_t lie : {uint64_t{3}, uint64_t{1} << 40, ~uint64_t{0}}) {
    std::string bytes = BytesOf(lie) + "xx";
    EXPECT_THROW(ReadBack<std::string>(bytes), ArchiveError);
    EXPECT_THROW(ReadBack<std::vector<uint64_t>>(bytes), ArchiveError);
    using Map = std::map<uint32_t, uint32_t>;
    EXPECT_THROW(ReadBack<Map>(bytes), ArchiveError);
    using Cow = CowArray<uint32_t, 4>;
    EXPECT_THROW(ReadBack<Cow>(bytes), ArchiveError);
  }
}

TEST(Archive, RefusesAVariantOfUnknownKindAndAnEndlessNumber) {
  using Either = std::variant<uint32_t, std::string>;
  EXPECT_THROW(ReadBack<Either>("\x02\x01"), ArchiveError);
  EXPECT_THROW(ReadBack<uint64_t>(std::string(20, '\xff')), ArchiveError);
}

TEST(Archive, RefusesAChunkBeyondTheArray) {
  std::string bytes = BytesOf(uint64_t{1}) + BytesOf(uint64_t{1} << 40);
  using Cow = CowArray<uint32_t, 4>;
  EXPECT_THROW(ReadBack<Cow>(bytes + std::string(100, '\0')), ArchiveError);
}

TEST(Archive, RandomBytesAreReadOrRefused) {
  Prng prng(1);
  int refused = 0;
  for (int i = 0; i < 20000; i++) {
    std::string bytes(prng.Next() % 64, '\0');
    for (char& c : bytes) c = static_cast<char>(prng.Next());
    Reader r(bytes);
    Everything e;
    try {
      r(e);
    } catch (const ArchiveError&) {
      refused++;
    }
  }
  EXPECT_GT(refused, 19000);
}

TEST(Archive, HashDiffersWhenAnyFieldDiffers) {
  using Change = std::function<void(Everything&)>;
  const Change changes[] = {
      [](Everything&) {},
      [](Everything& e) { e.flag = false; },
      [](Everything& e) { e.negative = 5; },
      [](Everything& e) { e.big--; },
      [](Everything& e) { e.colour = Colour::kRed; },
      [](Everything& e) { e.pfn = Pfn(1); },
      [](Everything& e) { e.addr = VirtAddr(1); },
      [](Everything& e) { e.text += ' '; },
      [](Everything& e) { e.leaves[1].text = "owt"; },
      [](Everything& e) { e.leaves.pop_back(); },
      [](Everything& e) { std::swap(e.leaves[0], e.leaves[1]); },
      [](Everything& e) { e.triple[2] = 0; },
      [](Everything& e) { e.maybe.reset(); },
      [](Everything& e) { e.none = 0; },
      [](Everything& e) { e.named["c"] = Pfn(3); },
      [](Everything& e) { e.two.second = 5; },
      [](Everything& e) { e.either = Pfn(2); },
      [](Everything& e) { e.sixteen.p = 17; },
  };
  std::set<uint64_t> hashes;
  for (const Change& change : changes) {
    Everything e;
    change(e);
    hashes.insert(HashOf(e));
  }
  EXPECT_EQ(hashes.size(), std::size(changes));
}

TEST(Archive, HashOfBytesDependsOnTheirEnd) {
  EXPECT_NE(HashOf(std::string("abc")), HashOf(std::string("abc\0", 4)));
  EXPECT_NE(HashOf(std::string(16, 'a')), HashOf(std::string(17, 'a')));
}

TEST(Prng, IsSplitMix64) {
  // The reference implementation's first outputs for seed 1234567.
  Prng prng(1234567);
  EXPECT_EQ(prng.Next(), 6457827717110365317u);
  EXPECT_EQ(prng.Next(), 3203168211198807973u);
  EXPECT_EQ(prng.Next(), 9817491932198370423u);
}

TEST(Prng, ContinuesWhereItWasSaved) {
  Prng prng(5);
  prng.Next();
  Prng copy = ReadBack<Prng>(BytesOf(prng));
  EXPECT_EQ(copy.Next(), prng.Next());
}

}  // namespace
}  // namespace faultline
