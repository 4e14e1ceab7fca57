// Page faults, copy-on-write, and the copying and zapping of page tables.
// Models mm/memory.c (v6.18): handle_mm_fault(), do_anonymous_page(),
// do_wp_page(), do_read_fault(), do_cow_fault(), do_shared_fault(),
// copy_page_range(), zap_page_range_single(), unmap_mapping_pages().
#include "server/machine/mm/memory.h"

#include <algorithm>
#include <utility>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/folio.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/huge_file.h"
#include "server/machine/mm/huge_memory.h"
#include "server/machine/mm/ksm.h"
#include "server/machine/mm/mlock.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/page_writeback.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/rss_stat.h"
#include "server/machine/mm/swap.h"
#include "server/machine/mm/swap_fault.h"
#include "server/machine/mm/swap_state.h"
#include "server/machine/mm/swapfile.h"
#include "server/machine/mm/unmap.h"
#include "server/machine/mm/util.h"
#include "server/machine/mm/writeback.h"

namespace faultline {
namespace {

// struct vm_fault.
struct VmFault {
  Vma& vma;
  Mm& mm;
  VirtAddr addr;  // page aligned
  bool write;
  bool unshare;
  PteRef pte;
  uint64_t pgoff = 0;
  FaultResolved resolved;    // what the trace will say
  bool mapped_huge = false;  // a level-2 entry of a file serves it now
};

// maybe_mkwrite(pte_mkdirty())
Pte MkDirtyMaybeWrite(const Kernel& k, const Vma& vma, Pte pte) {
  return pte.With(DirtyBits(k) | (vma.Has(vm::kWrite) ? Pte::kWrite : 0));
}

// pmd_install(): a fault on a file makes its table only when there is a page
// to map. False: no memory.
bool HasPteTable(Kernel& k, VmFault& f) {
  if (!f.pte.ok()) f.pte = AllocPte(k, f.mm, f.addr);
  return f.pte.ok();
}

void InstallPte(Kernel& k, const VmFault& f, Pte pte) {
  SetPte(k, f.pte, pte);
  k.clock_ns += cost::kPteSet;
}

// vma_alloc_folio(), vma_alloc_zeroed_movable_folio(): a page for user data,
// movable, from the highest zone. All frames come zeroed; what is asked for
// only shows in reports.
Pfn AllocUserPage(Kernel& k, uint32_t zero) {
  return AllocPages(k, gfp::kUserFolio | zero, 0);
}

void Resolve(VmFault& f, FaultResolution how, Pfn pfn) {
  f.resolved.how = how;
  f.resolved.pfn = pfn.value();
}

uint32_t DoAnonymousPage(Kernel& k, VmFault& f) {
  // mm_forbids_zeropage(): what has its own frames is to fill them.
  if (!f.write && !f.mm.replacement) {
    Pte zero = Pte::Make(k.zero_page, VmPageProt(k, f.vma) | Pte::kSpecial);
    InstallPte(k, f, zero);
    Resolve(f, FaultResolution::kAnonZeroPage, k.zero_page);
    return 0;
  }
  AnonVmaPrepare(k, f.vma);
  Pfn pfn = AllocUserPage(k, gfp::kZero);
  if (!pfn.valid()) return vm_fault::kOom;
  k.clock_ns += cost::kPageClear;
  AddMmCounterFast(k, f.mm, kRssAnon, 1);
  AddNewAnonRmap(k, f.vma, pfn, f.addr);
  Pte pte = Pte::Make(pfn, VmPageProt(k, f.vma));
  pte = MkDirtyMaybeWrite(k, f.vma, pte);
  InstallPte(k, f, f.write ? pte : pte.Without(Pte::kDirty));
  Resolve(f, FaultResolution::kAnonPage, pfn);
  return 0;
}

// pte_same(): what was allocated for the fault may have been reclaimed from
// under it. Then it is to be tried again.
bool PteChanged(const Kernel& k, const VmFault& f, Pte old) {
  return ReadPte(k, f.pte) != old;
}

// An anonymous page in place of what `old` maps: in place of another nothing is
// to be counted.
void CountCopied(Kernel& k, Mm& mm, Pte old) {
  if (!old.special()) {
    const RssKind kind = RssKindOf(std::as_const(k).page(old.pfn()));
    if (kind == kRssAnon) return;
    AddMmCounterFast(k, mm, kind, -1);
  }
  AddMmCounterFast(k, mm, kRssAnon, 1);
}

// wp_page_copy(): replaces what `old` maps by a private copy.
uint32_t WpPageCopy(Kernel& k, VmFault& f, Pte old) {
  AnonVmaPrepare(k, f.vma);
  const bool from_zero = old.special();
  Pfn fresh = AllocUserPage(k, from_zero ? gfp::kZero : 0);
  if (!fresh.valid()) return vm_fault::kOom;
  if (PteChanged(std::as_const(k), f, old)) {
    PutPage(k, fresh);
    return 0;
  }
  if (!from_zero) {
    k.frames[fresh] = k.frames[old.pfn()];
    f.resolved.copied_pfn = old.pfn().value();
  }
  CountCopied(k, f.mm, old);
  CountKsmZeroPage(k, f.mm, old);
  k.clock_ns += from_zero ? cost::kPageClear : cost::kPageCopy;
  AddNewAnonRmap(k, f.vma, fresh, f.addr);
  k.tlb.FlushPage(f.mm.asid, f.addr.vpn());
  Pte pte = Pte::Make(fresh, VmPageProt(k, f.vma));
  if (f.unshare) {
    pte = pte.With(old.value() & Pte::kSoftDirty);
  } else {
    pte = MkDirtyMaybeWrite(k, f.vma, pte);
  }
  InstallPte(k, f, pte);
  if (!from_zero) {
    RemoveRmap(k, f.vma, old.pfn());
    NotePartiallyMapped(k, old.pfn());
  }
  Resolve(f,
          from_zero ? FaultResolution::kCowZeroPage : FaultResolution::kCowCopy,
          fresh);
  return 0;
}

void WpPageReuse(Kernel& k, VmFault& f, Pte old) {
  k.vmstat.events[kPgReuse]++;
  k.tlb.FlushPage(f.mm.asid, f.addr.vpn());
  InstallPte(k, f, MkDirtyMaybeWrite(k, f.vma, old.With(Pte::kAccessed)));
}

// page_mkwrite() and fault_dirty_shared_page(): who dirties too much waits.
void FaultDirtySharedPage(Kernel& k, const Vma& vma, Pfn pfn) {
  MarkPageDirty(k, pfn);
  if (!vma.file) return;
  const Id<Inode> id = k.open_files[vma.file].inode;
  MarkInodeDirty(k, id, inode_state::kDirtySync);  // file_update_time()
  BalanceDirtyPagesRatelimited(k, k.inodes[id]);
}

// wp_can_reuse_anon_folio(), of a small page: nobody else holds it, when the
// swap cache has let go of it.
bool CanReuse(Kernel& k, Pfn pfn) {
  const Page& page = k.page(pfn);
  const bool cached = page.Is(page_flag::kSwapCache);
  if (page.refcount > (cached ? 2 : 1)) return false;
  if (cached) FreeSwapOf(k, pfn);
  return page.refcount == 1;
}

// A write to a present page that its PTE does not permit.
uint32_t DoWpPage(Kernel& k, VmFault& f, Pte old) {
  if (f.vma.Has(vm::kShared | vm::kMayShare)) {
    WpPageReuse(k, f, old);
    Resolve(f, FaultResolution::kSharedMkwrite, old.pfn());
    if (!old.special()) {
      FaultDirtySharedPage(k, f.vma, old.pfn());
    }
    return 0;
  }
  if (!old.special()) {
    Page& page = k.page(old.pfn());
    const bool large = page.Is(page_flag::kLarge);
    const bool ksm = page.Is(page_flag::kKsm);
    if (ksm) k.vmstat.events[kCowKsm]++;
    const bool mine = page.Is(page_flag::kAnon) && !ksm &&
                      (page.Is(page_flag::kAnonExclusive) ||
                       (large ? CanReuseLarge(std::as_const(k), old.pfn())
                              : CanReuse(k, old.pfn())));
    if (mine) {
      if (large) {
        page.flags |= page_flag::kAnonExclusive;
      } else if (!page.Is(page_flag::kAnonExclusive)) {
        // folio_move_anon_rmap()
        page.flags |= page_flag::kAnonExclusive;
        page.mapping = f.vma.anon_vma.value();
      }
      WpPageReuse(k, f, old);
      Resolve(f, FaultResolution::kCowReuse, old.pfn());
      return 0;
    }
  }
  return WpPageCopy(k, f, old);
}

bool IsLarge(const Kernel& k, Pfn pfn) {
  return k.page(pfn).Is(page_flag::kLarge);
}

// filemap_map_pmd(): the fault maps a whole folio.
bool MapHuge(Kernel& k, VmFault& f, Pfn pfn, FaultResolution how) {
  if (f.pte.ok() || !MapFilePmd(k, f.vma, f.addr, pfn, f.write)) return false;
  f.mapped_huge = true;
  f.resolved.pages = kHugePmdNr;
  Resolve(f, how, LookAtPte(std::as_const(k), f.mm, f.addr).pfn());
  return true;
}

// do_fault_around() of a large folio, which has page `index` of the file at
// entry `i`. The last entry that was looked at.
int MapAroundFolio(Kernel& k, VmFault& f, int i, uint64_t index, Pfn pfn,
                   int end, RssBatch& rss) {
  const AroundFolio around =
      MapFolioAround(k, f.vma, {f.pte.table, i}, index, pfn, end);
  rss.Add(kRssShmem, around.mapped);
  f.resolved.pages += static_cast<uint32_t>(around.mapped);
  const int at = f.pte.index - around.whole.index;
  if (at >= 0 && at < around.whole.pages) {
    Resolve(f, FaultResolution::kFileAround,
            around.whole.first + PageCount(static_cast<uint64_t>(at)));
  }
  return around.next - 1;
}

// do_fault_around(): maps the cached pages around the fault. False: no memory
// for their table.
bool DoFaultAround(Kernel& k, VmFault& f) {
  const int window = static_cast<int>(k.sysctl.fault_around_bytes / kPageSize);
  const int at = f.pte.index, entries = k.paging.entries();
  const uint64_t vma_off = f.pgoff - f.vma.pgoff;
  int from =
      std::max<int>(at / window * window,
                    at - static_cast<int>(std::min<uint64_t>(at, vma_off)));
  uint64_t vma_left = f.vma.pages().value() - vma_off;
  int to = std::min({from + window, entries,
                     at + static_cast<int>(std::min<uint64_t>(
                              vma_left, static_cast<uint64_t>(entries)))});
  Inode& inode = k.inodes[k.open_files[f.vma.file].inode];
  FileRa& ra = k.open_files[f.vma.file].ra;
  uint16_t hits = 0;  // pages that a fault need not wait for
  uint64_t limit = PagesOf(PageAlign(inode.size)).value();
  uint64_t prot = VmPageProt(k, f.vma);
  RssBatch rss(k, f.mm, RssBatch::How::kFast);
  for (int i = from; i < to; i++) {
    uint64_t index = f.pgoff + i - at;
    if (index >= limit) break;
    Pfn pfn = FilemapLookup(k, inode, index);
    if (!pfn.valid()) continue;
    if (IsLarge(std::as_const(k), pfn)) [[unlikely]] {
      if (MapHuge(k, f, pfn, FaultResolution::kFileAround)) return true;
      if (!HasPteTable(k, f)) return false;
      pfn = FilemapLookup(k, inode, index);
      if (!pfn.valid()) continue;
      if (IsLarge(std::as_const(k), pfn)) {
        const auto left = static_cast<int>(
            std::min<uint64_t>(limit - index, static_cast<uint64_t>(to - i)));
        i = MapAroundFolio(k, f, i, index, pfn, i + left, rss);
        continue;
      }
    }
    if (!FilemapMayMapAround(std::as_const(k), inode, pfn)) continue;
    // What was evicted a while ago will be again: no reason to read ahead.
    if (!std::as_const(k).page(pfn).Is(page_flag::kWorkingset)) hits++;
    // filemap_map_pages(): the first page makes the table, unless the file ends
    // with it (can_map_large).
    const bool makes_table = inode.shmem() || index + 1 < limit ||
                             !k.quirks.last_page_makes_no_table;
    if (!f.pte.ok() && !makes_table) break;
    if (!f.pte.ok()) {
      if (!HasPteTable(k, f)) return false;
      pfn = FilemapLookup(k, inode, index);  // unless it was reclaimed for that
      if (!pfn.valid()) continue;
    }
    PteRef ref{f.pte.table, i};
    if (!ReadPte(std::as_const(k), ref).none()) continue;
    MlockVmaPage(k, f.vma, pfn);
    AddFileRmap(k, pfn);
    rss.Add(RssKindOf(k.page(pfn)), 1);
    SetPte(k, ref, Pte::Make(pfn, prot));
    k.clock_ns += cost::kPteSet;
    f.resolved.pages++;
    if (i == at) Resolve(f, FaultResolution::kFileAround, pfn);
  }
  ra.mmap_miss -= std::min(ra.mmap_miss, hits);
  return true;
}

void MapFilePage(Kernel& k, VmFault& f, Pfn pfn) {
  MlockVmaPage(k, f.vma, pfn);
  AddFileRmap(k, pfn);
  AddMmCounterFast(k, f.mm, RssKindOf(k.page(pfn)), 1);
}

uint32_t SpecialMappingFault(Kernel& k, VmFault& f) {
  if (!HasPteTable(k, f)) return vm_fault::kOom;
  Pfn pfn = k.vdso_pages + PageCount(f.pgoff);
  Pte pte = Pte::Make(pfn, VmPageProt(k, f.vma));
  if (f.vma.Has(vm::kPfnMap)) {
    pte = pte.With(Pte::kSpecial);
  } else {
    MapFilePage(k, f, pfn);
  }
  InstallPte(k, f, pte);
  Resolve(f, FaultResolution::kFileRead, pfn);
  return 0;
}

// A table for a page that FilemapFault() gave. kPageGone: the page was
// reclaimed to have memory for it, and the fault is to be tried again.
enum class TableFor : uint8_t { kReady, kNoMemory, kPageGone };
bool IsStillThere(const Kernel& k, const VmFault& f, Pfn pfn) {
  if (f.vma.ops == VmOps::kDevice) return true;  // a driver's
  const Inode& inode = k.inodes[k.open_files[f.vma.file].inode];
  return FilemapLookup(k, inode, f.pgoff) == pfn;
}
TableFor HasTableFor(Kernel& k, VmFault& f, Pfn pfn) {
  if (f.pte.ok()) return TableFor::kReady;
  if (!HasPteTable(k, f)) return TableFor::kNoMemory;
  return IsStillThere(std::as_const(k), f, pfn) ? TableFor::kReady
                                                : TableFor::kPageGone;
}

bool IsMapped(const Kernel& k, const VmFault& f) {
  return f.mapped_huge || (f.pte.ok() && !ReadPte(k, f.pte).none());
}

// Did filemap_fault() drop the mmap lock, for a read or to wait? Then the fault
// starts anew.
bool Restarts(Kernel& k, const FilemapResult& page) {
  if (!(page.status & (vm_fault::kMajor | vm_fault::kRetry))) return false;
  CheckSyncRssStat(k);
  return true;
}

// finish_fault(), of a page of a large folio that is not copied. False: no
// memory, or (`status` has no error) the page was reclaimed meanwhile.
[[gnu::noinline]] bool FinishLargeFault(Kernel& k, VmFault& f, Pfn pfn,
                                        FaultResolution how, uint32_t* status) {
  if (MapHuge(k, f, pfn, how)) return true;
  const TableFor table = HasTableFor(k, f, pfn);
  if (table == TableFor::kNoMemory) *status = vm_fault::kOom;
  // The folio may have been split to make room for the table.
  if (table != TableFor::kReady || !IsLarge(std::as_const(k), pfn)) {
    return false;
  }
  const MappedRun run = MapFilePtes(k, f.vma, f.pte, f.pgoff, pfn, f.write);
  f.resolved.pages += static_cast<uint32_t>(run.pages);
  Resolve(f, how, pfn);
  return true;
}

uint32_t DoReadFault(Kernel& k, VmFault& f) {
  const bool around = k.sysctl.fault_around_bytes > kPageSize &&
                      f.vma.ops != VmOps::kDevice &&  // vm_ops->map_pages
                      !f.mm.replacement;
  f.resolved.pages = 0;
  if (around) {
    if (!DoFaultAround(k, f)) return vm_fault::kOom;
    if (IsMapped(std::as_const(k), f)) return 0;
  }
  FilemapResult page = FilemapFault(k, f.vma, f.pgoff);
  if (page.status & vm_fault::kError) return page.status;
  if (Restarts(k, page) && around) {
    // The fault finds what the read brought.
    if (!DoFaultAround(k, f)) return vm_fault::kOom;
    if (IsMapped(std::as_const(k), f)) return page.status;
    if (!IsStillThere(std::as_const(k), f, page.pfn)) return page.status;
  }
  constexpr auto kHow = FaultResolution::kFileRead;
  if (IsLarge(std::as_const(k), page.pfn)) [[unlikely]] {
    FinishLargeFault(k, f, page.pfn, kHow, &page.status);
    return page.status;
  }
  const TableFor table = HasTableFor(k, f, page.pfn);
  if (table == TableFor::kNoMemory) return vm_fault::kOom;
  if (table == TableFor::kPageGone) return page.status;
  MapFilePage(k, f, page.pfn);
  InstallPte(k, f, Pte::Make(page.pfn, VmPageProt(k, f.vma)));
  f.resolved.pages++;
  Resolve(f, kHow, page.pfn);
  return page.status;
}

// The page that a write fault copies or makes writable. When it had to let go
// of the lock for a page that was there, the fault is tried again.
FilemapResult PageForWrite(Kernel& k, const VmFault& f) {
  FilemapResult page = FilemapFault(k, f.vma, f.pgoff);
  if (!Restarts(k, page) || page.status != vm_fault::kRetry) return page;
  page = FilemapFault(k, f.vma, f.pgoff);
  page.status |= vm_fault::kRetry;
  return page;
}

uint32_t DoCowFault(Kernel& k, VmFault& f) {
  AnonVmaPrepare(k, f.vma);
  Pfn fresh = AllocUserPage(k, 0);
  if (!fresh.valid()) return vm_fault::kOom;
  FilemapResult page = PageForWrite(k, f);
  if (page.status & vm_fault::kError) {
    PutPage(k, fresh);
    return page.status;
  }
  const TableFor table = HasTableFor(k, f, page.pfn);
  if (table != TableFor::kReady) {
    PutPage(k, fresh);
    return table == TableFor::kNoMemory ? vm_fault::kOom : page.status;
  }
  k.frames[fresh] = k.frames[page.pfn];
  f.resolved.copied_pfn = page.pfn.value();
  k.clock_ns += cost::kPageCopy;
  AddMmCounterFast(k, f.mm, kRssAnon, 1);
  AddNewAnonRmap(k, f.vma, fresh, f.addr);
  Pte pte = Pte::Make(fresh, VmPageProt(k, f.vma));
  InstallPte(k, f, MkDirtyMaybeWrite(k, f.vma, pte));
  Resolve(f, FaultResolution::kFileCow, fresh);
  return page.status;
}

uint32_t DoSharedFault(Kernel& k, VmFault& f) {
  FilemapResult page = PageForWrite(k, f);
  if (page.status & vm_fault::kError) return page.status;
  constexpr auto kHow = FaultResolution::kFileShared;
  if (IsLarge(std::as_const(k), page.pfn)) [[unlikely]] {
    if (FinishLargeFault(k, f, page.pfn, kHow, &page.status)) {
      FaultDirtySharedPage(k, f.vma, page.pfn);
    }
    return page.status;
  }
  const TableFor table = HasTableFor(k, f, page.pfn);
  if (table == TableFor::kNoMemory) return vm_fault::kOom;
  if (table == TableFor::kPageGone) return page.status;
  MapFilePage(k, f, page.pfn);
  Pte pte = Pte::Make(page.pfn, VmPageProt(k, f.vma));
  InstallPte(k, f, MkDirtyMaybeWrite(k, f.vma, pte));
  FaultDirtySharedPage(k, f.vma, page.pfn);
  Resolve(f, kHow, page.pfn);
  return page.status;
}

uint32_t DoFault(Kernel& k, VmFault& f) {
  f.pgoff = f.vma.PageIndex(f.addr);
  if (f.vma.ops == VmOps::kSpecial) return SpecialMappingFault(k, f);
  if (!f.write) return DoReadFault(k, f);
  return f.vma.Has(vm::kShared) ? DoSharedFault(k, f) : DoCowFault(k, f);
}

uint32_t SwapPageFault(Kernel& k, VmFault& f) {
  const SwapFault swap = DoSwapPage(k, f.vma, f.addr, f.pte, f.write);
  if (!swap.pfn.valid()) return swap.status;
  Resolve(f, FaultResolution::kSwapIn, swap.pfn);
  if (!swap.still_wp) return swap.status;
  return swap.status | DoWpPage(k, f, ReadPte(std::as_const(k), f.pte));
}

uint32_t HandlePteFault(Kernel& k, VmFault& f) {
  const Pte old = f.pte.ok() ? ReadPte(std::as_const(k), f.pte) : Pte(0);
  if (old.none()) {
    return f.vma.anonymous() ? DoAnonymousPage(k, f) : DoFault(k, f);
  }
  if (old.guard()) return vm_fault::kSigsegv;  // handle_pte_marker()
  if (old.swapped()) return SwapPageFault(k, f);
  VM_BUG_ON(!old.present());
  if ((f.write || f.unshare) && !old.writable()) return DoWpPage(k, f, old);
  Pte young = old.With(Pte::kAccessed | (f.write ? DirtyBits(k) : 0));
  if (young != old) SetPte(k, f.pte, young);
  k.tlb.FlushPage(f.mm.asid, f.addr.vpn());
  Resolve(f, FaultResolution::kSpurious, old.pfn());
  return 0;
}

// __handle_mm_fault(): the upper tables always, the lowest one at once only
// where every fault ends in a page. False: no memory.
bool FaultTables(Kernel& k, VmFault& f) {
  if (f.vma.anonymous()) {
    f.pte = AllocPte(k, f.mm, f.addr);
    return f.pte.ok();
  }
  return f.pte.ok() || AllocTable(k, f.mm, f.addr, 2).valid();
}

// May a level-2 entry serve the fault, for which there is no PTE? Of a file
// there must be one.
bool MayBeHuge(const Kernel& k, const VmFault& f) {
  if (f.vma.anonymous()) return true;
  return f.vma.ops == VmOps::kShmem && FindLeaf(k, f.mm, f.addr).huge;
}

// Is a fault that had to let go of the lock a major one, though the page was
// there? Until 6.4, where the first try got along with the VMA's own lock.
bool RetryIsMajor(const Kernel& k, uint32_t status) {
  return (status & vm_fault::kRetry) != 0 &&
         k.config.personality == Personality::kLinux61;
}

// mm_account_fault()
void AccountFault(Kernel& k, uint32_t status, Retry retry) {
  k.vmstat.events[kPgFault]++;
  if ((status & vm_fault::kError) || !k.current) return;
  Task& task = k.Current();
  const bool tried =
      retry == Retry::kTried || (status & vm_fault::kCompleted) != 0;
  if (((status & vm_fault::kMajor) || RetryIsMajor(k, status)) && tried) {
    task.maj_flt++;
  } else {
    task.min_flt++;
  }
}

// The pages of a VMA that fork must copy: copy_page_range()'s
// vma_needs_copy(). What a fault can bring back is not copied.
bool VmaNeedsCopy(const Vma& src) {
  return src.anon_vma || src.Has(vm::kPfnMap | vm::kMixedMap | vm::kMaybeGuard);
}

// copy_pgd_range() and the levels below: the child gets a table wherever the
// parent has one, though it may hold nothing of this VMA. False: no memory.
bool CopyTables(Kernel& k, Mm& to, const Mm& from, const Vma& vma) {
  for (VirtAddr a = vma.start; a < vma.end; a = k.paging.RegionEnd(a)) {
    int level = 1;
    while (!FindTable(std::as_const(k), from, a, level).valid()) level++;
    if (!AllocTable(k, to, a, level).valid()) return false;
  }
  return true;
}

}  // namespace

uint32_t HandleMmFault(Kernel& k, Vma& vma, VirtAddr addr, FaultAccess access,
                       Retry retry) {
  CheckSyncRssStat(k);
  VmFault f{.vma = vma,
            .mm = k.mms[vma.mm],
            .addr = addr.Floor(),
            .write = access == FaultAccess::kWrite,
            .unshare = access == FaultAccess::kUnshare,
            .pte = {},
            .pgoff = 0,
            .resolved = {},
            .mapped_huge = false};
  f.resolved.address = addr.value();
  uint32_t status = kFaultFallback;
  f.pte = FindPte(std::as_const(k), f.mm, f.addr);
  if (!f.pte.ok() && MayBeHuge(std::as_const(k), f)) {
    status = HugePmdFault(k, vma, f.addr, f.write, &f.resolved);
  }
  if (status == kFaultFallback) {
    status = FaultTables(k, f) ? HandlePteFault(k, f) : vm_fault::kOom;
  }
  AccountFault(k, status, retry);
  // Unless it is to be tried again.
  if (!(status & vm_fault::kError) && f.resolved.pfn != 0) {
    f.resolved.major = status & vm_fault::kMajor;
    k.Emit(EventLevel::kFaults, f.resolved);
  }
  return status;
}

namespace {

// zap_pte_range() of 6.1: at each table, whatever it holds, the task tells its
// mm what it has counted (add_mm_rss_vec()).
void TellBeforeZap(Kernel& k, const Mm& mm, VirtAddr start, VirtAddr end) {
  if (!k.current || k.Current().mm != mm.id) return;
  for (VirtAddr a = start; a < end; a = k.paging.RegionEnd(a)) {
    if (!FindPte(std::as_const(k), mm, a).ok()) continue;
    return SyncMmRss(k, k.Current());
  }
}

// zap_pmd_range()
struct ZapOrSplitHuge {
  Kernel& k;
  const Vma& vma;
  Huge operator()(VirtAddr from, VirtAddr to, PteRef pmd) const {
    if (to - from < kPmdSize) {
      SplitHugePmd(k, vma, from);
      return Huge::kSplit;
    }
    ZapHugePmd(k, vma, from, pmd);
    return Huge::kDone;
  }
};

}  // namespace

void ZapPageRange(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end,
                  GuardMarkers markers) {
  Mm& mm = k.mms[vma.mm];
  // zap_page_range_single(); who unmaps has done it for all VMAs at once.
  if (markers == GuardMarkers::kKeep) UpdateHiwaterRss(mm);
  if (k.quirks.split_rss_counting) TellBeforeZap(k, mm, start, end);
  bool flush = false;
  RssBatch rss(k, mm, RssBatch::How::kDirect);
  uint64_t region = 0;
  Pfn large;  // the last page of a large folio that went
  const bool recency = VmaHasRecency(std::as_const(k), vma);
  const PagingMode paging = k.paging;
  ZapBatch batch;
  auto zap_pte = [&](VirtAddr a, auto& entry) __attribute__((always_inline)) {
    // zap_pte_range() works table by table.
    if (region != paging.RegionOf(a)) rss.Flush();
    region = paging.RegionOf(a);
    Pte pte(entry);
    if (pte.guard() && markers == GuardMarkers::kKeep) return;
    entry = 0;
    if (pte.swapped()) {
      rss.Add(kRssSwap, -1);
      FreeSwapAndCache(k, SwpEntry::Of(pte));
      return;
    }
    if (!pte.present()) return;
    flush = true;
    if (pte.special()) return CountKsmZeroPage(k, mm, pte);
    Page& page = k.page(pte.pfn());
    if (!page.Is(page_flag::kAnon)) {
      bool young = pte.young();
      if (page.Is(page_flag::kLarge)) [[unlikely]] {
        young = batch.Zap(k, a, pte);
      } else if (pte.dirty()) {
        page.flags |= page_flag::kDirty;
      }
      if (young && recency) MarkPageAccessed(k, pte.pfn(), &vma);
    }
    rss.Add(RssKindOf(page), -1);
    if (page.Is(page_flag::kLarge)) [[unlikely]]
      large = pte.pfn();
    RemoveRmap(k, vma, pte.pfn());
  };
  auto zap_huge = [&](VirtAddr from, VirtAddr to, PteRef pmd) {
    rss.Flush();
    return ZapOrSplitHuge{k, vma}(from, to, pmd);
  };
  ForEachPte(k, mm, start, end, zap_pte, zap_huge);
  if (large.valid()) NotePartiallyMapped(k, large);
  if (flush) FlushTlbRange(k, mm, start, end);
}

bool CopyPageRange(Kernel& k, Vma& dst, Vma& src) {
  if (!VmaNeedsCopy(src)) return true;
  Mm& from = k.mms[src.mm];
  Mm& to = k.mms[dst.mm];
  const bool cow = (src.flags & (vm::kShared | vm::kMayWrite)) == vm::kMayWrite;
  if (!CopyTables(k, to, from, src)) return false;
  bool flush = false;
  uint64_t region = ~uint64_t{0};
  uint64_t* child_table = nullptr;
  RssBatch rss(k, to, RssBatch::How::kDirect);
  const PagingMode paging = k.paging;
  auto set_child = [&](VirtAddr a, Pte pte) {
    paging.Store(child_table, paging.PteIndex(a), pte);
  };
  auto copy_pte = [&](VirtAddr a, auto& entry) __attribute__((always_inline)) {
    if (paging.RegionOf(a) != region) {
      rss.Flush();
      region = paging.RegionOf(a);
      child_table = k.frames.MutTable(FindTable(std::as_const(k), to, a, 1));
    }
    Pte pte(entry);
    if (pte.guard()) return set_child(a, pte);  // copy_pte_marker()
    if (pte.swapped()) {                        // copy_nonpresent_pte()
      SwapDuplicate(k, SwpEntry::Of(pte));
      to.on_mmlist = true;
      rss.Add(kRssSwap, 1);
      entry = pte.Without(Pte::kSwpExclusive).value();
      return set_child(a, Pte(entry));
    }
    if (pte.special()) {
      CountKsmZeroPage(k, to, pte, 1);
    } else {
      Page& page = k.page(pte.pfn());
      if (page.Is(page_flag::kLarge)) [[unlikely]] {
        DupLargeRmapPte(k, to, pte.pfn());
      } else {
        page.refcount++;
        page.mapcount++;
        if (page.Is(page_flag::kAnon)) page.flags &= ~page_flag::kAnonExclusive;
      }
      rss.Add(RssKindOf(page), 1);
    }
    if (cow && pte.writable()) {
      pte = pte.Without(Pte::kWrite);
      entry = pte.value();
      flush = true;
    }
    Pte child = pte.Without(Pte::kAccessed);
    if (src.Has(vm::kShared)) child = child.Without(Pte::kDirty);
    set_child(a, child);
  };
  bool memory = true;
  auto copy_huge = [&](VirtAddr a, VirtAddr, PteRef pmd) {
    rss.Flush();
    // What a fault can bring back is not copied.
    if (!memory || !src.anonymous()) return Huge::kDone;
    flush = true;
    const CopiedHuge copied = CopyHugePmd(k, to, a, pmd);
    if (copied == CopiedHuge::kWasSplit) {
      memory = AllocTable(k, to, a, 1).valid();
      return memory ? Huge::kSplit : Huge::kDone;
    }
    memory = copied == CopiedHuge::kDone;
    return Huge::kDone;
  };
  ForEachPte(k, from, src.start, src.end, copy_pte, copy_huge);
  if (flush) FlushTlbRange(k, from, src.start, src.end);
  return memory;
}

void UnmapMappingPages(Kernel& k, Inode& inode, uint64_t first, uint64_t last,
                       bool even_cows) {
  for (Id<Vma> id = inode.i_mmap; id; id = k.vmas[id].shared_next) {
    Vma& vma = k.vmas[id];
    uint64_t vma_last = vma.pgoff + vma.pages().value() - 1;
    uint64_t lo = std::max(first, vma.pgoff), hi = std::min(last, vma_last);
    if (lo > hi) continue;
    VirtAddr start = vma.start + ((lo - vma.pgoff) << kPageShift);
    VirtAddr end = vma.start + ((hi - vma.pgoff + 1) << kPageShift);
    if (even_cows) {
      ZapPageRange(k, vma, start, end);
      continue;
    }
    Mm& mm = k.mms[vma.mm];
    bool flush = false;
    UpdateHiwaterRss(mm);
    if (k.quirks.split_rss_counting) TellBeforeZap(k, mm, start, end);
    RssBatch rss(k, mm, RssBatch::How::kDirect);
    ZapBatch batch;
    auto zap_pte = [&](VirtAddr a, auto& entry) {
      Pte pte(entry);
      if (!pte.present() || pte.special()) return;
      const Page& page = k.page(pte.pfn());
      if (page.Is(page_flag::kAnon)) return;
      bool young = pte.young();
      if (page.Is(page_flag::kLarge)) {
        young = batch.Zap(k, a, pte);
      } else if (pte.dirty()) {
        MarkPageDirty(k, pte.pfn());
      }
      if (young && VmaHasRecency(std::as_const(k), vma)) {
        MarkPageAccessed(k, pte.pfn(), &vma);
      }
      entry = 0;
      flush = true;
      rss.Add(RssKindOf(page), -1);
      RemoveRmap(k, vma, pte.pfn());
    };
    ForEachPte(k, mm, start, end, zap_pte, ZapOrSplitHuge{k, vma});
    if (flush) FlushTlbRange(k, mm, start, end);
  }
}

}  // namespace faultline
