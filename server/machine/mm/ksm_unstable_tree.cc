// The unstable tree, and what becomes of the items of either. Models mm/ksm.c
// (v6.18): unstable_tree_search_insert(), remove_rmap_item_from_tree(),
// remove_trailing_rmap_items().
#include "server/machine/mm/ksm_tree.h"

namespace faultline {
namespace {

auto UnstableTree(Ksm& ksm) {
  auto at = [&ksm](uint32_t n) -> RbLinks& {
    return ksm.rmap_items[Id<KsmRmapItem>(n)].node;
  };
  return RbTree<decltype(at)>(ksm.unstable_root, at);
}
}  // namespace

Id<KsmRmapItem> UnstableTreeSearchInsert(Kernel& k, Id<KsmRmapItem> id, Pfn pfn,
                                         Pfn* found) {
  Ksm& ksm = k.ksm;
  uint32_t parent = 0;
  int comparison = 0;
  for (uint32_t at = ksm.unstable_root; at != 0;) {
    const Id<KsmRmapItem> other(at);
    const Vma* vma = FindMergeableVma(k, ksm.rmap_items[other]);
    if (vma == nullptr) return {};
    *found = AnonPageAt(k, k.mms[vma->mm], ksm.rmap_items[other].address);
    // Nor is a page put beside itself, which fork shares.
    if (!found->valid() || *found == pfn) return {};
    comparison = ComparePages(k, pfn, *found);
    if (comparison == 0) return other;
    parent = at;
    const RbLinks& links = ksm.rmap_items[other].node;
    at = comparison < 0 ? links.left : links.right;
  }
  ksm.rmap_items[id].tree = KsmTree::kUnstable;
  ksm.rmap_items[id].seqnr = ksm.seqnr;
  UnstableTree(ksm).Insert(id.value(), parent, SideOf(comparison));
  ksm.pages_unshared++;
  return {};
}

void RemoveFromTree(Kernel& k, Id<KsmRmapItem> id) {
  KsmRmapItem& item = k.ksm.rmap_items[id];
  if (item.tree == KsmTree::kStable) {
    RemoveFromStableTree(k, id);
  } else if (item.tree == KsmTree::kUnstable) {
    // An earlier scan's tree is gone as a whole.
    VM_BUG_ON(k.ksm.seqnr - item.seqnr > 1);
    if (item.seqnr == k.ksm.seqnr) UnstableTree(k.ksm).Erase(id.value());
    k.ksm.pages_unshared--;
    item.tree = KsmTree::kNone;
  }
}

void RemoveTrailing(Kernel& k, Id<KsmRmapItem>* link) {
  while (*link) {
    const Id<KsmRmapItem> id = *link;
    RemoveFromTree(k, id);
    const KsmRmapItem& item = k.ksm.rmap_items[id];
    *link = item.rmap_list;
    if (Id<Mm> mm = k.ksm.slots[item.slot].mm) k.mms[mm].ksm_rmap_items--;
    k.ksm.rmap_items.Delete(id);
  }
}

}  // namespace faultline
