// kmalloc() and caches by name: where objects come from and go to, and what
// bad uses come to.
#include "server/machine/mm/slub.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/slab_common.h"
#include "server/machine/proc/proc.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint32_t kGfpKernel = gfp::kKernel;

class SlubTest : public ::testing::Test {
 protected:
  SlubTest() : s_(Config()) {}
  explicit SlubTest(const MachineConfig& config) : s_(config) {}
  static MachineConfig Config() {
    MachineConfig config;
    config.ram_bytes = uint64_t{64} << 20;
    return config;
  }

  uint64_t Alloc(uint64_t size, uint32_t gfp = kGfpKernel) {
    const Outcome out = s_.Do(Kmalloc{size, gfp}, 0);
    EXPECT_EQ(ResultOf(out), "OK") << size;
    return static_cast<uint64_t>(out.value);
  }
  std::string Free(uint64_t addr) {
    const Outcome out = s_.Do(Kfree{addr}, 0);
    log_ = Log(out);
    return ResultOf(out);
  }
  uint64_t AllocFrom(const std::string& cache) {
    const Outcome out = s_.Do(KmemCacheAlloc{cache, kGfpKernel}, 0);
    EXPECT_EQ(ResultOf(out), "OK") << cache;
    log_ = Log(out);
    return static_cast<uint64_t>(out.value);
  }
  std::string FreeTo(const std::string& cache, uint64_t addr) {
    const Outcome out = s_.Do(KmemCacheFree{cache, addr}, 0);
    log_ = Log(out);
    return ResultOf(out);
  }
  std::string Create(const std::string& name, uint64_t size, uint64_t align = 0,
                     uint64_t flags = 0) {
    const Outcome out = s_.Do(KmemCacheCreate{name, size, align, flags}, 0);
    log_ = Log(out);
    return ResultOf(out);
  }
  void Store(uint64_t addr, uint8_t value, uint64_t count = 1) {
    EXPECT_EQ(ResultOf(s_.Do(KernelAccess{.kind = AccessKind::kWrite,
                                          .addr = addr,
                                          .count = count,
                                          .stride = 1,
                                          .value = value},
                             0)),
              "OK");
  }
  uint8_t Load(uint64_t addr) const { return ReadByte(s_.kernel(), addr); }

  static std::string Log(const Outcome& out) {
    std::string log;
    for (const Event& e : out.events) {
      if (const auto* console = std::get_if<Console>(&e.body)) {
        log += console->msg;
      }
    }
    return log;
  }
  bool Logged(const std::string& text) const {
    return log_.find(text) != std::string::npos;
  }
  const KmemCache& Cache(const std::string& name) const {
    const Slub& slub = s_.kernel().slub;
    return slub.caches[FindCache(slub, name)];
  }
  const std::string& CacheOf(uint64_t addr) const {
    const Kernel& k = s_.kernel();
    const Id<Slab> slab = SlabOfPage(k, PfnOfVirt(k, addr));
    return k.slub.caches[k.slub.slabs[slab].cache].name;
  }
  std::string Proc(const std::string& path) const {
    return ReadProc(s_.kernel(), path).value();
  }

  Sim s_;
  std::string log_;
};

TEST_F(SlubTest, EachSizeHasItsClass) {
  const std::pair<uint64_t, const char*> kRows[] = {
      {1, "kmalloc-8"},     {8, "kmalloc-8"},     {9, "kmalloc-16"},
      {64, "kmalloc-64"},   {65, "kmalloc-96"},   {96, "kmalloc-96"},
      {97, "kmalloc-128"},  {129, "kmalloc-192"}, {193, "kmalloc-256"},
      {1025, "kmalloc-2k"}, {4097, "kmalloc-8k"}, {8192, "kmalloc-8k"},
  };
  for (const auto& [size, name] : kRows) {
    const uint64_t addr = Alloc(size);
    EXPECT_EQ(CacheOf(addr), name) << size;
    EXPECT_EQ(Free(addr), "OK");
  }
  EXPECT_EQ(Alloc(0), kZeroSizePtr);
  EXPECT_EQ(Free(kZeroSizePtr), "OK");
  EXPECT_EQ(Free(0), "OK");
}

