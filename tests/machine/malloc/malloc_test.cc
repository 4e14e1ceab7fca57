// The allocator of a simulated program. That it gives glibc's addresses and
// faults is tested against the real one (tests/native/malloc); here is what one
// sees of it: first use, thresholds, lists of chunks, damage.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "server/machine/malloc/heap_view.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr int32_t kMxfast = 1, kTopPad = -2, kMmapThreshold = -3, kMmapMax = -4;

class MallocTest : public ::testing::Test {
 protected:
  uint64_t New(uint64_t size, Pid pid = 1) {
    return static_cast<uint64_t>(s_.Do(Malloc{size}, pid).value);
  }
  Outcome Delete(uint64_t mem, Pid pid = 1) { return s_.Do(Free{mem}, pid); }
  void Poke(uint64_t addr, uint8_t byte) {
    s_.Do(Access{AccessKind::kWrite, addr, 1, 1, byte});
  }
  const MallocState& heap(Pid pid = 1) const {
    return s_.kernel().heaps[s_.mm(pid).heap];
  }
  uint64_t start() const { return s_.mm().start_brk.value(); }
  uint64_t brk() const { return s_.mm().brk - s_.mm().start_brk; }

  // All chunks; the heap's must follow each other without a gap.
  std::vector<ChunkView> Chunks(Pid pid = 1) {
    std::vector<ChunkView> chunks;
    HeapWalk walk(s_.kernel(), s_.mm(pid), 0);
    while (auto chunk = walk.Next()) chunks.push_back(*chunk);
    EXPECT_EQ(walk.problem(), "");
    return chunks;
  }
  ChunkState StateOf(uint64_t mem) {
    for (const ChunkView& chunk : Chunks()) {
      if (chunk.mem == mem) return chunk.state;
    }
    ADD_FAILURE() << "no chunk at " << std::hex << mem;
    return ChunkState::kFence;
  }

  Sim s_;
};

TEST_F(MallocTest, TheFirstCallMakesAHeapOf132KiB) {
  EXPECT_FALSE(s_.mm().heap);
  const uint64_t mem = New(24);
  EXPECT_EQ(brk(), 132u << 10);
  // The cache of the thread is the heap's first chunk, 0x290 bytes.
  EXPECT_EQ(mem, start() + 0x290 + 16);
  EXPECT_EQ(heap().tcache, start() + 16);
  EXPECT_EQ(s_.mm().map_count, 2u);
  const auto chunks = Chunks();
  ASSERT_EQ(chunks.size(), 3u);
  EXPECT_EQ(chunks[0].size, 0x290u);
  EXPECT_EQ(chunks[1].size, 32u);
  EXPECT_EQ(chunks[2].state, ChunkState::kTop);
  EXPECT_EQ(chunks[2].size, (132u << 10) - 0x290 - 32);
}

TEST_F(MallocTest, MemoryIsTouchedOnlyWhereTheAllocatorWrites) {
  const Outcome first = s_.Do(Malloc{24});
  EXPECT_EQ(first.min_flt, 1u);
  // The header behind a large chunk is one more page; what is between is not.
  const Outcome large = s_.Do(Malloc{50000});
  EXPECT_EQ(large.min_flt, 1u);
  EXPECT_EQ(s_.mm().Rss(kRssAnon), 3u) << "two of the heap, one of the stack";
}

TEST_F(MallocTest, LargeRequestsAreMappingsAndRaiseTheThreshold) {
  New(24);
  const uint64_t mem = New(200 << 10);
  EXPECT_EQ(StateOf(mem), ChunkState::kMmapped);
  EXPECT_EQ(heap().n_mmaps, 1u);
  EXPECT_EQ(mem & 0xfff, 16u);
  Delete(mem);
  EXPECT_EQ(heap().n_mmaps, 0u);
  EXPECT_EQ(heap().mmap_threshold, (200u << 10) + 4096);
  EXPECT_EQ(heap().trim_threshold, 2 * heap().mmap_threshold);
  EXPECT_EQ(StateOf(New(200 << 10)), ChunkState::kInUse) << "from the heap now";
}

