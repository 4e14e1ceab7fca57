// Verifies KSM: whom ksmd scans, its items and the trees they are in.
#include "server/machine/mm/ksm.h"

#include <map>
#include <set>
#include <utility>

#include "server/machine/mm/ksm_tree.h"
#include "server/machine/verify/verifier.h"

namespace faultline::verify {
namespace {

// What is wrong with the links of the tree, and who is in it.
template <class At>
class TreeCheck {
 public:
  TreeCheck(uint32_t root, At at) : at_(at) { Walk(root, 0, true); }
  const char* problem() const { return problem_; }
  const std::set<uint32_t>& nodes() const { return nodes_; }

 private:
  // Black nodes below `n`, itself included.
  int Walk(uint32_t n, uint32_t parent, bool red_parent) {
    if (n == 0 || problem_ != nullptr) return 1;
    if (!nodes_.insert(n).second) problem_ = "a node is in it twice";
    const RbLinks* links = at_(n);
    if (links == nullptr) {
      problem_ = "it leads to a node that does not exist";
      return 1;
    }
    if (links->parent != parent) problem_ = "a node has another parent";
    if (links->red && red_parent) problem_ = "a red node has a red parent";
    const int left = Walk(links->left, n, links->red);
    const int right = Walk(links->right, n, links->red);
    if (left != right) problem_ = "paths have not equally many black nodes";
    return left + (links->red ? 0 : 1);
  }

