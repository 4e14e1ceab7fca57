// Models mm/slab_common.c (v6.18): create_kmalloc_caches(),
// kmem_cache_create(), find_mergeable(), kmem_cache_destroy(); mm/slub.c:
// kfree(), free_large_kmalloc(), ___kmalloc_large_node(), __kmem_cache_alias().
// Departures: D40 (the kernel's own objects are in no slab), D41 (a bad pointer
// is noticed at once), D43 (names are unique; a cache with objects stays).
#include "server/machine/mm/slab_common.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "server/machine/mm/gfp.h"
#include "server/machine/mm/kernel_report.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/show_mem.h"
#include "server/machine/mm/slub.h"
#include "server/machine/mm/slub_geometry.h"
#include "server/machine/mm/slub_report.h"

namespace faultline {
namespace {

constexpr uint64_t kSizes[] = {0,   96,  192, 8,    16,   32,   64,
                               128, 256, 512, 1024, 2048, 4096, 8192};

std::string KmallocName(KmallocType type, uint64_t size) {
  constexpr const char* kPrefix[] = {"kmalloc-", "kmalloc-cg-", "kmalloc-rcl-",
                                     "dma-kmalloc-"};
  const std::string prefix = kPrefix[static_cast<int>(type)];
  return size < 1024 ? prefix + std::to_string(size)
                     : prefix + std::to_string(size / 1024) + "k";
}

// __kmalloc_minalign(): 6.1 aligns what is a power of two to itself, 6.18 the
// rest to their largest power of two.
uint64_t KmallocAlign(const MachineConfig& config, uint64_t size) {
  const uint64_t power = size & -size;
  const bool whole = power == size;
  return whole || config.personality != Personality::kLinux61 ? power : 0;
}

Id<KmemCache> AddCache(Slub& slub, const MachineConfig& config,
                       std::string name, const SlabRequest& request) {
  const Id<KmemCache> id = slub.caches.New();
  KmemCache& s = slub.caches[id];
  s.name = std::move(name);
  s.flags = request.flags;
  s.geometry = CalculateSizes(config, request);
  s.refcount = 1;
  s.next = std::exchange(slub.newest, id);
  return id;
}

void NewKmallocCache(Slub& slub, const Kernel& k, KmallocType type, int index) {
  uint64_t flags = slab_flag::kKmalloc | k.sysctl.slub_debug;
  if (type == KmallocType::kDma) flags |= slab_flag::kCacheDma;
  if (type == KmallocType::kReclaim) flags |= slab_flag::kReclaimAccount;
  if (type == KmallocType::kCgroup) flags |= slab_flag::kAccount;
  const uint64_t size = kSizes[index];
  slub.kmalloc[static_cast<int>(type)][index] =
      AddCache(slub, k.config, KmallocName(type, size),
               {.object_size = size,
                .align = KmallocAlign(k.config, size),
                .flags = flags});
}

// The order in which boot makes them, which slabinfo shows from its end: 6.1
// makes 96 behind 64 and 192 behind 128, 6.18 both first.
void NewKmallocFamily(Slub& slub, const Kernel& k, KmallocType type) {
  constexpr int k96 = 1, k192 = 2, k64 = 6, k128 = 7;
  const bool old = k.config.personality == Personality::kLinux61;
  if (!old) {
    NewKmallocCache(slub, k, type, k96);
    NewKmallocCache(slub, k, type, k192);
  }
  for (int i = kKmallocShiftLow; i <= kKmallocShiftHigh; i++) {
    NewKmallocCache(slub, k, type, i);
    if (old && i == k64) NewKmallocCache(slub, k, type, k96);
    if (old && i == k128) NewKmallocCache(slub, k, type, k192);
  }
}

// kmalloc_type()
KmallocType TypeOf(uint32_t gfp) {
  if (gfp & gfp::kDma) return KmallocType::kDma;
  if (gfp & gfp::kReclaimable) return KmallocType::kReclaim;
  if (gfp & gfp::kAccount) return KmallocType::kCgroup;
  return KmallocType::kNormal;
}

// ___kmalloc_large_node(): whole pages, which count as a slab's.
ErrnoOr<uint64_t> KmallocLarge(Kernel& k, uint64_t size, uint32_t gfp) {
  const int order = GetOrder(size);
  gfp = (gfp | gfp::kComp) & ~(gfp::kHighMem | gfp::kDma32);
  const Pfn pfn = AllocPages(k, gfp, order);
  if (!pfn.valid()) {
    ReportAllocFailure(k, gfp, static_cast<uint32_t>(order));
    return Errno::kENOMEM;
  }
  for (uint64_t i = 0; i < uint64_t{1} << order; i++) {
    Page& page = k.page(pfn + PageCount(i));
    page.flags |= page_flag::kLargeKmalloc;
    page.mapping = pfn.value();
  }
  k.vmstat.node[kNrSlabUnreclaimable] += int64_t{1} << order;
  return VirtOf(k, pfn);
}

void FreeLarge(Kernel& k, Pfn head) {
  const int order = std::as_const(k).page(head).order;
  k.vmstat.node[kNrSlabUnreclaimable] -= int64_t{1} << order;
  FreePages(k, head, order);
}

// slab_unmergeable()
bool Unmergeable(const KmemCache& s) {
  return s.Has(slab_flag::kNeverMerge | slab_flag::kKmalloc);
}

// find_mergeable(): the oldest that serves as well.
Id<KmemCache> FindMergeable(const Kernel& k, const SlabRequest& r) {
  const Slub& slub = k.slub;
  if (r.flags & slab_flag::kNeverMerge) return {};
  const uint64_t word = PointerBytes(k);
  uint64_t size = (r.object_size + word - 1) & ~(word - 1);
  const uint64_t align = CalculateAlignment(k.config, r.flags, r.align, size);
  size = (size + align - 1) & ~(align - 1);
  Id<KmemCache> found;
  for (Id<KmemCache> id = slub.newest; id; id = slub.caches[id].next) {
    const KmemCache& s = slub.caches[id];
    const bool same = ((r.flags ^ s.flags) & slab_flag::kMergeSame) == 0;
    if (Unmergeable(s) || !same || size > s.geometry.size) continue;
    if (s.geometry.size % align != 0 || s.geometry.size - size >= word)
      continue;
    found = id;
  }
  return found;
}

// __kmem_cache_alias()
void AddAlias(Kernel& k, Id<KmemCache> id, const KmemCacheCreate& call) {
  KmemCache& s = k.slub.caches[id];
  s.refcount++;
  s.aliases.push_back(call.name);
  const auto size = static_cast<uint32_t>(call.size);
  const auto word = static_cast<uint32_t>(PointerBytes(k));
  s.geometry.object_size = std::max(s.geometry.object_size, size);
  s.geometry.inuse =
      std::max(s.geometry.inuse, (size + word - 1) & ~(word - 1));
}

// What kmem_cache_create() says when it cannot.
Errno CreateFails(Kernel& k, const KmemCacheCreate& call, Errno error) {
  const std::string number = std::to_string(static_cast<int>(error));
  if (call.flags & slab_flag::kPanic) {
    k.Emit(EventLevel::kFaults,
           Console{"Kernel panic - not syncing: __kmem_cache_create_args: "
                   "Failed to create slab '" +
                   call.name + "'. Error -" + number + "\n"});
  } else {
    k.Emit(EventLevel::kFaults,
           Console{"__kmem_cache_create_args(" + call.name +
                   ") failed with error -" + number + "\n"});
  }
  return error;
}

uint64_t CountNames(const Slub& slub) {
  uint64_t names = 0;
  for (Id<KmemCache> id = slub.newest; id; id = slub.caches[id].next) {
    names += 1 + slub.caches[id].aliases.size();
  }
  return names;
}

void Unlink(Slub& slub, Id<KmemCache> id) {
  Id<KmemCache>* at = &slub.newest;
  while (*at != id) at = &slub.caches[*at].next;
  *at = slub.caches[id].next;
}

}  // namespace

Slub BootSlub(const Kernel& k) {
  Slub slub;
  slub.up = true;
  const bool old = k.config.personality == Personality::kLinux61;
  constexpr KmallocType k61[] = {KmallocType::kNormal, KmallocType::kCgroup,
                                 KmallocType::kReclaim, KmallocType::kDma};
  constexpr KmallocType k618[] = {KmallocType::kNormal, KmallocType::kReclaim,
                                  KmallocType::kDma, KmallocType::kCgroup};
  for (KmallocType type : old ? k61 : k618) NewKmallocFamily(slub, k, type);
  return slub;
}

Id<KmemCache> KmallocSlab(const Slub& slub, uint64_t size, uint32_t gfp) {
  constexpr uint64_t k64 = 64, k96 = 96, k128 = 128, k192 = 192;
  int index;
  if (size > k64 && size <= k96) {
    index = 1;
  } else if (size > k128 && size <= k192) {
    index = 2;
  } else {
    const int log = size <= 1 ? 0 : 64 - __builtin_clzll(size - 1);
    index = std::max(log, kKmallocShiftLow);
  }
  return slub.kmalloc[static_cast<int>(TypeOf(gfp))][index];
}

Id<KmemCache> FindCache(const Slub& slub, std::string_view name) {
  for (Id<KmemCache> id = slub.newest; id; id = slub.caches[id].next) {
    const KmemCache& s = slub.caches[id];
    if (s.name == name) return id;
    if (std::find(s.aliases.begin(), s.aliases.end(), name) !=
        s.aliases.end()) {
      return id;
    }
  }
  return {};
}

ErrnoOr<uint64_t> DoKmalloc(Kernel& k, uint64_t size, uint32_t gfp) {
  SlubUp(k);
  if (size == 0) return kZeroSizePtr;
  if (size > kKmallocMaxCacheSize) return KmallocLarge(k, size, gfp);
  const Id<KmemCache> id = KmallocSlab(std::as_const(k.slub), size, gfp);
  const uint64_t object = SlabAlloc(k, id, gfp, size, SlabCaller::kKmalloc);
  if (object == 0) return Errno::kENOMEM;
  return object;
}

Errno DoKfree(Kernel& k, uint64_t addr) {
  if (addr <= kZeroSizePtr) return Errno::kOk;
  const Pfn pfn = VirtToPfn(k, addr);
  if (!pfn.valid()) {
    k.Emit(EventLevel::kFaults, Console{KernelFaultReport(k, addr, false)});
    return Errno::kEFAULT;
  }
  const Page& page = std::as_const(k).page(pfn);
  if (page.Is(page_flag::kSlab)) {
    return SlabFree(k, Id<Slab>(page.mapping), addr, SlabCaller::kKfree);
  }
  // Any address of them does, as in Linux.
  if (page.Is(page_flag::kLargeKmalloc)) {
    FreeLarge(k, Pfn(page.mapping));
    return Errno::kOk;
  }
  k.Emit(EventLevel::kFaults,
         Console{DumpPage(k, pfn, page, "Not a kmalloc allocation")});
  return Errno::kEINVAL;
}

Errno DoKmemCacheCreate(Kernel& k, const KmemCacheCreate& call) {
  SlubUp(k);
  const bool bad_align =
      (call.align & (call.align - 1)) != 0 || call.align > kPageSize;
  if (call.name.empty() || call.size == 0 || call.size > kKmallocMaxSize ||
      bad_align || (call.flags & ~slab_flag::kPermitted) != 0) {
    return CreateFails(k, call, Errno::kEINVAL);
  }
  if (FindCache(std::as_const(k.slub), call.name)) {
    return CreateFails(k, call, Errno::kEEXIST);
  }
  const SlabRequest request{.object_size = call.size,
                            .align = call.align,
                            .flags = call.flags | k.sysctl.slub_debug};
  if (CountNames(std::as_const(k.slub)) >= kCacheNamesMax) {
    return CreateFails(k, call, Errno::kENOMEM);
  }
  if (const Id<KmemCache> id = FindMergeable(std::as_const(k), request)) {
    AddAlias(k, id, call);
    return Errno::kOk;
  }
  // What its red zones and tracks leave no room for.
  if (CalculateSizes(k.config, request).order > kMaxPageOrder) {
    return CreateFails(k, call, Errno::kEINVAL);
  }
  AddCache(k.slub, k.config, call.name, request);
  return Errno::kOk;
}

ErrnoOr<uint64_t> DoKmemCacheAlloc(Kernel& k, const std::string& name,
                                   uint32_t gfp) {
  SlubUp(k);
  const Id<KmemCache> id = FindCache(std::as_const(k.slub), name);
  if (!id) return Errno::kENOENT;
  const uint64_t size = std::as_const(k.slub.caches)[id].geometry.object_size;
  const uint64_t object =
      SlabAlloc(k, id, gfp, size, SlabCaller::kKmemCacheAlloc);
  if (object == 0) return Errno::kENOMEM;
  return object;
}

Errno DoKmemCacheFree(Kernel& k, const std::string& name, uint64_t addr) {
  SlubUp(k);
  const Id<KmemCache> id = FindCache(std::as_const(k.slub), name);
  if (!id) return Errno::kENOENT;
  const Pfn pfn = VirtToPfn(k, addr);
  const Id<Slab> slab = pfn.valid() ? SlabOfPage(k, pfn) : Id<Slab>();
  if (!slab) {
    if (!pfn.valid()) {
      k.Emit(EventLevel::kFaults, Console{KernelFaultReport(k, addr, false)});
      return Errno::kEFAULT;
    }
    k.Emit(EventLevel::kFaults, Console{"virt_to_cache: Object is not a Slab "
                                        "page!\n"});
    return Errno::kEINVAL;
  }
  // cache_from_obj(): it is freed all the same, to whom it belongs.
  const Id<KmemCache> owner = std::as_const(k.slub.slabs)[slab].cache;
  if (owner != id) {
    const auto& caches = std::as_const(k.slub.caches);
    k.Emit(EventLevel::kFaults,
           Console{"cache_from_obj: Wrong slab cache. " + caches[id].name +
                   " but object is from " + caches[owner].name + "\n"});
  }
  return SlabFree(k, slab, addr, SlabCaller::kKmemCacheFree);
}

ErrnoOr<uint64_t> DoKmemCacheShrink(Kernel& k, const std::string& name) {
  SlubUp(k);
  const Id<KmemCache> id = FindCache(std::as_const(k.slub), name);
  if (!id) return Errno::kENOENT;
  return uint64_t{ShrinkCache(k, id) ? 1u : 0u};
}

Errno DoKmemCacheDestroy(Kernel& k, const std::string& name) {
  SlubUp(k);
  const Id<KmemCache> id = FindCache(std::as_const(k.slub), name);
  if (!id) return Errno::kENOENT;
  KmemCache& s = k.slub.caches[id];
  if (s.Has(slab_flag::kKmalloc)) return Errno::kEBUSY;
  if (s.refcount > 1) {
    s.refcount--;
    if (s.name == name) s.name = std::exchange(s.aliases.front(), s.name);
    std::erase(s.aliases, name);
    return Errno::kOk;
  }
  if (!ShutdownCache(k, id)) return Errno::kEBUSY;
  Unlink(k.slub, id);
  k.slub.caches.Delete(id);
  return Errno::kOk;
}

}  // namespace faultline