TEST_F(MallocTest, AFreeTopGoesBackAboveTheTrimThreshold) {
  std::vector<uint64_t> all;
  for (int i = 0; i < 20; i++) all.push_back(New(100 << 10));
  const uint64_t grown = brk();
  EXPECT_GT(grown, 20u * (100 << 10));
  for (uint64_t mem : all) Delete(mem);
  EXPECT_LT(brk(), 300u << 10);
  EXPECT_EQ(heap().system_mem, brk());
}

TEST_F(MallocTest, FreeChunksAreWhereGlibcHasThem) {
  std::vector<uint64_t> tiny, mid;
  for (int i = 0; i < 9; i++) tiny.push_back(New(40));
  for (int i = 0; i < 9; i++) mid.push_back(New(500));
  const uint64_t large = New(5000);
  New(24);  // keeps the top away
  for (uint64_t mem : tiny) Delete(mem);
  for (uint64_t mem : mid) Delete(mem);
  EXPECT_EQ(StateOf(tiny[6]), ChunkState::kTcache);
  EXPECT_EQ(StateOf(tiny[7]), ChunkState::kFastbin);
  EXPECT_EQ(StateOf(mid[0]), ChunkState::kTcache);
  EXPECT_EQ(StateOf(mid[7]), ChunkState::kUnsorted);
  Delete(large);  // joins the two free chunks below it
  const auto chunks = Chunks();
  EXPECT_TRUE(std::any_of(chunks.begin(), chunks.end(), [&](const auto& c) {
    return c.mem == mid[7] && c.size == 2 * 512 + 5008 &&
           c.state == ChunkState::kUnsorted;
  }));
  New(100000);  // sorts it
  EXPECT_EQ(StateOf(mid[7]), ChunkState::kLarge);
}

TEST_F(MallocTest, CallocClearsWhatWasUsedBefore) {
  const uint64_t mem = New(2000);
  New(24);
  for (uint64_t i = 0; i < 2000; i += 100) Poke(mem + i, 7);
  Delete(mem);
  const auto again = static_cast<uint64_t>(s_.Do(Calloc{2, 1000}).value);
  EXPECT_EQ(again, mem);
  for (uint64_t i = 0; i < 2000; i += 100) {
    EXPECT_EQ(s_.Do(Access{AccessKind::kRead, mem + i, 1, 1, 0}).value, 0);
  }
}

TEST_F(MallocTest, ReallocKeepsTheBytes) {
  uint64_t mem = New(100);
  Poke(mem, 11);
  Poke(mem + 99, 12);
  New(24);
  for (uint64_t size : {50000, 400000, 800000, 120}) {
    mem = static_cast<uint64_t>(s_.Do(Realloc{mem, size}).value);
    EXPECT_EQ(s_.Do(Access{AccessKind::kRead, mem, 1, 1, 0}).value, 11) << size;
    EXPECT_EQ(s_.Do(Access{AccessKind::kRead, mem + 99, 1, 1, 0}).value, 12);
  }
  EXPECT_EQ(s_.Do(Realloc{mem, 0}).value, 0);
}

TEST_F(MallocTest, ImpossibleSizesAreEnomem) {
  for (uint64_t size : {~uint64_t{0}, uint64_t{1} << 63, uint64_t{1} << 46}) {
    const Outcome out = s_.Do(Malloc{size});
    EXPECT_EQ(out.error, Errno::kENOMEM) << size;
  }
  EXPECT_EQ(s_.Do(Calloc{uint64_t{1} << 33, uint64_t{1} << 33}).error,
            Errno::kENOMEM);
}

