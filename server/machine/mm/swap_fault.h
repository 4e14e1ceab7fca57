// A fault on a page that was swapped out: its page table is in place, and the
// entry says where the page is.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SWAP_FAULT_H_
#define FAULTLINE_SERVER_MACHINE_MM_SWAP_FAULT_H_

#include <cstdint>

#include "server/machine/kernel.h"
#include "server/machine/mm/pgtable.h"

namespace faultline {

struct SwapFault {
  uint32_t status = 0;    // vm_fault::*
  bool still_wp = false;  // a write: do_wp_page() is to follow
  Pfn pfn;                // what is mapped now; invalid: nothing
};
// do_swap_page(). REQUIRES: the entry at `at` is swapped().
SwapFault DoSwapPage(Kernel& k, Vma& vma, VirtAddr addr, PteRef at, bool write);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SWAP_FAULT_H_
