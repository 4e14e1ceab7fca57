// x86 page-table entries. Source: Intel SDM vol. 3A, chapter 4.5 (4-level
// paging), 4.4 (PAE) and 4.3 (32-bit paging).
#ifndef FAULTLINE_SERVER_MACHINE_HW_PTE_H_
#define FAULTLINE_SERVER_MACHINE_HW_PTE_H_

#include <cstdint>

#include "server/machine/base/units.h"

namespace faultline {

// One entry of any level, in the form of 8 bytes. Bits 9-11 and 52-62 are the
// operating system's.
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
  // The form of 4 bytes that it has in a table of 32-bit paging (hw/paging.h):
  // a present one is the lower half, without bit 63; a swap entry has its type
  // in bits 1-5, bit 7 says that it is exclusive, and the offset is in bits
  // 9-31. REQUIRES: its frame is below 4 GiB, its offset below kNarrowSlots.
  static constexpr uint64_t kNarrowSlots = uint64_t{1} << 23;
  constexpr uint32_t Narrow() const {
    if (none() || present()) return static_cast<uint32_t>(v_);
    const uint64_t exclusive = v_ & kSwpExclusive ? kPageSizeBit : 0;
    return static_cast<uint32_t>(uint64_t{swp_type()} << 1 | exclusive |
                                 swp_offset() << kNarrowOffsetShift);
  }
  static constexpr Pte FromNarrow(uint32_t v) {
    const Pte same(v);
    if (same.none() || same.present()) return same;
    const uint64_t exclusive = v & kPageSizeBit ? kSwpExclusive : 0;
    const uint32_t type = v >> 1 & ((1 << kSwpTypeBits) - 1);
    return Swap(type, v >> kNarrowOffsetShift).With(exclusive);
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
  // Of a present entry of a level-2 table: it maps a page of 2 MiB, or of 4 MiB
  // where tables have two levels.
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
  static constexpr int kNarrowOffsetShift = 9;
  uint64_t v_ = 0;
};

// HPAGE_PMD_SIZE: what a process's huge page is. Where tables have two levels
// there are none (departure D7).
inline constexpr uint64_t kPmdSize = uint64_t{1} << 21;

// The page-fault error code that the CPU pushes (SDM vol. 3A, 4.7).
inline constexpr uint32_t kFaultProtection = 1 << 0;
inline constexpr uint32_t kFaultWrite = 1 << 1;
inline constexpr uint32_t kFaultUser = 1 << 2;
inline constexpr uint32_t kFaultReserved = 1 << 3;
inline constexpr uint32_t kFaultFetch = 1 << 4;

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_HW_PTE_H_