TEST_F(MallocTest, CallocRefusesImpossibleProductsBeforeThereIsAHeap) {
  const uint64_t kMax = ~uint64_t{0} >> 1;  // PTRDIFF_MAX
  const Calloc kRefused[] = {
      {1, ~uint64_t{0}}, {1, kMax + 1}, {2, kMax / 2 + 1}};
  for (const Calloc& call : kRefused) {
    EXPECT_EQ(s_.Do(call).error, Errno::kENOMEM)
        << call.count << " " << call.size;
    EXPECT_EQ(brk(), 0u) << call.size;
  }
  // The largest that can be asked for is nowhere to be had, but is looked for.
  EXPECT_EQ(s_.Do(Calloc{1, kMax}).error, Errno::kENOMEM);
  EXPECT_EQ(brk(), 132u << 10);
}

TEST_F(MallocTest, AChildHasItsOwnHeap) {
  const uint64_t mem = New(2000);
  const auto child = static_cast<Pid>(s_.Do(Fork{}).value);
  EXPECT_EQ(Delete(mem, child).signal.signal, 0);
  EXPECT_NE(StateOf(mem), ChunkState::kTop) << "the parent still has it";
  EXPECT_EQ(StateOf(mem), ChunkState::kInUse);
  EXPECT_EQ(New(2000, child), mem);
  EXPECT_EQ(s_.kernel().heaps.count(), 2u);
  s_.Do(Exit{0, true}, child);
  EXPECT_EQ(s_.kernel().heaps.count(), 1u);
}

TEST_F(MallocTest, BrkByOthersIsFencedOff) {
  New(1000);
  New(60 << 10);
  const uint64_t top = heap().words[0];
  s_.Do(Brk{s_.mm().brk.value() + 3 * kPageSize});
  const uint64_t mem = New(120 << 10);
  EXPECT_EQ(mem, start() + (132 << 10) + 3 * kPageSize + 16);
  EXPECT_NE(heap().words[0], top);
  const auto chunks = Chunks();
  EXPECT_EQ(std::count_if(
                chunks.begin(), chunks.end(),
                [](const auto& c) { return c.state == ChunkState::kFence; }),
            2);
  EXPECT_EQ(chunks.back().state, ChunkState::kTop);
}

TEST_F(MallocTest, WhereBrkFailsTheHeapGoesOnInAMapping) {
  New(1000);
  New(60 << 10);
  s_.Do(Mmap{s_.mm().brk.value(), kPageSize, kR, 0x32, -1, 0});
  const uint64_t mem = New(120 << 10);
  EXPECT_GT(mem, s_.mm().brk.value());
  EXPECT_EQ(StateOf(mem), ChunkState::kInUse);
  EXPECT_FALSE(heap().contiguous);
}

// The sizes of the mappings are those of glibc 2.36 (strace, Debian 12).
TEST_F(MallocTest, TheFirstMappingInPlaceOfBrkIsWholeMiB) {
  s_.Do(Mallopt{kTopPad, 1 << 20});
  s_.Do(Mmap{start() + kPageSize, kPageSize, kR, 0x32, -1, 0});
  // The thread's cache and the pad take 1 MiB and a page: 2 MiB are mapped.
  const uint64_t mem = New(1881487);
  EXPECT_EQ(heap().system_mem, 2u << 20);
  EXPECT_EQ(StateOf(mem), ChunkState::kInUse) << "there is room for it";
  EXPECT_EQ(mem & (kPageSize - 1), 0x290u + 16);
  EXPECT_EQ(heap().n_mmaps, 0u);
  EXPECT_EQ(brk(), 0u);
}

