// Page faults and what they install; copying and zapping page tables.
#ifndef FAULTLINE_SERVER_MACHINE_MM_MEMORY_H_
#define FAULTLINE_SERVER_MACHINE_MM_MEMORY_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// VM_FAULT_*: what handle_mm_fault() says.
namespace vm_fault {
inline constexpr uint32_t kOom = 1;
inline constexpr uint32_t kSigbus = 2;
inline constexpr uint32_t kSigsegv = 4;
inline constexpr uint32_t kMajor = 8;
inline constexpr uint32_t kRetry = 16;      // it waited, and let go of the lock
inline constexpr uint32_t kCompleted = 32;  // major, and nobody had to wait
inline constexpr uint32_t kError = kOom | kSigbus | kSigsegv;
}  // namespace vm_fault

// kUnshare: a shared page is to be private, though nothing is written
// (FAULT_FLAG_UNSHARE).
enum class FaultAccess : uint8_t { kRead, kWrite, kUnshare };

// A fault that reads a page in lets go of mmap_lock and is tried again. The
// second try counts as major when it knows itself to be one
// (FAULT_FLAG_TRIED), and otherwise as the minor fault it looks like.
enum class Retry : uint8_t { kTried, kAnew };

// A translation fails at most this often for one access: absent, forbidden, and
// then it is there, unless reclaim was quicker.
inline constexpr int kMaxFaultRetries = 16;

// Resolves one fault at `addr` within `vma`, which permits the access.
// Counts it in the current task's min_flt or maj_flt unless it failed.
uint32_t HandleMmFault(Kernel& k, Vma& vma, VirtAddr addr, FaultAccess access,
                       Retry retry = Retry::kTried);

// Drops the pages of [start, end) of the VMA and their PTEs.
// zap_page_range_single(). Guard markers go only with the mapping itself
// (ZAP_FLAG_DROP_MARKER).
enum class GuardMarkers : uint8_t { kKeep, kDrop };
void ZapPageRange(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end,
                  GuardMarkers markers = GuardMarkers::kKeep);

// copy_page_range(): the child's page tables at fork. False: no memory.
bool CopyPageRange(Kernel& k, Vma& dst, Vma& src);

// unmap_mapping_pages(): zaps pages [first, last] of the file everywhere;
// private copies too when `even_cows`.
void UnmapMappingPages(Kernel& k, Inode& inode, uint64_t first, uint64_t last,
                       bool even_cows);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_MEMORY_H_
