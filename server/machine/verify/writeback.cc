// Verifies the trees of cached pages, the lists of dirty inodes, and that what
// is under writeback is what the disk has in hand.
#include <algorithm>
#include <array>
#include <set>
#include <utility>
#include <vector>

#include "server/machine/verify/verifier.h"

namespace faultline::verify {
namespace {

// What the disk is to write. Read through the device's list of fields, which
// alone shows all of it.
class WritesInHand {
 public:
  explicit WritesInHand(const BlockDevice& disk) {
    BlockDevice::Describe(*this, disk);
    std::sort(bios_.begin(), bios_.end(), Before);
  }
  template <class... Rest>
  void operator()(const std::array<RequestQueue, 2>& queues, const bool& busy,
                  const BlockRequest& current, const Rest&...) {
    if (busy) Take(current);
    for (const RequestQueue& queue : queues) {
      for (uint64_t i = queue.first; i < queue.requests.size(); i++) {
        Take(queue.requests[i]);
      }
    }
  }
  bool Has(uint32_t owner, uint64_t page) const {
    auto at =
        std::upper_bound(bios_.begin(), bios_.end(), Bio{owner, page}, Before);
    return at != bios_.begin() && (--at)->Has(owner, page);
  }

 private:
  static bool Before(const Bio& a, const Bio& b) {
    return std::pair(a.owner, a.page) < std::pair(b.owner, b.page);
  }
  void Take(const BlockRequest& request) {
    if (request.op != BlockOp::kWrite) return;
    bios_.insert(bios_.end(), request.bios.begin(), request.bios.end());
  }
  std::vector<Bio> bios_;
};

}  // namespace

void Verifier::CheckShadowNode(Id<XaNode> id, const XArray& xa) {
  const XaNode& node = k_.xa_nodes[id];
  Expect("host", "xa_node", id.value(), xa.host, node.host);
  const bool only_values = node.count == node.nr_values();
  if (node.shadow.listed != (xa.host != 0 && only_values)) {
    Fail("xa_node %u has %d values in %u slots: is it to be on the list?",
         id.value(), node.nr_values(), node.count);
  }
  if (node.values != 0 && node.shift != 0) {
    Fail("xa_node %u is no leaf and has values", id.value());
  }
}

uint8_t Verifier::WalkXaNode(const XArray& xa, Id<XaNode> id, Id<XaNode> parent,
                             uint32_t offset, uint64_t base,
                             const Visit& visit) {
  if (!ok()) return 0;
  if (!k_.xa_nodes.Has(id)) {
    Fail("xa_node %u does not exist", id.value());
    return 0;
  }
  xa_nodes_++;
  const XaNode& node = k_.xa_nodes[id];
  if (node.parent != parent || node.offset != offset) {
    Fail("xa_node %u: parent %u and offset %u, expected %u and %u", id.value(),
         node.parent.value(), node.offset, parent.value(), offset);
  }
  uint32_t count = 0;
  uint8_t all = 0;
  for (uint32_t slot = 0; slot < kXaChunkSize; slot++) {
    uint8_t marks = 0;
    for (int m = 0; m < kXaMarks; m++) {
      marks |= static_cast<uint8_t>((node.marks[m] >> slot & 1) << m);
    }
    all |= marks;
    const bool value = node.HasValue(slot);
    if ((node.slots[slot] == 0 && value) || (value && marks != 0)) {
      Fail("xa_node %u: slot %u is no value, or is marked", id.value(), slot);
    }
    if (node.slots[slot] == 0) {
      if (marks != 0) Fail("xa_node %u: an empty slot is marked", id.value());
      continue;
    }
    count++;
    const uint64_t index = base + (uint64_t{slot} << node.shift);
    if (node.shift == 0) {
      visit({index, value ? Pfn() : Pfn(node.slots[slot] - 1),
             value ? node.slots[slot] : 0, marks});
      continue;
    }
    const Id<XaNode> child(node.slots[slot]);
    if (k_.xa_nodes.Has(child) &&
        k_.xa_nodes[child].shift + kXaChunkShift != node.shift) {
      Fail("xa_node %u is not one level below its parent", child.value());
    }
    if (WalkXaNode(xa, child, id, slot, index, visit) != marks) {
      Fail("xa_node %u: slot %u has other marks than what is below", id.value(),
           slot);
    }
  }
  Expect("count", "xa_node", id.value(), count, node.count);
  CheckShadowNode(id, xa);
  if (count == 0) Fail("xa_node %u is empty", id.value());
  return all;
}

void Verifier::WalkXArray(const XArray& xa, const Visit& visit) {
  if (!xa.root) {
    if (!xa.empty()) {
      visit({0, xa.head, xa.value, xa.marks});
    } else if (xa.marks != 0) {
      Fail("an empty xarray has marks");
    }
    return;
  }
  if (xa.head.valid() || xa.value != 0) {
    Fail("an xarray has a root and a head");
  }
  const uint8_t marks = WalkXaNode(xa, xa.root, {}, 0, 0, visit);
  if (marks != xa.marks) Fail("an xarray has other marks than its root");
  const XaNode& root = k_.xa_nodes[xa.root];
  if (root.count == 1 && root.slots[0] != 0) {
    Fail("an xarray is higher than it needs to be");
  }
}

void Verifier::CheckWriteback() {
  Expect("xa_nodes", "the machine; in use:", xa_nodes_, xa_nodes_,
         k_.xa_nodes.count());
  Expect("WB_RECLAIMABLE", "the disk", 0, dirty_, k_.bdi.reclaimable);
  Expect("WB_WRITEBACK", "the disk", 0, writeback_, k_.bdi.writeback);
  std::set<uint32_t> listed;
  const std::pair<WbList, const std::vector<Id<Inode>>*> lists[] = {
      {WbList::kDirty, &k_.bdi.b_dirty},
      {WbList::kIo, &k_.bdi.b_io},
      {WbList::kMoreIo, &k_.bdi.b_more_io}};
  for (const auto& [which, list] : lists) {
    for (Id<Inode> id : *list) {
      if (!listed.insert(id.value()).second || !k_.inodes.Has(id) ||
          k_.inodes[id].wb_list != which) {
        return Fail("inode %u is on a list of the disk that it does not know",
                    id.value());
      }
    }
  }
  uint64_t pending = 0;
  const WritesInHand writes(k_.disk);
  k_.inodes.ForEach([&](Id<Inode> id, const Inode& inode) {
    const bool on_list = listed.count(id.value()) != 0;
    if ((inode.wb_list != WbList::kNone) != on_list) {
      Fail("inode %u is on no list of the disk, but thinks so", id.value());
    }
    if (inode.i_pages.Marked(XaMark::kDirty) &&
        (!on_list || (inode.i_state & inode_state::kDirtyPages) == 0)) {
      Fail("inode %u has dirty pages that nobody will write", id.value());
    }
    WalkXArray(inode.i_pages, [&](const XaEntry& entry) {
      if ((entry.marks >> static_cast<int>(XaMark::kWriteback) & 1) == 0)
        return;
      pending += writes.Has(id.value(), entry.index);
    });
  });
  Expect("pages on the disk's queue", "the disk", 0, writeback_, pending);
}

}  // namespace faultline::verify