// What the old top had is added to whole pages, and then rounded again: 917504
// bytes of pad are 2 MiB although pad and request together are less than 1.
TEST_F(MallocTest, TheFirstMappingCountsTheOldTopAgain) {
  struct {
    int32_t pad;
    uint64_t mapped;
  } const kCases[] = {
      {0, 1 << 20}, {786432, 1 << 20}, {917504, 2 << 20}, {2097152, 3 << 20}};
  for (const auto& [pad, mapped] : kCases) {
    const auto child = static_cast<Pid>(s_.Do(Fork{}).value);
    New(100, child);
    s_.Do(Mallopt{kTopPad, pad}, child);
    s_.Do(Mmap{s_.mm(child).brk.value(), kPageSize, kR, 0x32, -1, 0}, child);
    New(130000, child);
    New(130000, child);
    EXPECT_EQ(heap(child).system_mem, (132u << 10) + mapped) << pad;
    s_.Do(Exit{0, true}, child);
  }
}

TEST_F(MallocTest, LaterMappingsInPlaceOfBrkAreWholePages) {
  New(100);
  s_.Do(Mallopt{kTopPad, 0});
  s_.Do(Mallopt{kMmapThreshold, 100000000});
  s_.Do(Mmap{s_.mm().brk.value(), kPageSize, kR, 0x32, -1, 0});
  uint64_t system_mem = heap().system_mem;
  struct {
    uint64_t size, mapped;
  } const kCases[] = {{1000000, 1 << 20},
                      {1048576, 1052672},
                      {5000000, 5001216},
                      {2000000, 2002944}};
  for (const auto& [size, mapped] : kCases) {
    EXPECT_EQ(StateOf(New(size)), ChunkState::kInUse) << size;
    EXPECT_EQ(heap().system_mem - system_mem, mapped) << size;
    system_mem = heap().system_mem;
  }
}

TEST_F(MallocTest, MalloptSetsWhatItNames) {
  EXPECT_EQ(s_.Do(Mallopt{kTopPad, 0}).value, 1);
  EXPECT_EQ(s_.Do(Mallopt{kMmapThreshold, 8192}).value, 1);
  EXPECT_EQ(s_.Do(Mallopt{kMxfast, 161}).value, 0) << "too large";
  New(24);
  EXPECT_EQ(brk(), kPageSize) << "no pad";
  const uint64_t mem = New(10000);
  EXPECT_EQ(StateOf(mem), ChunkState::kMmapped);
  Delete(mem);
  EXPECT_EQ(heap().mmap_threshold, 8192u) << "fixed from now on";
}

TEST_F(MallocTest, NoMmapThresholdIsTooLarge) {
  EXPECT_EQ(s_.Do(Mallopt{kMmapThreshold, (32 << 20) + 1}).value, 1);
  EXPECT_EQ(heap().mmap_threshold, (32u << 20) + 1);
  EXPECT_EQ(StateOf(New(32 << 20)), ChunkState::kMmapped)
      << "a header makes it larger";
  EXPECT_EQ(StateOf(New(31 << 20)), ChunkState::kInUse);
  EXPECT_EQ(s_.Do(Mallopt{kMmapThreshold, -1}).value, 1);
  EXPECT_EQ(StateOf(New(60 << 20)), ChunkState::kInUse);
}

TEST_F(MallocTest, FewerMappingsThanNoneAreNone) {
  EXPECT_EQ(s_.Do(Mallopt{kMmapMax, -1}).value, 1);
  EXPECT_EQ(StateOf(New(200000)), ChunkState::kInUse);
  EXPECT_EQ(heap().n_mmaps, 0u);
}

TEST_F(MallocTest, ThereIsNoSuchLibraryOnI386) {
  MachineConfig config;
  config.profile = Profile::kI386Pae;
  Sim s(config);
  EXPECT_EQ(s.Do(Malloc{10}).error, Errno::kENOSYS);
}

// --- Damage. Each case is a fresh process.

class DamagedHeap : public MallocTest {
 protected:
  void Dies(const Outcome& out, const std::string& message) {
    EXPECT_EQ(out.data, message + "\n");
    EXPECT_EQ(out.signal.signal, 6);
    EXPECT_TRUE(out.exited);
    EXPECT_FALSE(s_.kernel().pids.contains(1)) << "nobody waits for it";
  }
};

