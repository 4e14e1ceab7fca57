// How far a file is read ahead of who reads it: a window that grows while the
// reading goes on in order. A page within the window is marked
// (PG_readahead); who comes to it starts the next window, so that the disk
// works while the program does.
#ifndef FAULTLINE_SERVER_MACHINE_MM_READAHEAD_H_
#define FAULTLINE_SERVER_MACHINE_MM_READAHEAD_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

// file_ra_state_init(): of a file that is opened.
FileRa FileRaInit(const Kernel& k, const Inode& inode);

// page_cache_sync_ra(): page `index` is not cached, and `req` pages from it on
// are wanted.
void PageCacheSyncRa(Kernel& k, Id<Inode> id, FileRa& ra, uint64_t index,
                     uint64_t req);
// page_cache_async_ra(): a use of the page at `index` came to a marked folio.
void PageCacheAsyncRa(Kernel& k, Id<Inode> id, FileRa& ra, uint64_t index,
                      uint64_t req);
// page_cache_ra_order(): reads the window of `ra`, in folios of its order.
void PageCacheRaOrder(Kernel& k, Id<Inode> id, FileRa& ra);
// force_page_cache_ra(): as much as was asked for, within the device's limit.
void ForcePageCacheRa(Kernel& k, Id<Inode> id, const FileRa& ra, uint64_t index,
                      uint64_t count);

// The folio that a page is in, as far as reading ahead is concerned: pages that
// were read as one have one mark (departure D47: they are frames of order 0).
struct CacheFolio {
  uint64_t index = 0;
  uint64_t pages = 1;
  bool readahead = false;
};
CacheFolio CacheFolioOf(const Kernel& k, const Inode& inode, uint64_t index);
// split_folio(): its pages are on their own.
void SplitCacheFolio(Kernel& k, const Inode& inode, uint64_t index);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_READAHEAD_H_
