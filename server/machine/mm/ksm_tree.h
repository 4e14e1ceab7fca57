// The two trees of KSM and the items in them; of use to the ksm*.cc
// only.
#ifndef FAULTLINE_SERVER_MACHINE_MM_KSM_TREE_H_
#define FAULTLINE_SERVER_MACHINE_MM_KSM_TREE_H_

#include "server/machine/kernel.h"

namespace faultline {

// memcmp_pages(), and the side of a tree that it leads to.
inline int ComparePages(const Kernel& k, Pfn a, Pfn b) {
  return k.frames[a].Compare(k.frames[b]);
}
inline RbSide SideOf(int comparison) {
  return comparison < 0 ? RbSide::kLeft : RbSide::kRight;
}

// ksm_get_folio(): the node's page. Not valid: it was freed, and now so is the
// node.
Pfn KsmPageOf(Kernel& k, Id<KsmStableNode> node);
// folio_stable_node(): none for an ordinary page.
inline Id<KsmStableNode> StableNodeOf(const Page& page) {
  return Id<KsmStableNode>(page.Is(page_flag::kKsm) ? page.mapping : 0);
}
// is_page_sharing_candidate(), with room for `more` besides the next one.
bool IsSharingCandidate(const Kernel& k, Id<KsmStableNode> node,
                        uint64_t more = 0);

// stable_tree_search(): the KSM page with these contents that can take one more
// address, or the page itself if it is one; not valid when there is none.
Pfn StableTreeSearch(Kernel& k, Pfn pfn);
// stable_tree_insert(): a node for a new KSM page.
Id<KsmStableNode> StableTreeInsert(Kernel& k, Pfn pfn);
// stable_tree_append(): the item maps the node's page.
void StableTreeAppend(Kernel& k, Id<KsmRmapItem> item, Id<KsmStableNode> node);

// The item maps it no more.
void RemoveFromStableTree(Kernel& k, Id<KsmRmapItem> item);

// unstable_tree_search_insert(): an item whose page has these contents, and
// that page. None: there was none, and now `item` is in the tree (unless a page
// it was to be compared with is gone).
Id<KsmRmapItem> UnstableTreeSearchInsert(Kernel& k, Id<KsmRmapItem> item,
                                         Pfn pfn, Pfn* found);

// remove_rmap_item_from_tree()
void RemoveFromTree(Kernel& k, Id<KsmRmapItem> item);
// remove_trailing_rmap_items(): all from *link on.
void RemoveTrailing(Kernel& k, Id<KsmRmapItem>* link);
// remove_all_stable_nodes(). False: a page is still mapped.
bool RemoveAllStableNodes(Kernel& k);

// find_mergeable_vma(): nullptr when there is none at the item's address.
Vma* FindMergeableVma(Kernel& k, const KsmRmapItem& item);
// What the item's address maps, if that is an anonymous page.
Pfn AnonPageAt(const Kernel& k, const Mm& mm, VirtAddr addr);

// list_del() and mm_slot_free(): ksmd knows the address space no more.
void FreeKsmSlot(Kernel& k, Id<KsmMmSlot> slot);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_KSM_TREE_H_
