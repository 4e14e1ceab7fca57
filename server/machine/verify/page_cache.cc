// Verifies page caches, and the VMAs that map files.
#include <map>
#include <utility>

#include "server/machine/mm/folio.h"
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
  const auto bit = [](XaMark mark) { return 1 << static_cast<int>(mark); };
  uint64_t swapped = 0;
  WalkXArray(inode.i_pages, [&](const XaEntry& entry) {
    const auto [index, pfn, value, marks] = entry;
    if (!ok()) return;
    if (!pfn.valid()) {  // a shadow, or where a page of tmpfs is
      swapped += inode.shmem();
      if (inode.shmem()) swap_entries_.push_back(value);
      return;
    }
    cached++;
    CheckCachedPage(id, inode, index, pfn);
    // What is tagged is what the page says; ramfs and tmpfs tag nothing.
    const Page& page = k_.page(pfn);
    const bool on_device = inode.fs == FsType::kExt4;
    const bool dirty = on_device && page.Is(page_flag::kDirty);
    const bool writeback = page.Is(page_flag::kWriteback);
    if (((marks & bit(XaMark::kDirty)) != 0) != dirty ||
        ((marks & bit(XaMark::kWriteback)) != 0) != writeback ||
        ((marks & bit(XaMark::kTowrite)) != 0 && !dirty)) {
      Fail("page %llu of inode %u has marks %x and flags %x", ull{index},
           id.value(), marks, page.flags);
    }
    dirty_ += dirty;
    writeback_ += writeback;
  });
  Expect("nrpages", "inode", id.value(), cached, inode.nrpages);
  Expect("swapped pages", "inode", id.value(), swapped, inode.nrswapped);
  file_pages_ += cached;
  if (inode.shmem()) shmem_ += cached;
}

void Verifier::CheckCachedPage(Id<Inode> id, const Inode& inode, uint64_t index,
                               Pfn pfn) {
  const Page& page = k_.page(pfn);
  if (page.Is(page_flag::kLarge)) return CheckLargeCached(id, index, pfn);
  if (page.refcount <= 0 || page.mapping != id.value() || page.index != index ||
      page.Is(page_flag::kAnon | page_flag::kTable | page_flag::kBuddy)) {
    return Fail(
        "page %llu of inode %u is frame %u, which has refcount %d, "
        "mapping %u, index %llu and flags %x",
        ull{index}, id.value(), pfn.value(), page.refcount, page.mapping,
        ull{page.index}, page.flags);
  }
  // FALLOC_FL_KEEP_SIZE gives tmpfs pages beyond the end.
  const uint64_t size_pages = PagesOf(PageAlign(inode.size)).value();
  if (index >= size_pages && !inode.shmem()) {
    return Fail(
        "page %llu of inode %u is cached, but the file ends at "
        "page %llu",
        ull{index}, id.value(), ull{size_pages});
  }
  if (page.Is(page_flag::kSwapBacked) != inode.shmem()) {
    return Fail("frame %u of inode %u: PG_swapbacked is %d, shmem is %d",
                pfn.value(), id.value(), page.Is(page_flag::kSwapBacked),
                inode.shmem());
  }
  if (page.order != 0) CheckCacheFolio(inode, index, page);
  Own(pfn, Owner::kCache);
}

void Verifier::CheckLargeCached(Id<Inode> id, uint64_t index, Pfn pfn) {
  const Page& folio = FolioOf(k_, pfn);
  const bool placed = folio.mapping == id.value() &&
                      PageIndexOf(k_, pfn) == index &&
                      folio.index % FolioPages(folio) == 0;
  constexpr uint32_t kSet = page_flag::kSwapBacked | page_flag::kUptodate;
  if (!placed || !k_.inodes[id].shmem() || (folio.flags & kSet) != kSet ||
      folio.Is(page_flag::kAnon) || !k_.page(pfn).Is(page_flag::kSwapBacked)) {
    return Fail(
        "page %llu of inode %u is frame %u of a folio of order %u, which "
        "has mapping %u, index %llu and flags %x",
        ull{index}, id.value(), pfn.value(), folio.order, folio.mapping,
        ull{folio.index}, folio.flags);
  }
  Own(pfn, Owner::kCache);
}

void Verifier::CheckCacheFolio(const Inode& inode, uint64_t index,
                               const Page& page) {
  const uint64_t pages = uint64_t{1} << page.order;
  const uint64_t first = index & ~(pages - 1);
  // The first page looks at all of them, and each of them at the first.
  const uint64_t end = index == first ? first + pages : first + 1;
  for (uint64_t i = first; i < end; i++) {
    const Pfn pfn = XaLoad(k_.xa_nodes, inode.i_pages, i);
    if (pfn.valid() && k_.page(pfn).order == page.order) continue;
    return Fail("page %llu is of a folio of order %u, but page %llu is not",
                ull{index}, page.order, ull{i});
  }
  const bool reclaim = page.Is(page_flag::kWriteback);  // PG_reclaim's, then
  if (index != first && page.Is(page_flag::kReadahead) && !reclaim) {
    Fail("page %llu is marked for reading ahead, but page %llu heads its folio",
         ull{index}, ull{first});
  }
}

}  // namespace faultline::verify
