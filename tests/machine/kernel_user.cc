#include "tests/machine/kernel_user.h"

#include <gtest/gtest.h>

#include <utility>

#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/kernel_tables.h"
#include "server/machine/mm/pcp.h"
#include "server/machine/mm/slab_common.h"
#include "server/machine/mm/vmap_area.h"
#include "server/machine/verify/free_areas.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

template <class T>
T TakeOne(std::vector<T>& list, uint64_t which) {
  const T item = std::exchange(list[which], list.back());
  list.pop_back();
  return item;
}

}  // namespace

std::vector<std::pair<uint32_t, uint32_t>> FreeRunsDrained(const Kernel& k) {
  Kernel drained = k;
  DrainAllPages(drained);
  std::vector<std::pair<uint32_t, uint32_t>> runs;
  for (auto [first, end] : FreeRuns(drained)) {
    if (!runs.empty() && runs.back().second == first) {
      runs.back().second = end;
    } else {
      runs.push_back({first, end});
    }
  }
  return runs;
}

Machine WithVmallocTables(const Machine& m) {
  constexpr uint64_t kSpan = uint64_t{128} << 20;
  Kernel k = m.kernel();
  for (uint64_t at = 0; at < kSpan; at += k.paging.TableSpan()) {
    const uint64_t addr = VmallocRange(k).start + at;
    EXPECT_TRUE(AllocKernelPte(k, VirtAddr(addr)).ok());
  }
  return MachineFrom(k);
}

KernelUser::KernelUser(Machine* machine, uint64_t seed)
    : machine_(machine), prng_(seed) {}

uint32_t KernelUser::SomeGfp() {
  constexpr uint32_t kContexts[] = {
      gfp::kKernel,
      gfp::kKernel | gfp::kZero,
      gfp::kAtomic,
      gfp::kKernel | gfp::kAccount,
      gfp::kKernel | gfp::kReclaimable,
      gfp::kKernel | gfp::kDma,
  };
  return kContexts[Below(std::size(kContexts))];
}

Outcome KernelUser::Do(Operation op) {
  const Command command{0, std::move(op)};
  Outcome out = machine_->Apply(command, EventLevel::kNone);
  if (after_) after_(command.op);
  return out;
}

uint64_t KernelUser::Given(Operation op) {
  const Outcome out = Do(std::move(op));
  if (out.error == Errno::kOk) return static_cast<uint64_t>(out.value);
  EXPECT_EQ(out.error, Errno::kENOMEM);
  failures_++;
  return 0;
}

void KernelUser::Succeeds(Operation op) {
  EXPECT_EQ(Do(std::move(op)).error, Errno::kOk);
}

void KernelUser::CreateCaches() {
  constexpr uint64_t kGuarded = slab_flag::kRedZone | slab_flag::kPoison |
                                slab_flag::kStoreUser |
                                slab_flag::kConsistencyChecks;
  Succeeds(KmemCacheCreate{"small", 24, 0, slab_flag::kNoMerge});
  Succeeds(KmemCacheCreate{"large", 3000, 0, slab_flag::kHwcacheAlign});
  Succeeds(KmemCacheCreate{"guarded", 100, 0, kGuarded});
  Succeeds(KmemCacheCreate{"reclaimed", 600, 0, slab_flag::kReclaimAccount});
}

void KernelUser::Kmallocs(bool take) {
  if (!take && !kmalloced_.empty()) {
    return Succeeds(Kfree{TakeOne(kmalloced_, Below(kmalloced_.size()))});
  }
  const uint64_t size = SomeSize();
  const uint32_t gfp = SomeGfp();
  if (uint64_t addr = Given(Kmalloc{size, gfp})) kmalloced_.push_back(addr);
}

void KernelUser::Vmallocs(bool take) {
  if (!take && !vmalloced_.empty()) {
    return Succeeds(Vfree{TakeOne(vmalloced_, Below(vmalloced_.size()))});
  }
  if (uint64_t addr = Given(Vmalloc{SomeSize() * 16, 0})) {
    vmalloced_.push_back(addr);
  }
}

void KernelUser::Objects(bool take) {
  const size_t which = Below(kCaches.size());
  std::vector<uint64_t>& held = objects_[which];
  if (!take && !held.empty()) {
    const uint64_t addr = TakeOne(held, Below(held.size()));
    return Succeeds(KmemCacheFree{kCaches[which], addr});
  }
  if (uint64_t addr = Given(KmemCacheAlloc{kCaches[which], gfp::kKernel})) {
    held.push_back(addr);
  }
}

