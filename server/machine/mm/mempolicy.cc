// Models mm/mempolicy.c (v6.18): kernel_mbind(), do_mbind(), mbind_range(),
// kernel_set_mempolicy(), kernel_get_mempolicy(), set_mempolicy_home_node(),
// get_nodes(), mpol_new(), mpol_set_nodemask(), mpol_set_shared_policy(),
// mpol_to_str().
#include "server/machine/mm/mempolicy.h"

#include <algorithm>
#include <utility>

#include "server/machine/mm/folio.h"
#include "server/machine/mm/gup.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/vma.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

constexpr uint64_t kOnline = 1;  // node_online_map, node_states[N_MEMORY]

// CONFIG_NUMA: Debian's 32-bit kernels are built without.
bool HasNuma(const Kernel& k) { return k.config.profile == Profile::kX86_64; }

bool NodesEmpty(const Nodemask& nodes) {
  return std::all_of(nodes.begin(), nodes.end(),
                     [](uint64_t word) { return word == 0; });
}

// sanitize_mpol_flags(): a mode and its flags, taken apart.
ErrnoOr<Mempolicy> SanitizeMode(const Kernel& k, uint64_t argument) {
  const auto word = static_cast<uint32_t>(argument);
  Mempolicy pol{.mode = word & ~mpol::kModeFlags,
                .flags = word & mpol::kModeFlags};
  const bool newer = k.quirks.newer_mempolicies;
  if (pol.mode > (newer ? mpol::kWeightedInterleave : mpol::kPreferredMany)) {
    return Errno::kEINVAL;
  }
  constexpr uint32_t kBoth = mpol::kStaticNodes | mpol::kRelativeNodes;
  if ((pol.flags & kBoth) == kBoth) return Errno::kEINVAL;
  const bool balances =
      pol.mode == mpol::kBind || (newer && pol.mode == mpol::kPreferredMany);
  if ((pol.flags & mpol::kNumaBalancing) && !balances) return Errno::kEINVAL;
  return pol;
}

// get_nodes(): the first maxnode - 1 bits; what can be no node must not be set.
ErrnoOr<Nodemask> GetNodes(const std::vector<uint64_t>& words,
                           uint64_t maxnode) {
  constexpr uint64_t kBits = 64, kBitsMax = kPageSize * 8;
  Nodemask nodes{};
  const uint64_t count = maxnode - 1;
  if (count == 0 || words.empty()) return nodes;
  if (count > kBitsMax) return Errno::kEINVAL;
  for (uint64_t i = 0; i < words.size() && i * kBits < count; i++) {
    const uint64_t left = count - i * kBits;
    const uint64_t word =
        left < kBits ? words[i] & ((uint64_t{1} << left) - 1) : words[i];
    if (i < nodes.size()) {
      nodes[i] = word;
    } else if (word != 0) {
      return Errno::kEINVAL;
    }
  }
  return nodes;
}

// The place of a policy; its first use gives it one. There are as many as
// differ, and few of those.
ErrnoOr<MempolicyId> Place(Kernel& k, const Mempolicy& pol) {
  auto& all = k.mempolicies;
  const auto found = std::find(all.begin(), all.end(), pol);
  const auto at = static_cast<size_t>(found - all.begin());
  if (found == all.end()) {
    if (all.size() == kMempoliciesMax) return Errno::kENOMEM;
    all.push_back(pol);
  }
  return static_cast<MempolicyId>(at + 1);
}

// mpol_new() and mpol_set_nodemask(); 0 of MPOL_DEFAULT.
ErrnoOr<MempolicyId> NewPolicy(Kernel& k, Mempolicy pol,
                               const Nodemask& nodes) {
  const bool empty = NodesEmpty(nodes);
  if (pol.mode == mpol::kDefault) {
    if (!empty) return Errno::kEINVAL;
    return MempolicyId{0};
  }
  if (pol.mode == mpol::kPreferred && empty && pol.flags == 0) {
    pol.mode = mpol::kLocal;
  }
  if (pol.mode == mpol::kLocal) {
    if (!empty || pol.flags != 0) return Errno::kEINVAL;
    return Place(k, pol);
  }
  // Relative to one node, any node is that one.
  const bool relative = (pol.flags & mpol::kRelativeNodes) != 0;
  if (empty || (!relative && !(nodes[0] & kOnline))) return Errno::kEINVAL;
  if (pol.flags != 0) pol.user_nodes = nodes;
  return Place(k, pol);
}

