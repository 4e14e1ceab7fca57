// MADV_COLLAPSE, 2 MiB after 2 MiB: of anonymous memory (khugepaged.cc) and of
// tmpfs (khugepaged_file.cc).
#ifndef FAULTLINE_SERVER_MACHINE_MM_KHUGEPAGED_H_
#define FAULTLINE_SERVER_MACHINE_MM_KHUGEPAGED_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// What the scan of one 2 MiB range came to: enum scan_result, as far as they
// lead to different answers.
enum class Scan : uint8_t {
  kSucceed,     // SCAN_SUCCEED, SCAN_PMD_MAPPED
  kNext,        // SCAN_PMD_NULL, no level-2 table, SCAN_PTE_NON_PRESENT of a
                // file: the others are still tried
  kNothing,     // SCAN_PMD_NONE, SCAN_TRUNCATED, nothing is there: the end
  kNotPresent,  // a marker, no page: the end
  kFail,        // SCAN_FAIL, SCAN_VMA_CHECK: the end
  kNoMemory,    // SCAN_ALLOC_HUGE_PAGE_FAIL: the end
};

// hpage_collapse_scan_file(), and collapse_pte_mapped_thp() when it is done.
// REQUIRES: a VMA of tmpfs that may have huge pages, and has these 2 MiB.
Scan CollapseFilePmd(Kernel& k, Vma& vma, VirtAddr addr);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_KHUGEPAGED_H_
