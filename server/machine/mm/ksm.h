// KSM: pages of equal contents, in areas that ask for it (MADV_MERGEABLE), come
// to share one write-protected page. ksmd finds them by scanning; a write gets
// a copy of its own again (mm/memory.cc).
//
// A page goes through this: an rmap_item when ksmd first sees it; a checksum
// that has not changed at the next scan; the stable tree of KSM pages, where an
// equal one takes it in; else the unstable tree of ordinary pages, where an
// equal one makes a new KSM page of the two. The unstable tree's pages may
// change under it, so it is thrown away after each scan.
#ifndef FAULTLINE_SERVER_MACHINE_MM_KSM_H_
#define FAULTLINE_SERVER_MACHINE_MM_KSM_H_

#include <cstdint>

#include "server/machine/hw/pte.h"
#include "server/machine/kernel.h"

namespace faultline {

// /sys/kernel/mm/ksm/run, the knob ksm.run.
enum KsmRun : uint64_t { kKsmStop = 0, kKsmMerge = 1, kKsmUnmerge = 2 };

// How many pages and wake-ups one passing of time may give ksmd. A machine to
// which days pass at once has then converged or never will.
inline constexpr uint64_t kKsmStepsMax = uint64_t{1} << 20;

// Lets ksmd do what it does until `clock_ns`: every ksm.sleep_millisecs it
// looks at ksm.pages_to_scan pages. Moves the clock by what that takes.
void RunKsmd(Kernel& k, uint64_t clock_ns);

// run_store(). EINVAL; or ENOMEM, when there was no memory to unmerge all.
Errno KsmStoreRun(Kernel& k, uint64_t run);
// max_page_sharing_store(). EBUSY while there are KSM pages.
Errno KsmStoreMaxPageSharing(Kernel& k, uint64_t max);

// ksm_madvise(): what MADV_MERGEABLE and MADV_UNMERGEABLE of [start, end) do
// besides the flag, which is changed in `flags`.
Errno KsmMadviseMergeable(Kernel& k, const Vma& vma, uint64_t* flags);
Errno KsmMadviseUnmergeable(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end,
                            uint64_t* flags);
// ksm_vma_flags(): of a new VMA.
uint64_t KsmVmaFlags(const Mm& mm, uint64_t flags);
// ksm_enable_merge_any(), ksm_disable_merge_any(): PR_SET_MEMORY_MERGE.
Errno KsmEnableMergeAny(Kernel& k, Mm& mm);
Errno KsmDisableMergeAny(Kernel& k, Mm& mm);

// ksm_fork(), ksm_execve(), ksm_exit().
void KsmFork(Kernel& k, Mm& child, const Mm& parent);
void KsmExecve(Kernel& k, Mm& mm, const Mm& old);
void KsmExit(Kernel& k, Mm& mm);

// break_ksm(): the pages of [start, end) are private again. ENOMEM.
Errno BreakKsm(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end);

// is_ksm_zero_pte(): the zero page where KSM put it.
inline bool IsKsmZeroPte(const Kernel& k, Pte pte) {
  return pte.special() && pte.dirty() && pte.pfn() == k.zero_page;
}
// ksm_might_unmap_zero_page(): `n` is +1 where fork maps one more.
inline void CountKsmZeroPage(Kernel& k, Mm& mm, Pte pte, int64_t n = -1) {
  if (!IsKsmZeroPte(k, pte)) [[likely]]
    return;
  k.ksm.zero_pages += n;
  mm.ksm_zero_pages += n;
}

// rmap_walk_ksm(): calls f(vma, address) for the places that may map it.
template <class F>
void ForEachKsmMapping(const Kernel& k, const Page& page, F f) {
  Id<KsmStableNode> node(page.mapping);
  if (!node) return;
  for (auto at = k.ksm.stable_nodes[node].hlist; at;
       at = k.ksm.rmap_items[at].hlist_next) {
    const KsmRmapItem& item = k.ksm.rmap_items[at];
    for (Id<AnonVmaChain> c = k.anon_vmas[item.anon_vma].chains; c;
         c = k.anon_chains[c].same_anon_next) {
      const Vma& vma = k.vmas[k.anon_chains[c].vma];
      if (vma.Contains(item.address)) f(vma, item.address);
    }
  }
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_KSM_H_
