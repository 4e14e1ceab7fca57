// The geometry of page tables, and how an entry lies in one. Source: Intel SDM
// vol. 3A, chapters 4.3 (32-bit paging), 4.4 (PAE) and 4.5 (4-level paging).
#ifndef FAULTLINE_SERVER_MACHINE_HW_PAGING_H_
#define FAULTLINE_SERVER_MACHINE_HW_PAGING_H_

#include <cstdint>

#include "server/machine/base/units.h"
#include "server/machine/hw/pte.h"

namespace faultline {

// An entry of 4 bytes of a table that is given as its words.
[[gnu::cold]] Pte LoadNarrowPte(const uint64_t* table, int index);
[[gnu::cold]] void StoreNarrowPte(uint64_t* table, int index, Pte pte);

// Four levels (PGD 4, PUD 3, PMD 2, PTE 1) on x86-64; PAE has three of the same
// width, of whose topmost only 4 entries are used: 512 entries of 8 bytes are a
// table. A 32-bit machine without PAE has two levels (PGD 2, PTE 1) of 1024
// entries of 4 bytes: a table of PTEs translates 4 MiB, frames end at 4 GiB,
// and no entry forbids to execute. All else follows from the levels.
class PagingMode {
 public:
  constexpr PagingMode() : PagingMode(4) {}
  explicit constexpr PagingMode(int levels)
      : levels_(static_cast<uint8_t>(levels)),
        index_bits_(levels == 2 ? 10 : 9),
        index_mask_(levels == 2 ? 1023 : 511) {}

  constexpr int levels() const { return levels_; }
  constexpr bool narrow() const { return levels_ == 2; }
  constexpr bool has_nx() const { return !narrow(); }
  // PTRS_PER_PTE
  constexpr int entries() const { return index_mask_ + 1; }

  // The address bits below an index into a table of this level.
  constexpr int LevelShift(int level) const {
    return kPageShift + index_bits_ * (level - 1);
  }
  constexpr int IndexAt(VirtAddr a, int level) const {
    return static_cast<int>(a.value() >> LevelShift(level)) & index_mask_;
  }
  constexpr int PteIndex(VirtAddr a) const {
    return static_cast<int>(a.vpn() & index_mask_);
  }

  // PMD_SIZE, what one table of PTEs translates: 2 MiB or 4 MiB.
  constexpr uint64_t TableSpan() const { return kPageSize << index_bits_; }
  // The number of the region that the table of an address translates.
  constexpr uint64_t RegionOf(VirtAddr a) const {
    return a.vpn() >> index_bits_;
  }
  // The bounds of that region; the end of the last wraps to 0.
  constexpr VirtAddr RegionStart(VirtAddr a) const {
    return VirtAddr(a.value() & ~(TableSpan() - 1));
  }
  constexpr VirtAddr RegionEnd(VirtAddr a) const {
    return RegionStart(a) + TableSpan();
  }

  // An entry of a table that is given as its words.
  Pte Load(const uint64_t* table, int index) const {
    if (narrow()) [[unlikely]]
      return LoadNarrowPte(table, index);
    return Pte(table[index]);
  }
  void Store(uint64_t* table, int index, Pte pte) const {
    if (narrow()) [[unlikely]] {
      StoreNarrowPte(table, index, pte);
    } else {
      table[index] = pte.value();
    }
  }

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& self) {
    int levels = self.levels_;
    ar(levels);
    if constexpr (Ar::kReading)
      self = PagingMode(levels == 2 || levels == 3 ? levels : 4);
  }

 private:
  uint8_t levels_;
  uint8_t index_bits_;
  uint16_t index_mask_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_HW_PAGING_H_