TEST_F(SlubTest, TheContextChoosesTheFamily) {
  EXPECT_EQ(CacheOf(Alloc(64, kGfpKernel | gfp::kAccount)), "kmalloc-cg-64");
  EXPECT_EQ(CacheOf(Alloc(64, kGfpKernel | gfp::kReclaimable)),
            "kmalloc-rcl-64");
  const uint64_t dma = Alloc(64, kGfpKernel | gfp::kDma | gfp::kReclaimable);
  EXPECT_EQ(CacheOf(dma), "dma-kmalloc-64") << "DMA goes before the others";
  EXPECT_LT(dma - PageOffset(s_.kernel()), uint64_t{16} << 20);
  const std::string vmstat = Proc("/proc/vmstat");
  EXPECT_NE(vmstat.find("nr_slab_reclaimable 1\n"), std::string::npos);
  EXPECT_NE(vmstat.find("nr_slab_unreclaimable 2\n"), std::string::npos);
}

TEST_F(SlubTest, ObjectsOfASlabLieInARow) {
  const uint64_t first = Alloc(64);
  EXPECT_EQ(first % kPageSize, 0u);
  for (uint64_t i = 1; i < 64; i++) EXPECT_EQ(Alloc(64), first + i * 64);
  EXPECT_NE(Alloc(64) / kPageSize, first / kPageSize) << "the slab is full";
  // The one freed last comes first.
  EXPECT_EQ(Free(first + 128), "OK");
  EXPECT_EQ(Cache("kmalloc-64").cpu_partial_count, 1u);
}

TEST_F(SlubTest, TheFreePointerIsInTheObject) {
  const uint64_t a = Alloc(64), b = Alloc(64);
  EXPECT_EQ(Free(a), "OK");
  EXPECT_EQ(ReadPointer(s_.kernel(), a + 32), b + 64) << "what is next";
  EXPECT_EQ(Free(b), "OK");
  EXPECT_EQ(ReadPointer(s_.kernel(), b + 32), a);
  EXPECT_EQ(Alloc(64), b);
  EXPECT_EQ(Alloc(64), a);
}

TEST_F(SlubTest, LargeMemoryIsWholePages) {
  const uint64_t before = s_.free_pages();
  const uint64_t addr = Alloc(8193);
  EXPECT_EQ(s_.free_pages(), before - 4) << "12 KiB are an order-2 block";
  EXPECT_NE(Proc("/proc/meminfo").find("SUnreclaim:           16 kB"),
            std::string::npos);
  EXPECT_EQ(Free(addr + 5000), "OK") << "any address in it does";
  EXPECT_EQ(s_.free_pages(), before);
  const uint64_t most = Alloc(kKmallocMaxSize);
  EXPECT_EQ(s_.free_pages(), before - 1024);
  EXPECT_EQ(Free(most), "OK");
  const Outcome out = s_.Do(Kmalloc{kKmallocMaxSize + 1, kGfpKernel}, 0);
  EXPECT_EQ(ResultOf(out), "ENOMEM");
  EXPECT_EQ(Log(out),
            "WARNING: CPU: 0 PID: 0 at mm/page_alloc.c "
            "__alloc_frozen_pages_noprof\n");
}

TEST_F(SlubTest, ZeroedMemoryIsZero) {
  const uint64_t addr = Alloc(100);
  Store(addr, 0xff, 100);
  EXPECT_EQ(Free(addr), "OK");
  EXPECT_EQ(Alloc(100), addr);
  EXPECT_EQ(Load(addr), 0xff) << "kmalloc() clears nothing";
  EXPECT_EQ(Free(addr), "OK");
  EXPECT_EQ(Alloc(100, kGfpKernel | gfp::kZero), addr);
  for (uint64_t i = 0; i < 100; i++) EXPECT_EQ(Load(addr + i), 0) << i;
}