// mpol_shared_policy_lookup()
MempolicyId SharedPolicyAt(const Inode& inode, uint64_t index) {
  for (const SharedPolicy& range : inode.policies) {
    if (index >= range.start && index < range.end) return range.policy;
  }
  return 0;
}

// mpol_set_shared_policy(): of pages [fresh.start, fresh.end).
void SetSharedPolicy(Inode& inode, const SharedPolicy& fresh) {
  std::vector<SharedPolicy> ranges;
  for (const SharedPolicy& old : inode.policies) {
    if (old.start < fresh.start) {
      ranges.push_back({old.start, std::min(old.end, fresh.start), old.policy});
    }
    if (old.end > fresh.end) {
      ranges.push_back({std::max(old.start, fresh.end), old.end, old.policy});
    }
  }
  if (fresh.policy != 0) ranges.push_back(fresh);
  std::sort(ranges.begin(), ranges.end(),
            [](const SharedPolicy& a, const SharedPolicy& b) {
              return a.start < b.start;
            });
  inode.policies = std::move(ranges);
}

// vma_replace_policy()
void ReplacePolicy(Kernel& k, Vma& vma, MempolicyId policy) {
  vma.policy = policy;
  if (vma.ops != VmOps::kShmem) return;
  SetSharedPolicy(k.inodes[k.open_files[vma.file].inode],
                  {vma.pgoff, vma.pgoff + vma.pages().value(), policy});
}

// mbind_range(): of one VMA. Returns the one that has the policy then.
ErrnoOr<Id<Vma>> BindVma(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end,
                         MempolicyId policy) {
  if (vma.policy == policy) return vma.id;
  const Id<Vma> id = FL_TRY_VALUE(VmaModifyPolicy(
      k, vma, std::max(start, vma.start), std::min(end, vma.end), policy));
  ReplacePolicy(k, k.vmas[id], policy);
  return id;
}

// The range of a call, in whole pages. Empty: there is nothing to do.
struct Range {
  VirtAddr start, end;
};
ErrnoOr<Range> RangeOf(uint64_t addr, uint64_t length) {
  const uint64_t bytes = PageAlign(length);
  if (addr + bytes < addr) return Errno::kEINVAL;
  return Range{VirtAddr(addr), VirtAddr(addr + bytes)};
}

// get_policy_nodemask(), or what was asked for where the policy keeps that. Of
// more than a word per 64 nodes that there are, nothing is copied.
uint64_t ShownNodes(const Mempolicy& pol) {
  if (pol.flags != 0) return pol.user_nodes[0];
  return pol.mode == mpol::kLocal ? 0 : kOnline;
}

// lookup_node(): reading brings the page in. A page that is there needs no VMA
// that can be read: gup_fast().
Errno LookupNode(Kernel& k, Vma& vma, VirtAddr addr) {
  const Pte pte = LookAtPte(std::as_const(k), k.mms[vma.mm], addr);
  if (pte.present() && pte.hw_present() && !pte.special()) {
    FolioOf(k, pte.pfn()).flags |= page_flag::kReferenced;
    return Errno::kOk;
  }
  if (vma.Has(vm::kIo | vm::kPfnMap) || !vma.Has(vm::kRead)) {
    return Errno::kEFAULT;
  }
  return FaultIn(k, vma, addr, false);
}

