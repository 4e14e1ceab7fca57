// Models mm/highmem.c (v6.18): kmap_high(), map_new_virtual(),
// flush_all_zero_pkmaps(), kunmap_high(), page_address(). Departure: D44 (what
// would sleep is refused).
#include "server/machine/mm/highmem.h"

#include <utility>

#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/kernel_tables.h"
#include "server/machine/mm/page_alloc.h"

namespace faultline {
namespace {

uint64_t PkmapAddr(uint32_t nr) {
  return kPkmapBase + (uint64_t{nr} << kPageShift);
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
    SetPte(k, FindKernelPte(std::as_const(k), VirtAddr(PkmapAddr(nr))), Pte());
    flush = true;
  }
  if (flush) {
    FlushTlbKernelRange(k, PkmapAddr(0),
                        PkmapAddr(static_cast<uint32_t>(slots.size())));
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
    const PteRef at = AllocKernelPte(k, VirtAddr(PkmapAddr(nr)));
    if (!at.ok()) return Errno::kENOMEM;
    SetPte(k, at, Pte::Make(pfn, kKernelPageBits));
    maps.pkmap[nr] = {pfn, 1};
    return nr;
  }
  return Errno::kEAGAIN;
}

}  // namespace

ErrnoOr<uint64_t> DoKmap(Kernel& k, uint64_t number) {
  if (!PfnValid(k, number)) return Errno::kEINVAL;
  const Pfn pfn(static_cast<uint32_t>(number));
  if (ZoneOf(k, pfn) != ZoneType::kHighMem) return VirtOf(k, pfn);
  auto& slots = k.kernel_maps.pkmap;
  if (slots.empty()) {
    slots.resize(k.pgtable_levels == 2 ? kLastPkmap : kLastPkmapPae);
  }
  const int32_t found = SlotOf(k, pfn);
  const uint32_t nr = found >= 0 ? static_cast<uint32_t>(found)
                                 : FL_TRY_VALUE(MapNewVirtual(k, pfn));
  slots[nr].count++;
  return PkmapAddr(nr);
}

Errno DoKunmap(Kernel& k, uint64_t number) {
  if (!PfnValid(k, number)) return Errno::kEINVAL;
  const Pfn pfn(static_cast<uint32_t>(number));
  if (ZoneOf(k, pfn) != ZoneType::kHighMem) return Errno::kOk;
  const int32_t nr = SlotOf(k, pfn);
  if (nr < 0 || k.kernel_maps.pkmap[static_cast<size_t>(nr)].count < 2) {
    k.Emit(EventLevel::kFaults, Console{"kernel BUG at mm/highmem.c!\n"});
    return Errno::kEINVAL;
  }
  k.kernel_maps.pkmap[static_cast<size_t>(nr)].count--;
  return Errno::kOk;
}

uint64_t PageAddressOf(const Kernel& k, Pfn pfn) {
  if (ZoneOf(k, pfn) != ZoneType::kHighMem) return VirtOf(k, pfn);
  const int32_t nr = SlotOf(k, pfn);
  return nr < 0 ? 0 : PkmapAddr(static_cast<uint32_t>(nr));
}

}  // namespace faultline
