# Virtual size is what may be used, resident size what is there: of five pages
# that were mapped three were touched, so RSS is 12 kB of 20 kB.
vsz: mmap 0 5p rw- PRIVATE|ANON
expect smaps.Size@$vsz 20
expect smaps.Rss@$vsz 0
expect event.vma_create 1
expect event.page_fault_user 0
write $vsz 1
write $vsz+2p 1
write $vsz+4p 1
expect min 1
expect smaps.Size@$vsz 20
expect smaps.Rss@$vsz 12
# Which three: the others have no entry in the page table.
mincore $vsz 5p
expect vec == 10101
# A page that was only read maps the one page of zeros, which is nobody's:
# it is there, but it costs no memory and is not counted.
read $vsz+1p
expect min 1
expect event.mm_page_alloc 0
expect smaps.Rss@$vsz 12
# What is given back is no longer resident, but still mapped.
madvise $vsz+2p 1p DONTNEED
expect smaps.Rss@$vsz 8
expect smaps.Size@$vsz 20