  At at_;
  std::set<uint32_t> nodes_;
  const char* problem_ = nullptr;
};

}  // namespace

void Verifier::CheckKsm() {
  CheckKsmSlots();
  CheckUnstableTree();
  CheckStableTree();
  CheckKsmPages();
}

void Verifier::CheckKsmSlots() {
  const Ksm& ksm = k_.ksm;
  uint64_t slots = 0, items = 0;
  std::map<uint32_t, uint64_t> of_mm, merging;
  Id<KsmMmSlot> prev;
  for (Id<KsmMmSlot> at = ksm.first_slot; at && ok(); slots++) {
    const KsmMmSlot& slot = ksm.slots[at];
    if (slot.prev != prev || (slot.mm && k_.mms[slot.mm].ksm_slot != at)) {
      return Fail("KSM slot %u: its neighbour or its mm does not know it",
                  at.value());
    }
    uint64_t below = 0;
    for (auto i = slot.rmap_list; i; i = ksm.rmap_items[i].rmap_list, items++) {
      const KsmRmapItem& item = ksm.rmap_items[i];
      if (item.slot != at || (below != 0 && item.address.value() <= below)) {
        return Fail("KSM slot %u: item %u is of slot %u, or out of order",
                    at.value(), i.value(), item.slot.value());
      }
      below = item.address.value();
      of_mm[slot.mm.value()]++;
      merging[slot.mm.value()] += item.tree == KsmTree::kStable;
    }
    prev = at;
    at = slot.next;
  }
  Expect("KSM slots in the ring", "all slots:", ksm.slots.count(),
         ksm.slots.count(), slots);
  Expect("KSM items on lists", "all items:", ksm.rmap_items.count(),
         ksm.rmap_items.count(), items);
  k_.mms.ForEach([&](Id<Mm> id, const Mm& mm) {
    const uint32_t n = id.value();
    Expect("ksm_rmap_items", "mm", n, of_mm[n], mm.ksm_rmap_items);
    Expect("ksm_merging_pages", "mm", n, merging[n], mm.ksm_merging_pages);
    Expect("ksm_zero_pages", "mm", n, ksm_zero_pages_[n],
           static_cast<uint64_t>(mm.ksm_zero_pages));
    if (mm.ksm_slot && !ksm.slots.Has(mm.ksm_slot)) {
      Fail("mm %u has a KSM slot that does not exist", n);
    }
  });
}

void Verifier::CheckUnstableTree() {
  const Ksm& ksm = k_.ksm;
  auto at = [&](uint32_t n) {
    const Id<KsmRmapItem> id(n);
    return ksm.rmap_items.Has(id) ? &ksm.rmap_items[id].node : nullptr;
  };
  // Between two scans the last one's tree is without meaning.
  const TreeCheck<decltype(at)> tree(ksm.scan_slot ? ksm.unstable_root : 0, at);
  if (tree.problem() != nullptr) Fail("the unstable tree: %s", tree.problem());
  uint64_t unshared = 0;
  ksm.rmap_items.ForEach([&](Id<KsmRmapItem> id, const KsmRmapItem& item) {
    const bool unstable = item.tree == KsmTree::kUnstable;
    unshared += unstable;
    if (unstable && ksm.seqnr - item.seqnr > 1) {
      Fail("KSM item %u is of unstable tree %llu, and the scan is %llu",
           id.value(), ull{item.seqnr}, ull{ksm.seqnr});
    }
    if ((unstable && item.seqnr == ksm.seqnr) !=
        tree.nodes().contains(id.value())) {
      Fail("KSM item %u: it and the unstable tree disagree", id.value());
    }
  });
  Expect("pages_unshared", "items, of which unstable:", unshared, unshared,
         ksm.pages_unshared);
}

void Verifier::CheckStableTree() {
  const Ksm& ksm = k_.ksm;
  auto at = [&](uint32_t n) {
    const Id<KsmStableNode> id(n);
    return ksm.stable_nodes.Has(id) ? &ksm.stable_nodes[id].node : nullptr;
  };
  const TreeCheck<decltype(at)> tree(ksm.stable_root, at);
  if (tree.problem() != nullptr) Fail("the stable tree: %s", tree.problem());
  uint64_t shared = 0, sharing = 0, chains = 0, dups = 0;
  ksm.stable_nodes.ForEach([&](Id<KsmStableNode> id, const KsmStableNode& n) {
    if (tree.nodes().contains(id.value()) == static_cast<bool>(n.chain)) {
      Fail("stable node %u: in the tree or of a chain, and not both",
           id.value());
    }
    chains += n.is_chain;
    dups += static_cast<bool>(n.chain);
    uint64_t items = 0;
    for (auto i = n.hlist; i && ok(); i = ksm.rmap_items[i].hlist_next) {
      const KsmRmapItem& item = ksm.rmap_items[i];
      items++;
      if (item.tree != KsmTree::kStable || item.head != id ||
          !k_.anon_vmas.Has(item.anon_vma)) {
        Fail("stable node %u has item %u, which is under node %u", id.value(),
             i.value(), item.head.value());
      }
    }
    Expect("rmap_hlist_len", "stable node", id.value(), items,
           n.rmap_hlist_len);
    shared += items > 0;
    sharing += items > 0 ? items - 1 : 0;
  });
  Expect("pages_shared", "the stable tree; pages:", shared, shared,
         ksm.pages_shared);
  Expect("pages_sharing", "the stable tree; pages:", sharing, sharing,
         ksm.pages_sharing);
  Expect("stable_node_chains", "the stable tree; chains:", chains, chains,
         ksm.stable_node_chains);
  Expect("stable_node_dups", "the stable tree; dups:", dups, dups,
         ksm.stable_node_dups);
}

// A KSM page has a node that knows it, unless it was given up half merged.
void Verifier::CheckKsmPages() {
  k_.mem_map.ForEach([&](size_t number, const Page& page) {
    if (!ok() || !page.Is(page_flag::kKsm) || page.mapping == 0) return;
    const Pfn pfn(static_cast<uint32_t>(number));
    const Id<KsmStableNode> node = StableNodeOf(page);
    if (!page.Is(page_flag::kAnon) || !k_.ksm.stable_nodes.Has(node) ||
        k_.ksm.stable_nodes[node].pfn != pfn) {
      Fail("frame %u is a KSM page, but stable node %u does not know it",
           pfn.value(), node.value());
    }
  });
}

}  // namespace faultline::verify
