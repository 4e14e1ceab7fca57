# How the heap grows, in four calls of brk. Each time: (1) the VMA grows, and
# nothing else happens; (2) the first access faults; (3) a frame comes from the
# buddy system; (4) the page table entry is present, and the access is made.

# The first brk makes the VMA.
brk $brk+1p
expect event.vma_create 1
expect event.page_fault_user 0
expect event.mm_page_alloc 0
expect status.VmData 4
mincore $brk 1p
expect vec == 0
# The fault. The first one in this part of the address space also needs page
# tables.
write $brk 1
expect event.page_fault_user 1
expect event.fault_resolved 1
expect event.page_table_alloc >= 1
expect event.mm_page_alloc >= 2
expect min 1
mincore $brk 1p
expect vec == 1
# Now nothing is in the way.
write $brk 2
expect min 0
expect event.page_fault_user 0

# The second: the VMA that is there grows, by two pages.
brk $brk+3p
expect event.vma_create 0
expect event.vma_merge 1
expect event.page_fault_user 0
expect vmas 2
write $brk+1p 1
expect event.page_fault_user 1
expect event.mm_page_alloc 1
expect event.page_table_alloc 0
mincore $brk 3p
expect vec == 110

# The third, by one page; the one before is still not there.
brk $brk+4p
expect event.vma_merge 1
write $brk+3p 1
expect event.mm_page_alloc 1
mincore $brk 4p
expect vec == 1101
expect smaps.Rss@$brk 12

# The fourth, by four; a loop touches what is left.
brk $brk+8p
expect event.vma_merge 1
writer $brk+2p 6
expect min 5
expect event.mm_page_alloc 5
expect event.fault_resolved 5
expect smaps.Rss@$brk 32
expect smaps.Size@$brk 32

# And back: pages and frames go with the VMA's end.
brk $brk+1p
expect event.mm_page_free 7
expect smaps.Size@$brk 4
