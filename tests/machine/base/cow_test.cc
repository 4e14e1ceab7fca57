#include "server/machine/base/cow.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "server/machine/base/pool.h"
#include "server/machine/base/prng.h"

namespace faultline {
namespace {

using Array = CowArray<uint32_t, 4>;

TEST(CowArray, ItemsNeverWrittenReadAsDefault) {
  const Array a;
  EXPECT_EQ(a[0], 0u);
  EXPECT_EQ(a[0xffffffff], 0u);
  Array b;
  b[1000] = 1;
  EXPECT_EQ(std::as_const(b)[999], 0u);
  EXPECT_EQ(std::as_const(b)[1001], 0u);
  EXPECT_EQ(std::as_const(b)[100000], 0u);
}

TEST(CowArray, CopiesAreIndependentInBothDirections) {
  Array a;
  a[3] = 1;
  a[5000] = 2;
  Array b = a;
  a[3] = 10;
  b[5000] = 20;
  b[7] = 30;
  EXPECT_EQ(a[3], 10u);
  EXPECT_EQ(a[5000], 2u);
  EXPECT_EQ(std::as_const(a)[7], 0u);
  EXPECT_EQ(b[3], 1u);
  EXPECT_EQ(b[5000], 20u);
}

// The memory of chunks known to be one's own must not outlive a copy.
TEST(CowArray, ACopyAfterWritesSeesNoLaterWrite) {
  Array a;
  for (uint32_t i = 0; i < 200; i++) a[i] = i;
  Array b = a;
  Array c;
  c = a;
  for (uint32_t i = 0; i < 200; i++) a[i] = 1000;
  Array d = std::move(b);
  for (uint32_t i = 0; i < 200; i++) {
    EXPECT_EQ(std::as_const(c)[i], i);
    EXPECT_EQ(std::as_const(d)[i], i);
  }
}

TEST(CowArray, AMovedFromArrayIsEmptyAndUsable) {
  Array a;
  a[1] = 1;
  Array b = std::move(a);
  a = Array();
  EXPECT_EQ(std::as_const(a)[1], 0u);
  a[1] = 2;
  EXPECT_EQ(b[1], 1u);
}

TEST(CowArray, ForEachVisitsWholeChunksInOrder) {
  Array a;
  a[70] = 7;
  a[5] = 5;
  a[100000] = 9;
  std::vector<size_t> at;
  std::map<size_t, uint32_t> set;
  a.ForEach([&](size_t i, uint32_t v) {
    at.push_back(i);
    if (v != 0) set[i] = v;
  });
  EXPECT_TRUE(std::is_sorted(at.begin(), at.end()));
  EXPECT_EQ(at.size(), 3 * 16u);
  EXPECT_EQ(set, (std::map<size_t, uint32_t>{{5, 5}, {70, 7}, {100000, 9}}));
}

// Random writes to a family of copies, against maps.
TEST(CowArray, AgreesWithMapsUnderRandomWritesAndCopies) {
  Prng prng(3);
  std::array<Array, 4> arrays;
  std::array<std::map<size_t, uint32_t>, 4> models;
  for (int step = 0; step < 20000; step++) {
    size_t who = prng.Next() % 4;
    if (prng.Next() % 100 == 0) {
      size_t from = prng.Next() % 4;
      arrays[who] = arrays[from];
      models[who] = models[from];
      continue;
    }
    size_t at = prng.Next() % 4096 * (prng.Next() % 2 == 0 ? 1 : 97);
    EXPECT_EQ(std::as_const(arrays[who])[at], models[who][at]);
    auto value = static_cast<uint32_t>(prng.Next());
    arrays[who][at] = value;
    models[who][at] = value;
  }
}

TEST(CowArray, ACopyCanBeReadAndDestroyedWhileTheOriginalWrites) {
  Array a;
  for (uint32_t i = 0; i < 4096; i++) a[i] = i;
  for (uint32_t round = 1; round <= 20; round++) {
    uint64_t sum = 0;
    std::thread reader([copy = a, &sum] {
      copy.ForEach([&](size_t, uint32_t v) { sum += v; });
    });
    uint64_t want = 4095 * 4096 / 2 + 4096 * (uint64_t{round} - 1);
    for (uint32_t i = 0; i < 4096; i++) a[i]++;
    reader.join();
    EXPECT_EQ(sum, want);
  }
}

// For ThreadSanitizer: a copy that nobody writes can be read and copied by
// many.
TEST(CowArray, ACopyCanBeReadAndCopiedByManyAtOnce) {
  Array a;
  for (uint32_t i = 0; i < 4096; i++) a[i] = i;
  const Array shared = a;
  std::vector<std::thread> threads;
  std::array<uint64_t, 4> sums{};
  for (uint64_t& sum : sums) {
    threads.emplace_back([&shared, &sum] {
      for (uint32_t i = 0; i < 4096; i++) {
        Array mine = shared;
        mine[i]++;
        sum += shared[i] + mine[i];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint64_t sum : sums) EXPECT_EQ(sum, 4095u * 4096 + 4096);
}

struct Thing {
  uint32_t v = 0;
};

TEST(Pool, IdsAreNeverZeroAndReusedLastFirst) {
  Pool<Thing> pool;
  Id<Thing> a = pool.New(), b = pool.New(), c = pool.New();
  EXPECT_EQ(a.value(), 1u);
  EXPECT_EQ(c.value(), 3u);
  pool.Delete(a);
  pool.Delete(b);
  EXPECT_EQ(pool.New(), b);
  EXPECT_EQ(pool.New(), a);
  EXPECT_EQ(pool.New().value(), 4u);
  EXPECT_EQ(pool.count(), 4u);
}

TEST(Pool, ANewObjectHasNothingOfTheOneBefore) {
  Pool<Thing> pool;
  Id<Thing> a = pool.New();
  pool[a].v = 5;
  pool.Delete(a);
  EXPECT_FALSE(pool.Has(a));
  EXPECT_EQ(pool[pool.New()].v, 0u);
}

TEST(Pool, UsingADeletedObjectIsABug) {
  Pool<Thing> pool;
  Id<Thing> a = pool.New();
  pool.Delete(a);
  EXPECT_THROW(pool[a].v = 1, KernelBug);
  EXPECT_THROW(pool.Delete(a), KernelBug);
  EXPECT_THROW((void)std::as_const(pool)[Id<Thing>()], KernelBug);
}

TEST(Pool, ForEachVisitsTheLivingLowestFirst) {
  Pool<Thing> pool;
  std::vector<Id<Thing>> ids;
  for (int i = 0; i < 50; i++) ids.push_back(pool.New());
  for (int i = 0; i < 50; i += 3) pool.Delete(ids[i]);
  std::vector<uint32_t> seen;
  pool.ForEach([&](Id<Thing> id, const Thing&) { seen.push_back(id.value()); });
  EXPECT_EQ(seen.size(), pool.count());
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(seen.front(), 2u);
}

TEST(Pool, CopiesAllocateTheSameIdsIndependently) {
  Pool<Thing> a;
  Id<Thing> first = a.New();
  Pool<Thing> b = a;
  Id<Thing> in_a = a.New(), in_b = b.New();
  EXPECT_EQ(in_a, in_b);
  a[in_a].v = 1;
  b[in_b].v = 2;
  a[first].v = 3;
  EXPECT_EQ(a[in_a].v, 1u);
  EXPECT_EQ(b[first].v, 0u);
}

}  // namespace
}  // namespace faultline
