# i386 without PAE: two levels of tables, of 1024 entries of 4 bytes. The same
# steps as in three-levels.s, where PAE has three.
boot profile=i386-nopae ram=2g
# A table of PTEs translates 4 MiB: two pages that are 2 MiB apart share one.
mmap 0x10000000 8m rw PRIVATE|ANON|FIXED
write 0x10000000 1
expect event.page_table_alloc 1
write 0x10200000 1
expect event.page_table_alloc 0
write 0x10400000 1
expect event.page_table_alloc 1
# Three tables: these two, and that of the stack.
expect status.VmPTE 12
# They are freed when nothing is left in what they translate.
munmap 0x10000000 2m
expect event.page_table_free 0
munmap 0x10200000 2m
expect event.page_table_free 1
# No entry can forbid to execute.
mmap 0x20000000 1p rw PRIVATE|ANON|FIXED
fetch 0x20000000
expect fetchfault 0
# The kernel's direct map has pages of 4 MiB: a miss reads one entry.
a: kmalloc 4m KERNEL
kread $a 1024 4096
expect table_loads 1
# pkmap has 1024 slots, from 0xfec00000 on, and slot 0 is the last to be used.
p: alloc_pages HIGHUSER 0
kmap $p
expect ret 0xfec01000
# A moment's mapping is in the fixmap, as with PAE.
l: kmap_local $p
expect ret 0xfffbb000
kunmap_local $l
expect ret 0
