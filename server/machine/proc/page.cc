// /proc/kpagecount and /proc/kpageflags: one word for each page frame. Models
// fs/proc/page.c (v6.18): kpagecount_read(), stable_page_flags().
#include <algorithm>
#include <vector>

#include "server/machine/mm/compound.h"
#include "server/machine/mm/folio.h"
#include "server/machine/proc/mem_counts.h"
#include "server/machine/proc/proc_files.h"

namespace faultline {
namespace {

// include/uapi/linux/kernel-page-flags.h, include/linux/kernel-page-flags.h
enum Kpf : int {
  kKpfReferenced = 2,
  kKpfUptodate = 3,
  kKpfDirty = 4,
  kKpfLru = 5,
  kKpfActive = 6,
  kKpfSlab = 7,
  kKpfWriteback = 8,
  kKpfReclaim = 9,  // also PG_readahead, which has that bit
  kKpfBuddy = 10,
  kKpfMmap = 11,
  kKpfAnon = 12,
  kKpfSwapCache = 13,
  kKpfSwapBacked = 14,
  kKpfCompoundHead = 15,
  kKpfCompoundTail = 16,
  kKpfUnevictable = 18,
  kKpfNoPage = 20,
  kKpfKsm = 21,
  kKpfThp = 22,
  kKpfZeroPage = 24,
  kKpfPgtable = 26,
  kKpfReserved = 32,
  kKpfMlocked = 33,
  // PG_anon_exclusive has the bit of PG_mappedtodisk, PG_swapcache that of
  // PG_owner_priv_1.
  kKpfMappedToDisk = 34,
  kKpfOwnerPrivate = 37,
};

constexpr uint64_t Bit(Kpf flag) { return uint64_t{1} << flag; }

// 6.1 looks at the page's own flags, and a tail has none but that of its PTE.
uint64_t TailFlagsOf61(const Page& folio, const Page& tail) {
  uint64_t u = Bit(kKpfThp) | Bit(kKpfCompoundTail);
  if (folio.Is(page_flag::kAnon)) u |= Bit(kKpfAnon);
  if (tail.Is(page_flag::kAnonExclusive)) u |= Bit(kKpfMappedToDisk);
  return u;
}

uint64_t LruPageFlags(const Kernel& k, Pfn pfn, bool mlocked) {
  const Page& page = FolioOf(k, pfn);
  const Page& own = k.page(pfn);
  if (k.config.personality == Personality::kLinux61 &&
      page.Is(page_flag::kLarge) && own.Is(page_flag::kTail)) {
    return TailFlagsOf61(page, own);
  }
  uint64_t u = 0;
  auto copy = [&](uint32_t flag, Kpf bit) {
    if (page.Is(flag)) u |= Bit(bit);
  };
  copy(page_flag::kReferenced, kKpfReferenced);
  copy(page_flag::kUptodate, kKpfUptodate);
  copy(page_flag::kDirty, kKpfDirty);
  copy(page_flag::kLru, kKpfLru);
  copy(page_flag::kActive, kKpfActive);
  copy(page_flag::kWriteback, kKpfWriteback);
  copy(page_flag::kReclaim, kKpfReclaim);
  copy(page_flag::kSwapBacked, kKpfSwapBacked);
  copy(page_flag::kAnon, kKpfAnon);
  copy(page_flag::kKsm, kKpfKsm);
  // stable_page_flags() looks at the flags of the folio, even here.
  copy(page_flag::kAnonExclusive, kKpfMappedToDisk);
  if (page.Is(page_flag::kLarge)) {
    const bool tail = own.Is(page_flag::kTail);
    u |= Bit(kKpfThp) | Bit(tail ? kKpfCompoundTail : kKpfCompoundHead);
  }
  if (mlocked) u |= Bit(kKpfMlocked);
  copy(page_flag::kUnevictable, kKpfUnevictable);
  copy(page_flag::kSwapCache, kKpfSwapCache);
  copy(page_flag::kSwapCache, kKpfOwnerPrivate);
  return u;
}

// A slab, a large kmalloc() and what was allocated with __GFP_COMP are compound
// pages when they are more than one; other blocks of the kernel are not.
uint64_t KernelPageFlags(const Kernel& k, Pfn pfn) {
  const Pfn first = FrameBlockOf(k, pfn).head;
  const Page& head = k.page(first);
  uint64_t u = head.Is(page_flag::kSlab) ? Bit(kKpfSlab) : 0;
  if (IsCompoundHead(head)) {
    u |= Bit(pfn == first ? kKpfCompoundHead : kKpfCompoundTail);
  }
  return u;
}

uint64_t StablePageFlags(const Kernel& k, uint64_t number,
                         const std::vector<Pfn>& mlocked) {
  const FrameUse use = FrameUseOf(k, number);
  if (use == FrameUse::kHole) {
    return Bit(SectionPresent(k, number) ? kKpfReserved : kKpfNoPage);
  }
  const Pfn pfn(static_cast<uint32_t>(number));
  uint64_t u = PageMapcount(k, pfn) > 0 ? Bit(kKpfMmap) : 0;
  switch (use) {
    case FrameUse::kReserved:
      if (pfn == k.zero_page) u |= Bit(kKpfZeroPage);
      if (InHugeZero(k, pfn)) {
        const bool tail = pfn != k.huge_zero_page;
        return Bit(kKpfZeroPage) | Bit(kKpfThp) |
               Bit(tail ? kKpfCompoundTail : kKpfCompoundHead);
      }
      return u | Bit(kKpfReserved);
    case FrameUse::kFree:
      return Bit(kKpfBuddy);
    case FrameUse::kPageTable:
      return Bit(kKpfPgtable);
    case FrameUse::kAnon:
    case FrameUse::kFile:
    case FrameUse::kShmem:
      return u | LruPageFlags(
                     k, pfn,
                     std::binary_search(mlocked.begin(), mlocked.end(), pfn));
    case FrameUse::kKernel:
      return u | KernelPageFlags(k, pfn);
    case FrameUse::kHole:
    case FrameUse::kPcp:
      break;
  }
  return u;
}

// Calls f(pfn) for the frames of [first, first + count) below the end.
template <class F>
void ForEachFrame(const Kernel& k, uint64_t first, uint64_t count, F f) {
  const uint64_t end = ProcKpageWords(k);
  if (first >= end) return;
  for (uint64_t n = 0; n < std::min(count, end - first); n++) f(first + n);
}

}  // namespace

uint64_t ProcKpageWords(const Kernel& k) {
  const uint64_t section = PagesPerSection(k);
  return (MaxPfn(k) + section - 1) / section * section;
}

std::string ProcKpagecount(const Kernel& k, uint64_t first, uint64_t count) {
  std::string out;
  ForEachFrame(k, first, count, [&](uint64_t pfn) {
    int32_t mapcount = PageMapcount(k, Pfn(static_cast<uint32_t>(pfn)));
    AppendWord(out, mapcount > 0 ? static_cast<uint64_t>(mapcount) : 0);
  });
  return out;
}

std::string ProcKpageflags(const Kernel& k, uint64_t first, uint64_t count) {
  std::string out;
  const std::vector<Pfn> mlocked = MlockedPages(k);
  ForEachFrame(k, first, count, [&](uint64_t pfn) {
    AppendWord(out, StablePageFlags(k, pfn, mlocked));
  });
  return out;
}

}  // namespace faultline
