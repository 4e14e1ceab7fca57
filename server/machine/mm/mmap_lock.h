// The locks of an address space. A machine has one CPU and a command runs to
// its end, so nobody ever waits; what is kept is how often each lock is taken,
// at the places where 2.6.32 takes mmap_sem (6.18: mmap_lock) and
// page_table_lock. Looks at a machine through /proc are not its own and count
// nothing. Models include/linux/mmap_lock.h (v6.18).
#ifndef FAULTLINE_SERVER_MACHINE_MM_MMAP_LOCK_H_
#define FAULTLINE_SERVER_MACHINE_MM_MMAP_LOCK_H_

#include "server/machine/mm/mm_types.h"

namespace faultline {

// down_read(&mm->mmap_sem): page faults, get_user_pages(), mincore, msync,
// exit, and the advice that changes no VMA.
inline void MmapReadLock(Mm& mm) { mm.mmap_sem_reads++; }
// down_write(&mm->mmap_sem): whatever changes VMAs.
inline void MmapWriteLock(Mm& mm) { mm.mmap_sem_writes++; }
// spin_lock(&mm->page_table_lock): a new page table, a new anon_vma. PTEs have
// the lock of their table.
inline void PageTableLock(Mm& mm) { mm.page_table_locks++; }

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_MMAP_LOCK_H_
