// Models mm/mremap.c (v6.18): move_page_tables(), try_realign_addr(),
// move_normal_pmd(), move_ptes().
#include "server/machine/mm/move_page_tables.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/huge_memory.h"
#include "server/machine/mm/pgtable.h"

namespace faultline {
namespace {

// can_align_down(): does nothing lie between the VMA and the start of the level
// 1 table that `addr`, its first, is in?
bool CanAlignDown(const Kernel& k, const Vma& vma, VirtAddr addr) {
  if (vma.start != addr) return false;
  return !vma.prev || k.vmas[vma.prev].end <= k.paging.RegionStart(addr);
}

// The same of what lies after `end`, where the VMA is to end.
bool CanAlignUp(const Kernel& k, const Vma& vma, VirtAddr end) {
  if (vma.end != end) return false;
  return !vma.next ||
         k.paging.RegionOf(k.vmas[vma.next].start) > k.paging.RegionOf(end - 1);
}

// can_realign_addr(): may the move begin earlier, where a table begins, so that
// the table can move as a whole?
bool CanRealign(const Kernel& k, const PagetableMove& move) {
  const uint64_t span = k.paging.TableSpan();
  const uint64_t offset = move.from.value() % span;
  return offset != 0 && offset == move.to.value() % span &&
         move.length >= span - offset &&
         CanAlignDown(k, move.source, move.from) &&
         CanAlignDown(k, move.dest, move.to);
}

// Two entries, for the processor to look at with one instruction.
using EntryPair [[gnu::vector_size(16)]] = uint64_t;

EntryPair PairAt(const uint64_t* entries) {
  EntryPair pair;
  std::memcpy(&pair, entries, sizeof(pair));
  return pair;
}

// How many entries are not none. Mostly all are, and then one look at what is
// common to them says so.
uint64_t CountUsed(PagingMode paging, const uint64_t* table, int first,
                   uint64_t n) {
  if (paging.narrow()) {
    uint64_t used = 0;
    for (uint64_t i = 0; i < n; i++) {
      used += !LoadNarrowPte(table, first + static_cast<int>(i)).none();
    }
    return used;
  }
  const uint64_t* entries = table + first;
  EntryPair even = {Pte::kPresent, Pte::kPresent}, odd = even;
  uint64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    even &= PairAt(entries + i);
    odd &= PairAt(entries + i + 2);
  }
  for (; i < n; i++) even[0] &= entries[i];
  even &= odd;
  if ((even[0] & even[1]) != 0) return n;
  const auto none = std::count(entries, entries + n, uint64_t{0});
  return n - static_cast<uint64_t>(none);
}

// Goes through a move, one step per table at most.
class Mover {
 public:
  Mover(Kernel& k, Mm& mm, const PagetableMove& move)
      : k_(k),
        mm_(mm),
        source_(move.source),
        at_(move.from),
        dest_(move.to),
        end_(move.from + move.length) {
    if (!k.quirks.mremap_realigns || !CanRealign(std::as_const(k), move)) {
      return;
    }
    const uint64_t offset = at_.value() % k_.paging.TableSpan();
    at_ = at_ - offset;
    dest_ = dest_ - offset;
  }
  // Where it stopped: the end, unless a table could not be made.
  VirtAddr Run() {
    while (at_ < end_ && Step()) {
      at_ = at_ + extent_;
      dest_ = dest_ + extent_;
    }
    return at_;
  }
  bool moved() const { return moved_; }

 private:
  // get_extent(): until either side leaves its region of this size.
  uint64_t Extent(uint64_t size) const {
    return std::min(
        {size - at_.value() % size, size - dest_.value() % size, end_ - at_});
  }
  PteRef Entry(VirtAddr addr, int level) const {
    return {FindTable(std::as_const(k_), mm_, addr, level),
            k_.paging.IndexAt(addr, level)};
  }
  Pte Read(PteRef ref) const { return ReadPte(std::as_const(k_), ref); }

