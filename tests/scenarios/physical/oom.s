# No swap and no page cache: when memory is full somebody has to die. The child
# that has most is chosen; process 1 is init, and is never killed.
boot ram=32m
sysctl overcommit_memory=1
fork
fork
@1 mmap 0x10000000 9000p rw PRIVATE|ANON|FIXED
@2 mmap 0x10000000 9000p rw PRIVATE|ANON|FIXED
@1 writer 0x10000000 4000
@2 writer 0x10000000 3900
expect event.mark_victim 1
expect event.console 2
expect ok
expect vmstat.oom_kill 1
