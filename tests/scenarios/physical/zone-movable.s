# A part of memory is for what can be moved: the pages of programs and files go
# there first, and what the kernel keeps for itself never does.
boot ram=1g movablecore=256m
# DMA and DMA32 end at 768 MiB: frame 196608.
user: alloc_pages HIGHUSER_MOVABLE 0
expect ret >= 196608
expect cat /proc/zoneinfo contains 196608
kernel: alloc_pages KERNEL 0
expect ret < 196608
# High memory that cannot be moved is not enough, nor is a movable page that
# must lie in the direct map.
alloc_pages HIGHUSER 0
expect ret < 196608
alloc_pages KERNEL|MOVABLE 0
expect ret < 196608
# What a program touches is movable.
mmap 0x10000000 64p rw PRIVATE|ANON|FIXED
write 0x10000000 1
expect vmstat.pgalloc_movable >= 2
# lowmem_reserve: what DMA32 keeps from those who could have Movable, 1/256 of it.
expect cat /proc/zoneinfo contains protection: (0, 0, 0, 256, 256)
sysctl lowmem_reserve_ratio=256,64
expect cat /proc/zoneinfo contains protection: (0, 0, 0, 1024, 1024)