// do_get_mempolicy() with MPOL_F_NODE.
ErrnoOr<uint64_t> NodeOf(Kernel& k, Id<Vma> vma, const GetMempolicy& call,
                         MempolicyId policy) {
  constexpr uint64_t kNodeZero = 0;
  if (vma) {
    FL_TRY(LookupNode(k, k.vmas[vma], VirtAddr(call.addr).Floor()));
    return kNodeZero;
  }
  // Where the next page would go, of what goes in turn.
  if (policy == 0) return Errno::kEINVAL;
  const uint32_t mode = MempolicyOf(k, policy).mode;
  if (mode != mpol::kInterleave && mode != mpol::kWeightedInterleave) {
    return Errno::kEINVAL;
  }
  return kNodeZero;
}

// copy_nodes_to_user(): a word has all nodes that there may be.
ErrnoOr<std::string> NodesForUser(uint64_t nodes, uint64_t maxnode) {
  constexpr uint64_t kBits = 64;
  std::string data;
  if (maxnode == 0) return data;  // no mask is wanted
  const uint64_t bytes = (maxnode - 1 + kBits - 1) / kBits * 8;
  if (bytes > kPageSize) return Errno::kEINVAL;
  if (bytes == 0) return data;
  for (uint64_t i = 0; i < 8; i++) {
    data.push_back(static_cast<char>(nodes >> (8 * i)));
  }
  return data;
}

}  // namespace

MempolicyId VmaPolicyAt(const Kernel& k, const Vma& vma, VirtAddr addr) {
  if (vma.ops != VmOps::kShmem) return vma.policy;
  const Inode& inode = k.inodes[k.open_files[vma.file].inode];
  return SharedPolicyAt(inode, vma.PageIndex(addr));
}

std::string MempolicyText(const Kernel& k, MempolicyId id) {
  constexpr const char* kModes[] = {"default",
                                    "prefer",
                                    "bind",
                                    "interleave",
                                    "local",
                                    "prefer (many)",
                                    "weighted interleave"};
  if (id == 0) return kModes[mpol::kDefault];
  const Mempolicy& pol = MempolicyOf(k, id);
  std::string text = kModes[pol.mode];
  if (pol.flags != 0) text += "=";
  if (pol.flags & mpol::kStaticNodes) text += "static";
  if (pol.flags & mpol::kRelativeNodes) text += "relative";
  if ((pol.flags & mpol::kNumaBalancing) && k.quirks.newer_mempolicies) {
    if (pol.flags != mpol::kNumaBalancing) text += "|";
    text += "balancing";
  }
  if (pol.mode != mpol::kLocal) text += ":0";
  return text;
}

Errno DoMbind(Kernel& k, Mm& mm, const Mbind& call) {
  if (!HasNuma(k)) return Errno::kENOSYS;
  const Mempolicy wanted = FL_TRY_VALUE(SanitizeMode(k, call.mode));
  const Nodemask nodes = FL_TRY_VALUE(GetNodes(call.nodes, call.maxnode));
  auto flags = static_cast<uint32_t>(call.flags);
  constexpr uint32_t kMoves = mpol::kMfMove | mpol::kMfMoveAll;
  if (flags & ~(mpol::kMfStrict | kMoves)) return Errno::kEINVAL;
  if ((flags & mpol::kMfMoveAll) && !k.Capable(Cap::kSysNice)) {
    return Errno::kEPERM;
  }
  if (call.addr & ~kPageMask) return Errno::kEINVAL;
  if (wanted.mode == mpol::kDefault) flags &= ~mpol::kMfStrict;
  const auto [start, end] = FL_TRY_VALUE(RangeOf(call.addr, call.length));
  if (start == end) return Errno::kOk;
  const MempolicyId policy = FL_TRY_VALUE(NewPolicy(k, wanted, nodes));
  MmapWriteLock(mm);
  // Only the default is as good for what is not mapped.
  const Holes holes = policy == 0 ? Holes::kAllowed : Holes::kRefused;
  std::vector<Pfn> pages;
  uint64_t failed = FL_TRY_VALUE(
      QueuePagesRange(k, mm, start, end, nodes, flags, holes, &pages));
  for (Id<Vma> at = FindVmaIntersection(k, mm, start, end);
       at && k.vmas[at].start < end; at = k.vmas[at].next) {
    at = FL_TRY_VALUE(BindVma(k, k.vmas[at], start, end, policy));
  }
  failed += MoveQueuedPages(k, pages);
  if (failed > 0 && (flags & mpol::kMfStrict)) return Errno::kEIO;
  return Errno::kOk;
}