// Empty slabs stay until the node has min_partial of them.
TEST_F(SlubTest, EmptySlabsGoWhenTheNodeHasEnough) {
  std::vector<uint64_t> objects;
  constexpr uint64_t kSlabs = 40, kPerSlab = 8;  // of kmalloc-512
  for (uint64_t i = 0; i < kSlabs * kPerSlab; i++)
    objects.push_back(Alloc(512));
  EXPECT_EQ(Cache("kmalloc-512").nr_slabs, kSlabs);
  for (uint64_t object : objects) EXPECT_EQ(Free(object), "OK");
  const KmemCache& cache = Cache("kmalloc-512");
  EXPECT_EQ(cache.nr_partial, cache.geometry.min_partial);
  EXPECT_LT(cache.nr_slabs, kSlabs);
  const Outcome out = s_.Do(KmemCacheShrink{"kmalloc-512"}, 0);
  EXPECT_EQ(out.value, 0) << "none is left";
  EXPECT_EQ(Cache("kmalloc-512").nr_slabs, 0u);
}

TEST_F(SlubTest, ShrinkPutsTheFullestFirst) {
  std::vector<uint64_t> objects;
  for (int i = 0; i < 24; i++) objects.push_back(Alloc(512));
  for (int i : {0, 1, 2, 8, 16, 17}) {
    EXPECT_EQ(Free(objects[static_cast<size_t>(i)]), "OK");
  }
  EXPECT_EQ(s_.Do(KmemCacheShrink{"kmalloc-512"}, 0).value, 1);
  std::vector<uint32_t> left;
  const Slub& slub = s_.kernel().slub;
  for (Id<Slab> at = Cache("kmalloc-512").partial_head; at;
       at = slub.slabs[at].next) {
    left.push_back(slub.slabs[at].objects - slub.slabs[at].inuse);
  }
  EXPECT_EQ(left, (std::vector<uint32_t>{1, 2, 3}));
  EXPECT_EQ(Alloc(512), objects[8]) << "of the slab with one free object";
}

TEST_F(SlubTest, SlabinfoIsLinuxsText) {
  const std::string fresh = Proc("/proc/slabinfo");
  EXPECT_TRUE(
      fresh.starts_with("slabinfo - version: 2.1\n# name            "
                        "<active_objs> <num_objs> <objsize> "))
      << fresh;
  EXPECT_NE(fresh.find("kmalloc-64             0      0     64   64    1 : "
                       "tunables    0    0    0 : slabdata      0      0      "
                       "0\n"),
            std::string::npos);
  EXPECT_FALSE(s_.kernel().slub.up) << "looking makes nothing";
  Alloc(64);
  EXPECT_NE(Proc("/proc/slabinfo")
                .find("kmalloc-64            64     64     64   64    1 : "
                      "tunables    0    0    0 : slabdata      1      1      "
                      "0\n"),
            std::string::npos)
      << "the CPU's slab counts as used";
}

TEST_F(SlubTest, CachesByName) {
  EXPECT_EQ(Create("point", 24), "OK");
  EXPECT_EQ(Create("point", 40), "EEXIST");
  EXPECT_TRUE(Logged("__kmem_cache_create_args(point) failed with error -17"));
  const uint64_t a = AllocFrom("point");
  EXPECT_EQ(AllocFrom("point"), a + 24);
  EXPECT_EQ(FreeTo("point", a), "OK");
  EXPECT_EQ(AllocFrom("point"), a);
  EXPECT_EQ(ResultOf(s_.Do(KmemCacheAlloc{"line", kGfpKernel}, 0)), "ENOENT");
  EXPECT_EQ(Create("", 24), "EINVAL");
  EXPECT_EQ(Create("none", 0), "EINVAL");
  EXPECT_EQ(Create("huge", kKmallocMaxSize + 1), "EINVAL");
  EXPECT_EQ(Create("odd", 24, 24), "EINVAL");
  EXPECT_EQ(Create("flag", 24, 0, 1), "EINVAL");
  EXPECT_EQ(Create("must", 0, 0, slab_flag::kPanic), "EINVAL");
  EXPECT_TRUE(Logged("Kernel panic - not syncing"));
}

