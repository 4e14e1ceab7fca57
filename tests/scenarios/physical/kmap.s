# i386: the kernel has no address for a page of high memory until it is mapped
# into one of pkmap's 512 slots.
boot profile=i386 ram=2g
p: alloc_pages HIGHUSER 0
page_address $p
expect ret 0
k: kmap $p
expect ret >= 0xff000000
kwrite $k 7
kread $k
expect ret 7
# Mapped again, it has the same address, and needs one kunmap more.
kmap $p
expect ret $k
kunmap $p
kunmap $p
expect ret 0
kunmap $p
expect err EINVAL
# Low memory has an address anyway.
l: alloc_pages KERNEL 0
kmap $l
expect ret < 0xf8000000
# For a moment there are the CPU's own slots in the fixmap (kmap_atomic is the
# older name). They are given back in reverse order.
a: kmap_local $p
expect ret 0xfffbb000
b: kmap_local $p
expect ret 0xfffba000
kread $b
expect ret 7
kunmap_local $a
expect err EINVAL
expect event.console 1
kunmap_local $b
expect ret 0
kunmap_atomic $a
expect ret 0
kread $a
expect err EFAULT
