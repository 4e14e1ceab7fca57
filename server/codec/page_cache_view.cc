#include "server/codec/page_cache_view.h"

#include <functional>

#include "server/codec/utf8.h"
#include "server/codec/view.h"
#include "server/machine/mm/bio.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/folio.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/page_writeback.h"
#include "server/machine/mm/readahead.h"

namespace faultline {
namespace {

// Mappings beyond so many are left out.
constexpr int kMappingsMax = 1000;

const char* FileSystemName(const Inode& inode) {
  switch (inode.fs) {
    case FsType::kRamfs:
      return "ramfs";
    case FsType::kTmpfs:
      return "tmpfs";
    case FsType::kExt4:
      return "ext4";
  }
  return "";
}

const char* AopsName(const Inode& inode) {
  switch (inode.fs) {
    case FsType::kRamfs:
      return "ram_aops";
    case FsType::kTmpfs:
      return "shmem_aops";
    case FsType::kExt4:
      return "ext4_da_aops";
  }
  return "";
}

const char* ListName(WbList list) {
  switch (list) {
    case WbList::kNone:
      return "";
    case WbList::kDirty:
      return "b_dirty";
    case WbList::kIo:
      return "b_io";
    case WbList::kMoreIo:
      return "b_more_io";
  }
  return "";
}

// The process that an address space belongs to, or 0.
uint32_t OwnerOf(const Kernel& k, Id<Mm> mm) {
  for (const auto& [pid, task] : k.pids) {
    if (k.tasks[task].mm == mm && k.tasks[task].tgid == pid) return pid;
  }
  return 0;
}

void MappingsToProto(const Kernel& k, const Inode& inode,
                     v1::AddressSpace* proto) {
  for (Id<Vma> at = inode.i_mmap; at && proto->i_mmap_size() < kMappingsMax;
       at = k.vmas[at].shared_next) {
    const Vma& vma = k.vmas[at];
    v1::FileMapping* mapping = proto->add_i_mmap();
    mapping->set_pid(OwnerOf(k, vma.mm));
    mapping->set_start(vma.start.value());
    mapping->set_end(vma.end.value());
    mapping->set_pgoff(vma.pgoff);
    mapping->set_shared(vma.Has(vm::kShared));
    mapping->set_may_write(vma.Has(vm::kMayWrite));
  }
}

uint64_t CountMarked(const Kernel& k, const XArray& xa, XaMark mark) {
  uint64_t n = 0;
  auto at = XaFindMarked(k.xa_nodes, xa, 0, UINT64_MAX, mark);
  for (; at; at = XaFindMarked(k.xa_nodes, xa, *at + 1, UINT64_MAX, mark)) n++;
  return n;
}

uint64_t CountValues(const Kernel& k, const XArray& xa) {
  uint64_t n = 0;
  auto at = XaFindValue(k.xa_nodes, xa, 0, UINT64_MAX);
  for (; at; at = XaFindValue(k.xa_nodes, xa, *at + 1, UINT64_MAX)) n++;
  return n;
}

uint64_t CountNodes(const Kernel& k, Id<XaNode> id) {
  if (!id) return 0;
  const XaNode& node = k.xa_nodes[id];
  uint64_t n = 1;
  if (node.shift == 0) return n;
  for (uint32_t slot : node.slots) n += CountNodes(k, Id<XaNode>(slot));
  return n;
}

void StatsToProto(const DiskStats& stats, v1::DiskStats* proto) {
  proto->set_ios(stats.ios);
  proto->set_merges(stats.merges);
  proto->set_sectors(stats.sectors);
  proto->set_wait_ns(stats.wait_ns);
}

void BackingDevToProto(const Kernel& k, const Inode& inode,
                       v1::BackingDevInfo* proto) {
  if (!OnDevice(inode)) return;  // noop_backing_dev_info
  const BackingDevInfo& bdi = k.bdi;
  proto->set_name("8:0");
  proto->set_ra_pages(FileRaInit(k, inode).ra_pages);
  proto->set_io_pages(IoPages(k));
  proto->set_min_ratio(static_cast<uint32_t>(k.sysctl.bdi.min_ratio));
  proto->set_max_ratio(static_cast<uint32_t>(k.sysctl.bdi.max_ratio));
  proto->set_reclaimable(bdi.reclaimable);
  proto->set_writeback(bdi.writeback);
  proto->set_dirtied(bdi.dirtied);
  proto->set_written(bdi.written);
  for (Id<Inode> id : bdi.b_dirty) proto->add_b_dirty(k.inodes[id].ino);
  for (Id<Inode> id : bdi.b_io) proto->add_b_io(k.inodes[id].ino);
  for (Id<Inode> id : bdi.b_more_io) proto->add_b_more_io(k.inodes[id].ino);
  const DirtyLimits limits = GlobalDirtyLimits(k);
  proto->set_background_threshold(limits.background);
  proto->set_dirty_threshold(limits.threshold);
  StatsToProto(k.disk.stats(BlockOp::kRead), proto->mutable_reads());
  StatsToProto(k.disk.stats(BlockOp::kWrite), proto->mutable_writes());
  proto->set_in_flight(k.disk.in_flight());
  proto->set_busy_ns(k.disk.busy_ns());
}

}  // namespace

Id<Inode> FindInode(const Kernel& k, const std::string& path) {
  const auto at = k.names.find(path);
  return at == k.names.end() ? Id<Inode>() : at->second;
}

Id<Inode> FindInode(const Kernel& k, uint64_t ino) {
  Id<Inode> found;
  k.inodes.ForEach([&](Id<Inode> id, const Inode& inode) {
    if (inode.ino == ino && !found) found = id;
  });
  return found;
}

void AddressSpaceToProto(const Kernel& k, Id<Inode> id,
                         v1::AddressSpace* proto) {
  const Inode& inode = k.inodes[id];
  const XArray& xa = inode.i_pages;
  proto->set_host(inode.ino);
  proto->set_path(ToUtf8(inode.path));
  proto->set_file_system(FileSystemName(inode));
  proto->set_i_size(inode.size);
  proto->set_height(static_cast<uint32_t>(XaHeight(k.xa_nodes, xa)));
  proto->set_nodes(CountNodes(k, xa.root));
  proto->set_nrpages(inode.nrpages);
  proto->set_nrexceptional(CountValues(k, xa));
  proto->set_tagged_dirty(CountMarked(k, xa, XaMark::kDirty));
  proto->set_tagged_writeback(CountMarked(k, xa, XaMark::kWriteback));
  proto->set_tagged_towrite(CountMarked(k, xa, XaMark::kTowrite));
  MappingsToProto(k, inode, proto);
  proto->set_i_mmap_writable(inode.i_mmap_writable);
  proto->set_truncate_count(inode.truncate_count);
  proto->set_writeback_index(inode.writeback_index);
  proto->set_a_ops(AopsName(inode));
  proto->set_gfp_mask(gfp::kHighUserMovable);
  if (inode.fs == FsType::kRamfs) proto->add_flags("unevictable");
  if (inode.fs == FsType::kExt4 && k.quirks.ext4_large_folios) {
    proto->add_flags("large_folio_support");
  }
  proto->set_i_state(inode.i_state);
  proto->set_dirtied_when(inode.dirtied_when);
  proto->set_wb_list(ListName(inode.wb_list));
  BackingDevToProto(k, inode, proto->mutable_backing_dev_info());
}

void CachedPageToProto(const Kernel& k, const Inode& inode, uint64_t index,
                       v1::CachedPage* proto) {
  const Pfn pfn = FilemapLookup(k, inode, index);
  Page page = FolioOf(k, pfn);
  if (k.page(pfn).Is(page_flag::kTail)) {
    page.flags = (page.flags & ~page_flag::kHead) | page_flag::kTail;
  }
  proto->set_index(index);
  proto->set_pfn(pfn.value());
  proto->set_refcount(page.refcount);
  proto->set_mapcount(PageMapcount(k, pfn));
  proto->set_order(page.order);
  AddPageFlagNames(page, [&](const char* name) { proto->add_flags(name); });
  if (BeingRead(k, Id<Inode>(page.mapping), index)) proto->add_flags("locked");
  const std::pair<XaMark, const char*> tags[] = {
      {XaMark::kDirty, "dirty"},
      {XaMark::kWriteback, "writeback"},
      {XaMark::kTowrite, "towrite"}};
  for (const auto& [mark, name] : tags) {
    if (XaGetMark(k.xa_nodes, inode.i_pages, index, mark)) {
      proto->add_tags(name);
    }
  }
}

}  // namespace faultline
