# Where a mapping is placed: 2.6.32 walked from where its last search ended
# (free_area_cache), 6.18 looks for the highest hole that fits. Both searches
# fill the same hole here, and differ in what follows.
boot unmapped_area=2.6.32
a: mmap 0 4p rw- PRIVATE|ANON
b: mmap 0 4p r-- PRIVATE|ANON
expect ret $a-4p
c: mmap 0 4p rw- PRIVATE|ANON
expect ret $b-4p
# A hole of two pages in the lowest mapping, and one in the highest. The second
# munmap leaves the cache at the highest.
munmap $c 2p
munmap $a+2p 2p
mmap 0 2p rw- PRIVATE|ANON
expect ret $a+2p
# From there down the next search meets b, and starts over at the top.
mmap 0 2p rw- PRIVATE|ANON
expect ret $c
