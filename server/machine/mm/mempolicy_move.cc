// Models mm/mempolicy.c (v6.18): queue_pages_range(), queue_pages_test_walk(),
// queue_folios_pte_range(), migrate_folio_add(); mm/migrate.c:
// migrate_pages(). Departure D58: large folios and KSM pages stay in place,
// and count as moved.
#include <algorithm>
#include <set>
#include <utility>

#include "server/machine/mm/bio.h"
#include "server/machine/mm/folio.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/mempolicy.h"
#include "server/machine/mm/migrate.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

constexpr uint32_t kMoves = mpol::kMfMove | mpol::kMfMoveAll;

// vma_migratable(): a machine's page cache may be in any zone.
bool Migratable(const Vma& vma) { return !vma.Has(vm::kIo | vm::kPfnMap); }

class Queue {
 public:
  Queue(Kernel& k, uint32_t flags, std::vector<Pfn>* pages)
      : k_(k), flags_(flags), pages_(*pages) {}

  // False: a page is where it must not be, and may not move.
  bool Walk(const Vma& vma, VirtAddr start, VirtAddr end) {
    const bool moves = (flags_ & kMoves) != 0 && Migratable(vma);
    const bool strictly = (flags_ & kMoves) == 0;
    bool refused = false;
    ForEachPte(std::as_const(k_), k_.mms[vma.mm], start, end,
               [&](VirtAddr, Pte pte) {
                 if (refused || !IsNormal(pte)) return;
                 if (moves && Add(pte.pfn())) return;
                 failed_++;
                 refused = strictly;
               });
    return !refused;
  }

  uint64_t failed() const { return failed_; }

 private:
  // vm_normal_folio(), and not of what boot keeps.
  bool IsNormal(Pte pte) const {
    if (!pte.present() || pte.special()) return false;
    return !std::as_const(k_).page(pte.pfn()).Is(page_flag::kReserved);
  }

  // migrate_folio_add(): who shares a page does not move it. False: it is on no
  // LRU list, and could not be taken off one.
  bool Add(Pfn pfn) {
    const Pfn head = FolioHead(std::as_const(k_).page(pfn), pfn);
    if (head == last_) return true;
    const bool shared = MaybeMappedShared(std::as_const(k_), head);
    if (shared && !(flags_ & mpol::kMfMoveAll)) return true;
    if (!std::as_const(k_).page(head).Is(page_flag::kLru)) return false;
    if (shared && !taken_.insert(head).second) return false;
    if (std::as_const(k_).page(head).Is(page_flag::kLarge)) last_ = head;
    pages_.push_back(head);
    return true;
  }

  Kernel& k_;
  const uint32_t flags_;
  std::vector<Pfn>& pages_;
  std::set<Pfn> taken_;  // of the pages that may come again
  Pfn last_;             // the large folio that came last
  uint64_t failed_ = 0;
};

// Pages that nobody wrote to their file yet: ramfs has no way to move one that
// is dirty (fallback_migrate_folio()).
bool IsStuck(const Kernel& k, const Page& page) {
  if (page.Is(page_flag::kAnon) || !page.Is(page_flag::kDirty)) return false;
  return k.inodes[Id<Inode>(page.mapping)].fs == FsType::kRamfs;
}

// migrate_folio_unmap() and move_to_new_folio() of one page.
bool Move(Kernel& k, Pfn from) {
  const Page& page = std::as_const(k).page(from);
  if (page.Is(page_flag::kLarge | page_flag::kKsm)) return true;
  if (page.Is(page_flag::kWriteback) && !page.Is(page_flag::kAnon)) {
    WaitOnWriteback(k, Id<Inode>(page.mapping), page.index, page.index);
  }
  const Pfn to = AllocPages(k, gfp::kUserFolio, 0);
  if (!to.valid()) return false;
  if (PageIsMovable(std::as_const(k), from) &&
      !IsStuck(std::as_const(k), std::as_const(k).page(from)) &&
      MigratePage(k, from, to)) {
    FreePages(k, from, 0);
    return true;
  }
  FreePages(k, to, 0);
  return false;
}

}  // namespace

ErrnoOr<uint64_t> QueuePagesRange(Kernel& k, Mm& mm, VirtAddr start,
                                  VirtAddr end, const Nodemask& nodes,
                                  uint32_t flags, Holes holes,
                                  std::vector<Pfn>* pages) {
  Queue queue(k, flags, pages);
  // All memory is on node 0, so where that is wanted no page is wrong.
  const bool looks = (flags & (mpol::kMfStrict | kMoves)) && !(nodes[0] & 1);
  Id<Vma> at = FindVmaIntersection(k, mm, start, end);
  if (!at) return Errno::kEFAULT;
  bool gap = start < k.vmas[at].start;
  while (at && k.vmas[at].start < end) {
    const Vma& vma = std::as_const(k.vmas)[at];
    const Id<Vma> next = vma.next;
    gap |= vma.end < end && (!next || vma.end < k.vmas[next].start);
    if (gap && holes == Holes::kRefused) return Errno::kEFAULT;
    const bool skipped = !Migratable(vma) && !(flags & mpol::kMfStrict);
    if (looks && !skipped &&
        !queue.Walk(vma, std::max(start, vma.start), std::min(end, vma.end))) {
      return Errno::kEIO;
    }
    at = next;
  }
  return queue.failed();
}

uint64_t MoveQueuedPages(Kernel& k, const std::vector<Pfn>& pages) {
  uint64_t failed = 0;
  for (const Pfn pfn : pages) {
    const bool moved = Move(k, pfn);
    failed += !moved;
    k.vmstat.events[moved ? kPgMigrateSuccess : kPgMigrateFail]++;
  }
  return failed;
}

}  // namespace faultline
