// struct mempolicy: where memory is wanted. A machine has one node, so that a
// policy decides nothing about frames; but it is a property of VMAs, and those
// that differ in it do not merge. Models include/linux/mempolicy.h (v6.18).
#ifndef FAULTLINE_SERVER_MACHINE_MM_MEMPOLICY_TYPES_H_
#define FAULTLINE_SERVER_MACHINE_MM_MEMPOLICY_TYPES_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace faultline {

// MPOL_* of include/uapi/linux/mempolicy.h.
namespace mpol {
inline constexpr uint32_t kDefault = 0;
inline constexpr uint32_t kPreferred = 1;
inline constexpr uint32_t kBind = 2;
inline constexpr uint32_t kInterleave = 3;
inline constexpr uint32_t kLocal = 4;
inline constexpr uint32_t kPreferredMany = 5;
inline constexpr uint32_t kWeightedInterleave = 6;
// MPOL_F_*, beside a mode.
inline constexpr uint32_t kStaticNodes = 1 << 15;
inline constexpr uint32_t kRelativeNodes = 1 << 14;
inline constexpr uint32_t kNumaBalancing = 1 << 13;
inline constexpr uint32_t kModeFlags =
    kStaticNodes | kRelativeNodes | kNumaBalancing;
// MPOL_MF_*, of mbind.
inline constexpr uint32_t kMfStrict = 1;
inline constexpr uint32_t kMfMove = 2;
inline constexpr uint32_t kMfMoveAll = 4;
// MPOL_F_*, of get_mempolicy.
inline constexpr uint64_t kNode = 1;
inline constexpr uint64_t kAddr = 2;
inline constexpr uint64_t kMemsAllowed = 4;
}  // namespace mpol

// 1 << CONFIG_NODES_SHIFT: how many nodes a mask can name.
inline constexpr uint64_t kMaxNumnodes = 1024;
using Nodemask = std::array<uint64_t, kMaxNumnodes / 64>;

// Which nodes it is good for is no field: node 0, or of kLocal none.
struct Mempolicy {
  uint32_t mode = mpol::kDefault;
  uint32_t flags = 0;     // of mpol::kModeFlags
  bool homed = false;     // home_node is 0, not NUMA_NO_NODE
  Nodemask user_nodes{};  // w.user_nodemask: what was asked for, with any flag

  bool operator==(const Mempolicy&) const = default;
};

// A place of Kernel::mempolicies, from 1 on; 0: no policy (NULL), the default.
// Equal policies have one place, which they keep.
using MempolicyId = uint16_t;
inline constexpr size_t kMempoliciesMax = 4096;

// struct sp_node: pages [start, end) of a file of tmpfs have a policy.
struct SharedPolicy {
  uint64_t start = 0;
  uint64_t end = 0;
  MempolicyId policy = 0;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_MEMPOLICY_TYPES_H_
