// The data of KSM: struct ksm_mm_slot, ksm_rmap_item, ksm_stable_node and
// ksm_scan of mm/ksm.c (v6.18), and the counters of /sys/kernel/mm/ksm.
#ifndef FAULTLINE_SERVER_MACHINE_MM_KSM_TYPES_H_
#define FAULTLINE_SERVER_MACHINE_MM_KSM_TYPES_H_

#include <cstdint>

#include "server/machine/base/pool.h"
#include "server/machine/base/rb_tree.h"
#include "server/machine/base/units.h"

namespace faultline {

struct AnonVma;
struct Mm;
struct KsmRmapItem;
struct KsmStableNode;

// An address space that ksmd scans; in a ring that begins and ends at 0.
struct KsmMmSlot {
  Id<Mm> mm;  // none: it has ended, and ksmd is to clear up after it
  Id<KsmRmapItem> rmap_list;  // by ascending address
  Id<KsmMmSlot> prev;
  Id<KsmMmSlot> next;
};

// Which tree a scanned page is in.
enum class KsmTree : uint8_t { kNone, kUnstable, kStable };

// One page of an address space, as ksmd knows it. In the stable tree (under
// `head`) it is one of the addresses that map a KSM page.
struct KsmRmapItem {
  Id<KsmRmapItem> rmap_list;  // the next of its slot
  Id<KsmMmSlot> slot;
  VirtAddr address;
  uint32_t oldchecksum = 0;
  uint8_t age = 0;
  uint8_t remaining_skips = 0;
  KsmTree tree = KsmTree::kNone;
  uint64_t seqnr = 0;  // unstable: the scan that inserted it
  RbLinks node;        // unstable
  Id<AnonVma> anon_vma;
  Id<KsmStableNode> head;
  Id<KsmRmapItem> hlist_prev;
  Id<KsmRmapItem> hlist_next;

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.rmap_list, s.slot, s.address, s.oldchecksum, s.age, s.remaining_skips,
       s.tree, s.seqnr, s.node, s.anon_vma, s.head, s.hlist_prev, s.hlist_next);
  }
};

// A KSM page; or a chain of such nodes, whose pages have the same contents
// because each may be shared only so often. The frame is not held: it is this
// node's page as long as it says so itself (Page::mapping).
struct KsmStableNode {
  RbLinks node;  // unless it is of a chain
  bool is_chain = false;
  Id<KsmStableNode> chain;  // of a dup: the chain it is in
  Id<KsmStableNode> dup_prev;
  Id<KsmStableNode> dup_next;  // of a chain: its first dup
  uint64_t chain_prune_ns = 0;
  Pfn pfn;
  Id<KsmRmapItem> hlist;  // the addresses that map the page
  uint32_t rmap_hlist_len = 0;

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.node, s.is_chain, s.chain, s.dup_prev, s.dup_next, s.chain_prune_ns,
       s.pfn, s.hlist, s.rmap_hlist_len);
  }
};

// What there is one of.
struct Ksm {
  Pool<KsmMmSlot> slots;
  Pool<KsmRmapItem> rmap_items;
  Pool<KsmStableNode> stable_nodes;
  Id<KsmMmSlot> first_slot;
  Id<KsmMmSlot> last_slot;
  uint32_t stable_root = 0;
  uint32_t unstable_root = 0;
  // struct ksm_scan: where the scan is. No slot: between two scans.
  Id<KsmMmSlot> scan_slot;
  VirtAddr scan_address;
  Id<KsmRmapItem> scan_item;  // the last one that was passed; none: the head
  uint64_t seqnr = 0;         // full_scans
  uint64_t wake_ns = 0;       // when ksmd has slept enough

  uint64_t pages_shared = 0, pages_sharing = 0, pages_unshared = 0;
  uint64_t pages_scanned = 0, pages_skipped = 0;
  uint64_t stable_node_chains = 0, stable_node_dups = 0;
  int64_t zero_pages = 0;

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.slots, s.rmap_items, s.stable_nodes, s.first_slot, s.last_slot,
       s.stable_root, s.unstable_root, s.scan_slot, s.scan_address, s.scan_item,
       s.seqnr, s.wake_ns, s.pages_shared, s.pages_sharing, s.pages_unshared,
       s.pages_scanned, s.pages_skipped, s.stable_node_chains,
       s.stable_node_dups, s.zero_pages);
  }
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_KSM_TYPES_H_