TEST_F(DamagedHeap, FreeOfWhatIsNoChunk) {
  const uint64_t mem = New(100);
  Dies(Delete(mem + 8), "free(): invalid pointer");
}

TEST_F(DamagedHeap, FreeOfTheMiddleOfZeros) {
  const uint64_t mem = New(100);
  Dies(Delete(mem + 32), "free(): invalid pointer");
}

TEST_F(DamagedHeap, DoubleFreeInTheCache) {
  const uint64_t mem = New(100);
  Delete(mem);
  Dies(Delete(mem), "free(): double free detected in tcache 2");
}

TEST_F(DamagedHeap, DoubleFreeOnTheFastList) {
  std::vector<uint64_t> all;
  for (int i = 0; i < 9; i++) all.push_back(New(40));
  for (int i = 0; i < 8; i++) Delete(all[i]);
  Dies(Delete(all[7]), "double free or corruption (fasttop)");
}

TEST_F(DamagedHeap, DoubleFreeOfALargeChunk) {
  const uint64_t mem = New(3000);
  New(24);
  Delete(mem);
  Dies(Delete(mem), "double free or corruption (!prev)");
}

TEST_F(DamagedHeap, DoubleFreeOfWhatBecameTheTop) {
  const uint64_t mem = New(3000);
  Delete(mem);
  Dies(Delete(mem), "double free or corruption (top)");
}

TEST_F(DamagedHeap, AnOverflowIntoTheTop) {
  const uint64_t mem = New(24);
  for (uint64_t i = 24; i < 32; i++) Poke(mem + i, 0xff);
  Dies(s_.Do(Malloc{5000}), "malloc(): corrupted top size");
}

TEST_F(DamagedHeap, AnOverflowIntoTheNextSize) {
  const uint64_t mem = New(3000), next = New(3000);
  New(24);
  Poke(next - 8, 0);
  Poke(next - 7, 0);
  Dies(Delete(mem), "double free or corruption (!prev)");
}

TEST_F(DamagedHeap, AWriteAfterFreeIntoTheList) {
  const uint64_t mem = New(3000);
  New(24);
  Delete(mem);
  Poke(mem + 8, 0x10);  // bk
  Dies(s_.Do(Malloc{3000}), "malloc(): unsorted double linked list corrupted");
}

TEST_F(DamagedHeap, APointerToNowhereIsASegfault) {
  New(24);
  const Outcome out = Delete(0x10000010);
  EXPECT_EQ(out.signal.signal, 11);
  EXPECT_FALSE(out.exited) << "as any access: D15";
}

TEST_F(DamagedHeap, ALoopForEverIsStopped) {
  // The sizes of a large bin are linked in a circle that never gets small
  // enough.
  const uint64_t a = New(5000);
  New(24);
  const uint64_t b = New(5000 - 32);
  New(24);
  const uint64_t c = New(5000 - 16);
  New(24);
  Delete(a);
  Delete(b);
  New(20000);  // sorts both into one bin, a before b
  const uint64_t self = a - 16;
  for (uint64_t i = 0; i < 8; i++) {
    Poke(a + 16 + i, static_cast<uint8_t>(self >> (8 * i)));  // fd_nextsize
  }
  Delete(c);
  const Outcome out = s_.Do(Malloc{20000});  // between a and b
  EXPECT_EQ(out.signal.signal, 24) << out.data;
}

TEST_F(MallocTest, AWalkShowsDamageAndEnds) {
  const uint64_t mem = New(24);
  New(24);
  for (uint64_t i = 24; i < 32; i++) Poke(mem + i, 0x88);
  HeapWalk walk(s_.kernel(), s_.mm(), 0);
  while (walk.Next()) {
  }
  EXPECT_NE(walk.problem(), "");
}

}  // namespace
}  // namespace faultline
