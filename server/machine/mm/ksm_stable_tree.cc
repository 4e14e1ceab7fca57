// Models mm/ksm.c (v6.18): stable_tree_search(), stable_node_dup(),
// stable_tree_insert(), stable_tree_append(), ksm_get_folio().
#include <utility>

#include "server/machine/mm/ksm_tree.h"
#include "server/machine/mm/lru.h"
#include "server/machine/mm/rmap.h"

namespace faultline {
namespace {

auto StableTree(Ksm& ksm) {
  auto at = [&ksm](uint32_t n) -> RbLinks& {
    return ksm.stable_nodes[Id<KsmStableNode>(n)].node;
  };
  return RbTree<decltype(at)>(ksm.stable_root, at);
}
void AddDup(Ksm& ksm, Id<KsmStableNode> id, Id<KsmStableNode> chain) {
  KsmStableNode& dup = ksm.stable_nodes[id];
  dup.chain = chain;
  dup.dup_prev = {};
  dup.dup_next = ksm.stable_nodes[chain].dup_next;
  if (dup.dup_next) ksm.stable_nodes[dup.dup_next].dup_prev = id;
  ksm.stable_nodes[chain].dup_next = id;
}
void UnlinkDup(Ksm& ksm, Id<KsmStableNode> id) {
  KsmStableNode& dup = ksm.stable_nodes[id];
  ksm.stable_nodes[dup.dup_prev ? dup.dup_prev : dup.chain].dup_next =
      dup.dup_next;
  if (dup.dup_next) ksm.stable_nodes[dup.dup_next].dup_prev = dup.dup_prev;
  dup.chain = dup.dup_prev = dup.dup_next = {};
}

// alloc_stable_node_chain(): a chain takes the place of its first node.
Id<KsmStableNode> NewChain(Kernel& k, Id<KsmStableNode> first) {
  Ksm& ksm = k.ksm;
  const Id<KsmStableNode> id = ksm.stable_nodes.New();
  ksm.stable_nodes[id].is_chain = true;
  ksm.stable_nodes[id].chain_prune_ns = k.clock_ns;
  StableTree(ksm).Replace(first.value(), id.value());
  AddDup(ksm, first, id);
  ksm.stable_node_chains++;
  ksm.stable_node_dups++;
  return id;
}

void FreeChain(Ksm& ksm, Id<KsmStableNode> id) {
  StableTree(ksm).Erase(id.value());
  ksm.stable_nodes.Delete(id);
  ksm.stable_node_chains--;
}

// The chain has one dup left, which takes its place.
void CollapseChain(Ksm& ksm, Id<KsmStableNode> chain, Id<KsmStableNode> last) {
  UnlinkDup(ksm, last);
  StableTree(ksm).Replace(chain.value(), last.value());
  ksm.stable_nodes.Delete(chain);
  ksm.stable_node_chains--;
  ksm.stable_node_dups--;
}

// The item is under its stable node no more; who counts is the caller.
void ForgetStable(Kernel& k, Id<KsmRmapItem> id) {
  KsmRmapItem& item = k.ksm.rmap_items[id];
  if (Id<Mm> mm = k.ksm.slots[item.slot].mm) k.mms[mm].ksm_merging_pages--;
  PutAnonVma(k, std::exchange(item.anon_vma, {}));
  item.head = {};
  item.hlist_prev = item.hlist_next = {};
  item.tree = KsmTree::kNone;
}

// remove_node_from_stable_tree()
void RemoveNode(Kernel& k, Id<KsmStableNode> id) {
  Ksm& ksm = k.ksm;
  for (Id<KsmRmapItem> at = ksm.stable_nodes[id].hlist, next; at; at = next) {
    next = ksm.rmap_items[at].hlist_next;
    next ? ksm.pages_sharing-- : ksm.pages_shared--;
    ForgetStable(k, at);
  }
  if (ksm.stable_nodes[id].chain) {
    UnlinkDup(ksm, id);
    ksm.stable_node_dups--;
  } else {
    StableTree(ksm).Erase(id.value());
  }
  ksm.stable_nodes.Delete(id);
}

// What stands at a place of the stable tree.
struct Standing {
  Id<KsmStableNode> place;  // the node, or its chain
  Id<KsmStableNode> node;   // the best candidate of a chain
  Pfn pfn;                  // its page; not valid: the place is no more
};
enum class Prune : uint8_t { kNo, kYes };

// chain_prune(), chain(): stable_node_dup().
Standing Look(Kernel& k, Id<KsmStableNode> place, Prune prune) {
  Ksm& ksm = k.ksm;
  if (!ksm.stable_nodes[place].is_chain) {
    return {place, place, KsmPageOf(k, place)};
  }
  KsmStableNode& chain = ksm.stable_nodes[place];
  constexpr uint64_t kNsPerMs = 1'000'000;
  const bool all =
      prune == Prune::kYes &&
      k.clock_ns >=
          chain.chain_prune_ns + k.sysctl.ksm.chains_prune_millisecs * kNsPerMs;
  if (all) chain.chain_prune_ns = k.clock_ns;
  Standing best{place, {}, {}};
  for (Id<KsmStableNode> at = chain.dup_next, next; at; at = next) {
    next = ksm.stable_nodes[at].dup_next;
    const Pfn pfn = KsmPageOf(k, at);
    if (!pfn.valid()) continue;
    const bool better =
        !best.node || (IsSharingCandidate(k, at) &&
                       (!IsSharingCandidate(k, best.node) ||
                        ksm.stable_nodes[at].rmap_hlist_len >
                            ksm.stable_nodes[best.node].rmap_hlist_len));
    if (!better) continue;
    best.node = at;
    best.pfn = pfn;
    if (!all && IsSharingCandidate(k, at)) break;
  }
  if (!best.node) {
    FreeChain(ksm, place);
  } else if (chain.dup_next == best.node &&
             !ksm.stable_nodes[best.node].dup_next) {
    CollapseChain(ksm, place, best.node);
    best.place = best.node;
  } else if (chain.dup_next != best.node &&
             IsSharingCandidate(k, best.node, 1)) {
    UnlinkDup(ksm, best.node);
    AddDup(ksm, best.node, place);
  }
  return best;
}

// A walk from the root. `equal`: what has the contents of the page, if any.
struct Walk {
  Standing equal;
  uint32_t parent = 0;
  int comparison = 0;
};
Walk WalkStableTree(Kernel& k, Pfn pfn, Prune prune) {
  Walk walk;
  for (uint32_t at = k.ksm.stable_root; at != 0;) {
    const Standing s = Look(k, Id<KsmStableNode>(at), prune);
    if (!s.pfn.valid()) {  // the tree is another one now
      walk = {};
      at = k.ksm.stable_root;
      continue;
    }
    walk.comparison = ComparePages(k, pfn, s.pfn);
    walk.parent = s.place.value();
    if (walk.comparison == 0) {
      walk.equal = s;
      return walk;
    }
    const RbLinks& links = k.ksm.stable_nodes[s.place].node;
    at = walk.comparison < 0 ? links.left : links.right;
  }
  return walk;
}

}  // namespace

Pfn KsmPageOf(Kernel& k, Id<KsmStableNode> node) {
  const Pfn pfn = k.ksm.stable_nodes[node].pfn;
  if (StableNodeOf(std::as_const(k).page(pfn)) == node) return pfn;
  RemoveNode(k, node);
  return {};
}

bool IsSharingCandidate(const Kernel& k, Id<KsmStableNode> node,
                        uint64_t more) {
  return k.ksm.stable_nodes[node].rmap_hlist_len + more <
         k.sysctl.ksm.max_page_sharing;
}

Pfn StableTreeSearch(Kernel& k, Pfn pfn) {
  if (StableNodeOf(std::as_const(k).page(pfn))) return pfn;  // it was forked
  const Walk walk = WalkStableTree(k, pfn, Prune::kYes);
  if (!walk.equal.node || !IsSharingCandidate(k, walk.equal.node)) return {};
  return walk.equal.pfn;
}

Id<KsmStableNode> StableTreeInsert(Kernel& k, Pfn pfn) {
  Ksm& ksm = k.ksm;
  Walk walk = WalkStableTree(k, pfn, Prune::kNo);
  const Id<KsmStableNode> id = ksm.stable_nodes.New();
  ksm.stable_nodes[id].pfn = pfn;
  if (walk.equal.node) {
    Id<KsmStableNode> chain = walk.equal.place;
    if (!ksm.stable_nodes[chain].is_chain) chain = NewChain(k, chain);
    AddDup(ksm, id, chain);
    ksm.stable_node_dups++;
  } else {
    StableTree(ksm).Insert(id.value(), walk.parent, SideOf(walk.comparison));
  }
  k.page(pfn).mapping = id.value();
  return id;
}

void StableTreeAppend(Kernel& k, Id<KsmRmapItem> id, Id<KsmStableNode> head) {
  Ksm& ksm = k.ksm;
  KsmStableNode& node = ksm.stable_nodes[head];
  KsmRmapItem& item = ksm.rmap_items[id];
  item.head = head;
  item.tree = KsmTree::kStable;
  item.hlist_next = node.hlist;
  if (node.hlist) ksm.rmap_items[node.hlist].hlist_prev = id;
  node.hlist = id;
  node.rmap_hlist_len++;
  item.hlist_next ? ksm.pages_sharing++ : ksm.pages_shared++;
  k.mms[ksm.slots[item.slot].mm].ksm_merging_pages++;
  // Only now is the place that the item stands for found from the page.
  UpdateEvictable(k, KsmPageOf(k, head));
}

void RemoveFromStableTree(Kernel& k, Id<KsmRmapItem> id) {
  Ksm& ksm = k.ksm;
  KsmRmapItem& item = ksm.rmap_items[id];
  if (!KsmPageOf(k, item.head).valid()) return;  // that removed it
  KsmStableNode& node = ksm.stable_nodes[item.head];
  (item.hlist_prev ? ksm.rmap_items[item.hlist_prev].hlist_next : node.hlist) =
      item.hlist_next;
  if (item.hlist_next) {
    ksm.rmap_items[item.hlist_next].hlist_prev = item.hlist_prev;
  }
  node.hlist ? ksm.pages_sharing-- : ksm.pages_shared--;
  node.rmap_hlist_len--;
  ForgetStable(k, id);
}

bool RemoveAllStableNodes(Kernel& k) {
  Ksm& ksm = k.ksm;
  while (ksm.stable_root != 0) {
    const Id<KsmStableNode> root(ksm.stable_root);
    const Id<KsmStableNode> node = ksm.stable_nodes[root].is_chain
                                       ? ksm.stable_nodes[root].dup_next
                                       : root;
    if (!node) {
      FreeChain(ksm, root);
    } else if (KsmPageOf(k, node).valid()) {
      return false;
    }
  }
  return true;
}

}  // namespace faultline
