// The tree of a file's cached pages: a radix tree of 64-way nodes, as deep as
// the highest index needs, whose pages carry marks (the radix tree's tags). In
// a page's stead there may be a value: the shadow of a page that was evicted
// (mm/workingset.h), or of a file of tmpfs the slot that it was swapped to.
// Models include/linux/xarray.h and lib/xarray.c (v6.18) as the page cache uses
// them.
//
// Invariants: (1) no node is empty; (2) the root is no higher than the highest
// index needs, and an array that was emptied but for index 0 has no node at
// all; (3) a mark of a slot is the union of what is below it; (4) values have
// no marks; (5) a node of an array with a host is on the list of shadow nodes
// when, and only when, it holds nothing but values.
#ifndef FAULTLINE_SERVER_MACHINE_MM_XARRAY_H_
#define FAULTLINE_SERVER_MACHINE_MM_XARRAY_H_

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "server/machine/base/pool_list.h"
#include "server/machine/base/units.h"

namespace faultline {

// PAGECACHE_TAG_*: what is asked of all pages of a file at once.
enum class XaMark : uint8_t { kDirty = 0, kWriteback = 1, kTowrite = 2 };
inline constexpr int kXaMarks = 3;

inline constexpr int kXaChunkShift = 6;
inline constexpr uint32_t kXaChunkSize = 1 << kXaChunkShift;

// struct xa_node.
struct XaNode {
  uint8_t shift = 0;   // bits of the index below a slot: 0 in a leaf
  uint8_t offset = 0;  // which slot of its parent
  uint8_t count = 0;   // slots in use
  uint32_t host = 0;   // the array's
  Id<XaNode> parent;
  ListNode<XaNode> shadow;  // in the list of shadow nodes
  uint64_t values = 0;      // a bit for each slot that has a value, in a leaf
  std::array<uint64_t, kXaMarks> marks{};  // a bit for each slot
  // Node ids; in a leaf, page frame numbers plus one, or values. 0: nothing.
  std::array<uint32_t, kXaChunkSize> slots{};

  bool HasValue(uint64_t slot) const { return (values >> slot & 1) != 0; }
  // xa_node::nr_values
  int nr_values() const { return std::popcount(values); }
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.shift, s.offset, s.count, s.host, s.parent, s.shadow, s.values,
       s.marks, s.slots);
  }
};

// The nodes of all arrays, with the list of those that reclaim can drop
// (shadow_nodes in mm/workingset.c), the oldest first.
struct XaNodes : Pool<XaNode, 0> {
  ListHead<XaNode> shadow_nodes;  // its count is WORKINGSET_NODES

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    using Base = Pool<XaNode, 0>;
    ar(static_cast<
           std::conditional_t<std::is_const_v<Self>, const Base&, Base&>>(s),
       s.shadow_nodes);
  }
};

// struct xarray. The nodes are the machine's, as those of a slab cache are.
struct XArray {
  Id<XaNode> root;
  Pfn head;            // without a root: the page at index 0 …
  uint32_t value = 0;  // … or the value there
  uint8_t marks = 0;   // a bit for each mark that some page has
  // The inode whose shadows these are (mapping_set_update()); 0: its nodes are
  // on no list. REQUIRES: set while the array is empty.
  uint32_t host = 0;

  // mapping_empty()
  bool empty() const { return !root && !head.valid() && value == 0; }
  bool Marked(XaMark mark) const {
    return (marks >> static_cast<int>(mark) & 1) != 0;
  }
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.root, s.head, s.value, s.marks, s.host);
  }
};

// xa_load(): the page at an index, or an invalid Pfn.
inline Pfn XaLoad(const XaNodes& nodes, const XArray& xa, uint64_t index) {
  if (!xa.root) return index == 0 ? xa.head : Pfn();
  const XaNode* node = &nodes[xa.root];
  if (index >> node->shift >= kXaChunkSize) return {};
  while (true) {
    const uint64_t at = index >> node->shift & (kXaChunkSize - 1);
    const uint32_t slot = node->slots[at];
    // 0 - 1 is the invalid Pfn.
    if (node->shift == 0) return node->HasValue(at) ? Pfn() : Pfn(slot - 1);
    if (slot == 0) return {};
    node = &nodes[Id<XaNode>(slot)];
  }
}
// The value at an index; 0: none.
uint32_t XaLoadValue(const XaNodes& nodes, const XArray& xa, uint64_t index);
// xa_store(): a page that takes another's place has its marks. The value that
// it takes the place of, or 0.
uint32_t XaStore(XaNodes& nodes, XArray& xa, uint64_t index, Pfn page);
// The same of a value, which is not 0: a page goes with its marks.
void XaStoreValue(XaNodes& nodes, XArray& xa, uint64_t index, uint32_t value);
// xa_erase(): with its marks, and the nodes that are not needed any more.
void XaErase(XaNodes& nodes, XArray& xa, uint64_t index);
// xa_delete_node(): a leaf with all that is in it. REQUIRES: only values are.
void XaDeleteNode(XaNodes& nodes, XArray& xa, Id<XaNode> leaf);

// xa_set_mark(), xa_clear_mark(), xa_get_mark(). REQUIRES: there is a page.
void XaSetMark(XaNodes& nodes, XArray& xa, uint64_t index, XaMark mark);
void XaClearMark(XaNodes& nodes, XArray& xa, uint64_t index, XaMark mark);
bool XaGetMark(const XaNodes& nodes, const XArray& xa, uint64_t index,
               XaMark mark);

// xa_find(): the lowest index in [first, last] with a page, or with one that
// has the mark.
std::optional<uint64_t> XaFind(const XaNodes& nodes, const XArray& xa,
                               uint64_t first, uint64_t last);
std::optional<uint64_t> XaFindMarked(const XaNodes& nodes, const XArray& xa,
                                     uint64_t first, uint64_t last,
                                     XaMark mark);

// The same of a value.
std::optional<uint64_t> XaFindValue(const XaNodes& nodes, const XArray& xa,
                                    uint64_t first, uint64_t last);

// The levels of nodes: 0 when index 0 is all there is.
int XaHeight(const XaNodes& nodes, const XArray& xa);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_XARRAY_H_
