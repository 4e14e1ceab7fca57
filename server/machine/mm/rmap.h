// Reverse mapping: from a page to the VMAs that may map it, and the counts of
// PTEs that do.
#ifndef FAULTLINE_SERVER_MACHINE_MM_RMAP_H_
#define FAULTLINE_SERVER_MACHINE_MM_RMAP_H_

#include "server/machine/kernel.h"

namespace faultline {

// anon_vma_prepare(): gives the VMA an anon_vma, that of a compatible
// neighbour if there is one.
void AnonVmaPrepare(Kernel& k, Vma& vma);
// anon_vma_clone(): attaches dst to every anon_vma of src. dst's anon_vma must
// be set by the caller if it is to share src's (a split or a merge); without
// one, an anon_vma that nobody uses may be taken over (fork).
void AnonVmaClone(Kernel& k, Vma& dst, const Vma& src);
// anon_vma_fork(): the child's VMA gets all of the parent's and one of its own.
void AnonVmaFork(Kernel& k, Vma& child, const Vma& parent);
void UnlinkAnonVmas(Kernel& k, Vma& vma);
// get_anon_vma(), put_anon_vma(): one more, and one less, that needs it.
void GetAnonVma(Kernel& k, Id<AnonVma> id);
void PutAnonVma(Kernel& k, Id<AnonVma> id);
// list_is_singular(&vma->anon_vma_chain)
bool AnonChainSingular(const Kernel& k, const Vma& vma);

// Enters and removes the VMA in its file's i_mmap.
void LinkFileVma(Kernel& k, Vma& vma);
void UnlinkFileVma(Kernel& k, Vma& vma);

// rss counter of a page: anonymous, shmem or file.
RssKind RssKindOf(const Page& page);

// A new anonymous page gets its only mapping; the caller counts it.
// folio_add_new_anon_rmap()
void AddNewAnonRmap(Kernel& k, const Vma& vma, Pfn pfn, VirtAddr addr);
// One more PTE maps a page-cache page; the caller counts it in rss.
// folio_add_file_rmap_pte()
void AddFileRmap(Kernel& k, Pfn pfn);
// A PTE of the VMA that mapped it is gone; drops the PTE's reference as well,
// and the swap cache's, when nobody has the slot. The caller counts it in rss.
void RemoveRmap(Kernel& k, const Vma& vma, Pfn pfn);
// One more PTE maps an anonymous page that came from swap, or that fork shares;
// the PTE's reference is there already. `exclusive`: nobody else has it.
void AddSwappedRmap(Kernel& k, const Vma& vma, Pfn pfn, VirtAddr addr,
                    bool exclusive);

// rmap_walk_file(): every VMA that maps page `index` of the inode.
// `K` is Kernel or const Kernel.
template <class K, class F>
void ForEachFileMapping(K& k, const Inode& inode, uint64_t index, F f) {
  for (Id<Vma> id = inode.i_mmap, next; id; id = next) {
    auto& vma = k.vmas[id];
    next = vma.shared_next;
    if (index < vma.pgoff || index >= vma.pgoff + vma.pages().value()) continue;
    f(vma, vma.start + ((index - vma.pgoff) << kPageShift));
  }
}
// rmap_walk_anon(): the same through the page's anon_vma. REQUIRES: no KSM
// page (mm/ksm.h has those).
template <class F>
void ForEachAnonMapping(const Kernel& k, const Page& page, F f) {
  Id<AnonVma> anon_vma(page.mapping);
  for (Id<AnonVmaChain> c = k.anon_vmas[anon_vma].chains; c;
       c = k.anon_chains[c].same_anon_next) {
    const Vma& vma = k.vmas[k.anon_chains[c].vma];
    if (page.index < vma.pgoff ||
        page.index >= vma.pgoff + vma.pages().value()) {
      continue;
    }
    f(vma, vma.start + ((page.index - vma.pgoff) << kPageShift));
  }
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_RMAP_H_
