// /proc/PID/pagemap: one word for each page of the address space. Models
// fs/proc/task_mmu.c (v6.18): pte_to_pagemap_entry(), pagemap_pte_hole().
#include <algorithm>
#include <vector>

#include "server/machine/mm/folio.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/vma_tree.h"
#include "server/machine/proc/proc_files.h"

namespace faultline {
namespace {

constexpr uint64_t kPmPfnMask = (uint64_t{1} << 55) - 1;
constexpr uint64_t kPmSoftDirty = uint64_t{1} << 55;
constexpr uint64_t kPmMmapExclusive = uint64_t{1} << 56;
constexpr uint64_t kPmGuardRegion = uint64_t{1} << 58;
constexpr uint64_t kPmFile = uint64_t{1} << 61;
constexpr uint64_t kPmSwap = uint64_t{1} << 62;
constexpr uint64_t kPmPresent = uint64_t{1} << 63;
constexpr int kMaxSwapfilesShift = 5;

uint64_t EntryOf(const Kernel& k, Pte pte, bool huge) {
  if (pte.guard()) {
    return kPmSwap | kPmGuardRegion | Pte::kSwpPteMarker |
           Pte::kMarkerGuard << kMaxSwapfilesShift;
  }
  if (pte.swapped()) {
    const SwpEntry slot = SwpEntry::Of(pte);
    uint64_t word =
        kPmSwap | slot.type() | uint64_t{slot.offset()} << kMaxSwapfilesShift;
    if (pte.value() & Pte::kSwpSoftDirty) word |= kPmSoftDirty;
    return word;
  }
  if (!pte.present()) return 0;
  uint64_t word = kPmPresent | (pte.pfn().value() & kPmPfnMask);
  if (pte.soft_dirty()) word |= kPmSoftDirty;
  // What is no anonymous page is one of a file; the huge zero page as well.
  if (pte.special()) return InHugeZero(k, pte.pfn()) ? word | kPmFile : word;
  const Page& page = k.page(pte.pfn());
  if (!page.Is(page_flag::kAnon)) word |= kPmFile;
  // pagemap_pmd_range_thp() asks the first page, for all of a huge one.
  const Pfn asked = huge ? FolioHead(page, pte.pfn()) : pte.pfn();
  if (PageMapcount(k, asked) == 1) word |= kPmMmapExclusive;
  return word;
}

}  // namespace

uint64_t ProcPagemapWords(const Kernel& k, const Task& task) {
  const Mm* mm = MmOf(k, task);
  return mm == nullptr ? 0 : mm->task_size >> kPageShift;
}

ErrnoOr<std::string> ProcPidPagemap(const Kernel& k, const Task& task,
                                    uint64_t first, uint64_t count) {
  const Mm* mm = MmOf(k, task);
  if (mm == nullptr) return Errno::kESRCH;
  const uint64_t pages = ProcPagemapWords(k, task);
  if (first >= pages) return std::string();
  count = std::min(count, pages - first);
  std::vector<uint64_t> words(count);
  const VirtAddr start(first << kPageShift);
  const VirtAddr end = start + (count << kPageShift);
  for (Id<Vma> at = LookupVma(k, *mm, start); at; at = k.vmas[at].next) {
    const Vma& vma = k.vmas[at];
    if (vma.start >= end) break;
    VirtAddr from = std::max(vma.start, start), to = std::min(vma.end, end);
    ForEachPte(k, *mm, from, to, [&](VirtAddr a, Pte pte) {
      const bool large = pte.present() && !pte.special() &&
                         k.page(pte.pfn()).Is(page_flag::kLarge);
      words[(a - start) >> kPageShift] =
          EntryOf(k, pte, large && FindLeaf(k, *mm, a).huge);
    });
    if (!vma.Has(vm::kSoftDirty)) continue;
    for (uint64_t i = (from - start) >> kPageShift;
         i < (to - start) >> kPageShift; i++) {
      words[i] |= kPmSoftDirty;
    }
  }
  std::string out;
  out.reserve(count * 8);
  for (uint64_t word : words) AppendWord(out, word);
  return out;
}

}  // namespace faultline
