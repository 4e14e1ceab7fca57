# A working set that fits memory is read again without a fault; one that is
# larger than memory, and read from end to end, faults for every eight pages,
# because what is needed next is always what was used longest ago: thrashing.
boot ram=32m swap=64m
fits: mmap 0x10000000 4000p rw PRIVATE|ANON|FIXED
writer 0x10000000 4000
expect maj 0
readr 0x10000000 4000
expect maj 0
expect min 0
expect vmstat.pswpout 0
munmap 0x10000000 4000p
# Now 40 MiB of 32.
loop: mmap 0x10000000 10000p rw PRIVATE|ANON|FIXED
writer 0x10000000 10000
expect min 10000
expect maj 0
expect vmstat.pageoutrun >= 1
expect vmstat.pswpout >= 3000
readr 0x10000000 10000
expect maj >= 800
readr 0x10000000 10000
expect maj >= 800
expect cat /proc/swaps contains /dev/vda
expect status.VmSwap >= 12000
# The page tables stayed where they were: a fault on a page in swap makes none.
read $loop+100p
expect maj 1
expect event.page_table_alloc 0
munmap 0x10000000 10000p
# All but the page of the stack, which had to go as well.
expect status.VmSwap <= 4
