#include "server/scenario/kernel_calls.h"

#include <string>

namespace faultline::scenario {
namespace {

constexpr uint64_t kTickNs = 4'000'000;  // CONFIG_HZ=250
constexpr uint32_t kGfpKernel = 0xcc0, kGfpHighMem = 2, kGfpZero = 0x100;
constexpr uint32_t kSwapFlagPrefer = 0x8000;

// include/linux/gfp_types.h (v6.18), without __GFP_ and GFP_.
uint64_t GfpBits(const std::string& name) {
  constexpr uint64_t kReclaim = 0xc00;
  constexpr uint64_t kKernel = kReclaim | 0x40 | 0x80;
  constexpr uint64_t kUser = kKernel | 0x100000;
  static const struct {
    const char* name;
    uint64_t bits;
  } kTable[] = {
      {"KERNEL", kKernel},
      {"ATOMIC", 0x820},
      {"NOWAIT", 0x2800},
      {"NOIO", kReclaim},
      {"NOFS", kReclaim | 0x40},
      {"USER", kUser},
      {"HIGHUSER", kUser | 2},
      {"HIGHUSER_MOVABLE", kUser | 0xa},
      {"DMA", 1},
      {"HIGHMEM", 2},
      {"DMA32", 4},
      {"MOVABLE", 8},
      {"RECLAIMABLE", 0x10},
      {"HIGH", 0x20},
      {"IO", 0x40},
      {"FS", 0x80},
      {"ZERO", 0x100},
      {"DIRECT_RECLAIM", 0x400},
      {"KSWAPD_RECLAIM", 0x800},
      {"RECLAIM", kReclaim},
      {"WRITE", 0x1000},
      {"NOWARN", 0x2000},
      {"RETRY_MAYFAIL", 0x4000},
      {"NOFAIL", 0x8000},
      {"NORETRY", 0x10000},
      {"MEMALLOC", 0x20000},
      {"COMP", 0x40000},
      {"NOMEMALLOC", 0x80000},
      {"HARDWALL", 0x100000},
      {"THISNODE", 0x200000},
      {"ACCOUNT", 0x400000},
      {"KERNEL_ACCOUNT", kKernel | 0x400000},
  };
  for (const auto& entry : kTable) {
    if (name == entry.name) return entry.bits;
  }
  return 0;
}

uint32_t GfpMask(const Op& op) {
  uint64_t mask = 0;
  for (const std::string& name : op.words) mask |= GfpBits(name);
  return static_cast<uint32_t>(mask);
}

// free_pages() of an address, or __free_pages() of a page: page frame numbers
// lie below every address of the kernel's. NULL is an address.
void FillFree(uint64_t what, uint32_t order, v1::Command* command) {
  constexpr uint64_t kLowestPageOffset = 0xc0000000;
  if (what == 0 || what >= kLowestPageOffset) {
    command->mutable_free_address()->set_addr(what);
    command->mutable_free_address()->set_order(order);
  } else {
    command->mutable_free_pages()->set_pfn(what);
    command->mutable_free_pages()->set_order(order);
  }
}

bool FillPageCall(const Op& op, Values& values, v1::Command* command) {
  switch (op.kind) {
    case OpKind::kAllocPages:
    case OpKind::kAllocPage:
      command->mutable_alloc_pages()->set_gfp(GfpMask(op));
      command->mutable_alloc_pages()->set_order(
          static_cast<uint32_t>(values.Of(op.count)));
      return true;
    case OpKind::kFreePages:
    case OpKind::kFreePage:
      FillFree(values.Of(op.addr), static_cast<uint32_t>(values.Of(op.count)),
               command);
      return true;
    case OpKind::kGetFreePages:
      command->mutable_get_free_pages()->set_gfp(GfpMask(op));
      command->mutable_get_free_pages()->set_order(
          static_cast<uint32_t>(values.Of(op.count)));
      return true;
    case OpKind::kGetZeroedPage:
      command->mutable_get_zeroed_page()->set_gfp(GfpMask(op));
      return true;
    case OpKind::kKmap:
      command->mutable_kmap()->set_pfn(values.Of(op.addr));
      return true;
    case OpKind::kKunmap:
      command->mutable_kunmap()->set_pfn(values.Of(op.addr));
      return true;
    case OpKind::kKmapLocal:
      command->mutable_kmap_local()->set_pfn(values.Of(op.addr));
      return true;
    case OpKind::kKunmapLocal:
      command->mutable_kunmap_local()->set_addr(values.Of(op.addr));
      return true;
    case OpKind::kPageAddress:
      command->mutable_page_address()->set_pfn(values.Of(op.addr));
      return true;
    default:
      return false;
  }
}

bool FillSlabCall(const Op& op, Values& values, v1::Command* command) {
  switch (op.kind) {
    case OpKind::kKmalloc:
    case OpKind::kKzalloc:
      command->mutable_kmalloc()->set_size(values.Of(op.length));
      command->mutable_kmalloc()->set_gfp(
          GfpMask(op) | (op.kind == OpKind::kKzalloc ? kGfpZero : 0));
      return true;
    case OpKind::kKfree:
      command->mutable_kfree()->set_addr(values.Of(op.addr));
      return true;
    case OpKind::kKmemCacheCreate: {
      v1::KmemCacheCreate* call = command->mutable_kmem_cache_create();
      call->set_name(op.name);
      call->set_size(values.Of(op.length));
      call->set_align(values.Of(op.stride));
      call->set_flags(op.flags);
      return true;
    }
    case OpKind::kKmemCacheAlloc:
      command->mutable_kmem_cache_alloc()->set_name(op.name);
      command->mutable_kmem_cache_alloc()->set_gfp(GfpMask(op));
      return true;
    case OpKind::kKmemCacheFree:
      command->mutable_kmem_cache_free()->set_name(op.name);
      command->mutable_kmem_cache_free()->set_addr(values.Of(op.addr));
      return true;
    case OpKind::kKmemCacheShrink:
      command->mutable_kmem_cache_shrink()->set_name(op.name);
      return true;
    case OpKind::kKmemCacheDestroy:
      command->mutable_kmem_cache_destroy()->set_name(op.name);
      return true;
    default:
      return false;
  }
}

bool FillVmallocCall(const Op& op, Values& values, v1::Command* command) {
  switch (op.kind) {
    case OpKind::kVmalloc:
    case OpKind::kVzalloc:
      command->mutable_vmalloc()->set_size(values.Of(op.length));
      command->mutable_vmalloc()->set_gfp(
          kGfpKernel | kGfpHighMem |
          (op.kind == OpKind::kVzalloc ? kGfpZero : 0));
      return true;
    case OpKind::kVfree:
      command->mutable_vfree()->set_addr(values.Of(op.addr));
      return true;
    case OpKind::kKread:
    case OpKind::kKwrite: {
      v1::KernelAccess* call = command->mutable_kernel_access();
      call->set_kind(op.kind == OpKind::kKread ? v1::ACCESS_KIND_READ
                                               : v1::ACCESS_KIND_WRITE);
      call->set_addr(values.Of(op.addr));
      call->set_count(values.Of(op.count, 1));
      call->set_stride(values.Of(op.stride, 4096));
      call->set_value(static_cast<uint32_t>(values.Of(op.byte) & 0xff));
      return true;
    }
    default:
      return false;
  }
}

bool FillSwapCall(const Op& op, Values& values, v1::Command* command) {
  switch (op.kind) {
    case OpKind::kSwapon:
      command->mutable_swapon()->set_size(values.Of(op.length));
      if (!op.count.empty()) {
        command->mutable_swapon()->set_flags(
            kSwapFlagPrefer | static_cast<uint32_t>(values.Of(op.count)));
      }
      return true;
    case OpKind::kSwapoff:
      command->mutable_swapoff()->set_area(
          static_cast<uint32_t>(values.Of(op.count)));
      return true;
    case OpKind::kDropCaches:
      command->mutable_drop_caches()->set_mode(
          static_cast<uint32_t>(values.Of(op.count, 3)));
      return true;
    case OpKind::kSync:
      command->mutable_sync();
      return true;
    case OpKind::kOomScoreAdj:
      command->mutable_set_oom_score_adj()->set_value(
          static_cast<int32_t>(values.Of(op.count)));
      return true;
    default:
      return false;
  }
}

bool FillModuleCall(const Op& op, Values& values, v1::Command* command) {
  constexpr uint32_t kSIfChr = 020000, kSIfBlk = 060000, kAllMayUse = 0666;
  switch (op.kind) {
    case OpKind::kInsmod:
      command->mutable_insert_module()->set_name(op.name);
      command->mutable_insert_module()->set_size(values.Of(op.length));
      return true;
    case OpKind::kRmmod:
      command->mutable_remove_module()->set_name(op.name);
      return true;
    case OpKind::kMknod:
      command->mutable_mknod()->set_path(op.name);
      command->mutable_mknod()->set_mode(
          (op.words.front() == "b" ? kSIfBlk : kSIfChr) | kAllMayUse);
      command->mutable_mknod()->set_major(
          static_cast<uint32_t>(values.Of(op.count)));
      command->mutable_mknod()->set_minor(
          static_cast<uint32_t>(values.Of(op.offset)));
      return true;
    default:
      return false;
  }
}

}  // namespace

bool FillKernelCall(const Op& op, Values& values, v1::Command* command) {
  return FillPageCall(op, values, command) ||
         FillSlabCall(op, values, command) ||
         FillVmallocCall(op, values, command);
}

bool FillAdministration(const Op& op, Values& values, v1::Command* command) {
  if (op.kind == OpKind::kTick) {
    // More than the clock has room for, which the machine refuses.
    const uint64_t ticks = values.Of(op.count, 1);
    command->mutable_tick()->set_nanoseconds(
        ticks > UINT64_MAX / kTickNs ? UINT64_MAX : ticks * kTickNs);
    return true;
  }
  if (op.kind == OpKind::kReplacement) {
    v1::SetReplacement* call = command->mutable_set_replacement();
    call->set_policy(static_cast<v1::ReplacementPolicy>(op.flags));
    call->set_frames(static_cast<uint32_t>(values.Of(op.count)));
    for (const Expr& addr : op.future) call->add_future(values.Of(addr));
    return true;
  }
  if (op.kind == OpKind::kEvict) {
    command->mutable_evict_page()->set_addr(values.Of(op.addr));
    return true;
  }
  return FillSwapCall(op, values, command) ||
         FillModuleCall(op, values, command);
}

}  // namespace faultline::scenario