void KernelUser::TakesPages(bool take) {
  if (!take && !pages_.empty()) {
    return Succeeds(TakeOne(pages_, Below(pages_.size())));
  }
  struct AllocPages call;
  call.gfp = gfp::kKernel;
  call.order = static_cast<uint32_t>(Below(4));
  if (uint64_t pfn = Given(call)) {
    struct FreePages later;
    later.pfn = pfn;
    later.order = call.order;
    pages_.push_back(later);
  }
}

void KernelUser::Addresses(bool take) {
  if (!take && !addresses_.empty()) {
    return Succeeds(TakeOne(addresses_, Below(addresses_.size())));
  }
  const auto order = static_cast<uint32_t>(Below(4));
  const uint64_t addr = order == 0 ? Given(GetZeroedPage{gfp::kKernel})
                                   : Given(GetFreePages{gfp::kKernel, order});
  if (addr != 0) addresses_.push_back({addr, order});
}

// Fewer pages than pkmap has slots.
void KernelUser::Kmaps(bool take) {
  constexpr size_t kMost = 200;
  if (!kmapped_.empty() && (!take || kmapped_.size() == kMost)) {
    const uint64_t pfn = TakeOne(kmapped_, Below(kmapped_.size()));
    Succeeds(Kunmap{pfn});
    struct FreePages call;
    call.pfn = pfn;
    return Succeeds(call);
  }
  struct AllocPages call;
  call.gfp = gfp::kHighUser;
  const uint64_t pfn = Given(call);
  if (pfn == 0) return;
  kmapped_.push_back(pfn);
  Succeeds(Kmap{pfn});
}

void KernelUser::TouchLocally() {
  const uint64_t addr = Given(KmapLocal{kmapped_.back()});
  Succeeds(KernelAccess{.kind = AccessKind::kWrite, .addr = addr});
  Succeeds(KunmapLocal{addr});
}

void KernelUser::TakeOrGive(bool take) {
  switch (Below(8)) {
    case 0:
      return Vmallocs(take);
    case 1:
      return Objects(take);
    case 2:
      return TakesPages(take);
    case 3:
      return Addresses(take);
    case 4:
      return Kmaps(take);
    default:
      return Kmallocs(take);
  }
}

void KernelUser::Touch() {
  switch (Below(5)) {
    case 0:
      Do(KmemCacheShrink{kCaches[Below(kCaches.size())]});
      return;
    case 1:
      if (vmalloced_.empty()) return;
      return Succeeds(
          KernelAccess{.kind = AccessKind::kWrite, .addr = vmalloced_.back()});
    case 2:
      if (kmalloced_.empty()) return;
      return Succeeds(
          KernelAccess{.kind = AccessKind::kRead, .addr = kmalloced_.back()});
    case 3:
      if (!kmapped_.empty()) TouchLocally();
      return;
    default: {
      // A bad one changes nothing.
      const Pfn pfn(static_cast<uint32_t>(Below(4096)));
      const Kernel& k = machine_->kernel();
      if (k.page(pfn).Is(page_flag::kLargeKmalloc)) return;
      const uint64_t addr = VirtOf(k, pfn) + Below(kPageSize);
      EXPECT_NE(Do(Kfree{addr | 1}).error, Errno::kOk);
    }
  }
}

void KernelUser::GiveAll() {
  for (uint64_t addr : std::exchange(kmalloced_, {})) Succeeds(Kfree{addr});
  for (uint64_t addr : std::exchange(vmalloced_, {})) Succeeds(Vfree{addr});
  for (const struct FreePages& call : std::exchange(pages_, {})) {
    Succeeds(call);
  }
  for (const FreeAddress& call : std::exchange(addresses_, {})) {
    Succeeds(call);
  }
  while (!kmapped_.empty()) Kmaps(false);
  for (size_t i = 0; i < kCaches.size(); i++) {
    for (uint64_t addr : std::exchange(objects_[i], {})) {
      Succeeds(KmemCacheFree{kCaches[i], addr});
    }
    Succeeds(KmemCacheDestroy{kCaches[i]});
  }
  const Slub slub = machine_->kernel().slub;
  for (Id<KmemCache> id = slub.newest; id; id = slub.caches[id].next) {
    EXPECT_EQ(Do(KmemCacheShrink{slub.caches[id].name}).value, 0);
  }
}

}  // namespace faultline
