// Models mm/highmem.c (v6.18): kmap_high(), map_new_virtual(),
// flush_all_zero_pkmaps(), kunmap_high(), page_address(),
// __kmap_local_pfn_prot(), kunmap_local_indexed(). Departure: D44 (what would
// sleep, or is a bug, is refused; all callers are one thread).
#include "server/machine/mm/highmem.h"

#include <string>
#include <utility>

#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/kernel_tables.h"
#include "server/machine/mm/page_alloc.h"

namespace faultline {
namespace {

uint64_t PkmapAddr(const Kernel& k, uint32_t nr) {
  return PkmapBase(k) + (uint64_t{nr} << kPageShift);
}

// pkmap_count of a page's slot, or -1.
int32_t SlotOf(const Kernel& k, Pfn pfn) {
  const auto& slots = k.kernel_maps.pkmap;
  for (size_t i = 0; i < slots.size(); i++) {
    if (slots[i].page == pfn) return static_cast<int32_t>(i);
  }
  return -1;
}

// flush_all_zero_pkmaps(): what nobody uses loses its entry, and then the TLB
// forgets the whole window.
void FlushAllZeroPkmaps(Kernel& k) {
  auto& slots = k.kernel_maps.pkmap;
  bool flush = false;
  for (uint32_t nr = 0; nr < slots.size(); nr++) {
    if (slots[nr].count != 1) continue;
    slots[nr] = {};
    SetPte(k, FindKernelPte(std::as_const(k), VirtAddr(PkmapAddr(k, nr))),
           Pte());
    flush = true;
  }
  if (flush) {
    FlushTlbKernelRange(k, PkmapAddr(k, 0),
                        PkmapAddr(k, static_cast<uint32_t>(slots.size())));
  }
}

// map_new_virtual(): the next slot in turn that is free.
ErrnoOr<uint32_t> MapNewVirtual(Kernel& k, Pfn pfn) {
  KernelMaps& maps = k.kernel_maps;
  const auto size = static_cast<uint32_t>(maps.pkmap.size());
  // Once around, and once more behind the flush at the wrap.
  for (uint32_t looked = 0; looked < 2 * size; looked++) {
    maps.last_pkmap_nr = (maps.last_pkmap_nr + 1) % size;
    if (maps.last_pkmap_nr == 0) FlushAllZeroPkmaps(k);
    if (maps.pkmap[maps.last_pkmap_nr].count != 0) continue;
    const uint32_t nr = maps.last_pkmap_nr;
    const PteRef at = AllocKernelPte(k, VirtAddr(PkmapAddr(k, nr)));
    if (!at.ok()) return Errno::kENOMEM;
    SetPte(k, at, Pte::Make(pfn, kKernelPageBits));
    maps.pkmap[nr] = {pfn, 1};
    return nr;
  }
  return Errno::kEAGAIN;
}

Errno Bug(Kernel& k) {
  k.Emit(EventLevel::kFaults, Console{"kernel BUG at mm/highmem.c!\n"});
  return Errno::kEINVAL;
}

// WARN_ON_ONCE() of kunmap_local_indexed().
Errno WarnOfUnmap(Kernel& k) {
  k.Emit(EventLevel::kFaults,
         Console{"WARNING: CPU: 0 PID: " + std::to_string(k.CurrentPid()) +
                 " at mm/highmem.c kunmap_local_indexed\n"});
  return Errno::kEINVAL;
}

}  // namespace

ErrnoOr<uint64_t> DoKmap(Kernel& k, uint64_t number) {
  if (!PfnValid(k, number)) return Errno::kEINVAL;
  const Pfn pfn(static_cast<uint32_t>(number));
  if (!PageHighMem(k, pfn)) return VirtOf(k, pfn);
  auto& slots = k.kernel_maps.pkmap;
  if (slots.empty()) slots.resize(LastPkmap(k));
  const int32_t found = SlotOf(k, pfn);
  const uint32_t nr = found >= 0 ? static_cast<uint32_t>(found)
                                 : FL_TRY_VALUE(MapNewVirtual(k, pfn));
  slots[nr].count++;
  return PkmapAddr(k, nr);
}

Errno DoKunmap(Kernel& k, uint64_t number) {
  if (!PfnValid(k, number)) return Errno::kEINVAL;
  const Pfn pfn(static_cast<uint32_t>(number));
  if (!PageHighMem(k, pfn)) return Errno::kOk;
  const int32_t nr = SlotOf(k, pfn);
  if (nr < 0 || k.kernel_maps.pkmap[static_cast<size_t>(nr)].count < 2) {
    return Bug(k);
  }
  k.kernel_maps.pkmap[static_cast<size_t>(nr)].count--;
  return Errno::kOk;
}

ErrnoOr<uint64_t> DoKmapLocal(Kernel& k, uint64_t number) {
  if (!PfnValid(k, number)) return Errno::kEINVAL;
  const Pfn pfn(static_cast<uint32_t>(number));
  if (!PageHighMem(k, pfn)) return VirtOf(k, pfn);
  auto& stack = k.kernel_maps.kmap_local;
  // kmap_local_idx_push()
  const int idx = static_cast<int>(stack.size());
  if (idx + 1 >= kKmMaxIdx) return Bug(k);
  const VirtAddr addr(FixKmapAddr(idx));
  const PteRef at = AllocFixmapPte(k, addr);
  if (!at.ok()) return Errno::kENOMEM;
  SetPte(k, at, Pte::Make(pfn, kKernelPageBits));
  stack.push_back(pfn);
  return addr.value();
}

Errno DoKunmapLocal(Kernel& k, uint64_t address) {
  const uint64_t addr = address & kPageMask;
  if (k.config.profile == Profile::kX86_64) return Errno::kOk;
  if (addr < FixKmapAddr(kKmMaxIdx - 1) || addr > FixKmapAddr(0)) {
    return addr < PageOffset(k) ? WarnOfUnmap(k) : Errno::kOk;
  }
  auto& stack = k.kernel_maps.kmap_local;
  const int idx = static_cast<int>(stack.size()) - 1;
  if (idx < 0 || addr != FixKmapAddr(idx)) return WarnOfUnmap(k);
  SetPte(k, FindKernelPte(std::as_const(k), VirtAddr(addr)), Pte());
  FlushTlbKernelRange(k, addr, addr + kPageSize);  // flush_tlb_one_kernel()
  stack.pop_back();
  return Errno::kOk;
}

uint64_t PageAddressOf(const Kernel& k, Pfn pfn) {
  if (!PageHighMem(k, pfn)) return VirtOf(k, pfn);
  const int32_t nr = SlotOf(k, pfn);
  return nr < 0 ? 0 : PkmapAddr(k, static_cast<uint32_t>(nr));
}

}  // namespace faultline
