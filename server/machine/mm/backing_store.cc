// Models fs/ext4/inode.c (v6.18), ext4_map_blocks(): what a file has on disk.
#include "server/machine/mm/backing_store.h"

#include <algorithm>
#include <utility>

namespace faultline {

PageBytes StoredPage(const Inode& inode, uint64_t index) {
  uint64_t from = index << kPageShift;
  if (from >= inode.device_valid) return PageBytes();
  PageBytes bytes;
  switch (inode.content) {
    case FileContent::kHole:
      break;
    case FileContent::kBytes:
      bytes = inode.device[index];
      break;
    case FileContent::kPattern:
      bytes = PageBytes::Filled(
          static_cast<uint8_t>(inode.seed * 37 + index * 7 + 1));
      break;
  }
  uint64_t valid = inode.device_valid - from;
  if (valid < kPageSize) {
    bytes.Zero(static_cast<uint32_t>(valid),
               static_cast<uint32_t>(kPageSize - valid));
  }
  return bytes;
}

void StorePage(Inode& inode, uint64_t index, const PageBytes& bytes) {
  if (inode.content != FileContent::kBytes) {
    uint64_t pages = PagesOf(PageAlign(inode.device_valid)).value();
    for (uint64_t i = 0; i < pages; i++) {
      inode.device[i] = StoredPage(std::as_const(inode), i);
    }
    inode.content = FileContent::kBytes;
  }
  inode.device[index] = bytes;
  inode.device_valid = std::max(
      inode.device_valid, std::min((index + 1) << kPageShift, inode.size));
}

void StoreHole(Inode& inode, uint64_t first, uint64_t last) {
  const uint64_t pages = PagesOf(PageAlign(inode.device_valid)).value();
  for (uint64_t i = first; i <= last && i < pages; i++) {
    StorePage(inode, i, PageBytes());
  }
}

}  // namespace faultline
