// One look at a whole machine: the checks, and what earlier ones leave for
// later ones. Each stops at the first problem; later ones rely on what earlier
// ones have proved.
#ifndef FAULTLINE_SERVER_MACHINE_VERIFY_VERIFIER_H_
#define FAULTLINE_SERVER_MACHINE_VERIFY_VERIFIER_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "server/machine/kernel.h"

namespace faultline::verify {

using ull = unsigned long long;

// Counts by a number that is small, such as an id.
class Tally {
 public:
  uint64_t& operator[](size_t n) {
    if (n >= counts_.size()) counts_.resize(n + 1);
    return counts_[n];
  }

 private:
  std::vector<uint64_t> counts_;
};

class Verifier {
 public:
  explicit Verifier(const Kernel& k) : k_(k) {}

  // "" or the first problem.
  std::string Run();

 private:
  enum class Owner : uint8_t { kCache, kTable };

  bool ok() const { return problem_.empty(); }
  [[gnu::format(printf, 2, 3)]] void Fail(const char* format, ...);
  // "of what (which): expected …, found …"
  void Expect(const char* what, const char* which, uint64_t id,
              uint64_t expected, uint64_t found);

  // tasks.cc: processes, threads and what they share.
  void CheckTasks();
  void CheckOwners();
  // References to open files, and of those to inodes.
  void CheckFiles();

  // vmas.cc: the VMAs of each address space, and what is counted of them.
  void CheckVmas();
  void CheckAccounting(const Mm& mm, uint64_t* committed);
  void CheckAreaCache(const Mm& mm);
  void CheckMempolicies();
  static void VmStatAccountOf(Mm& mm, uint64_t flags, uint64_t pages);

  // rmap.cc: anon_vmas and the chains that join them with VMAs, from both
  // sides.
  void CheckAnonVmas();
  uint64_t CheckChainsOfVma(Id<Vma> id, const Vma& vma);
  uint32_t CheckChainsOfAnonVma(Id<AnonVma> id, const AnonVma& av);

  // page_cache.cc: page caches, and the VMAs that map files.
  void CheckInodes();
  uint64_t CountMappings(Id<Inode> id, const Inode& inode);
  void CheckPageCache(Id<Inode> id, const Inode& inode);
  void CheckCachedPage(Id<Inode> id, const Inode& inode, uint64_t index,
                       Pfn pfn);
  // The folio that the page was read in: all of it is there, and alike.
  void CheckCacheFolio(const Inode& inode, uint64_t index, const Page& page);
  // The large folio that the page is one of has its place there.
  void CheckLargeCached(Id<Inode> id, uint64_t index, Pfn pfn);

  // writeback.cc: trees of cached pages, dirty inodes, the disk's queue.
  // A page, or (an invalid Pfn) the value in its stead.
  struct XaEntry {
    uint64_t index = 0;
    Pfn page;
    uint32_t value = 0;
    uint8_t marks = 0;
  };
  using Visit = std::function<void(const XaEntry& entry)>;
  // Calls visit(…) for each entry; the node's own marks come back.
  uint8_t WalkXaNode(const XArray& xa, Id<XaNode> id, Id<XaNode> parent,
                     uint32_t offset, uint64_t base, const Visit& visit);
  void WalkXArray(const XArray& xa, const Visit& visit);
  // Is it on the list of shadow nodes when it is to be?
  void CheckShadowNode(Id<XaNode> id, const XArray& xa);
  void CheckWriteback();

  // page_tables.cc: every table and every PTE of every address space.
  void CheckPageTables();
  void CheckRssStat(const Mm& mm);
  void WalkTable(const Mm& mm, Pfn table, int level, uint64_t base);
  void CheckPte(const Mm& mm, VirtAddr addr, Pte pte);
  // The VMA of the walk that holds the address; nullptr: none does.
  const Vma* VmaAt(VirtAddr addr);
  // The tables kept for a level-2 table's huge pages, and each of those.
  void CheckDeposit(const Mm& mm, Pfn table, const uint64_t* entries);
  void CheckHugePmd(const Mm& mm, VirtAddr addr, Pte pmd);
  template <class F>
  void CheckAnonPte(const Vma& vma, VirtAddr addr, Pfn pfn, Pte pte, F fail);
  template <class F>
  void CheckFilePte(const Vma& vma, VirtAddr addr, Pfn pfn, F fail);
  void CheckTlb();

