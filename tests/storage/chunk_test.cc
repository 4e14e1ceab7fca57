// Chunks and their hashes: what is packed comes back, what was touched does
// not.
#include "storage/chunk.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <cstring>

#include "storage/sha256.h"
#include "tests/storage/storage_testing.h"

namespace faultline::storage {
namespace {

const absl::Time kTime = absl::FromUnixMicros(1'700'000'000'123'456);
const std::string kGenesis = GenesisHash("s", kTime, "config");

Chunk Pack(const std::vector<Entry>& entries) {
  std::vector<const Entry*> pointers;
  for (const Entry& entry : entries) pointers.push_back(&entry);
  return PackChunk(pointers, kTime, kGenesis);
}

std::string Hex(const std::string& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex += kDigits[static_cast<unsigned char>(c) >> 4];
    hex += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return hex;
}

TEST(Sha256Test, MatchesThePublishedVector) {
  // FIPS 180-2, appendix B.1; added in two parts.
  EXPECT_EQ(Hex(std::move(Sha256().Add("a").Add("bc")).Digest()),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(ChunkTest, ReturnsWhatWasPacked) {
  std::vector<Entry> entries = MakeEntries(5, 7);
  entries.push_back(MakeEntry(8, "request-8"));
  entries.push_back({9, "", std::string("\0\xff", 2), "", "", "ada"});
  const auto unpacked = UnpackChunk(kGenesis, Pack(entries));
  ASSERT_TRUE(unpacked.ok()) << unpacked.status();
  EXPECT_EQ(*unpacked, entries);
}

std::vector<Entry> SentBy(std::vector<Entry> entries,
                          const std::vector<std::string>& senders) {
  for (size_t i = 0; i < entries.size(); ++i) {
    entries[i].sender = senders[i % senders.size()];
  }
  return entries;
}

TEST(ChunkTest, KeepsWhoSentWhich) {
  for (const std::vector<std::string>& senders :
       {std::vector<std::string>{"ada"},
        {""},
        {"ada", "", "bob"},
        {"ada", "ada", "bob", "ada", std::string(300, 'c')}}) {
    const std::vector<Entry> entries = SentBy(MakeEntries(1, 40), senders);
    const auto unpacked = UnpackChunk(kGenesis, Pack(entries));
    ASSERT_TRUE(unpacked.ok()) << unpacked.status();
    EXPECT_EQ(*unpacked, entries) << senders.size() << " senders";
  }
}

TEST(ChunkTest, ASenderTakesNextToNothing) {
  const std::string ada = "sessions/lab-1/participants/ada";
  const std::string bob = "ipv4:127.0.0.1:40112";
  const int64_t none = Pack(SentBy(MakeEntries(1, 1000), {""})).unpacked_bytes;
  const int64_t one = Pack(SentBy(MakeEntries(1, 1000), {ada})).unpacked_bytes;
  EXPECT_EQ(one - none, static_cast<int64_t>(ada.size()));
  const int64_t two =
      Pack(SentBy(MakeEntries(1, 1000), {ada, bob})).unpacked_bytes;
  EXPECT_EQ(two - one, static_cast<int64_t>(bob.size()) + 1 + 1000);
}

// A chunk as it was written before entries had senders.
Chunk OldChunk(const std::string& body, Encoding encoding,
               int64_t unpacked_bytes) {
  Chunk chunk;
  chunk.first_revision = 5;
  chunk.last_revision = 6;
  chunk.time = kTime;
  chunk.encoding = encoding;
  chunk.unpacked_bytes = unpacked_bytes;
  chunk.body = body;
  chunk.hash = ChunkHash(kGenesis, chunk);
  return chunk;
}

TEST(ChunkTest, ReadsChunksOlderThanSenders) {
  const std::vector<Entry> entries = {
      {5, "", "command", "12345678", "", ""},
      {6, "id", "other", "87654321", "outcome", ""}};
  std::string body;
  for (const char* bytes : {"", "command", "12345678", "",  //
                            "id", "other", "87654321", "outcome"}) {
    body.push_back(static_cast<char>(std::strlen(bytes)));
    body += bytes;
  }
  const auto size = static_cast<int64_t>(body.size());
  const auto plain =
      UnpackChunk(kGenesis, OldChunk(body, Encoding::kWithoutSenders, size));
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(*plain, entries);

  std::string compressed(ZSTD_compressBound(body.size()), '\0');
  compressed.resize(ZSTD_compress(compressed.data(), compressed.size(),
                                  body.data(), body.size(), 1));
  const auto packed = UnpackChunk(
      kGenesis, OldChunk(compressed, Encoding::kWithoutSendersZstd, size));
  ASSERT_TRUE(packed.ok()) << packed.status();
  EXPECT_EQ(*packed, entries);
}

TEST(ChunkTest, CompressesWhatRepeats) {
  const std::vector<Entry> entries = MakeEntries(1, 1000);
  const Chunk chunk = Pack(entries);
  EXPECT_EQ(chunk.encoding, Encoding::kPackedZstd);
  EXPECT_LT(static_cast<int64_t>(chunk.body.size()), chunk.unpacked_bytes / 2);
  const auto unpacked = UnpackChunk(kGenesis, chunk);
  ASSERT_TRUE(unpacked.ok()) << unpacked.status();
  EXPECT_EQ(*unpacked, entries);
}

TEST(ChunkTest, LeavesSmallChunksAsTheyAre) {
  EXPECT_EQ(Pack(MakeEntries(1, 2)).encoding, Encoding::kPacked);
}

TEST(ChunkTest, NoticesEveryFlippedBit) {
  const Chunk good = Pack(MakeEntries(1, 30));
  ASSERT_EQ(good.encoding, Encoding::kPackedZstd);
  for (size_t bit = 0; bit < good.body.size() * 8; ++bit) {
    Chunk bad = good;
    bad.body[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    EXPECT_EQ(UnpackChunk(kGenesis, bad).status().code(),
              absl::StatusCode::kDataLoss)
        << "bit " << bit;
  }
}

TEST(ChunkTest, NoticesEveryChangedField) {
  const Chunk good = Pack(MakeEntries(1, 3));
  const auto rejects = [](const Chunk& bad, const std::string& previous) {
    return UnpackChunk(previous, bad).status().code() ==
           absl::StatusCode::kDataLoss;
  };
  EXPECT_FALSE(rejects(good, kGenesis));
  EXPECT_TRUE(rejects(good, GenesisHash("t", kTime, "config")));
  EXPECT_TRUE(rejects(good, GenesisHash("s", kTime, "confih")));
  Chunk bad = good;
  bad.first_revision = 2;
  EXPECT_TRUE(rejects(bad, kGenesis));
  bad = good;
  bad.last_revision = 4;
  EXPECT_TRUE(rejects(bad, kGenesis));
  bad = good;
  bad.time += absl::Microseconds(1);
  EXPECT_TRUE(rejects(bad, kGenesis));
  bad = good;
  bad.encoding = Encoding::kPackedZstd;
  EXPECT_TRUE(rejects(bad, kGenesis));
  bad = good;
  bad.unpacked_bytes += 1;
  EXPECT_TRUE(rejects(bad, kGenesis));
}

// A chunk with a right hash and a wrong body can only come from a bug of ours
// or from malice; it must be an error all the same, never a crash.
TEST(ChunkTest, RefusesMalformedBodiesWithARightHash) {
  const Chunk good = Pack(SentBy(MakeEntries(1, 3), {"ada", "bob"}));
  const auto status_with = [&good](auto change) {
    Chunk chunk = good;
    change(chunk);
    chunk.hash = ChunkHash(kGenesis, chunk);
    return UnpackChunk(kGenesis, chunk).status().code();
  };
  EXPECT_EQ(status_with([](Chunk&) {}), absl::StatusCode::kOk);
  for (size_t size = 0; size < good.body.size(); ++size) {
    EXPECT_EQ(status_with([size](Chunk& c) { c.body.resize(size); }),
              absl::StatusCode::kDataLoss)
        << size;
  }
  EXPECT_EQ(status_with([](Chunk& c) { c.body += 'x'; }),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(status_with([](Chunk& c) { c.body.assign(40, '\xff'); }),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(status_with([](Chunk& c) { c.encoding = Encoding::kPackedZstd; }),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(status_with([](Chunk& c) {
              c.encoding = Encoding::kPackedZstd;
              c.unpacked_bytes = int64_t{1} << 60;
            }),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(status_with([](Chunk& c) { c.encoding = Encoding{9}; }),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(status_with([](Chunk& c) { c.body.assign(40, '\0'); }),
            absl::StatusCode::kDataLoss)
      << "no sender";
}

}  // namespace
}  // namespace faultline::storage
