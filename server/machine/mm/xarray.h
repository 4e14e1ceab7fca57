// The tree of a file's cached pages: a radix tree of 64-way nodes, as deep as
// the highest index needs, whose pages carry marks (the radix tree's tags).
// Models include/linux/xarray.h and lib/xarray.c (v6.18) as the page cache uses
// them.
//
// Invariants: (1) no node is empty; (2) the root is no higher than the highest
// index needs, and an array with nothing but index 0 has no node at all; (3) a
// mark of a slot is the union of what is below it.
#ifndef FAULTLINE_SERVER_MACHINE_MM_XARRAY_H_
#define FAULTLINE_SERVER_MACHINE_MM_XARRAY_H_

#include <array>
#include <cstdint>
#include <optional>

#include "server/machine/base/pool.h"
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
  Id<XaNode> parent;
  std::array<uint64_t, kXaMarks> marks{};  // a bit for each slot
  // Node ids; in a leaf, page frame numbers plus one. 0: nothing.
  std::array<uint32_t, kXaChunkSize> slots{};

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.shift, s.offset, s.count, s.parent, s.marks, s.slots);
  }
};
using XaNodes = Pool<XaNode, 0>;

// struct xarray. The nodes are the machine's, as those of a slab cache are.
struct XArray {
  Id<XaNode> root;
  Pfn head;           // without a root: the page at index 0
  uint8_t marks = 0;  // a bit for each mark that some page has

  bool empty() const { return !root && !head.valid(); }
  bool Marked(XaMark mark) const {
    return (marks >> static_cast<int>(mark) & 1) != 0;
  }
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.root, s.head, s.marks);
  }
};

// xa_load(): the page at an index, or an invalid Pfn.
inline Pfn XaLoad(const XaNodes& nodes, const XArray& xa, uint64_t index) {
  if (!xa.root) return index == 0 ? xa.head : Pfn();
  const XaNode* node = &nodes[xa.root];
  if (index >> node->shift >= kXaChunkSize) return {};
  while (true) {
    const uint32_t slot =
        node->slots[index >> node->shift & (kXaChunkSize - 1)];
    // 0 - 1 is the invalid Pfn.
    if (node->shift == 0 || slot == 0) return Pfn(slot - 1);
    node = &nodes[Id<XaNode>(slot)];
  }
}
// xa_store(): a page that takes another's place has its marks.
void XaStore(XaNodes& nodes, XArray& xa, uint64_t index, Pfn page);
// xa_erase(): with its marks, and the nodes that are not needed any more.
void XaErase(XaNodes& nodes, XArray& xa, uint64_t index);

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

// The levels of nodes: 0 when index 0 is all there is.
int XaHeight(const XaNodes& nodes, const XArray& xa);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_XARRAY_H_
