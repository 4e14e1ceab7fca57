// Models fs/read_write.c and fs/sync.c (v6.18): ksys_pread64(),
// ksys_pwrite64(), do_fsync(), generic_write_sync(); fs/ext4/file.c:
// ext4_dio_read_iter(), ext4_dio_write_iter().
#include "server/machine/fs/read_write.h"

#include <algorithm>
#include <utility>

#include "server/machine/fs/open.h"
#include "server/machine/mm/backing_store.h"
#include "server/machine/mm/bio.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/page_writeback.h"
#include "server/machine/mm/swapfile.h"
#include "server/machine/mm/truncate.h"
#include "server/machine/mm/writeback.h"

namespace faultline {
namespace {

// bdev_logical_block_size(): what O_DIRECT transfers in whole.
constexpr uint64_t kLogicalBlock = 512;

// No driver here can read, write, cut or fsync().
bool IsDevice(const Kernel& k, const File& file) {
  return k.inodes[file.inode].special_file();
}

bool Direct(const Kernel& k, const File& file) {
  return file.direct && OnDevice(k.inodes[file.inode]);
}

// iomap_dio_bio_iter()
bool AlignedForDirect(uint64_t offset, uint64_t length) {
  return (offset | length) % kLogicalBlock == 0;
}

// The disk does its part while the caller waits: iomap_dio_rw().
void TransferDirect(Kernel& k, BlockOp op, Id<Inode> id, uint64_t first,
                    uint64_t last) {
  const uint64_t pages = last - first + 1;
  k.vmstat.events[op == BlockOp::kRead ? kPgPgIn : kPgPgOut] +=
      pages * kSectorsPerPage;
  k.disk.Submit(op, SectorOf(id, first), {kMetadataOwner, first, pages},
                k.clock_ns, IoPages(k) * kSectorsPerPage);
  FinishPlug(k);
  while (k.disk.Pending(op, kMetadataOwner, last)) {
    SleepUntil(k, k.disk.busy_until());
  }
}

// What is cached and dirty is written first; nothing enters the cache.
ErrnoOr<std::string> DirectRead(Kernel& k, Id<Inode> id, uint64_t offset,
                                uint64_t length) {
  if (!AlignedForDirect(offset, length)) return Errno::kEINVAL;
  const uint64_t size = k.inodes[id].size;
  if (offset >= size || length == 0) return std::string();
  length = std::min(length, size - offset);
  const uint64_t first = offset >> kPageShift;
  const uint64_t last = (offset + length - 1) >> kPageShift;
  FilemapFdatawrite(k, id, first, last, true);
  TransferDirect(k, BlockOp::kRead, id, first, last);
  std::string out(length, '\0');
  for (uint64_t done = 0, n = 0; done < length; done += n) {
    const uint64_t within = (offset + done) & ~kPageMask;
    n = std::min(kPageSize - within, length - done);
    StoredPage(std::as_const(k).inodes[id], (offset + done) >> kPageShift)
        .CopyTo(static_cast<uint32_t>(within), static_cast<uint32_t>(n),
                &out[done]);
  }
  return out;
}

// The cached pages that it passes by are written and dropped first.
ErrnoOr<uint64_t> DirectWrite(Kernel& k, Id<Inode> id, uint64_t offset,
                              std::string_view data) {
  if (!AlignedForDirect(offset, data.size())) return Errno::kEINVAL;
  if (data.empty()) return uint64_t{0};
  if (offset >= kMaxFileBytes) return Errno::kEFBIG;
  data = data.substr(0, kMaxFileBytes - offset);
  const uint64_t first = offset >> kPageShift;
  const uint64_t last = (offset + data.size() - 1) >> kPageShift;
  FilemapFdatawrite(k, id, first, last, true);
  InvalidateInodePages2(k, id, first, last);
  Inode& inode = k.inodes[id];
  if (offset + data.size() > inode.size) {
    inode.size = offset + data.size();
    MarkInodeDirty(k, id, inode_state::kDirtyDatasync);
  }
  MarkInodeDirty(k, id, inode_state::kDirtySync);
  for (uint64_t done = 0, n = 0; done < data.size(); done += n) {
    const uint64_t at = offset + done;
    n = std::min(kPageSize - (at & ~kPageMask), data.size() - done);
    PageBytes page = StoredPage(std::as_const(inode), at >> kPageShift);
    page.CopyFrom(static_cast<uint32_t>(at & ~kPageMask), data.substr(done, n));
    StorePage(inode, at >> kPageShift, page);
  }
  TransferDirect(k, BlockOp::kWrite, id, first, last);
  return uint64_t{data.size()};
}

}  // namespace

ErrnoOr<uint64_t> DoRead(Kernel& k, const Read& call, std::string* data) {
  const Id<File> id = FileOf(k, call.fd);
  if (!id || !k.open_files[id].readable) return Errno::kEBADF;
  File& file = k.open_files[id];
  if (IsDevice(k, file)) return Errno::kEINVAL;
  auto bytes =
      Direct(k, file)
          ? DirectRead(k, file.inode, call.offset, call.length)
          : FileRead(k, file.inode, &file.ra, call.offset, call.length);
  if (!bytes.ok()) return bytes.error();
  *data = std::move(bytes.value());
  return uint64_t{data->size()};
}

ErrnoOr<uint64_t> DoWrite(Kernel& k, const Write& call) {
  const Id<File> id = FileOf(k, call.fd);
  if (!id || !k.open_files[id].writable) return Errno::kEBADF;
  const File& file = k.open_files[id];
  if (IsDevice(k, file)) return Errno::kEINVAL;
  if (IsSwapfile(k, file.inode)) return Errno::kETXTBSY;
  auto written = Direct(k, file)
                     ? DirectWrite(k, file.inode, call.offset, call.data)
                     : FileWrite(k, file.inode, call.offset, call.data);
  // generic_write_sync()
  if (written.ok() && written.value() > 0 && file.dsync) {
    VfsFsync(k, file.inode, call.offset, call.offset + written.value() - 1,
             !file.sync);
  }
  return written;
}

Errno DoTruncate(Kernel& k, const Truncate& call) {
  if (call.size < 0) return Errno::kEINVAL;
  const Id<File> id = FileOf(k, call.fd);
  if (!id || k.open_files[id].path_only) return Errno::kEBADF;
  if (!k.open_files[id].writable) return Errno::kEINVAL;
  if (IsDevice(k, k.open_files[id])) return Errno::kEINVAL;
  const Id<Inode> inode = k.open_files[id].inode;
  const auto size = static_cast<uint64_t>(call.size);
  // inode_newsize_ok()
  if (size < k.inodes[inode].size && IsSwapfile(k, inode)) {
    return Errno::kETXTBSY;
  }
  return FileTruncate(k, inode, size);
}

Errno DoFsync(Kernel& k, const Fsync& call) {
  const Id<File> id = FileOf(k, call.fd);
  if (!id || k.open_files[id].path_only) return Errno::kEBADF;
  if (IsDevice(k, k.open_files[id])) return Errno::kEINVAL;
  VfsFsync(k, k.open_files[id].inode, 0, UINT64_MAX, call.data_only);
  return Errno::kOk;
}

}  // namespace faultline
