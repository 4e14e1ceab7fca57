// Models lib/xarray.c (v6.18): xas_expand(), xas_create(), xas_delete_node(),
// xas_shrink(), xas_set_mark(), xas_find(), xas_find_marked();
// mm/workingset.c: workingset_update_node().
#include "server/machine/mm/xarray.h"

#include <bit>
#include <utility>

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

// What a search looks for: a mark, or one of these.
constexpr int kAnyPage = kXaMarks, kAnyValue = kXaMarks + 1;

PoolList<XaNode, XaNodes> ShadowNodes(XaNodes& nodes) {
  return {nodes, nodes.shadow_nodes, &XaNode::shadow};
}

// workingset_update_node(): the slots of a leaf have changed.
void Update(XaNodes& nodes, Id<XaNode> id) {
  const XaNode& node = nodes[id];
  if (node.host == 0) return;
  const bool only_shadows = node.count > 0 && node.count == node.nr_values();
  if (only_shadows == node.shadow.listed) return;
  if (only_shadows) {
    ShadowNodes(nodes).AddTail(id);
  } else {
    ShadowNodes(nodes).Delete(id);
  }
}

Id<XaNode> NewNode(XaNodes& nodes, const XArray& xa, uint8_t shift) {
  const Id<XaNode> id = nodes.New();
  nodes[id].shift = shift;
  nodes[id].host = xa.host;
  return id;
}

void FreeNode(XaNodes& nodes, Id<XaNode> id) {
  if (nodes[id].shadow.listed) ShadowNodes(nodes).Delete(id);
  nodes.Delete(id);
}

// A new root above what there is.
void Grow(XaNodes& nodes, XArray& xa, uint8_t shift) {
  const bool has_head = xa.head.valid() || xa.value != 0;
  const Id<XaNode> id = NewNode(nodes, xa, shift);
  XaNode& node = nodes[id];
  if (xa.root) {
    node.slots[0] = xa.root.value();
    nodes[xa.root].parent = id;
  } else if (has_head) {
    node.slots[0] = xa.value != 0 ? xa.value : SlotValue(xa.head);
    node.values = xa.value != 0 ? 1 : 0;
  }
  node.count = node.slots[0] != 0 ? 1 : 0;
  for (int m = 0; m < kXaMarks; m++) node.marks[m] = xa.marks >> m & 1;
  xa.root = id;
  xa.head = Pfn();
  xa.value = 0;
  Update(nodes, id);
}

