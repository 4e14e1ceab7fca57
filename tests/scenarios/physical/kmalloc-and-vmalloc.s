# A megabyte from kmalloc and a megabyte from vmalloc, each walked page by page.
# kmalloc's is contiguous: the direct map translates all of it with one entry of
# 2 MiB, so that the TLB misses once and the tables are read once, from the top.
a: kmalloc 1m KERNEL
kread $a 256 4096
expect ret 0
expect tlb_misses 1
expect table_loads 3
# vmalloc's is 256 pages from anywhere, and each has an entry of its own.
v: vmalloc 1m
kread $v 256 4096
expect tlb_misses 256
expect table_loads 259
# The TLB has room for 512 pages; what it knows costs nothing more.
kread $v 256 4096
expect tlb_misses 0
expect table_loads 0
# What lies between two areas is mapped by nothing.
kread $v+1m
expect err EFAULT
expect event.console 1
expect cat /proc/vmallocinfo contains pages=256
expect meminfo.VmallocUsed 1024
vfree $v
expect ret 0
expect cat /proc/vmallocinfo contains unpurged vm_area
kfree $a
expect ret 0
expect meminfo.SUnreclaim 0
