# i386 with PAE: three levels of tables, of 512 entries of 8 bytes. The same steps
# as in two-levels.s, where there are two.
boot profile=i386 ram=2g
# A table of PTEs translates 2 MiB, and one of level 2 a GiB: the first write
# makes one of each.
mmap 0x10000000 8m rw PRIVATE|ANON|FIXED
write 0x10000000 1
expect event.page_table_alloc 2
write 0x10200000 1
expect event.page_table_alloc 1
write 0x10400000 1
expect event.page_table_alloc 1
# Seven tables: these four, the stack's, and one of level 2 for each of the other
# two GiB. A process begins with all three of level 2, as the processor looks at
# the top entries only when it is given the table; what the image had is gone.
expect status.VmPTE 28
# They are freed when nothing is left in what they translate.
munmap 0x10000000 2m
expect event.page_table_free 1
munmap 0x10200000 2m
expect event.page_table_free 1
# An entry forbids to execute (NX).
mmap 0x20000000 1p rw PRIVATE|ANON|FIXED
fetch 0x20000000
expect fetchfault 1
# The kernel's direct map has pages of 2 MiB: a miss reads two entries.
a: kmalloc 4m KERNEL
kread $a 1024 4096
expect table_loads 4
# pkmap has 512 slots, from 0xff000000 on, and slot 0 is the last to be used.
p: alloc_pages HIGHUSER 0
kmap $p
expect ret 0xff001000
# A moment's mapping is in the fixmap, as without PAE.
l: kmap_local $p
expect ret 0xfffbb000
kunmap_local $l
expect ret 0