TEST_F(SlubTest, CachesThatServeAsWellAreMerged) {
  EXPECT_EQ(Create("one", 60), "OK");
  EXPECT_EQ(Create("two", 64), "OK");
  EXPECT_EQ(Cache("two").name, "one");
  EXPECT_EQ(Cache("one").refcount, 2);
  EXPECT_EQ(Cache("one").geometry.object_size, 64u);
  EXPECT_EQ(Create("reclaimed", 64, 0, slab_flag::kReclaimAccount), "OK");
  EXPECT_EQ(Cache("reclaimed").name, "reclaimed") << "they are counted apart";
  EXPECT_EQ(Create("poisoned", 64, 0, slab_flag::kPoison), "OK");
  EXPECT_EQ(Cache("poisoned").name, "poisoned");
  EXPECT_EQ(Create("aligned", 64, 0, slab_flag::kHwcacheAlign), "OK");
  EXPECT_EQ(Cache("aligned").name, "one") << "64 bytes are aligned anyway";
  EXPECT_EQ(Proc("/proc/slabinfo").find("two"), std::string::npos);
  // Each name goes on its own.
  const uint64_t object = AllocFrom("two");
  EXPECT_EQ(ResultOf(s_.Do(KmemCacheDestroy{"one"}, 0)), "OK");
  EXPECT_EQ(FreeTo("two", object), "OK");
  EXPECT_EQ(ResultOf(s_.Do(KmemCacheDestroy{"two"}, 0)), "OK");
  EXPECT_EQ(ResultOf(s_.Do(KmemCacheDestroy{"aligned"}, 0)), "OK");
  EXPECT_EQ(ResultOf(s_.Do(KmemCacheDestroy{"aligned"}, 0)), "ENOENT");
}

TEST_F(SlubTest, ACacheWithObjectsStays) {
  EXPECT_EQ(Create("busy", 256, 0, slab_flag::kNoMerge), "OK");
  const uint64_t object = AllocFrom("busy");
  const Outcome out = s_.Do(KmemCacheDestroy{"busy"}, 0);
  EXPECT_EQ(ResultOf(out), "EBUSY");
  EXPECT_NE(Log(out).find("BUG busy (Not tainted): Objects remaining on "
                          "__kmem_cache_shutdown()"),
            std::string::npos);
  EXPECT_NE(Log(out).find("@offset=0"), std::string::npos);
  EXPECT_EQ(FreeTo("busy", object), "OK");
  EXPECT_EQ(ResultOf(s_.Do(KmemCacheDestroy{"busy"}, 0)), "OK");
  EXPECT_EQ(ResultOf(s_.Do(KmemCacheDestroy{"kmalloc-64"}, 0)), "EBUSY");
}

TEST_F(SlubTest, BadPointersAreReportedAndRefused) {
  const uint64_t a = Alloc(64);
  EXPECT_EQ(Free(a + 8), "EINVAL");
  EXPECT_TRUE(Logged("BUG kmalloc-64 (Not tainted): Invalid object pointer 0x"))
      << log_;
  EXPECT_TRUE(Logged("FIX kmalloc-64: Object at 0x"));
  EXPECT_EQ(Free(a), "OK");
  EXPECT_EQ(Free(a), "EINVAL");
  EXPECT_TRUE(
      Logged("BUG kmalloc-64 (Tainted: G    B              ): Object "
             "already free"))
      << log_;
  // A page that nobody got from kmalloc().
  struct AllocPages pages;
  pages.gfp = kGfpKernel;
  const auto pfn = static_cast<uint64_t>(s_.Do(pages, 0).value);
  EXPECT_EQ(Free(PageOffset(s_.kernel()) + pfn * kPageSize), "EINVAL");
  EXPECT_TRUE(Logged("page dumped because: Not a kmalloc allocation"));
  // No page at all.
  EXPECT_EQ(Free(0xffffc90000000000), "EFAULT");
  EXPECT_TRUE(
      Logged("BUG: unable to handle page fault for address: "
             "ffffc90000000000"));
}

TEST_F(SlubTest, AnObjectGoesToWhomItBelongs) {
  EXPECT_EQ(Create("mine", 48, 0, slab_flag::kNoMerge), "OK");
  EXPECT_EQ(Create("yours", 48, 0, slab_flag::kNoMerge), "OK");
  const uint64_t object = AllocFrom("mine");
  EXPECT_EQ(FreeTo("yours", object), "OK");
  EXPECT_TRUE(
      Logged("cache_from_obj: Wrong slab cache. yours but object is "
             "from mine"));
  EXPECT_EQ(AllocFrom("mine"), object);
}

