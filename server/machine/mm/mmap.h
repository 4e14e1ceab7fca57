// mmap, munmap, brk and the growth of stacks.
#ifndef FAULTLINE_SERVER_MACHINE_MM_MMAP_H_
#define FAULTLINE_SERVER_MACHINE_MM_MMAP_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// MAP_* and PROT_* (asm-generic/mman.h, x86).
namespace mman {
inline constexpr uint64_t kProtRead = 1, kProtWrite = 2, kProtExec = 4;
inline constexpr uint64_t kProtSem = 8;
inline constexpr uint64_t kProtGrowsDown = 0x01000000;
inline constexpr uint64_t kProtGrowsUp = 0x02000000;
inline constexpr uint64_t kShared = 1, kPrivate = 2, kSharedValidate = 3;
inline constexpr uint64_t kDroppable = 8, kTypeMask = 0xf;
inline constexpr uint64_t kFixed = 0x10, kAnonymous = 0x20, k32Bit = 0x40;
inline constexpr uint64_t kAbove4G = 0x80;
inline constexpr uint64_t kGrowsDown = 0x100, kDenyWrite = 0x800;
inline constexpr uint64_t kExecutable = 0x1000, kLocked = 0x2000;
inline constexpr uint64_t kNoReserve = 0x4000, kPopulate = 0x8000;
inline constexpr uint64_t kNonblock = 0x10000, kStack = 0x20000;
inline constexpr uint64_t kHugeTlb = 0x40000, kSync = 0x80000;
inline constexpr uint64_t kFixedNoReplace = 0x100000;
}  // namespace mman

struct MmapArgs {
  Id<File> file;  // none: anonymous
  uint64_t addr = 0;
  uint64_t length = 0;
  uint64_t prot = 0;
  uint64_t flags = 0;
  uint64_t pgoff = 0;       // pages
  uint64_t huge_bytes = 0;  // MAP_HUGETLB: of one page
};
// hstate_sizelog(): the size that MAP_HUGE_* asks for. EINVAL.
ErrnoOr<uint64_t> HugetlbPageBytes(uint64_t map_flags);
// vm_mmap_pgoff(): do_mmap() and the population it asks for.
ErrnoOr<VirtAddr> DoMmap(Kernel& k, Mm& mm, MmapArgs args);

// __get_unmapped_area(): checks a fixed address or finds one.
ErrnoOr<VirtAddr> GetUnmappedArea(Kernel& k, Mm& mm, Id<File> file,
                                  uint64_t addr, uint64_t length,
                                  uint64_t pgoff, uint64_t flags);

// The munmap system call's argument checks and do_vmi_munmap().
Errno VmMunmap(Kernel& k, Mm& mm, uint64_t addr, uint64_t length);

// The brk system call: the new break, or the old one when refused.
VirtAddr DoBrk(Kernel& k, Mm& mm, VirtAddr brk);
// do_brk_flags(): grows the heap by [addr, addr + length).
Errno DoBrkFlags(Kernel& k, Mm& mm, Id<Vma> below, VirtAddr addr,
                 uint64_t length);

// expand_downwards(): lets a VM_GROWSDOWN VMA reach down to `addr`.
Errno ExpandDownwards(Kernel& k, Vma& vma, VirtAddr addr);

// calc_vm_prot_bits()
uint64_t VmFlagsOfProt(uint64_t prot);
// can_do_mlock()
bool CanDoMlock(Kernel& k);
// vma_is_accessible()
inline bool VmaIsAccessible(const Vma& vma) {
  return vma.Has(vm::kAccessFlags);
}

// exit_mmap(): everything of an address space goes.
void ExitMmap(Kernel& k, Mm& mm);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_MMAP_H_