// xas_expand(): the tree becomes high enough for the index.
void Expand(XaNodes& nodes, XArray& xa, uint64_t index) {
  if (!xa.root) {
    uint8_t shift = 0;
    // With an entry in the head it grows level by level.
    while (xa.empty() && index >> shift >= kXaChunkSize) {
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
      const auto below = static_cast<uint8_t>(node.shift - kXaChunkShift);
      const Id<XaNode> child = NewNode(nodes, xa, below);
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

// Marks of a slot whose page goes.
void ClearMarks(XaNodes& nodes, XArray& xa, Id<XaNode> leaf, uint32_t slot) {
  for (int m = 0; m < kXaMarks; m++) {
    if (nodes[leaf].marks[m] & Bit(slot)) ClearMark(nodes, xa, leaf, slot, m);
  }
}

// xas_shrink(): a root with nothing but its first slot is not needed.
void Shrink(XaNodes& nodes, XArray& xa) {
  while (xa.root) {
    const XaNode& root = nodes[xa.root];
    if (root.count != 1 || root.slots[0] == 0) return;
    const uint32_t below = root.slots[0];
    const bool leaf = root.shift == 0, value = root.HasValue(0);
    FreeNode(nodes, xa.root);
    xa.root = leaf ? Id<XaNode>() : Id<XaNode>(below);
    if (!leaf) {
      nodes[xa.root].parent = Id<XaNode>();
    } else if (value) {
      xa.value = below;
    } else {
      xa.head = Pfn(below - 1);
    }
  }
}

// xas_delete_node(): a node without a slot in use goes, and so do those above
// that have nothing else.
void DeleteNode(XaNodes& nodes, XArray& xa, Id<XaNode> at) {
  while (true) {
    const Id<XaNode> parent = nodes[at].parent;
    const uint32_t slot = nodes[at].offset;
    FreeNode(nodes, at);
    if (!parent) {
      xa.root = Id<XaNode>();
      return;
    }
    at = parent;
    nodes[at].slots[slot] = 0;
    if (--nodes[at].count != 0) return Shrink(nodes, xa);
  }
}

// The next slot of the node from `slot` on that counts, or kXaChunkSize.
uint32_t NextSlot(const XaNode& node, uint32_t slot, int what) {
  if (what < kXaMarks || (what == kAnyValue && node.shift == 0)) {
    const uint64_t all = what < kXaMarks ? node.marks[what] : node.values;
    const uint64_t bits = all >> slot;
    return bits == 0 ? kXaChunkSize
                     : slot + static_cast<uint32_t>(std::countr_zero(bits));
  }
  while (slot < kXaChunkSize &&
         (node.slots[slot] == 0 || node.HasValue(slot))) {
    slot++;
  }
  return slot;
}

// Does the head count?
bool HeadIs(const XArray& xa, int what) {
  return what == kAnyValue ? xa.value != 0 : xa.head.valid();
}

std::optional<uint64_t> Find(const XaNodes& nodes, const XArray& xa,
                             uint64_t first, uint64_t last, int what) {
  if (what < kXaMarks && (xa.marks >> what & 1) == 0) return {};
  if (!xa.root) {
    if (!HeadIs(xa, what) || first > 0) return {};
    return uint64_t{0};
  }
  const XaNode* node = &nodes[xa.root];
  uint64_t index = first;
  if (index >> node->shift >= kXaChunkSize) return {};
  while (true) {
    const uint32_t from = SlotOf(*node, index);
    const uint32_t slot = NextSlot(*node, from, what);
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

uint32_t XaLoadValue(const XaNodes& nodes, const XArray& xa, uint64_t index) {
  if (!xa.root) return index == 0 ? xa.value : 0;
  const Id<XaNode> leaf = FindLeaf(nodes, xa, index);
  const uint64_t slot = index & kSlotMask;
  return leaf && nodes[leaf].HasValue(slot) ? nodes[leaf].slots[slot] : 0;
}

uint32_t XaStore(XaNodes& nodes, XArray& xa, uint64_t index, Pfn page) {
  VM_BUG_ON(!page.valid());
  if (index == 0 && !xa.root) {
    xa.head = page;
    return std::exchange(xa.value, 0);
  }
  const Id<XaNode> at = CreateLeaf(nodes, xa, index);
  XaNode& leaf = nodes[at];
  const uint64_t slot = index & kSlotMask;
  const uint32_t old = std::exchange(leaf.slots[slot], SlotValue(page));
  const bool value = leaf.HasValue(slot);
  leaf.values &= ~Bit(static_cast<uint32_t>(slot));
  if (old == 0) leaf.count++;
  Update(nodes, at);
  return value ? old : 0;
}

void XaStoreValue(XaNodes& nodes, XArray& xa, uint64_t index, uint32_t value) {
  VM_BUG_ON(value == 0);
  if (index == 0 && !xa.root) {
    xa.head = Pfn();
    xa.marks = 0;
    xa.value = value;
    return;
  }
  const Id<XaNode> at = CreateLeaf(nodes, xa, index);
  const auto slot = static_cast<uint32_t>(index & kSlotMask);
  ClearMarks(nodes, xa, at, slot);
  XaNode& leaf = nodes[at];
  if (std::exchange(leaf.slots[slot], value) == 0) leaf.count++;
  leaf.values |= Bit(slot);
  Update(nodes, at);
}

void XaErase(XaNodes& nodes, XArray& xa, uint64_t index) {
  if (!xa.root) {
    if (index != 0) return;
    xa.head = Pfn();
    xa.value = 0;
    xa.marks = 0;
    return;
  }
  const Id<XaNode> at = FindLeaf(nodes, xa, index);
  if (!at) return;
  const auto slot = static_cast<uint32_t>(index & kSlotMask);
  if (nodes[at].slots[slot] == 0) return;
  ClearMarks(nodes, xa, at, slot);
  XaNode& leaf = nodes[at];
  leaf.slots[slot] = 0;
  leaf.values &= ~Bit(slot);
  if (--leaf.count == 0) return DeleteNode(nodes, xa, at);
  Update(nodes, at);
  Shrink(nodes, xa);
}

void XaDeleteNode(XaNodes& nodes, XArray& xa, Id<XaNode> leaf) {
  VM_BUG_ON(nodes[leaf].count != nodes[leaf].nr_values());
  DeleteNode(nodes, xa, leaf);
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
  return Find(nodes, xa, first, last, kAnyPage);
}

std::optional<uint64_t> XaFindMarked(const XaNodes& nodes, const XArray& xa,
                                     uint64_t first, uint64_t last,
                                     XaMark mark) {
  return Find(nodes, xa, first, last, static_cast<int>(mark));
}

std::optional<uint64_t> XaFindValue(const XaNodes& nodes, const XArray& xa,
                                    uint64_t first, uint64_t last) {
  return Find(nodes, xa, first, last, kAnyValue);
}

int XaHeight(const XaNodes& nodes, const XArray& xa) {
  return xa.root ? nodes[xa.root].shift / kXaChunkShift + 1 : 0;
}

}  // namespace faultline
