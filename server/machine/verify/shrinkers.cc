// Verifies the lists of what shrinkers may drop: each is the same from both
// ends, has what says that it is on it, and nothing else.
#include "server/machine/verify/verifier.h"

namespace faultline::verify {

template <class T, class PoolOfT, class F>
void Verifier::CheckList(const char* what, const PoolOfT& pool,
                         const ListHead<T>& head, ListNode<T> T::*node,
                         F belongs) {
  uint64_t count = 0;
  Id<T> prev;
  for (Id<T> at = head.head; at && count <= head.count; count++) {
    if (!pool.Has(at) || !(pool[at].*node).listed ||
        (pool[at].*node).prev != prev || !belongs(pool[at])) {
      return Fail("the list of %s holds %u, which does not belong there", what,
                  at.value());
    }
    prev = at;
    at = (pool[at].*node).next;
  }
  if (head.tail != prev) {
    return Fail("the list of %s ends with %u, not %u", what, prev.value(),
                head.tail.value());
  }
  uint64_t listed = 0;
  pool.ForEach(
      [&](Id<T>, const T& object) { listed += (object.*node).listed; });
  Expect(what, "the list; that say they are on it:", listed, listed, count);
  Expect(what, "the list; its count is", head.count, count, head.count);
}

void Verifier::CheckShrinkers() {
  const Shrinkers& s = k_.shrinkers;
  CheckList("shadow nodes", k_.xa_nodes, k_.xa_nodes.shadow_nodes,
            &XaNode::shadow, [](const XaNode&) { return true; });
  CheckList("huge pages to split", k_.folios, s.split_queue,
            &LargeFolio::deferred, [](const LargeFolio&) { return true; });
  const auto on_disk = [](const Inode& inode) {
    return inode.fs == FsType::kExt4;
  };
  CheckList("unused names", k_.inodes, s.s_dentry_lru, &Inode::d_lru,
            [&](const Inode& inode) { return on_disk(inode) && inode.dentry; });
  CheckList(
      "unused inodes", k_.inodes, s.s_inode_lru, &Inode::i_lru,
      [&](const Inode& inode) { return on_disk(inode) && inode.in_core; });
  k_.inodes.ForEach([&](Id<Inode> id, const Inode& inode) {
    const bool used = inode.opens > 0 || !inode.i_pages.empty();
    if ((inode.opens > 0 && !inode.dentry) || (used && !inode.in_core)) {
      Fail("inode %u is in use, but was dropped", id.value());
    }
  });
  k_.folios.ForEach([&](Id<LargeFolio> id, const LargeFolio& folio) {
    if (folio.partially_mapped && !folio.deferred.listed) {
      Fail("large folio %u is mapped in part, and nobody will split it",
           id.value());
    }
  });
}

}  // namespace faultline::verify
