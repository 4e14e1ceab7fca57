// Verifies page caches, and the VMAs that map files.
#include <map>
#include <utility>

#include "server/machine/verify/verifier.h"

namespace faultline::verify {

// Page caches, and the VMAs that map files.
void Verifier::CheckInodes() {
  std::map<uint32_t, std::pair<uint64_t, uint64_t>> mappings;
  k_.vmas.ForEach([&](Id<Vma>, const Vma& vma) {
    if (!vma.file) return;
    auto& [all, writable] = mappings[k_.open_files[vma.file].inode.value()];
    all++;
    if (vma.Has(vm::kShared) && vma.Has(vm::kMayWrite)) writable++;
  });
  k_.inodes.ForEach([&](Id<Inode> id, const Inode& inode) {
    if (!ok()) return;
    const auto [all, writable] = mappings[id.value()];
    Expect("i_mmap", "inode", id.value(), all, CountMappings(id, inode));
    Expect("i_mmap_writable", "inode", id.value(), writable,
           inode.i_mmap_writable);
    CheckPageCache(id, inode);
  });
}

uint64_t Verifier::CountMappings(Id<Inode> id, const Inode& inode) {
  uint64_t n = 0;
  Id<Vma> prev;
  for (Id<Vma> at = inode.i_mmap; at && n <= k_.vmas.count(); n++) {
    if (!k_.vmas.Has(at)) {
      Fail("i_mmap of inode %u holds VMA %u, which does not exist", id.value(),
           at.value());
      return n;
    }
    const Vma& vma = k_.vmas[at];
    if (!vma.file || k_.open_files[vma.file].inode != id ||
        vma.shared_prev != prev) {
      Fail("i_mmap of inode %u holds VMA %u, which does not map it", id.value(),
           at.value());
      return n;
    }
    prev = at;
    at = vma.shared_next;
  }
  return n;
}

void Verifier::CheckPageCache(Id<Inode> id, const Inode& inode) {
  uint64_t cached = 0;
  const uint64_t size_pages = PagesOf(PageAlign(inode.size)).value();
  inode.i_pages.ForEach([&](size_t index, Pfn pfn) {
    if (!pfn.valid() || !ok()) return;
    cached++;
    const Page& page = k_.page(pfn);
    if (page.refcount <= 0 || page.mapping != id.value() ||
        page.index != index ||
        page.Is(page_flag::kAnon | page_flag::kTable | page_flag::kBuddy)) {
      return Fail(
          "page %zu of inode %u is frame %u, which has refcount %d, "
          "mapping %u, index %llu and flags %x",
          index, id.value(), pfn.value(), page.refcount, page.mapping,
          ull{page.index}, page.flags);
    }
    // FALLOC_FL_KEEP_SIZE gives tmpfs pages beyond the end.
    if (index >= size_pages && !inode.shmem()) {
      return Fail(
          "page %zu of inode %u is cached, but the file ends at "
          "page %llu",
          index, id.value(), ull{size_pages});
    }
    if (page.Is(page_flag::kSwapBacked) != inode.shmem()) {
      return Fail("frame %u of inode %u: PG_swapbacked is %d, shmem is %d",
                  pfn.value(), id.value(), page.Is(page_flag::kSwapBacked),
                  inode.shmem());
    }
    Own(pfn, Owner::kCache);
    if (inode.fs == FsType::kExt4 && page.Is(page_flag::kDirty)) dirty_++;
  });
  Expect("nrpages", "inode", id.value(), cached, inode.nrpages);
  file_pages_ += cached;
  if (inode.shmem()) shmem_ += cached;
}

}  // namespace faultline::verify
