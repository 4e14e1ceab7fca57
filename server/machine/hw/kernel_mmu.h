// The memory-management unit in the kernel's mode: an address of the kernel's
// goes through the TLB's entries for large pages, those for small ones, and
// then the tables. What that takes is counted. It knows tables, not who uses
// them.
#ifndef FAULTLINE_SERVER_MACHINE_HW_KERNEL_MMU_H_
#define FAULTLINE_SERVER_MACHINE_HW_KERNEL_MMU_H_

#include <cstdint>

#include "server/machine/base/units.h"
#include "server/machine/hw/frames.h"
#include "server/machine/hw/large_tlb.h"
#include "server/machine/hw/mmu.h"
#include "server/machine/hw/tlb.h"

namespace faultline {

class KernelMmu {
 public:
  KernelMmu(const Frames& frames, Tlb& tlb, LargeTlb& large, uint64_t& clock_ns)
      : frames_(frames), tlb_(tlb), large_(large), clock_ns_(clock_ns) {}

  // The frame, if the TLB knows it; counts a hit or a miss.
  Pfn Cached(const Cr3& cr3, VirtAddr addr);
  // From the tables, into the TLB; an invalid Pfn: not present.
  Pfn Walk(const Cr3& cr3, VirtAddr addr);

  uint64_t tlb_misses() const { return tlb_misses_; }
  // Entries that were read, of all levels.
  uint64_t table_loads() const { return table_loads_; }

 private:
  Pte Load(const PagingMode& paging, Pfn table, VirtAddr addr, int level);

  const Frames& frames_;
  Tlb& tlb_;
  LargeTlb& large_;
  uint64_t& clock_ns_;
  uint64_t tlb_misses_ = 0;
  uint64_t table_loads_ = 0;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_HW_KERNEL_MMU_H_
