// The direct map: where the kernel sees all of low memory, and the bytes that
// it has there. Models arch/x86/include/asm/page.h (v6.18): __va(), __pa(),
// virt_to_page().
#ifndef FAULTLINE_SERVER_MACHINE_MM_DIRECT_MAP_H_
#define FAULTLINE_SERVER_MACHINE_MM_DIRECT_MAP_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// __PAGE_OFFSET
inline uint64_t PageOffset(const Kernel& k) {
  return k.config.profile == Profile::kX86_64 ? 0xffff888000000000 : 0xc0000000;
}
inline uint64_t PointerBytes(const Kernel& k) {
  return k.config.profile == Profile::kX86_64 ? 8 : 4;
}
// __va()
inline uint64_t VirtOf(const Kernel& k, Pfn pfn) {
  return PageOffset(k) + (uint64_t{pfn.value()} << kPageShift);
}
// __pa(), of an address of the direct map.
inline Pfn PfnOfVirt(const Kernel& k, uint64_t addr) {
  return Pfn(static_cast<uint32_t>((addr - PageOffset(k)) >> kPageShift));
}
// virt_addr_valid(): the frame, or an invalid Pfn when the address is none of
// the direct map.
Pfn VirtToPfn(const Kernel& k, uint64_t addr);

// The kernel's own loads and stores by addresses of the direct map, which need
// no look at the tables. REQUIRES: all of it is there.
uint8_t ReadByte(const Kernel& k, uint64_t addr);
// One of the machine's pointers, and 32 bits. REQUIRES: it lies in one page.
uint64_t ReadPointer(const Kernel& k, uint64_t addr);
void WritePointer(Kernel& k, uint64_t addr, uint64_t value);
uint32_t Read32(const Kernel& k, uint64_t addr);
void Write32(Kernel& k, uint64_t addr, uint32_t value);
// memset()
void FillBytes(Kernel& k, uint64_t addr, uint8_t byte, uint64_t bytes);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_DIRECT_MAP_H_
