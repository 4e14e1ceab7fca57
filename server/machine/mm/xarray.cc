// Models lib/xarray.c (v6.18): xas_expand(), xas_create(), xas_delete_node(),
// xas_shrink(), xas_set_mark(), xas_find(), xas_find_marked().
#include "server/machine/mm/xarray.h"

#include <bit>

#include "server/machine/base/bug.h"

namespace faultline {
namespace {

constexpr uint64_t kSlotMask = kXaChunkSize - 1;

uint32_t SlotOf(const XaNode& node, uint64_t index) {
  return static_cast<uint32_t>(index >> node.shift & kSlotMask);
}
uint32_t SlotValue(Pfn page) { return page.value() + 1; }
uint64_t Bit(uint32_t slot) { return uint64_t{1} << slot; }
uint8_t HeadBit(int mark) { return static_cast<uint8_t>(1 << mark); }

// A new root above what there is.
void Grow(XaNodes& nodes, XArray& xa, uint8_t shift) {
  const Id<XaNode> id = nodes.New();
  XaNode& node = nodes[id];
  node.shift = shift;
  if (xa.root) {
    node.slots[0] = xa.root.value();
    nodes[xa.root].parent = id;
    node.count = 1;
  } else if (xa.head.valid()) {
    node.slots[0] = SlotValue(xa.head);
    node.count = 1;
  }
  for (int m = 0; m < kXaMarks; m++) node.marks[m] = xa.marks >> m & 1;
  xa.root = id;
  xa.head = Pfn();
}

// xas_expand(): the tree becomes high enough for the index.
void Expand(XaNodes& nodes, XArray& xa, uint64_t index) {
  if (!xa.root) {
    uint8_t shift = 0;
    // With a page in the head it grows level by level.
    while (!xa.head.valid() && index >> shift >= kXaChunkSize) {
      shift += kXaChunkShift;
    }
    Grow(nodes, xa, shift);
  }
  while (index >> nodes[xa.root].shift >= kXaChunkSize) {
    Grow(nodes, xa, static_cast<uint8_t>(nodes[xa.root].shift + kXaChunkShift));
  }
}

// xas_create(): the leaf of the index.
Id<XaNode> CreateLeaf(XaNodes& nodes, XArray& xa, uint64_t index) {
  Expand(nodes, xa, index);
  Id<XaNode> at = xa.root;
  while (nodes[at].shift != 0) {
    XaNode& node = nodes[at];
    const uint32_t slot = SlotOf(node, index);
    if (node.slots[slot] == 0) {
      const Id<XaNode> child = nodes.New();
      nodes[child].shift = static_cast<uint8_t>(node.shift - kXaChunkShift);
      nodes[child].offset = static_cast<uint8_t>(slot);
      nodes[child].parent = at;
      node.slots[slot] = child.value();
      node.count++;
    }
    at = Id<XaNode>(node.slots[slot]);
  }
  return at;
}

// The leaf of the index, or none.
Id<XaNode> FindLeaf(const XaNodes& nodes, const XArray& xa, uint64_t index) {
  Id<XaNode> at = xa.root;
  if (!at || index >> nodes[at].shift >= kXaChunkSize) return {};
  while (at && nodes[at].shift != 0) {
    at = Id<XaNode>(nodes[at].slots[SlotOf(nodes[at], index)]);
  }
  return at;
}

// A mark of the slot goes, and above it where it was the last one.
void ClearMark(XaNodes& nodes, XArray& xa, Id<XaNode> at, uint32_t slot,
               int mark) {
  while (at) {
    XaNode& node = nodes[at];
    node.marks[mark] &= ~Bit(slot);
    if (node.marks[mark] != 0) return;
    slot = node.offset;
    at = node.parent;
  }
  xa.marks &= static_cast<uint8_t>(~HeadBit(mark));
}

// xas_shrink(): a root with nothing but its first slot is not needed.
void Shrink(XaNodes& nodes, XArray& xa) {
  while (xa.root) {
    const XaNode& root = nodes[xa.root];
    if (root.count != 1 || root.slots[0] == 0) return;
    const uint32_t below = root.slots[0];
    const bool leaf = root.shift == 0;
    nodes.Delete(xa.root);
    xa.root = leaf ? Id<XaNode>() : Id<XaNode>(below);
    if (leaf) {
      xa.head = Pfn(below - 1);
    } else {
      nodes[xa.root].parent = Id<XaNode>();
    }
  }
}

// The next slot of the node from `slot` on that counts, or kXaChunkSize.
uint32_t NextSlot(const XaNode& node, uint32_t slot,
                  const std::optional<XaMark>& mark) {
  if (mark) {
    const uint64_t bits = node.marks[static_cast<int>(*mark)] >> slot;
    return bits == 0 ? kXaChunkSize
                     : slot + static_cast<uint32_t>(std::countr_zero(bits));
  }
  while (slot < kXaChunkSize && node.slots[slot] == 0) slot++;
  return slot;
}

std::optional<uint64_t> Find(const XaNodes& nodes, const XArray& xa,
                             uint64_t first, uint64_t last,
                             const std::optional<XaMark>& mark) {
  if (mark && !xa.Marked(*mark)) return {};
  if (!xa.root) {
    if (!xa.head.valid() || first > 0) return {};
    return uint64_t{0};
  }
  const XaNode* node = &nodes[xa.root];
  uint64_t index = first;
  if (index >> node->shift >= kXaChunkSize) return {};
  while (true) {
    const uint32_t from = SlotOf(*node, index);
    const uint32_t slot = NextSlot(*node, from, mark);
    if (slot == kXaChunkSize) {
      // Beyond this node; what follows is its parent's next slot.
      const int above = node->shift + kXaChunkShift;
      if (!node->parent) return {};
      index = ((index >> above) + 1) << above;
      node = &nodes[node->parent];
      // The last slot of the parent was this node's.
      while (SlotOf(*node, index) == 0) {
        if (!node->parent) return {};
        node = &nodes[node->parent];
      }
      if (index > last) return {};
      continue;
    }
    if (slot != from) {
      const uint64_t base = index >> node->shift & ~kSlotMask;
      index = (base | slot) << node->shift;
    }
    if (index > last) return {};
    if (node->shift == 0) return index;
    node = &nodes[Id<XaNode>(node->slots[slot])];
  }
}

}  // namespace

void XaStore(XaNodes& nodes, XArray& xa, uint64_t index, Pfn page) {
  VM_BUG_ON(!page.valid());
  if (index == 0 && !xa.root) {
    xa.head = page;
    return;
  }
  XaNode& leaf = nodes[CreateLeaf(nodes, xa, index)];
  uint32_t& slot = leaf.slots[index & kSlotMask];
  if (slot == 0) leaf.count++;
  slot = SlotValue(page);
}

void XaErase(XaNodes& nodes, XArray& xa, uint64_t index) {
  if (!xa.root) {
    if (index == 0) xa = XArray{};
    return;
  }
  Id<XaNode> at = FindLeaf(nodes, xa, index);
  if (!at) return;
  uint32_t slot = static_cast<uint32_t>(index & kSlotMask);
  if (nodes[at].slots[slot] == 0) return;
  for (int m = 0; m < kXaMarks; m++) {
    if (nodes[at].marks[m] & Bit(slot)) ClearMark(nodes, xa, at, slot, m);
  }
  while (true) {
    XaNode& node = nodes[at];
    node.slots[slot] = 0;
    if (--node.count != 0) break;
    const Id<XaNode> parent = node.parent;
    slot = node.offset;
    nodes.Delete(at);
    at = parent;
    if (!at) {
      xa.root = Id<XaNode>();
      return;
    }
  }
  Shrink(nodes, xa);
}

void XaSetMark(XaNodes& nodes, XArray& xa, uint64_t index, XaMark mark) {
  const int m = static_cast<int>(mark);
  VM_BUG_ON(!XaLoad(nodes, xa, index).valid());
  xa.marks |= HeadBit(m);
  uint32_t slot = static_cast<uint32_t>(index & kSlotMask);
  for (Id<XaNode> at = FindLeaf(nodes, xa, index); at;) {
    XaNode& node = nodes[at];
    if (node.marks[m] & Bit(slot)) return;
    node.marks[m] |= Bit(slot);
    slot = node.offset;
    at = node.parent;
  }
}

void XaClearMark(XaNodes& nodes, XArray& xa, uint64_t index, XaMark mark) {
  if (!XaGetMark(nodes, xa, index, mark)) return;
  ClearMark(nodes, xa, FindLeaf(nodes, xa, index),
            static_cast<uint32_t>(index & kSlotMask), static_cast<int>(mark));
}

bool XaGetMark(const XaNodes& nodes, const XArray& xa, uint64_t index,
               XaMark mark) {
  if (!xa.Marked(mark)) return false;
  if (!xa.root) return index == 0;
  const Id<XaNode> leaf = FindLeaf(nodes, xa, index);
  return leaf &&
         (nodes[leaf].marks[static_cast<int>(mark)] >> (index & kSlotMask) &
          1) != 0;
}

std::optional<uint64_t> XaFind(const XaNodes& nodes, const XArray& xa,
                               uint64_t first, uint64_t last) {
  return Find(nodes, xa, first, last, {});
}

std::optional<uint64_t> XaFindMarked(const XaNodes& nodes, const XArray& xa,
                                     uint64_t first, uint64_t last,
                                     XaMark mark) {
  return Find(nodes, xa, first, last, mark);
}

int XaHeight(const XaNodes& nodes, const XArray& xa) {
  return xa.root ? nodes[xa.root].shift / kXaChunkShift + 1 : 0;
}

}  // namespace faultline
