// Verifies the kernel's own page tables, the areas of vmalloc and the slots of
// kmap, and who uses the devices.
#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/highmem.h"
#include "server/machine/mm/kernel_tables.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/vmap_area.h"
#include "server/machine/verify/verifier.h"

namespace faultline::verify {

void Verifier::CheckKernelMaps() {
  const KernelMaps& maps = k_.kernel_maps;
  CheckVmapAreas();
  if (ok() && maps.pgd.valid()) {
    WalkKernelTable(maps.pgd, k_.paging.levels(), 0);
  }
  Expect("boot's tables", "the kernel", 0, boot_tables_, maps.boot_tables);
  Expect("tables", "the kernel", 0, kernel_tables_, maps.tables);
  Expect("nr_vmalloc_pages", "the kernel", 0, vmalloc_pages_.size(),
         maps.nr_vmalloc_pages);
  Expect("kmap_local", "the kernel", 0, kmap_local_ptes_,
         maps.kmap_local.size());
  std::sort(vmalloc_pages_.begin(), vmalloc_pages_.end());
  for (size_t i = 1; i < vmalloc_pages_.size(); i++) {
    if (vmalloc_pages_[i] == vmalloc_pages_[i - 1]) {
      return Fail("frame %u is mapped twice by vmalloc",
                  vmalloc_pages_[i].value());
    }
  }
  for (const LargeTlb::Entry& e : maps.large_tlb.entries()) {
    const uint64_t addr = e.region * k_.paging.TableSpan();
    if (VirtToPfn(k_, addr) != e.pfn) {
      return Fail("the TLB maps %llx to %u, which the direct map does not",
                  ull{addr}, e.pfn.value());
    }
  }
}

void Verifier::WalkKernelTable(Pfn table, int level, uint64_t base) {
  const Page& page = k_.page(table);
  if (page.Is(page_flag::kTable)) {
    kernel_tables_++;
    Own(table, Owner::kTable);
    if (!KernelTableCounts(k_, level)) uncounted_tables_++;
  } else if (KeptByBoot(k_, table) && page.refcount == 0) {
    boot_tables_++;
  } else {
    return Fail("the kernel's level-%d table for %llx, frame %u, is no table",
                level, ull{base}, table.value());
  }
  const uint64_t* entries = k_.frames.Table(table);
  if (entries == nullptr) return;
  constexpr uint64_t kSignBit = uint64_t{1} << 47, kSign = ~(kSignBit * 2 - 1);
  for (int i = 0; i < k_.paging.entries() && ok(); i++) {
    const Pte entry = k_.paging.Load(entries, i);
    if (entry.none()) continue;
    uint64_t addr =
        base + (static_cast<uint64_t>(i) << k_.paging.LevelShift(level));
    if (k_.paging.levels() == 4 && (addr & kSignBit) != 0) addr |= kSign;
    if (!entry.hw_present()) {
      return Fail("the kernel's entry for %llx is %llx: not present", ull{addr},
                  ull{entry.value()});
    }
    if (level == 1 || (level == 2 && entry.huge())) {
      CheckKernelPte(addr, entry);
    } else {
      WalkKernelTable(entry.pfn(), level - 1, addr);
    }
  }
}

void Verifier::CheckKernelPte(uint64_t addr, Pte pte) {
  if (VirtToPfn(k_, addr).valid()) {
    const auto large = static_cast<uint32_t>(k_.paging.entries());
    const bool whole = !pte.huge() || pte.pfn().value() % large == 0;
    if (VirtToPfn(k_, addr) != pte.pfn() || !whole) {
      Fail("the direct map has frame %u at %llx", pte.pfn().value(), ull{addr});
    }
    return;
  }
  const auto& slots = k_.kernel_maps.pkmap;
  const uint64_t slot = (addr - PkmapBase(k_)) >> kPageShift;
  if (addr >= PkmapBase(k_) && slot < slots.size()) {
    if (slots[slot].page != pte.pfn() || slots[slot].count == 0) {
      Fail("slot %llu of pkmap maps frame %u, which it does not hold",
           ull{slot}, pte.pfn().value());
    }
    return;
  }
  const auto& local = k_.kernel_maps.kmap_local;
  const uint64_t idx = (FixKmapAddr(0) - addr) >> kPageShift;
  if (addr <= FixKmapAddr(0) && idx < local.size()) {
    if (local[idx] != pte.pfn()) {
      Fail("slot %llu of the fixmap maps frame %u, which it does not hold",
           ull{idx}, pte.pfn().value());
    }
    kmap_local_ptes_++;
    return;
  }
  const Id<VmapArea> id = FindVmapArea(k_, addr);
  const uint64_t mapped = id ? k_.kernel_maps.areas[id].start +
                                   k_.kernel_maps.areas[id].nr_pages * kPageSize
                             : 0;
  if (addr >= mapped || !k_.page(pte.pfn()).Is(page_flag::kVmalloc)) {
    return Fail("the kernel maps frame %u at %llx, where there is no area",
                pte.pfn().value(), ull{addr});
  }
  vmalloc_pages_.push_back(pte.pfn());
}

// Black height of a subtree; `above` is where the area before it ended.
int Verifier::CheckAreaTree(uint32_t n, uint32_t parent, VmapState state,
                            uint64_t* above) {
  if (n == 0) return 1;
  const auto& areas = k_.kernel_maps.areas;
  const VmapArea& area = areas[Id<VmapArea>(n)];
  const int left = CheckAreaTree(area.links.left, n, state, above);
  if (area.start < *above || area.end <= area.start || area.state != state ||
      area.links.parent != parent) {
    Fail("vmap area %u is out of place", n);
  }
  if (state == VmapState::kFree && area.start == *above && *above != 0) {
    Fail("vmap area %u is free, as is what ends there: not merged", n);
  }
  *above = area.end;
  const int right = CheckAreaTree(area.links.right, n, state, above);
  auto max_of = [&](uint32_t child) {
    return child == 0 ? 0 : areas[Id<VmapArea>(child)].subtree_max;
  };
  auto red = [&](uint32_t child) {
    return child != 0 && areas[Id<VmapArea>(child)].links.red;
  };
  const uint64_t max = std::max(
      {area.size(), max_of(area.links.left), max_of(area.links.right)});
  const bool knows = state != VmapState::kFree || area.subtree_max == max;
  if (!knows || left != right ||
      (area.links.red && (red(area.links.left) || red(area.links.right)))) {
    Fail("the tree of vmap areas is wrong at %u", n);
  }
  return left + (area.links.red ? 0 : 1);
}

// Free, in use and lazily freed areas make up the ranges.
void Verifier::CheckVmapAreas() {
  const KernelMaps& maps = k_.kernel_maps;
  if (!maps.vmalloc_up) return;
  uint64_t above = 0;
  CheckAreaTree(maps.free_root, 0, VmapState::kFree, &above);
  above = 0;
  CheckAreaTree(maps.busy_root, 0, VmapState::kBusy, &above);
  uint64_t lazy = 0, bytes = 0;
  for (Id<VmapArea> id : maps.lazy) {
    if (maps.areas[id].state != VmapState::kLazy) {
      return Fail("vmap area %u waits for a purge by mistake", id.value());
    }
    lazy += maps.areas[id].size() >> kPageShift;
  }
  Expect("vmap_lazy_nr", "the kernel", 0, lazy, maps.nr_lazy);
  std::vector<std::pair<uint64_t, uint64_t>> all;
  maps.areas.ForEach([&](Id<VmapArea>, const VmapArea& area) {
    all.push_back({area.start, area.end});
    bytes += area.size();
  });
  std::sort(all.begin(), all.end());
  uint64_t end = 0;
  for (const auto& [start, to] : all) {
    if (start < end) return Fail("two vmap areas meet at %llx", ull{start});
    end = to;
  }
  const VmapRange vmalloc = VmallocRange(k_), modules = ModulesRange(k_);
  uint64_t range = vmalloc.end - vmalloc.start;
  if (modules.start != vmalloc.start) range += modules.end - modules.start;
  Expect("vmap areas", "the kernel; bytes:", range, range, bytes);
}

void Verifier::CheckKernelTlb(const TlbEntry& e) {
  const uint64_t addr = e.vpn << kPageShift;
  if (KernelAddrToPfn(k_, addr) == e.pfn) return;
  // Nobody flushes what was freed lazily before it is purged.
  for (Id<VmapArea> id : k_.kernel_maps.lazy) {
    const VmapArea& area = k_.kernel_maps.areas[id];
    if (addr >= area.start && addr < area.end) return;
  }
  Fail("the TLB maps the kernel's page %llx to frame %u, its tables do not",
       ull{e.vpn}, e.pfn.value());
}

void Verifier::CheckDevices() {
  std::map<uint32_t, uint32_t> opens;  // by major
  k_.open_files.ForEach([&](Id<File>, const File& file) {
    const Inode& inode = k_.inodes[file.inode];
    if (inode.special_file() && !file.path_only) opens[inode.rdev_major]++;
  });
  for (const Module& module : k_.devices.modules) {
    Expect("refcnt", module.name.c_str(), 0, opens[module.major],
           module.refcnt);
    opens.erase(module.major);
  }
  if (!opens.empty()) {
    Fail("a device of major %u is open, but has no driver",
         opens.begin()->first);
  }
}

}  // namespace faultline::verify
