// Models what a load or a store of the kernel's own code does:
// arch/x86/mm/fault.c (v6.18): kernelmode_fixup_or_oops(). Departure: D44 (what
// would damage the machine is refused).
#include "server/machine/syscalls/kernel_access.h"

#include <utility>

#include "server/machine/hw/kernel_mmu.h"
#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/kernel_report.h"
#include "server/machine/mm/kernel_tables.h"
#include "server/machine/mm/slub.h"

namespace faultline {
namespace {

// Whose bytes may be anything: a slab's, a user's, what was given out. Not page
// tables, what boot keeps, pages that KSM shares, nor what nobody has.
bool MayStore(const Kernel& k, Pfn pfn) {
  constexpr uint32_t kNot = page_flag::kTable | page_flag::kReserved |
                            page_flag::kKsm | page_flag::kBuddy |
                            page_flag::kPcp | page_flag::kBad;
  constexpr uint32_t kBlocks =
      page_flag::kSlab | page_flag::kLargeKmalloc | page_flag::kLarge;
  const Page& page = k.page(pfn);
  if (page.Is(kNot)) return false;
  if (page.Is(kBlocks) || page.refcount > 0) return true;
  // A tail of what alloc_pages() gave out.
  for (int order = 1; order <= kMaxPageOrder; order++) {
    const Page& head = k.page(Pfn(pfn.value() & ~((uint32_t{1} << order) - 1)));
    if (head.Is(page_flag::kKernel) && head.order >= order) return true;
  }
  return false;
}

class KernelMemory {
 public:
  explicit KernelMemory(Kernel& k)
      : k_(k),
        mmu_(std::as_const(k.frames), k.tlb, k.kernel_maps.large_tlb,
             k.clock_ns) {}

  // The frame of an address; an invalid Pfn: the access faults.
  Pfn Translate(VirtAddr addr) {
    Pfn pfn = mmu_.Cached(KernelCr3(k_), addr);
    if (!pfn.valid()) {
      // Boot made these entries; here they come when they are needed.
      if (KernelAddrToPfn(std::as_const(k_), addr.value()).valid()) {
        pfn = Populated(addr);
      }
      return pfn;
    }
    // What was freed lazily may still be cached; it faults all the same.
    const bool gone = KernelAddrToPfn(std::as_const(k_), addr.value()) != pfn;
    return gone ? Pfn() : pfn;
  }

  const KernelMmu& mmu() const { return mmu_; }

 private:
  Pfn Populated(VirtAddr addr) {
    if (VirtToPfn(std::as_const(k_), addr.value()).valid()) {
      PopulateDirectMap(k_, addr);
    }
    return mmu_.Walk(KernelCr3(k_), addr);
  }

  Kernel& k_;
  KernelMmu mmu_;
};

}  // namespace

ErrnoOr<uint64_t> DoKernelAccess(Kernel& k, const KernelAccess& call,
                                 Outcome* out) {
  constexpr uint64_t kCountMax = 16777216;
  if (call.kind == AccessKind::kFetch || call.count > kCountMax) {
    return Errno::kEINVAL;
  }
  const bool write = call.kind == AccessKind::kWrite;
  KernelMemory memory(k);
  uint8_t last = 0;
  Errno error = Errno::kOk;
  VirtAddr addr(call.addr);
  for (uint64_t i = 0; i < call.count; i++, addr = addr + call.stride) {
    const Pfn pfn = memory.Translate(addr);
    if (!pfn.valid() || (write && !MayStore(std::as_const(k), pfn))) {
      k.Emit(EventLevel::kFaults,
             Console{KernelFaultReport(k, addr.value(), write)});
      error = Errno::kEFAULT;
      break;
    }
    const auto offset = static_cast<uint32_t>(addr.offset());
    if (write) {
      k.frames[pfn].Write(offset, call.value);
      if (const Id<Slab> slab = SlabOfPage(std::as_const(k), pfn)) {
        NoteStoreToSlab(k, slab, VirtOf(k, pfn) + offset);
      }
    } else {
      last = std::as_const(k.frames)[pfn].Read(offset);
    }
    out->accesses++;
  }
  out->tlb_misses = memory.mmu().tlb_misses();
  out->table_loads = memory.mmu().table_loads();
  if (error != Errno::kOk) return error;
  return uint64_t{last};
}

}  // namespace faultline
