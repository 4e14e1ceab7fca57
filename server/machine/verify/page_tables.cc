// Verifies every table and every entry, and what the TLB knows of them.
#include <algorithm>
#include <map>

#include "server/machine/mm/folio.h"
#include "server/machine/mm/kernel_tables.h"
#include "server/machine/mm/ksm.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/verify/verifier.h"

namespace faultline::verify {

// Page tables: every table and every PTE of every address space.
void Verifier::CheckPageTables() {
  k_.mms.ForEach([&](Id<Mm>, const Mm& mm) {
    if (!ok()) return;
    rss_ = {};
    tables_ = pte_tables_ = 0;
    vma_ = mm.mmap ? &k_.vmas[mm.mmap] : nullptr;
    WalkTable(mm, mm.pgd, k_.paging.levels(), 0);
    if (!ok()) return;
    const uint64_t id = mm.id.value();
    Expect("pgtables_bytes", "mm", id, (tables_ - 1) * kPageSize,
           mm.pgtables_bytes);
    Expect("nr_ptes", "mm", id, pte_tables_, mm.nr_ptes);
    Expect("MM_FILEPAGES", "mm", id, rss_[kRssFile], mm.Rss(kRssFile));
    Expect("MM_ANONPAGES", "mm", id, rss_[kRssAnon], mm.Rss(kRssAnon));
    Expect("MM_SHMEMPAGES", "mm", id, rss_[kRssShmem], mm.Rss(kRssShmem));
    Expect("MM_SWAPENTS", "mm", id, rss_[kRssSwap], mm.Rss(kRssSwap));
    CheckRssStat(mm);
  });
}

// What an mm shows and what its tasks have not told it yet is all there is.
void Verifier::CheckRssStat(const Mm& mm) {
  if (!k_.quirks.split_rss_counting) return;
  for (size_t i = 0; i < mm.rss.size(); i++) {
    int64_t sum = mm.rss[i].shown;
    k_.tasks.ForEach([&](Id<Task>, const Task& task) {
      if (task.mm == mm.id) sum += task.rss_stat[i];
    });
    Expect("rss_stat", "mm", mm.id.value(), static_cast<uint64_t>(sum),
           static_cast<uint64_t>(mm.rss[i].exact));
  }
}

void Verifier::WalkTable(const Mm& mm, Pfn table, int level, uint64_t base) {
  const Page& page = k_.page(table);
  if (!PfnValid(k_, table.value()) || !page.Is(page_flag::kTable) ||
      page.index != mm.id.value() || page.refcount != 1) {
    return Fail(
        "mm %u: the level-%d table for %llx is frame %u, which is no "
        "table of it (flags %x, refcount %d, mm %llu)",
        mm.id.value(), level, ull{base}, table.value(), page.flags,
        page.refcount, ull{page.index});
  }
  tables_++;
  if (level == 1) pte_tables_++;
  Own(table, Owner::kTable);
  const uint64_t* entries = k_.frames.Table(table);
  if (level == 2) CheckDeposit(mm, table, entries);
  if (entries == nullptr) return;
  for (int i = 0; i < k_.paging.entries() && ok(); i++) {
    const Pte entry = k_.paging.Load(entries, i);
    if (entry.none()) continue;
    const uint64_t addr =
        base + (static_cast<uint64_t>(i) << k_.paging.LevelShift(level));
    if (level == 1) {
      CheckPte(mm, VirtAddr(addr), entry);
    } else if (level == 2 && entry.huge()) {
      CheckHugePmd(mm, VirtAddr(addr), entry);
    } else if (!entry.hw_present() || !entry.writable()) {
      Fail("mm %u: the level-%d entry for %llx is %llx, which is no table",
           mm.id.value(), level, ull{addr}, ull{entry.value()});
    } else {
      WalkTable(mm, entry.pfn(), level - 1, addr);
    }
  }
}

// Addresses only rise during the walk, and so do the VMAs.
const Vma* Verifier::VmaAt(VirtAddr addr) {
  while (vma_ != nullptr && vma_->end <= addr) {
    vma_ = vma_->next ? &k_.vmas[vma_->next] : nullptr;
  }
  return vma_ != nullptr && vma_->start <= addr ? vma_ : nullptr;
}

void Verifier::CheckPte(const Mm& mm, VirtAddr addr, Pte pte) {
  auto fail = [&](const char* why) {
    Fail("mm %u: the PTE of %llx is %llx: %s", mm.id.value(), ull{addr.value()},
         ull{pte.value()}, why);
  };
  const Vma* at = VmaAt(addr);
  if (at == nullptr) return fail("no VMA is there");
  const Vma& vma = *at;
  if (pte.guard()) {
    if (!vma.Has(vm::kMaybeGuard)) fail("the VMA knows of no guard");
    return;
  }
  if (pte.swapped()) {
    if (pte.swp_type() >= k_.swap.infos.size() ||
        !k_.swap.infos[pte.swp_type()].used) {
      return fail("it is of no swap area");
    }
    swap_entries_.push_back(SwpEntry::Of(pte).value());
    rss_[kRssSwap]++;
    if (!mm.on_mmlist) fail("it is swapped out, but the mm is not on mmlist");
    return;
  }
  if (!pte.present()) return fail("it is neither none nor present");
  if (pte.writable() && !vma.Has(vm::kWrite)) {
    return fail("it is writable, but the VMA is not");
  }
  if (pte.hw_present() && !vma.Has(vm::kAccessFlags)) {
    return fail("it is accessible, but the VMA is not");
  }
  if (!PfnValid(k_, pte.pfn().value())) return fail("there is no such frame");
  const Page& page = k_.page(pte.pfn());
  if (pte.special()) {
    if (pte.writable()) return fail("a special page is writable");
    ksm_zero_pages_[mm.id.value()] += IsKsmZeroPte(k_, pte);
    if (!page.Is(page_flag::kReserved)) {
      return fail("a special page is not reserved");
    }
    return;
  }
  if (!page.Is(page_flag::kAnon)) {
    CheckFilePte(vma, addr, pte.pfn(), fail);
  } else {
    CheckAnonPte(vma, addr, pte.pfn(), pte, fail);
  }
  if (page.Is(page_flag::kLarge)) {
    folios_[FolioIdOf(pte.pfn())].large_mapcount++;
  } else if (vma.Has(vm::kLocked)) {
    locked_.push_back(pte.pfn());
  }
  mapped_.push_back(pte.pfn());
  rss_[RssKindOf(page)]++;
}

template <class F>
void Verifier::CheckAnonPte(const Vma& vma, VirtAddr addr, Pfn pfn, Pte pte,
                            F fail) {
  const Page& page = k_.page(pfn);
  if (pte.writable() && !page.Is(page_flag::kAnonExclusive)) {
    return fail("it is writable, but the page is not exclusive");
  }
  if (page.Is(page_flag::kKsm)) return;  // any page of these contents
  if (PageIndexOf(k_, pfn) != vma.PageIndex(addr)) {
    return fail("the page has another index");
  }
  // The reverse mapping must lead from the page to this VMA.
  for (Id<AnonVmaChain> c = vma.anon_chain; c;
       c = k_.anon_chains[c].same_vma_next) {
    if (k_.anon_chains[c].anon_vma.value() == FolioOf(k_, pfn).mapping) return;
  }
  fail("the page's anon_vma does not lead to the VMA");
}

template <class F>
void Verifier::CheckFilePte(const Vma& vma, VirtAddr addr, Pfn pfn, F fail) {
  const Page& page = FolioOf(k_, pfn);
  if (vma.ops == VmOps::kSpecial) {
    if (!page.Is(page_flag::kReserved)) fail("a vdso page is not reserved");
    return;
  }
  if (!vma.file) return fail("a file page in an anonymous VMA");
  if (vma.ops == VmOps::kDevice) {
    if (!page.Is(page_flag::kDriver)) fail("the page is no driver's");
    return;
  }
  if (page.mapping != k_.open_files[vma.file].inode.value() ||
      PageIndexOf(k_, pfn) != vma.PageIndex(addr)) {
    fail("the page is not the file's at this offset");
  }
}

// A level-2 table keeps one empty table for each of its huge pages of anonymous
// memory.
void Verifier::CheckDeposit(const Mm& mm, Pfn table, const uint64_t* entries) {
  uint64_t huge = 0, kept = 0;
  for (int i = 0; entries != nullptr && i < k_.paging.entries(); i++) {
    const Pte entry = k_.paging.Load(entries, i);
    if (!entry.huge()) continue;
    huge += entry.special() || k_.page(entry.pfn()).Is(page_flag::kAnon);
  }
  for (Pfn at = k_.page(table).next; at.valid() && kept <= huge;
       at = k_.page(at).next, kept++) {
    if (!k_.page(at).Is(page_flag::kTable) ||
        !TableIsEmpty(k_.frames.Table(at))) {
      return Fail("mm %u: frame %u is deposited, but is no empty table",
                  mm.id.value(), at.value());
    }
    tables_++;
    pte_tables_++;
    Own(at, Owner::kTable);
  }
  if (kept != huge) {
    Fail("mm %u: table %u has %llu huge pages and %llu deposited tables",
         mm.id.value(), table.value(), ull{huge}, ull{kept});
  }
}

void Verifier::CheckHugePmd(const Mm& mm, VirtAddr addr, Pte pmd) {
  auto fail = [&](const char* why) {
    Fail("mm %u: the huge entry of %llx is %llx: %s", mm.id.value(),
         ull{addr.value()}, ull{pmd.value()}, why);
  };
  const Vma* at = VmaAt(addr);
  if (at == nullptr) return fail("no VMA is there");
  const Vma& vma = *at;
  const bool shmem = vma.ops == VmOps::kShmem;
  if ((!vma.anonymous() && !shmem) || vma.end - addr < kPmdSize) {
    return fail("no VMA that may have it holds all of it");
  }
  if (!pmd.present()) return fail("it is not present");
  if (pmd.writable() && !vma.Has(vm::kWrite)) {
    return fail("it is writable, but the VMA is not");
  }
  const Page& head = k_.page(pmd.pfn());
  if (pmd.special()) {
    if (shmem) return fail("a file has no huge zero page");
    if (pmd.pfn() != k_.huge_zero_page) return fail("it is not of zeros");
    if (pmd.writable()) return fail("the huge zero page is writable");
    return;
  }
  if (!head.Is(page_flag::kLarge) || head.Is(page_flag::kTail) ||
      head.order != kHugePmdOrder || head.Is(page_flag::kAnon) == shmem) {
    return fail("no large folio of that kind begins there");
  }
  if (shmem) {
    CheckFilePte(vma, addr, pmd.pfn(), fail);
  } else {
    CheckAnonPte(vma, addr, pmd.pfn(), pmd, fail);
  }
  LargeFolio& found = folios_[FolioIdOf(pmd.pfn())];
  found.entire_mapcount++;
  found.large_mapcount++;
  rss_[shmem ? kRssShmem : kRssAnon] += kHugePmdNr;
}

// The TLB may know less than the page tables, but nothing else.
void Verifier::CheckTlb() {
  std::map<Asid, const Mm*> by_asid;
  k_.mms.ForEach([&](Id<Mm>, const Mm& mm) { by_asid[mm.asid] = &mm; });
  for (const auto& set : k_.tlb.sets()) {
    for (const TlbEntry& e : set) {
      if (!e.valid) continue;
      if (e.asid == kKernelAsid) {
        CheckKernelTlb(e);
        continue;
      }
      auto mm = by_asid.find(e.asid);
      if (mm == by_asid.end()) {
        return Fail(
            "the TLB knows page %llx of address space %u, which is "
            "gone",
            ull{e.vpn}, e.asid);
      }
      const Pte pte = LookAtPte(k_, *mm->second, VirtAddr(e.vpn << kPageShift));
      const bool stale =
          !pte.hw_present() || pte.pfn() != e.pfn ||
          ((e.flags & TlbEntry::kWrite) && !pte.writable()) ||
          ((e.flags & TlbEntry::kDirty) && !pte.dirty()) ||
          (!(e.flags & TlbEntry::kNoExec) && (pte.value() & Pte::kNoExec));
      if (!stale) continue;
      return Fail(
          "the TLB maps page %llx of mm %u to frame %u with flags "
          "%x, but its PTE is %llx: it was not flushed",
          ull{e.vpn}, mm->second->id.value(), e.pfn.value(), e.flags,
          ull{pte.value()});
    }
  }
}

}  // namespace faultline::verify
