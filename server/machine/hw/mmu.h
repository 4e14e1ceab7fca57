// The memory-management unit: translates one address through the TLB and the
// page tables, sets the accessed and dirty bits, and raises the page fault's
// error code. It knows tables, not VMAs.
#ifndef FAULTLINE_SERVER_MACHINE_HW_MMU_H_
#define FAULTLINE_SERVER_MACHINE_HW_MMU_H_

#include <cstddef>
#include <cstdint>

#include "server/machine/base/units.h"
#include "server/machine/hw/cost.h"
#include "server/machine/hw/frames.h"
#include "server/machine/hw/paging.h"
#include "server/machine/hw/pte.h"
#include "server/machine/hw/tlb.h"

namespace faultline {

enum class MmuAccess : uint8_t { kRead, kWrite, kFetch };

// The register state that names an address space.
struct Cr3 {
  Pfn root;       // the top-level table
  Asid asid = 0;  // the PCID
  PagingMode paging;
};

struct Translation {
  Pfn pfn;                  // invalid: a fault
  uint32_t error_code = 0;  // of the fault
  bool ok() const { return pfn.valid(); }
};

// Where a walk ended: the entry and the level it was found at.
struct WalkStep {
  // 1: a PTE; higher: the entry there is not present, or maps a large page.
  int level = 0;
  Pfn table;  // the table page that holds the entry
  int index = 0;
  Pte entry;
};

class Mmu {
 public:
  Mmu(Frames& frames, Tlb& tlb, uint64_t& clock_ns)
      : frames_(frames), tlb_(tlb), clock_ns_(clock_ns) {}

  // One access from user mode that the TLB can translate, or an invalid Pfn.
  Pfn Cached(const Cr3& cr3, VirtAddr addr, MmuAccess access) {
    const TlbEntry* e = tlb_.Lookup(cr3.asid, addr.vpn());
    if (e == nullptr || !Permits(*e, access)) return Pfn();
    clock_ns_ += cost::kTlbHit;
    return e->pfn;
  }
  // The same for many in a row: Find() for each, then CountHits() of those that
  // it has found.
  Pfn Find(const Cr3& cr3, VirtAddr addr, MmuAccess access) {
    const TlbEntry* e = tlb_.Find(cr3.asid, addr.vpn());
    return e != nullptr && Permits(*e, access) ? e->pfn : Pfn();
  }
  void CountHits(uint64_t n) {
    tlb_.CountHits(n);
    clock_ns_ += n * cost::kTlbHit;
  }
  // The access that Cached() could not serve: a walk, and its cost.
  Translation Walk(const Cr3& cr3, VirtAddr addr, MmuAccess access);

 private:
  // Without branches: what comes next is not to be predicted.
  static bool Permits(const TlbEntry& e, MmuAccess access) {
    constexpr uint8_t kStored = TlbEntry::kWrite | TlbEntry::kDirty;
    constexpr uint8_t kLooksAt[] = {0, kStored, TlbEntry::kNoExec};
    constexpr uint8_t kMustBe[] = {0, kStored, 0};
    const auto how = static_cast<size_t>(access);
    return (e.flags & kLooksAt[how]) == kMustBe[how];
  }
  // The table whose entry translates the address, and its level: 2 where that
  // entry maps 2 MiB.
  struct Leaf {
    Pfn table;
    int level = 1;
  };
  Leaf FindLeaf(const Cr3& cr3, VirtAddr addr);

  Frames& frames_;
  Tlb& tlb_;
  uint64_t& clock_ns_;
};

// The error code of a fault of user mode on a page that is not present. A fetch
// says that it is one where entries can forbid it.
inline uint32_t FaultCode(PagingMode paging, MmuAccess access) {
  uint32_t code = kFaultUser;
  if (access == MmuAccess::kWrite) code |= kFaultWrite;
  if (access == MmuAccess::kFetch && paging.has_nx()) code |= kFaultFetch;
  return code;
}

// A walk that changes nothing: for inspection and for the kernel half.
WalkStep WalkPageTable(const Frames& frames, const Cr3& cr3, VirtAddr addr);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_HW_MMU_H_
