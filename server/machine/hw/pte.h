// x86 page-table entries and the geometry of the tables.
// Source: Intel SDM vol. 3A, chapter 4.5 (4-level paging) and 4.4 (PAE).
#ifndef FAULTLINE_SERVER_MACHINE_HW_PTE_H_
#define FAULTLINE_SERVER_MACHINE_HW_PTE_H_

#include <cstdint>

#include "server/machine/base/units.h"

namespace faultline {

// One entry of any level. Bits 9-11 and 52-62 are the operating system's.
class Pte {
 public:
  static constexpr uint64_t kPresent = 1 << 0;
  static constexpr uint64_t kWrite = 1 << 1;
  static constexpr uint64_t kUser = 1 << 2;
  static constexpr uint64_t kAccessed = 1 << 5;
  static constexpr uint64_t kDirty = 1 << 6;
  static constexpr uint64_t kPageSizeBit = 1 << 7;
  static constexpr uint64_t kProtNone = 1 << 8;  // global bit, when !present
  static constexpr uint64_t kSpecial = 1 << 9;   // _PAGE_SOFTW1: no struct page
  static constexpr uint64_t kSoftDirty = 1 << 11;  // _PAGE_SOFTW3
  static constexpr uint64_t kNoExec = uint64_t{1} << 63;
  static constexpr uint64_t kPfnMask = 0x000ffffffffff000;
  static constexpr uint64_t kFlagsMask = ~kPfnMask;

  constexpr Pte() = default;
  constexpr explicit Pte(uint64_t v) : v_(v) {}
  static constexpr Pte Make(Pfn pfn, uint64_t flags) {
    return Pte(uint64_t{pfn.value()} << kPageShift | flags);
  }
  // make_pte_marker(PTE_MARKER_GUARD): a swap entry of type SWP_PTE_MARKER, its
  // offset inverted. An access to it is SIGSEGV.
  static constexpr uint64_t kSwpPteMarker = 31, kMarkerGuard = 1 << 2;
  static constexpr Pte Guard() { return Swap(kSwpPteMarker, kMarkerGuard); }
  // __swp_entry_to_pte(): bits 59-63 the type, 9-58 the inverted offset.
  static constexpr uint64_t kSwpSoftDirty = 1 << 1;  // _PAGE_SWP_SOFT_DIRTY
  static constexpr uint64_t kSwpExclusive = 1 << 3;  // _PAGE_SWP_EXCLUSIVE
  static constexpr Pte Swap(uint64_t type, uint64_t offset) {
    return Pte(~offset << kSwpOffsetShift >> kSwpTypeBits |
               type << (64 - kSwpTypeBits));
  }
  constexpr uint64_t value() const { return v_; }
  constexpr bool none() const { return v_ == 0; }
  // pte_present(): also true of a PROT_NONE page, which the MMU refuses.
  constexpr bool present() const { return v_ & (kPresent | kProtNone); }
  constexpr bool hw_present() const { return v_ & kPresent; }
  constexpr bool writable() const { return v_ & kWrite; }
  constexpr bool young() const { return v_ & kAccessed; }
  constexpr bool dirty() const { return v_ & kDirty; }
  constexpr bool soft_dirty() const { return v_ & kSoftDirty; }
  // Of a present entry.
  // Of an entry of a level-2 table: it maps 2 MiB.
  constexpr bool huge() const { return v_ & kPageSizeBit; }
  constexpr bool special() const { return v_ & kSpecial; }
  constexpr bool guard() const { return v_ == Guard().v_; }
  // The page is in a slot of a swap area.
  constexpr bool swapped() const {
    return v_ != 0 && !present() && swp_type() != kSwpPteMarker;
  }
  constexpr uint32_t swp_type() const {
    return static_cast<uint32_t>(v_ >> (64 - kSwpTypeBits));
  }
  constexpr uint64_t swp_offset() const {
    return ~v_ << kSwpTypeBits >> kSwpOffsetShift;
  }
  constexpr Pfn pfn() const {
    return Pfn(static_cast<uint32_t>((v_ & kPfnMask) >> kPageShift));
  }
  constexpr Pte With(uint64_t flags) const { return Pte(v_ | flags); }
  constexpr Pte Without(uint64_t flags) const { return Pte(v_ & ~flags); }
  friend constexpr bool operator==(Pte, Pte) = default;

 private:
  static constexpr int kSwpTypeBits = 5, kSwpOffsetShift = 14;
  uint64_t v_ = 0;
};

inline constexpr int kPtrsPerTable = 512;
inline constexpr uint64_t kPmdSize = uint64_t{1} << 21;

// 4 levels (PGD 4, PUD 3, PMD 2, PTE 1) on x86-64; PAE has 3 of the same
// width, of whose topmost only 4 entries are used.
constexpr int LevelShift(int level) { return kPageShift + 9 * (level - 1); }
constexpr int IndexAt(VirtAddr a, int level) {
  return static_cast<int>(a.value() >> LevelShift(level)) & 511;
}

// The page-fault error code that the CPU pushes (SDM vol. 3A, 4.7).
inline constexpr uint32_t kFaultProtection = 1 << 0;
inline constexpr uint32_t kFaultWrite = 1 << 1;
inline constexpr uint32_t kFaultUser = 1 << 2;
inline constexpr uint32_t kFaultReserved = 1 << 3;
inline constexpr uint32_t kFaultFetch = 1 << 4;

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_HW_PTE_H_