// A store into a free object damages the chain, and whoever takes the object
// finds out.
TEST_F(SlubTest, ADamagedChainIsGivenUp) {
  const uint64_t a = Alloc(64), b = Alloc(64);
  EXPECT_EQ(Free(a), "OK");
  Store(a + 32, 0x41, 8);
  const Outcome out = s_.Do(Kmalloc{64, kGfpKernel}, 0);
  EXPECT_EQ(static_cast<uint64_t>(out.value), a);
  EXPECT_NE(Log(out).find("Freechain corrupt"), std::string::npos);
  EXPECT_NE(Log(out).find("Isolate corrupted freechain"), std::string::npos);
  EXPECT_NE(Alloc(64) / kPageSize, a / kPageSize) << "the rest is lost";
  EXPECT_EQ(Free(b), "OK");
  EXPECT_EQ(Free(a), "OK");
}

class DebugSlubTest : public SlubTest {
 protected:
  DebugSlubTest() : SlubTest(DebugConfig()) {}
  static MachineConfig DebugConfig() {
    MachineConfig config = Config();
    config.sysctls = {{"slub_debug", slab_flag::kDebug}};  // FZPU
    return config;
  }
};

TEST_F(DebugSlubTest, AnOverflowIsFoundWhenTheObjectIsFreed) {
  const uint64_t a = Alloc(64);
  EXPECT_EQ(Load(a + 64), 0xcc) << "the right red zone";
  EXPECT_EQ(Load(a - 1), 0xcc) << "the left one";
  Store(a + 64, 0x41);
  EXPECT_EQ(Free(a), "EINVAL");
  EXPECT_TRUE(Logged("[Right Redzone overwritten] 0x")) << log_;
  EXPECT_TRUE(Logged(". First byte 0x41 instead of 0xcc"));
  EXPECT_TRUE(Logged("BUG kmalloc-64 (Not tainted): Object corrupt"));
  EXPECT_TRUE(Logged("Allocated in kmalloc age=0 cpu=0 pid=0"));
  EXPECT_TRUE(Logged("FIX kmalloc-64: Restoring Right Redzone 0x"));
  EXPECT_TRUE(Logged("FIX kmalloc-64: Object at 0x"));
  EXPECT_EQ(Free(a), "OK") << "it was mended";
}

TEST_F(DebugSlubTest, AnUnderflowIsFoundToo) {
  const uint64_t a = Alloc(128);
  Store(a - 3, 7);
  EXPECT_EQ(Free(a), "EINVAL");
  EXPECT_TRUE(Logged("[Left Redzone overwritten] 0x")) << log_;
}

TEST_F(DebugSlubTest, WhatWasNotAskedForIsARedZoneToo) {
  const uint64_t a = Alloc(50);
  EXPECT_EQ(Load(a + 50), 0xcc);
  Store(a + 50, 1);
  EXPECT_EQ(Free(a), "EINVAL");
  EXPECT_TRUE(Logged("[kmalloc Redzone overwritten] 0x")) << log_;
}

TEST_F(DebugSlubTest, UseAfterFreeIsFoundWhenTheObjectIsTaken) {
  const uint64_t a = Alloc(64);
  EXPECT_EQ(Free(a), "OK");
  for (uint64_t i = 0; i < 63; i++) EXPECT_EQ(Load(a + i), 0x6b) << i;
  EXPECT_EQ(Load(a + 63), 0xa5);
  Store(a + 10, 0x42);
  const Outcome out = s_.Do(Kmalloc{64, kGfpKernel}, 0);
  EXPECT_EQ(ResultOf(out), "OK");
  EXPECT_NE(static_cast<uint64_t>(out.value) / kPageSize, a / kPageSize)
      << "nothing of that slab is used any more";
  log_ = Log(out);
  EXPECT_TRUE(Logged("[Poison overwritten] 0x")) << log_;
  EXPECT_TRUE(Logged("First byte 0x42 instead of 0x6b"));
  EXPECT_TRUE(Logged("Freed in kfree age=0 cpu=0 pid=0"));
  EXPECT_TRUE(Logged("FIX kmalloc-64: Marking all objects used"));
}

