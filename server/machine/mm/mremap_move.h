// One mapping of an mremap, and its move to another place.
#ifndef FAULTLINE_SERVER_MACHINE_MM_MREMAP_MOVE_H_
#define FAULTLINE_SERVER_MACHINE_MM_MREMAP_MOVE_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

namespace mremap {
inline constexpr uint64_t kMayMove = 1, kFixed = 2, kDontUnmap = 4;
}  // namespace mremap

// struct vma_remap_struct.
struct Remap {
  Mm& mm;
  VirtAddr addr;
  uint64_t old_len;
  uint64_t new_len;
  uint64_t flags;
  VirtAddr new_addr;
  Id<Vma> vma;
  uint64_t charged = 0;  // pages
  bool populate_expand = false;

  bool shrinks() const { return old_len > new_len; }
  bool expands() const { return old_len < new_len; }
  bool dont_unmap() const { return flags & mremap::kDontUnmap; }
  // vrm_implies_new_addr()
  bool to_new_addr() const {
    return flags & (mremap::kFixed | mremap::kDontUnmap);
  }
  uint64_t delta() const {
    return shrinks() ? old_len - new_len : new_len - old_len;
  }
};

// vma_lookup(): the VMA that `addr` is in, or none.
Id<Vma> VmaLookup(Kernel& k, Mm& mm, VirtAddr addr);
// vrm_calc_charge(): what the new pages are charged for; sets r.charged.
Errno ChargeRemap(Kernel& k, Remap& r);
// vrm_stat_account()
void StatAccount(Remap& r, const Vma& vma, uint64_t bytes);

// move_vma(): moves [r.addr, r.addr + r.old_len) of VMA r.vma to r.new_addr,
// where nothing is mapped. ENOMEM: everything is where it was.
ErrnoOr<VirtAddr> MoveVma(Kernel& k, Remap& r);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_MREMAP_MOVE_H_
