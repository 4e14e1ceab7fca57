# Swap areas are filled by priority, equals in turn. MADV_PAGEOUT sends pages
# there, and a swap entry takes the place of each in the page table.
boot ram=64m
swapon 1m 5
expect ret 0
swapon 1m 5
expect ret 1
swapon 4m
expect ret 2
m: mmap 0x10000000 16p rw PRIVATE|ANON|FIXED
writer 0x10000000 16
madvise 0x10000000 16p PAGEOUT
expect event.swap_write 16
expect smaps.Swap@$m 64
expect smaps.Rss@$m 0
# The two of priority 5 have eight pages each.
expect cat /proc/swaps contains /dev/sdb1
expect cat /proc/swaps contains 32
# A read brings a page back, and its neighbours into the swap cache.
read 0x10000000
expect maj 1
expect event.swap_read 1
read 0x10002000
expect maj 0
expect min 1
# A child shares what is in swap; half of it is each one's.
fork
expect smaps.Swap@$m 56
expect smaps.SwapPss@$m 28
swapoff 0
expect ok
swapoff 1
expect ok
expect cat /proc/swaps lacks /dev/sdb1
