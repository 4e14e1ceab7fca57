// Models mm/rmap.c (v6.18): __anon_vma_prepare(), anon_vma_clone(),
// anon_vma_fork(), unlink_anon_vmas(), folio_add_*_rmap(); and of mm/vma.c:
// find_mergeable_anon_vma(). The interval trees are plain lists (departure
// D6).
#include "server/machine/mm/rmap.h"

#include <utility>

#include "server/machine/mm/folio.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/mlock.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/rss_stat.h"
#include "server/machine/mm/swap_state.h"

namespace faultline {
namespace {

// anon_vma_chain_link(): the newest chain of a VMA is its first.
void ChainLink(Kernel& k, Vma& vma, Id<AnonVma> anon_vma) {
  Id<AnonVmaChain> id = k.anon_chains.New();
  AnonVmaChain& c = k.anon_chains[id];
  AnonVma& av = k.anon_vmas[anon_vma];
  c.vma = vma.id;
  c.anon_vma = anon_vma;
  c.same_vma_next = vma.anon_chain;
  if (c.same_vma_next) k.anon_chains[c.same_vma_next].same_vma_prev = id;
  vma.anon_chain = id;
  c.same_anon_next = av.chains;
  if (c.same_anon_next) k.anon_chains[c.same_anon_next].same_anon_prev = id;
  av.chains = id;
  av.refcount++;
}

// A fresh anon_vma, without references yet.
Id<AnonVma> NewAnonVma(Kernel& k) {
  Id<AnonVma> id = k.anon_vmas.New();
  k.anon_vmas[id].root = id;
  k.anon_vmas[id].parent = id;
  return id;
}

// anon_vma_compatible(): adjacent and alike but for the access bits.
bool AnonVmaCompatible(const Vma& a, const Vma& b) {
  return a.end == b.start && a.file == b.file && a.name == b.name &&
         a.policy == b.policy &&
         ((a.flags ^ b.flags) & ~(vm::kAccessFlags | vm::kIgnoreMerge)) == 0 &&
         b.pgoff == a.pgoff + a.pages().value();
}

// reusable_anon_vma(): what `old` can lend to the pair (a, b).
Id<AnonVma> ReusableAnonVma(const Kernel& k, const Vma& old, const Vma& a,
                            const Vma& b) {
  if (!AnonVmaCompatible(a, b)) return {};
  if (!old.anon_vma || !AnonChainSingular(k, old)) return {};
  return old.anon_vma;
}

Id<AnonVma> FindMergeableAnonVma(const Kernel& k, const Vma& vma) {
  if (vma.next) {
    const Vma& next = k.vmas[vma.next];
    if (Id<AnonVma> found = ReusableAnonVma(k, next, vma, next)) return found;
  }
  if (vma.prev) {
    const Vma& prev = k.vmas[vma.prev];
    return ReusableAnonVma(k, prev, prev, vma);
  }
  return {};
}

}  // namespace

void GetAnonVma(Kernel& k, Id<AnonVma> id) { k.anon_vmas[id].refcount++; }

void PutAnonVma(Kernel& k, Id<AnonVma> id) {
  AnonVma& av = k.anon_vmas[id];
  VM_BUG_ON(av.refcount == 0);
  if (--av.refcount > 0) return;
  Id<AnonVma> root = av.root;
  k.anon_vmas.Delete(id);
  if (root != id) PutAnonVma(k, root);
}

bool AnonChainSingular(const Kernel& k, const Vma& vma) {
  return vma.anon_chain && !k.anon_chains[vma.anon_chain].same_vma_next;
}

void AnonVmaPrepare(Kernel& k, Vma& vma) {
  if (vma.anon_vma) return;
  Id<AnonVma> anon_vma = FindMergeableAnonVma(std::as_const(k), vma);
  if (!anon_vma) {
    anon_vma = NewAnonVma(k);
    k.anon_vmas[anon_vma].num_children++;  // a root counts itself
  }
  PageTableLock(k.mms[vma.mm]);
  vma.anon_vma = anon_vma;
  ChainLink(k, vma, anon_vma);
  k.anon_vmas[anon_vma].num_active_vmas++;
}

void AnonVmaClone(Kernel& k, Vma& dst, const Vma& src) {
  // Oldest first, so that dst's list comes out in src's order.
  Id<AnonVmaChain> c = src.anon_chain;
  if (!c) return;
  while (k.anon_chains[c].same_vma_next) c = k.anon_chains[c].same_vma_next;
  for (; c; c = k.anon_chains[c].same_vma_prev) {
    Id<AnonVma> id = k.anon_chains[c].anon_vma;
    ChainLink(k, dst, id);
    // Reuse an anon_vma that lost its VMAs and has at most one child.
    const AnonVma& av = k.anon_vmas[id];
    if (!dst.anon_vma && src.anon_vma && av.num_children < 2 &&
        av.num_active_vmas == 0) {
      dst.anon_vma = id;
    }
  }
  if (dst.anon_vma) k.anon_vmas[dst.anon_vma].num_active_vmas++;
}

void AnonVmaFork(Kernel& k, Vma& child, const Vma& parent) {
  if (!parent.anon_vma) return;
  child.anon_vma = Id<AnonVma>();
  AnonVmaClone(k, child, parent);
  if (child.anon_vma) return;  // one was reused
  Id<AnonVma> id = NewAnonVma(k);
  AnonVma& av = k.anon_vmas[id];
  av.num_active_vmas++;
  av.root = k.anon_vmas[parent.anon_vma].root;
  av.parent = parent.anon_vma;
  k.anon_vmas[av.root].refcount++;
  child.anon_vma = id;
  ChainLink(k, child, id);
  k.anon_vmas[av.parent].num_children++;
}

void UnlinkAnonVmas(Kernel& k, Vma& vma) {
  for (Id<AnonVmaChain> c = vma.anon_chain, next; c; c = next) {
    AnonVmaChain& chain = k.anon_chains[c];
    next = chain.same_vma_next;
    AnonVma& av = k.anon_vmas[chain.anon_vma];
    (chain.same_anon_prev ? k.anon_chains[chain.same_anon_prev].same_anon_next
                          : av.chains) = chain.same_anon_next;
    if (chain.same_anon_next) {
      k.anon_chains[chain.same_anon_next].same_anon_prev = chain.same_anon_prev;
    }
    if (!av.chains) k.anon_vmas[av.parent].num_children--;
  }
  if (vma.anon_vma) {
    k.anon_vmas[vma.anon_vma].num_active_vmas--;
    vma.anon_vma = Id<AnonVma>();
  }
  for (Id<AnonVmaChain> c = vma.anon_chain, next; c; c = next) {
    next = k.anon_chains[c].same_vma_next;
    Id<AnonVma> anon_vma = k.anon_chains[c].anon_vma;
    k.anon_chains.Delete(c);
    PutAnonVma(k, anon_vma);
  }
  vma.anon_chain = Id<AnonVmaChain>();
}

void LinkFileVma(Kernel& k, Vma& vma) {
  if (!vma.file) return;
  Inode& inode = k.inodes[k.open_files[vma.file].inode];
  vma.shared_prev = Id<Vma>();
  vma.shared_next = inode.i_mmap;
  if (inode.i_mmap) k.vmas[inode.i_mmap].shared_prev = vma.id;
  inode.i_mmap = vma.id;
  if (vma.Has(vm::kShared) && vma.Has(vm::kMayWrite)) inode.i_mmap_writable++;
}

void UnlinkFileVma(Kernel& k, Vma& vma) {
  if (!vma.file) return;
  Inode& inode = k.inodes[k.open_files[vma.file].inode];
  (vma.shared_prev ? k.vmas[vma.shared_prev].shared_next : inode.i_mmap) =
      vma.shared_next;
  if (vma.shared_next) k.vmas[vma.shared_next].shared_prev = vma.shared_prev;
  vma.shared_prev = vma.shared_next = Id<Vma>();
  if (vma.Has(vm::kShared) && vma.Has(vm::kMayWrite)) inode.i_mmap_writable--;
}

RssKind RssKindOf(const Page& page) {
  if (page.Is(page_flag::kAnon)) return kRssAnon;
  return page.Is(page_flag::kSwapBacked) ? kRssShmem : kRssFile;
}

void AddNewAnonRmap(Kernel& k, const Vma& vma, Pfn pfn, VirtAddr addr) {
  Page& page = k.page(pfn);
  page.flags |=
      page_flag::kAnon | page_flag::kAnonExclusive | page_flag::kUptodate;
  // What may be dropped is never written to swap.
  if (!vma.Has(vm::kDroppable)) page.flags |= page_flag::kSwapBacked;
  if (vma.Has(vm::kLocked)) MlockNewPage(k, page, 1);
  // Linux files the page under the root only when it is not exclusive.
  page.mapping = vma.anon_vma.value();
  page.index = vma.PageIndex(addr);
  page.mapcount = 1;
  k.vmstat.node[kNrAnonMapped]++;
  LruAdd(k, pfn);
}

void AddSwappedRmap(Kernel& k, const Vma& vma, Pfn pfn, VirtAddr addr,
                    bool exclusive) {
  Page& page = k.page(pfn);
  if (page.mapcount == 0 && !page.Is(page_flag::kKsm)) {
    // __folio_set_anon(): what others may map too is found from the root.
    page.flags |= page_flag::kAnon;
    const Id<AnonVma> root = k.anon_vmas[vma.anon_vma].root;
    page.mapping = (exclusive ? vma.anon_vma : root).value();
    page.index = vma.PageIndex(addr);
  }
  if (exclusive) page.flags |= page_flag::kAnonExclusive;
  if (page.mapcount++ == 0) k.vmstat.node[kNrAnonMapped]++;
}

void AddFileRmap(Kernel& k, Pfn pfn) {
  Page& page = k.page(pfn);
  page.refcount++;
  if (page.mapcount++ == 0) k.vmstat.node[kNrFileMapped]++;
}

void RemoveRmap(Kernel& k, const Vma& vma, Pfn pfn) {
  Page& page = k.page(pfn);
  if (page.Is(page_flag::kLarge)) [[unlikely]] {
    if (vma.Has(vm::kLocked)) MunlockLargeFolio(k, pfn);
    return RemoveLargeRmapPte(k, k.mms[vma.mm], pfn);
  }
  VM_BUG_ON(page.mapcount <= 0);
  if (--page.mapcount == 0) {
    bool anon = page.Is(page_flag::kAnon);
    k.vmstat.node[anon ? kNrAnonMapped : kNrFileMapped]--;
    if (page.Is(page_flag::kSwapCache)) [[unlikely]]
      FreeSwapOf(k, pfn);  // free_swap_cache()
  }
  const bool stays = page.refcount > 1;
  PutPage(k, pfn);
  if (stays && vma.Has(vm::kLocked)) [[unlikely]]
    UpdateEvictable(k, pfn);  // munlock_vma_folio()
}

}  // namespace faultline