Errno DoSetMempolicy(Kernel& k, const SetMempolicy& call) {
  if (!HasNuma(k)) return Errno::kENOSYS;
  const Mempolicy wanted = FL_TRY_VALUE(SanitizeMode(k, call.mode));
  const Nodemask nodes = FL_TRY_VALUE(GetNodes(call.nodes, call.maxnode));
  k.Current().mempolicy = FL_TRY_VALUE(NewPolicy(k, wanted, nodes));
  return Errno::kOk;
}

Errno DoSetMempolicyHomeNode(Kernel& k, Mm& mm,
                             const SetMempolicyHomeNode& call) {
  if (!HasNuma(k)) return Errno::kENOSYS;
  if (call.addr & ~kPageMask) return Errno::kEINVAL;
  if (call.flags != 0 || call.home_node != 0) return Errno::kEINVAL;
  const auto [start, end] = FL_TRY_VALUE(RangeOf(call.addr, call.length));
  if (start == end) return Errno::kOk;
  MmapWriteLock(mm);
  Errno result = Errno::kENOENT;  // of areas without a policy
  for (Id<Vma> at = FindVmaIntersection(k, mm, start, end);
       at && k.vmas[at].start < end; at = k.vmas[at].next) {
    Vma& vma = k.vmas[at];
    if (vma.policy == 0) continue;
    Mempolicy pol = MempolicyOf(k, vma.policy);
    if (pol.mode != mpol::kBind && pol.mode != mpol::kPreferredMany) {
      return Errno::kEOPNOTSUPP;
    }
    pol.homed = true;
    const MempolicyId policy = FL_TRY_VALUE(Place(k, pol));
    at = FL_TRY_VALUE(BindVma(k, vma, start, end, policy));
    result = Errno::kOk;
  }
  return result;
}

ErrnoOr<uint64_t> DoGetMempolicy(Kernel& k, Mm& mm, const GetMempolicy& call,
                                 std::string* data) {
  if (!HasNuma(k)) return Errno::kENOSYS;
  if (call.flags & ~(mpol::kNode | mpol::kAddr | mpol::kMemsAllowed)) {
    return Errno::kEINVAL;
  }
  if (call.flags & mpol::kMemsAllowed) {
    if (call.flags != mpol::kMemsAllowed) return Errno::kEINVAL;
    *data = FL_TRY_VALUE(NodesForUser(kOnline, call.maxnode));
    return uint64_t{0};
  }
  MempolicyId policy = k.Current().mempolicy;
  Id<Vma> vma;
  if (call.flags & mpol::kAddr) {
    MmapReadLock(mm);
    const VirtAddr addr(call.addr);
    vma = FindVma(k, mm, addr);
    if (!vma || k.vmas[vma].start > addr) return Errno::kEFAULT;
    policy = VmaPolicyAt(std::as_const(k), k.vmas[vma], addr);
  } else if (call.addr != 0) {
    return Errno::kEINVAL;
  }
  const Mempolicy pol =
      policy == 0 ? Mempolicy() : MempolicyOf(std::as_const(k), policy);
  uint64_t value = pol.mode | pol.flags;
  if (call.flags & mpol::kNode) {
    value = FL_TRY_VALUE(NodeOf(k, vma, call, policy));
  }
  const uint64_t nodes = policy == 0 ? 0 : ShownNodes(pol);
  *data = FL_TRY_VALUE(NodesForUser(nodes, call.maxnode));
  return value;
}

}  // namespace faultline