  // frames.cc: at most one owner for each frame, zones, statistics.
  void Own(Pfn pfn, Owner owner) { owned_.push_back({pfn, owner}); }
  void CheckFrames();
  // Of a page of a large folio.
  uint32_t FolioIdOf(Pfn pfn) const;
  void CheckPage(Pfn pfn, const Page& page, bool cached, bool table);
  void CheckLargePage(Pfn pfn, const Page& page, bool cached);
  bool CheckKernelTail(Pfn pfn, const Page& page);
  void CheckZones();
  void CheckZoneLayout();  // zone_layout.cc
  void CheckFreeHeads();
  void CheckAllocatedNotFree();
  void CheckStatistics();

  // kernel_maps.cc: the kernel's page tables, the areas of vmalloc, pkmap, and
  // the devices.
  void CheckKernelMaps();
  void WalkKernelTable(Pfn table, int level, uint64_t base);
  void CheckKernelPte(uint64_t addr, Pte pte);
  void CheckVmapAreas();
  int CheckAreaTree(uint32_t n, uint32_t parent, VmapState state,
                    uint64_t* above);
  void CheckKernelTlb(const TlbEntry& e);
  void CheckDevices();

  // slabs.cc: each slab against its pages, its chain and its cache's lists.
  void CheckSlabs();
  void CheckSlab(Id<Slab> id, const Slab& slab);
  void CheckFreeChain(Id<Slab> id, const Slab& slab, uint32_t free);
  void CheckCache(Id<KmemCache> id, const KmemCache& s);
  void CheckSlabStatistics();
  // lru.cc: the lists, and that each page is on the one it belongs to.
  void CheckLru();
  void CheckLruPage(Pfn pfn, const Page& page);

  // shrinkers.cc: the lists of what shrinkers may drop.
  void CheckShrinkers();
  template <class T, class PoolOfT, class F>
  void CheckList(const char* what, const PoolOfT& pool, const ListHead<T>& head,
                 ListNode<T> T::*node, F belongs);

  // swap.cc: slots, who refers to them, and the swap cache.
  void CheckSwap();
  void CheckSwapArea(uint32_t type, const SwapInfo& info);
  void CheckSwapSlot(SwpEntry entry, const SwapSlot& slot);

  // ksm.cc: whom ksmd scans, its items, trees and pages.
  void CheckKsm();
  void CheckKsmSlots();
  void CheckUnstableTree();
  void CheckStableTree();
  void CheckKsmPages();

  const Kernel& k_;
  std::string problem_;
  // Of the walk in progress.
  const Vma* vma_ = nullptr;
  uint64_t tables_ = 0, pte_tables_ = 0;
  std::array<uint64_t, 4> rss_{};
  // Of all walks.
  std::vector<Pfn> mapped_;  // one item for each PTE
  std::vector<Pfn> allocated_;
  std::vector<std::pair<Pfn, Owner>> owned_;
  std::map<uint32_t, uint64_t> ksm_zero_pages_;  // by mm
  std::map<uint32_t, LargeFolio> folios_;        // by id: what the tables say
  uint64_t anon_mapped_ = 0, file_mapped_ = 0;
  uint64_t anon_thps_ = 0, shmem_thps_ = 0, shmem_pmd_mapped_ = 0;
  std::vector<uint32_t> swap_entries_;  // one item for each that refers to it
  std::vector<Pfn> locked_;  // what VM_LOCKED VMAs map, but for large folios
  uint64_t swap_cached_ = 0;
  uint64_t buddy_heads_ = 0, pcp_heads_ = 0;  // pages that say so
  uint64_t file_pages_ = 0, shmem_ = 0, dirty_ = 0, writeback_ = 0;
  uint64_t xa_nodes_ = 0;
  uint64_t uncounted_tables_ = 0;  // of the kernel, not in NR_PAGETABLE
  uint64_t boot_tables_ = 0, kernel_tables_ = 0, kmap_local_ptes_ = 0;
  std::vector<Pfn> vmalloc_pages_;  // that the kernel's tables map
  std::vector<VmapArea> areas_;     // in use, by address
  Tally slabs_of_, objects_of_;     // by cache
  uint64_t slab_pages_ = 0, slab_frames_ = 0;
  uint64_t large_kmalloc_pages_ = 0, vmalloc_frames_ = 0;
};

}  // namespace faultline::verify

#endif  // FAULTLINE_SERVER_MACHINE_VERIFY_VERIFIER_H_
