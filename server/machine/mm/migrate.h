// Moving a page to another frame, under those who use it.
#ifndef FAULTLINE_SERVER_MACHINE_MM_MIGRATE_H_
#define FAULTLINE_SERVER_MACHINE_MM_MIGRATE_H_

#include "server/machine/kernel.h"

namespace faultline {

// Could it be moved? An anonymous page or one of the page cache, not part of a
// large folio, which nobody but PTEs and the cache refers to.
bool PageIsMovable(const Kernel& k, Pfn pfn);

// move_to_new_folio(): `to`, a frame that is on no list, becomes what `from`
// was; `from` is left as a frame without a user, to be freed. False, with
// nothing changed, when some mapping could not be found.
bool MigratePage(Kernel& k, Pfn from, Pfn to);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_MIGRATE_H_
