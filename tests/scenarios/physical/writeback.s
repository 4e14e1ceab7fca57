# Dirty pages: who makes them, who writes them, and when somebody has to wait.
boot seed=1
file 1 64p d
file 2 64p d
# A page that is written is dirty, and nothing more happens.
pwrite 1 0 7
expect event.writeback_dirty_folio 1
expect event.block_rq_issue 0
expect cat /proc/vmstat contains nr_dirty 1
# Its neighbours are written with it: one request.
pwrite 1 1p 7
pwrite 1 2p 7
fsync 1
expect event.writeback_single_inode 1
expect cat /proc/vmstat contains nr_dirty 0
expect cat /proc/vmstat contains nr_written 3
# A mapping that was cleaned is read-only again, so that the next write is seen.
m: mmap 0 64p rw- SHARED 1
write $m 8
expect event.writeback_dirty_folio 1
expect smaps.Private_Dirty@$m 4
fsync 1
expect smaps.Private_Dirty@$m 0
write $m 9
expect min == 1
expect event.writeback_dirty_folio 1
write $m 10
expect min == 0
# Nobody calls fsync: the flusher wakes every 5 seconds for what is 30 seconds
# old. A tick is 4 milliseconds.
pwrite 2 5p 1
tick 7400
expect cat /proc/vmstat contains nr_dirty 2
tick 200
expect event.writeback_single_inode 1
expect cat /proc/vmstat contains nr_dirty 1
# The other file became dirty a little later, and waits for the next time.
tick 1250
expect event.writeback_single_inode 1
expect cat /proc/vmstat contains nr_dirty 0
expect cat /proc/vmstat contains nr_writeback 0
# Beyond the background threshold it wakes at once.
sysctl vm.dirty_background_bytes=131072
sysctl vm.dirty_bytes=262144
writer $m 40
expect event.writeback_single_inode 1
# Beyond the middle of both thresholds the writer is paused: he gets as fast as
# the disk.
writer $m+40p 24
expect event.balance_dirty_pages > 0
sync
expect cat /proc/vmstat contains nr_dirty 0
expect cat /proc/vmstat contains nr_writeback 0
# What is cut off needs not be written.
pwrite 2 9p 1
ftruncate 2 4p
expect cat /proc/vmstat contains nr_dirty 0
