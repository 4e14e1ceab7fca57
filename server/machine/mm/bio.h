// Transfers of a file's pages from and to the disk, and waiting for them.
// A page that is read has its contents at once; BeingRead() stands for
// PG_locked, and who needs the page waits.
#ifndef FAULTLINE_SERVER_MACHINE_MM_BIO_H_
#define FAULTLINE_SERVER_MACHINE_MM_BIO_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// The owner of a bio that carries no page of a file: the inode table.
inline constexpr uint32_t kMetadataOwner = 0;

// submit_bio(): pages [first, first + count) of the file. The disk takes them
// up at FinishPlug(); what is submitted before it can merge.
void SubmitPages(Kernel& k, BlockOp op, Id<Inode> id, uint64_t first,
                 uint64_t count);
void FinishPlug(Kernel& k);

// Notes what the disk has done by now: folio_end_writeback() of its pages.
void RunDisk(Kernel& k);
// io_schedule_timeout(): time passes, and the disk works.
void SleepUntil(Kernel& k, uint64_t when_ns);

// folio_test_locked(): is the disk to deliver the page yet?
inline bool BeingRead(const Kernel& k, Id<Inode> id, uint64_t index) {
  return k.disk.Reading() && k.disk.Pending(BlockOp::kRead, id.value(), index);
}
// folio_wait_locked() of such a page.
void WaitOnRead(Kernel& k, Id<Inode> id, uint64_t index);
// filemap_fdatawait_range(): pages [first, last].
void WaitOnWriteback(Kernel& k, Id<Inode> id, uint64_t first, uint64_t last);
// blkdev_issue_flush()
void FlushDisk(Kernel& k);

// Where a page of a file is on the disk. Each file is one piece of it, wherever
// it grows (departure D46).
inline uint64_t SectorOf(Id<Inode> id, uint64_t index) {
  constexpr int kFileSectorBits = 35;  // 16 TiB: kMaxFileBytes
  return (uint64_t{id.value()} << kFileSectorBits) + index * kSectorsPerPage;
}
// bdi->io_pages
inline uint64_t IoPages(const Kernel& k) {
  return k.sysctl.bdi.max_sectors_kb * 1024 / kPageSize;
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_BIO_H_
