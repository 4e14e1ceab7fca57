# Slabs: size classes, caches by name, and what goes back when.
a: kmalloc 100 KERNEL
b: kmalloc 100 KERNEL
# 100 bytes are of the class of 128; objects of a slab lie in a row.
kfree $b
c: kmalloc 128 KERNEL
expect meminfo.SUnreclaim 4
# No bytes at all are at ZERO_SIZE_PTR.
kmalloc 0 KERNEL
expect ret 0x10
# DMA goes before everything: below 16 MiB.
d: kmalloc 64 KERNEL|DMA
expect ret < 0xffff888001000000
kfree $d
# More than 8 KiB are whole pages, more than 4 MiB nobody gets.
kmalloc 4194305 KERNEL
expect err ENOMEM
expect event.console 1
# A cache of our own. Another that it serves as well becomes an alias of it.
kmem_cache_create point 48
kmem_cache_create vector 48
p: kmem_cache_alloc point KERNEL
v: kmem_cache_alloc vector KERNEL
expect cat /proc/slabinfo contains point
expect cat /proc/slabinfo lacks vector
kmem_cache_destroy vector
expect ret 0
# With objects in it a cache stays.
kmem_cache_destroy point
expect err EBUSY
expect event.console 1
kmem_cache_free point $v
kmem_cache_free point $p
kmem_cache_destroy point
expect ret 0