TEST_F(DebugSlubTest, ADoubleFreeIsRefused) {
  const uint64_t a = Alloc(64);
  EXPECT_EQ(Free(a), "OK");
  EXPECT_EQ(Free(a), "EINVAL");
  EXPECT_TRUE(Logged("BUG kmalloc-64 (Not tainted): Object already free"));
}

TEST_F(DebugSlubTest, TheReportShowsTheBytes) {
  const uint64_t a = Alloc(64);
  Store(a, 'h');
  Store(a + 1, 'i');
  Store(a + 64, 0);
  EXPECT_EQ(Free(a), "EINVAL");
  EXPECT_TRUE(
      Logged(": 68 69 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b  "
             "hikkkkkkkkkkkkkk\n"))
      << log_;
  EXPECT_TRUE(
      Logged(": 00 cc cc cc cc cc cc cc                          "
             "........\n"))
      << log_;
}

TEST_F(DebugSlubTest, SlabsThatNobodyDamagedAreFreedInSilence) {
  std::vector<uint64_t> objects;
  for (int i = 0; i < 300; i++) objects.push_back(Alloc(200));
  for (uint64_t object : objects) {
    EXPECT_EQ(Free(object), "OK");
    EXPECT_EQ(log_, "");
  }
  EXPECT_EQ(s_.Do(KmemCacheShrink{"kmalloc-256"}, 0).value, 0);
}

TEST_F(SlubTest, Linux61NamesTheDamageInTheHeading) {
  MachineConfig config = Config();
  config.personality = Personality::kLinux61;
  Sim s(config);
  s.Do(KmemCacheCreate{"guarded", 32, 0, slab_flag::kDebug}, 0);
  const auto object = static_cast<uint64_t>(
      s.Do(KmemCacheAlloc{"guarded", kGfpKernel}, 0).value);
  s.Do(KernelAccess{.kind = AccessKind::kWrite, .addr = object + 32}, 0);
  const Outcome out = s.Do(KmemCacheFree{"guarded", object}, 0);
  EXPECT_EQ(ResultOf(out), "EINVAL");
  EXPECT_NE(Log(out).find("BUG guarded (Not tainted): Right Redzone "
                          "overwritten\n"),
            std::string::npos)
      << Log(out);
}

TEST(SlubI386, PointersAreFourBytes) {
  MachineConfig config;
  config.profile = Profile::kI386Pae;
  config.ram_bytes = uint64_t{64} << 20;
  Sim s(config);
  auto alloc = [&] {
    return static_cast<uint64_t>(s.Do(Kmalloc{32, kGfpKernel}, 0).value);
  };
  const uint64_t a = alloc(), b = alloc();
  EXPECT_GE(a, 0xc0000000u);
  EXPECT_EQ(ResultOf(s.Do(Kfree{a}, 0)), "OK");
  EXPECT_EQ(ResultOf(s.Do(Kfree{b}, 0)), "OK");
  EXPECT_EQ(ReadPointer(s.kernel(), b + 16), a);
}

// A saved machine goes on as it would have.
TEST_F(SlubTest, SlabsAreSaved) {
  std::vector<uint64_t> objects;
  for (int i = 0; i < 100; i++) objects.push_back(Alloc(96));
  for (int i = 0; i < 100; i += 3) Free(objects[static_cast<size_t>(i)]);
  Sim copy(Machine::Load(s_.machine().Save()));
  EXPECT_EQ(copy.machine().Fingerprint(), s_.machine().Fingerprint());
  EXPECT_EQ(copy.Do(Kmalloc{96, kGfpKernel}, 0).value,
            static_cast<int64_t>(Alloc(96)));
}

TEST_F(SlubTest, BootCostsNothing) {
  EXPECT_FALSE(s_.kernel().slub.up);
  EXPECT_EQ(s_.kernel().slub.caches.count(), 0u);
}

}  // namespace
}  // namespace faultline
