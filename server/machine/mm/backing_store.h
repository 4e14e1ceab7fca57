// What the disk holds of a file: bytes, a hole, or a pattern that takes no
// room.
#ifndef FAULTLINE_SERVER_MACHINE_MM_BACKING_STORE_H_
#define FAULTLINE_SERVER_MACHINE_MM_BACKING_STORE_H_

#include <cstdint>

#include "server/machine/kernel.h"

namespace faultline {

PageBytes StoredPage(const Inode& inode, uint64_t index);
// A page is stored; a pattern becomes bytes that way.
void StorePage(Inode& inode, uint64_t index, const PageBytes& bytes);
// Pages [first, last] become zeros, as far as there are any.
void StoreHole(Inode& inode, uint64_t first, uint64_t last);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_BACKING_STORE_H_
