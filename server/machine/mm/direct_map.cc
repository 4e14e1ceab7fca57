// Models arch/x86/mm/physaddr.c (v6.18): __virt_addr_valid().
#include "server/machine/mm/direct_map.h"

#include <algorithm>
#include <cstring>

#include "server/machine/mm/page_alloc.h"

namespace faultline {
namespace {

uint32_t OffsetOf(uint64_t addr) {
  return static_cast<uint32_t>(addr & ~kPageMask);
}

// The bytes lie in memory as on x86, which the host is as well.
template <class T>
T Load(const Kernel& k, uint64_t addr) {
  const PageBytes& page = k.frames[PfnOfVirt(k, addr)];
  T value = 0;
  if (page.IsBuffer()) [[likely]] {
    std::memcpy(&value,
                reinterpret_cast<const uint8_t*>(page.words()) + OffsetOf(addr),
                sizeof value);
    return value;
  }
  for (size_t i = sizeof value; i-- > 0;) {
    value =
        static_cast<T>(uint64_t{value} << 8 |
                       page.Read(OffsetOf(addr) + static_cast<uint32_t>(i)));
  }
  return value;
}

template <class T>
void Store(Kernel& k, uint64_t addr, T value) {
  PageBytes& page = k.frames[PfnOfVirt(k, addr)];
  std::memcpy(reinterpret_cast<uint8_t*>(page.MutWords()) + OffsetOf(addr),
              &value, sizeof value);
}

}  // namespace

Pfn VirtToPfn(const Kernel& k, uint64_t addr) {
  if (addr < PageOffset(k)) return Pfn();
  const uint64_t number = (addr - PageOffset(k)) >> kPageShift;
  if (!PfnValid(k, number)) return Pfn();
  const Pfn pfn(static_cast<uint32_t>(number));
  return PageHighMem(k, pfn) ? Pfn() : pfn;
}

uint8_t ReadByte(const Kernel& k, uint64_t addr) {
  return k.frames[PfnOfVirt(k, addr)].Read(OffsetOf(addr));
}

uint64_t ReadPointer(const Kernel& k, uint64_t addr) {
  return PointerBytes(k) == 8 ? Load<uint64_t>(k, addr)
                              : Load<uint32_t>(k, addr);
}

void WritePointer(Kernel& k, uint64_t addr, uint64_t value) {
  if (PointerBytes(k) == 8) return Store<uint64_t>(k, addr, value);
  Store<uint32_t>(k, addr, static_cast<uint32_t>(value));
}

uint32_t Read32(const Kernel& k, uint64_t addr) {
  return Load<uint32_t>(k, addr);
}

void Write32(Kernel& k, uint64_t addr, uint32_t value) {
  Store<uint32_t>(k, addr, value);
}

void FillBytes(Kernel& k, uint64_t addr, uint8_t byte, uint64_t bytes) {
  while (bytes > 0) {
    const uint32_t from = OffsetOf(addr);
    const uint64_t n = std::min(bytes, kPageSize - from);
    PageBytes& page = k.frames[PfnOfVirt(k, addr)];
    if (n == kPageSize) {
      page = PageBytes::Filled(byte);
    } else {
      std::memset(reinterpret_cast<uint8_t*>(page.MutWords()) + from, byte, n);
    }
    addr += n;
    bytes -= n;
  }
}

}  // namespace faultline
