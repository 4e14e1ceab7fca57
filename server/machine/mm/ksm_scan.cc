// What ksmd does. Models mm/ksm.c (v6.18): ksm_do_scan(),
// scan_get_next_rmap_item(), should_skip_rmap_item(), cmp_and_merge_page().
#include <algorithm>
#include <utility>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/ksm.h"
#include "server/machine/mm/ksm_merge.h"
#include "server/machine/mm/ksm_tree.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

// The scan moves to a slot, or (none) comes to its end.
void EnterSlot(Ksm& ksm, Id<KsmMmSlot> slot) {
  ksm.scan_slot = slot;
  ksm.scan_address = VirtAddr(0);
  ksm.scan_item = {};
}

// ksm_scan.rmap_list: what links the item that comes next.
Id<KsmRmapItem>* ScanLink(Ksm& ksm) {
  return ksm.scan_item ? &ksm.rmap_items[ksm.scan_item].rmap_list
                       : &ksm.slots[ksm.scan_slot].rmap_list;
}

// get_next_rmap_item(): the item of this address. Those before it are of pages
// that are gone.
Id<KsmRmapItem> ItemAt(Kernel& k, Mm& mm, VirtAddr addr) {
  Ksm& ksm = k.ksm;
  Id<KsmRmapItem>* link = ScanLink(ksm);
  while (*link && ksm.rmap_items[*link].address < addr) {
    Id<KsmRmapItem> gone = *link;
    *link = std::exchange(ksm.rmap_items[gone].rmap_list, {});
    RemoveTrailing(k, &gone);
  }
  if (*link && ksm.rmap_items[*link].address == addr) return *link;
  const Id<KsmRmapItem> id = ksm.rmap_items.New();
  link = ScanLink(ksm);
  KsmRmapItem& item = ksm.rmap_items[id];
  item.slot = ksm.scan_slot;
  item.address = addr;
  item.rmap_list = *link;
  *link = id;
  mm.ksm_rmap_items++;
  return id;
}

// skip_age(): the longer a page has not merged, the more rarely it is tried.
uint8_t SkipsOfAge(uint8_t age) {
  return age <= 3 ? 1 : age <= 5 ? 2 : age <= 8 ? 4 : 8;
}

// should_skip_rmap_item()
bool ShouldSkip(Kernel& k, Id<KsmRmapItem> id, Pfn pfn) {
  constexpr uint8_t kYoung = 3;
  if (!k.quirks.ksm_smart_scan || k.sysctl.ksm.smart_scan == 0) return false;
  if (std::as_const(k).page(pfn).Is(page_flag::kKsm)) return false;
  KsmRmapItem& item = k.ksm.rmap_items[id];
  const uint8_t age = item.age;
  if (age != UINT8_MAX) item.age++;
  if (age < kYoung) return false;
  if (item.remaining_skips == 0) {
    item.remaining_skips = SkipsOfAge(age);
    return false;
  }
  k.ksm.pages_skipped++;
  item.remaining_skips--;
  RemoveFromTree(k, id);
  return true;
}

// The first anonymous page of [from, vma.end): its address, or vma.end.
VirtAddr NextAnonPage(const Kernel& k, const Mm& mm, const Vma& vma,
                      VirtAddr from, Pfn* pfn) {
  while (from < vma.end) {
    if (!FindLeaf(k, mm, from).at.ok()) {
      from = k.paging.RegionEnd(from);
      continue;
    }
    *pfn = AnonPageAt(k, mm, from);
    if (pfn->valid()) return from;
    from = from + kPageSize;
  }
  return vma.end;
}

// The next item of the slot that the scan is at, and its page; none at its end.
Id<KsmRmapItem> NextInSlot(Kernel& k, Pfn* pfn) {
  Ksm& ksm = k.ksm;
  const Id<Mm> id = ksm.slots[ksm.scan_slot].mm;
  if (!id) {
    EnterSlot(ksm, ksm.scan_slot);  // all of its items are to go
    return {};
  }
  Mm& mm = k.mms[id];
  MmapReadLock(mm);
  Id<Vma> at = LookupVma(k, mm, ksm.scan_address);
  for (; at; at = k.vmas[at].next) {
    const Vma& vma = std::as_const(k.vmas)[at];
    if (!vma.Has(vm::kMergeable)) continue;
    ksm.scan_address = std::max(ksm.scan_address, vma.start);
    if (!vma.anon_vma) ksm.scan_address = vma.end;
    while (ksm.scan_address < vma.end) {
      ksm.scan_address = NextAnonPage(k, mm, vma, ksm.scan_address, pfn);
      if (ksm.scan_address >= vma.end) break;
      const Id<KsmRmapItem> item = ItemAt(k, mm, ksm.scan_address);
      ksm.scan_item = item;
      ksm.scan_address = ksm.scan_address + kPageSize;
      if (!ShouldSkip(k, item, *pfn)) return item;
    }
  }
  return {};
}

