# What besides pages the kernel gives back when memory is short: shrinkers. Each
# says how many objects it could free and is asked to look at some of them.
#
# Shadows: of each page that reclaim drops, the tree of the file's pages keeps a
# word, so that it is known how soon the page comes back. A file far larger than
# memory would leave ever more nodes of nothing but shadows; an eighth of the
# pages on the LRU lists may be such nodes, and of what is beyond, half goes at
# a time.
boot ram=16m thp=madvise
file 1 80000p dc
fadvise 1 0 0 RANDOM
big: mmap 0 80000p r-- SHARED 1
readr $big 80000
expect vmstat.pgsteal_kswapd >= 60000
expect vmstat.workingset_nodes >= 100
expect vmstat.workingset_nodes <= 600
expect vmstat.workingset_nodereclaim >= 300
expect vmstat.slabs_scanned >= 100
munmap $big 80000p
# A 1 written to drop_caches drops pages, and the shadows with them.
drop_caches 1
expect vmstat.workingset_nodes 0
expect vmstat.drop_pagecache 1
close 1
# Names that nobody uses stay in memory, and hold their inodes; a 2 drops both.
drop_caches 2
expect vmstat.drop_slab 1
expect event.mm_shrink_slab_start >= 1
expect event.mm_shrink_slab_end >= 1

# A huge page of which a part was unmapped keeps all its memory: splitting it is
# put off until memory is short.
huge: mmap 0x10000000 512p rw PRIVATE|ANON|FIXED
madvise 0x10000000 512p HUGEPAGE
writer 0x10000000 512
expect vmstat.thp_fault_alloc 1
munmap 0x10000000 100p
expect vmstat.thp_deferred_split_page 1
expect vmstat.thp_split_page 0
drop_caches 2
expect vmstat.thp_split_page 1
expect event.mm_page_free >= 100
