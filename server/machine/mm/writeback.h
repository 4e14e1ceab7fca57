// Inodes that wait to be written, and the flusher that writes them: the thread
// of the disk that 2.6 called pdflush. It runs when it is woken, at the end of
// the command, and while simulated time passes (tick).
#ifndef FAULTLINE_SERVER_MACHINE_MM_WRITEBACK_H_
#define FAULTLINE_SERVER_MACHINE_MM_WRITEBACK_H_

#include <cstdint>

#include "server/machine/kernel.h"
#include "server/machine/mm/page_writeback.h"

namespace faultline {

// __mark_inode_dirty(): `what` is inode_state::*.
void MarkInodeDirty(Kernel& k, Id<Inode> id, uint32_t what);
// inode_io_list_del(): of an inode that goes away.
void ForgetDirtyInode(Kernel& k, Id<Inode> id);
// ext4_iget(): waits for the block of the inode table that it is in.
void ReadInodeBlock(Kernel& k, Id<Inode> id);

// wb_start_background_writeback(), and with kVmscan wakeup_flusher_threads().
void WakeFlusher(Kernel& k, WbReason why);
inline bool FlusherWoken(const Kernel& k) {
  return k.bdi.start_background || k.bdi.start_all;
}
// wb_workfn(): what it was woken for.
void RunFlusher(Kernel& k);
// When it wakes by itself next with something to do; 0: it sleeps until it is
// woken.
uint64_t NextFlusherWakeup(const Kernel& k);
// The same as RunFlusher(), at that time: periodic writeback too.
void RunPeriodicFlusher(Kernel& k, uint64_t now_ns);

// writeback_single_inode(): its pages, then itself. False: it was not dirty.
bool WriteSingleInode(Kernel& k, Id<Inode> id, WritebackControl& wbc);
// vfs_fsync_range(): bytes [first, last] of the file; with `datasync` its
// timestamps may wait.
void VfsFsync(Kernel& k, Id<Inode> id, uint64_t first, uint64_t last,
              bool datasync);
// A knob of vm.dirty_* or bdi.* has a new value: the ratios and the bytes of a
// threshold exclude each other, and a new interval wakes the flusher.
void NoteDirtyKnob(Kernel& k, const uint64_t* knob);
// ksys_sync(): everything, and waits.
void SyncAll(Kernel& k);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_WRITEBACK_H_