  // One turn of move_page_tables()'s loop. Sets extent_; false: no memory.
  bool Step() {
    const uint64_t pmd_size = k_.paging.TableSpan();
    const uint64_t pud_size =
        pmd_size * static_cast<uint64_t>(k_.paging.entries());
    extent_ = Extent(pud_size);
    const PteRef pmd = Entry(at_, 2);
    if (!pmd.ok()) return true;
    // The table above is made even where nothing is to move.
    const bool whole = extent_ == pud_size, none = Read(pmd).none();
    if (k_.paging.levels() > 3 && (whole || none)) {
      if (!AllocTable(k_, mm_, dest_, 3).valid()) return false;
      if (whole && MoveTable(3)) return true;
    }
    extent_ = Extent(pmd_size);
    if (none) return true;
    const PteRef to{AllocTable(k_, mm_, dest_, 2), k_.paging.IndexAt(dest_, 2)};
    if (!to.ok()) return false;
    if (Read(pmd).huge()) {
      if (extent_ == pmd_size && MoveHuge(pmd)) return true;
      SplitHugePmd(k_, source_, at_);
      if (Read(pmd).none()) return true;  // a file's
    } else if (extent_ == pmd_size && MoveTable(2)) {
      return true;
    }
    VM_BUG_ON(Read(to).huge());
    // pte_alloc()
    const Pfn table =
        Read(to).none() ? AllocTable(k_, mm_, dest_, 1) : Read(to).pfn();
    if (!table.valid()) return false;
    MovePtes({Read(pmd).pfn(), k_.paging.PteIndex(at_)},
             {table, k_.paging.PteIndex(dest_)});
    return true;
  }

  // move_normal_pmd(), move_normal_pud(): moves the entry of `level`, and with
  // it the tables below. False where the destination has some already.
  bool MoveTable(int level) {
    const PteRef from = Entry(at_, level), to = Entry(dest_, level);
    if (!Read(to).none()) return false;
    SetPte(k_, to, Read(from));
    SetPte(k_, from, Pte());
    k_.table_memo = {};
    k_.clock_ns += cost::kPteSet;
    return moved_ = true;
  }

  bool MoveHuge(PteRef pmd) {
    if (!Read(Entry(dest_, 2)).none()) return false;
    MoveHugePmd(k_, mm_, dest_, pmd);
    return moved_ = true;
  }

  // move_ptes(): extent_ bytes, which are within one table on either side.
  void MovePtes(PteRef from, PteRef to) {
    const uint64_t* entries = std::as_const(k_.frames).Table(from.table);
    if (entries == nullptr) return;
    const uint64_t pages = extent_ >> kPageShift;
    const uint64_t count = CountUsed(k_.paging, entries, from.index, pages);
    if (count == 0) return;
    if (from.index == to.index && MayChangeHands(to)) {
      std::swap(k_.frames[from.table], k_.frames[to.table]);
    } else {
      CopyPtes(from, to, pages);
    }
    MarkSoftDirty(to, pages);
    moved_ = true;
    k_.clock_ns += count * cost::kPteSet;
  }

  // Has the source's table nothing but what moves, and the destination's
  // nothing, so that the contents of the two frames can be exchanged?
  bool MayChangeHands(PteRef to) const {
    const Kernel& k = k_;
    const VirtAddr end = at_ + extent_;
    const uint64_t span = k.paging.TableSpan();
    return k.frames.Table(to.table) == nullptr &&
           (at_.value() % span == 0 || CanAlignDown(k, source_, at_)) &&
           (end.value() % span == 0 || CanAlignUp(k, source_, end));
  }

  void CopyPtes(PteRef from, PteRef to, uint64_t pages) {
    if (k_.paging.narrow()) {
      for (uint64_t i = 0; i < pages; i++, from.index++, to.index++) {
        SetPte(k_, to, Read(from));
        SetPte(k_, from, Pte());
      }
      return;
    }
    uint64_t* source = k_.frames.MutTable(from.table) + from.index;
    uint64_t* dest = k_.frames.MutTable(to.table) + to.index;
    std::copy(source, source + pages, dest);
    std::fill(source, source + pages, 0);
  }

  // move_soft_dirty_pte()
  void MarkSoftDirty(PteRef at, uint64_t pages) {
    const uint64_t mark = DirtyBits(k_) & ~Pte::kDirty;
    if (mark == 0) return;
    for (uint64_t i = 0; i < pages; i++, at.index++) {
      const Pte pte = Read(at);
      if (pte.present()) SetPte(k_, at, pte.With(mark));
      if (pte.swapped()) SetPte(k_, at, pte.With(Pte::kSwpSoftDirty));
    }
  }

  Kernel& k_;
  Mm& mm_;
  const Vma& source_;
  VirtAddr at_, dest_, end_;
  uint64_t extent_ = 0;
  bool moved_ = false;
};

}  // namespace

uint64_t MovePageTables(Kernel& k, Mm& mm, const PagetableMove& move) {
  if (move.length == 0) return 0;
  Mover mover(k, mm, move);
  const VirtAddr reached = mover.Run();
  if (mover.moved()) FlushTlbRange(k, mm, move.from, move.from + move.length);
  // pmc_progress(): a start that was moved down may not have been reached.
  return reached < move.from ? 0 : reached - move.from;
}

}  // namespace faultline
