# Memory of one use stays together: what the kernel holds and what can be moved
# come from page blocks of their own.
boot ram=256m
k: alloc_pages KERNEL 4
u: alloc_pages HIGHUSER_MOVABLE 4
expect cat /proc/pagetypeinfo contains 512
expect cat /proc/pagetypeinfo contains Unmovable
# A whole block of order 10 that was movable is claimed for what can be
# reclaimed, since there is no such block yet.
r: alloc_pages KERNEL|RECLAIMABLE 10
expect event.mm_page_alloc_extfrag 1
free_pages $r 10
# The next one finds it.
alloc_pages KERNEL|RECLAIMABLE 10
expect event.mm_page_alloc_extfrag 0
expect cat /sys/kernel/debug/extfrag/unusable_index contains DMA32 0.000
expect cat /sys/kernel/debug/extfrag/extfrag_index contains DMA32 -1.000