// The slot has been scanned. One without any mergeable area is dropped.
void LeaveSlot(Kernel& k) {
  Ksm& ksm = k.ksm;
  RemoveTrailing(k, ScanLink(ksm));
  const Id<KsmMmSlot> done = ksm.scan_slot;
  const bool nothing = ksm.scan_address == VirtAddr(0);
  EnterSlot(ksm, ksm.slots[done].next);
  if (nothing) FreeKsmSlot(k, done);
}

// scan_get_next_rmap_item(); none when the scan is complete.
Id<KsmRmapItem> NextRmapItem(Kernel& k, Pfn* pfn) {
  Ksm& ksm = k.ksm;
  if (!ksm.scan_slot) {
    ksm.unstable_root = 0;
    EnterSlot(ksm, ksm.first_slot);
  }
  while (ksm.scan_slot) {
    if (Id<KsmRmapItem> item = NextInSlot(k, pfn)) return item;
    LeaveSlot(k);
  }
  ksm.seqnr++;
  return {};
}

// Has the page kept its contents since ksmd last saw it?
bool Unchanged(Kernel& k, Id<KsmRmapItem> id, Pfn pfn) {
  const uint32_t checksum = std::as_const(k.frames)[pfn].Checksum();
  return std::exchange(k.ksm.rmap_items[id].oldchecksum, checksum) == checksum;
}

// The unstable tree's part of cmp_and_merge_page().
void MergeUnstable(Kernel& k, Id<KsmRmapItem> id, Pfn pfn) {
  Pfn other;
  const Id<KsmRmapItem> twin = UnstableTreeSearchInsert(k, id, pfn, &other);
  if (!twin || !MergeTwoPages(k, id, pfn, twin, other)) return;
  const Id<KsmStableNode> node = StableTreeInsert(k, pfn);
  StableTreeAppend(k, twin, node);
  StableTreeAppend(k, id, node);
}

// cmp_and_merge_page()
void CmpAndMergePage(Kernel& k, Id<KsmRmapItem> id, Pfn pfn) {
  const Id<KsmStableNode> node = StableNodeOf(std::as_const(k).page(pfn));
  const bool checksum_first = k.quirks.ksm_checksum_first;
  if (node) {
    if (k.ksm.rmap_items[id].head == node) return;
  } else if (checksum_first) {
    RemoveFromTree(k, id);
    if (!Unchanged(k, id, pfn)) return;
    if (MergeWithZeroPage(k, id, pfn)) return;
  }
  const Pfn kpage = StableTreeSearch(k, pfn);
  RemoveFromTree(k, id);
  if (kpage.valid()) {
    if (MergeWithKsmPage(k, id, pfn, kpage)) {
      StableTreeAppend(k, id, StableNodeOf(std::as_const(k).page(kpage)));
    }
    return;
  }
  if (!checksum_first) {
    if (!Unchanged(k, id, pfn)) return;
    if (MergeWithZeroPage(k, id, pfn)) return;
  }
  MergeUnstable(k, id, pfn);
}

// ksm_do_scan(). How many pages it looked at.
uint64_t DoScan(Kernel& k, uint64_t pages) {
  uint64_t scanned = 0;
  while (scanned < pages) {
    Pfn pfn;
    const Id<KsmRmapItem> item = NextRmapItem(k, &pfn);
    if (!item) break;
    k.clock_ns += cost::kKsmPage;
    CmpAndMergePage(k, item, pfn);
    scanned++;
  }
  k.ksm.pages_scanned += scanned;
  return scanned;
}

}  // namespace

// ksm_scan_thread(). Its faults are no process's.
void RunKsmd(Kernel& k, uint64_t clock_ns) {
  constexpr uint64_t kNsPerMs = 1'000'000;
  const Id<Task> current = std::exchange(k.current, {});
  uint64_t steps = kKsmStepsMax;
  while (k.sysctl.ksm.run == kKsmMerge && k.ksm.first_slot && steps > 0 &&
         k.ksm.wake_ns <= clock_ns) {
    k.clock_ns = std::max(k.clock_ns, k.ksm.wake_ns);
    steps--;
    steps -= DoScan(k, std::min(steps, k.sysctl.ksm.pages_to_scan));
    k.ksm.wake_ns = k.clock_ns + k.sysctl.ksm.sleep_millisecs * kNsPerMs;
  }
  k.current = current;
}

}  // namespace faultline
