// NUMA memory policies on a machine of one node: mbind and its relatives, and
// whose policy holds where.
#ifndef FAULTLINE_SERVER_MACHINE_MM_MEMPOLICY_H_
#define FAULTLINE_SERVER_MACHINE_MM_MEMPOLICY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "server/machine/kernel.h"

namespace faultline {

// mbind(2), set_mempolicy(2), set_mempolicy_home_node(2). ENOSYS on i386,
// whose kernels know no nodes.
Errno DoMbind(Kernel& k, Mm& mm, const Mbind& call);
Errno DoSetMempolicy(Kernel& k, const SetMempolicy& call);
Errno DoSetMempolicyHomeNode(Kernel& k, Mm& mm,
                             const SetMempolicyHomeNode& call);
// get_mempolicy(2): the mode with its flags, or with MPOL_F_NODE a node. The
// mask comes in `data`, as its words lie in memory.
ErrnoOr<uint64_t> DoGetMempolicy(Kernel& k, Mm& mm, const GetMempolicy& call,
                                 std::string* data);

// REQUIRES: not 0.
inline const Mempolicy& MempolicyOf(const Kernel& k, MempolicyId id) {
  return k.mempolicies[id - 1];
}
// __get_vma_policy(): that of the file, where it is one of tmpfs.
MempolicyId VmaPolicyAt(const Kernel& k, const Vma& vma, VirtAddr addr);
// mpol_to_str()
std::string MempolicyText(const Kernel& k, MempolicyId id);

// queue_pages_range(): checks that [start, end) is mapped (EFAULT; `holes` may
// be), and looks for pages that lie on none of `nodes`: those that may move are
// appended to `pages`, the others are counted. EIO: there are some, and
// MPOL_MF_ STRICT alone allows none.
enum class Holes : uint8_t { kRefused, kAllowed };
ErrnoOr<uint64_t> QueuePagesRange(Kernel& k, Mm& mm, VirtAddr start,
                                  VirtAddr end, const Nodemask& nodes,
                                  uint32_t flags, Holes holes,
                                  std::vector<Pfn>* pages);
// migrate_pages(): each moves to a fresh frame. Returns how many could not.
uint64_t MoveQueuedPages(Kernel& k, const std::vector<Pfn>& pages);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_MEMPOLICY_H_
