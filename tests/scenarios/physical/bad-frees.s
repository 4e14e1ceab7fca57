# What free_pages may not free: the kernel says so, and nothing is damaged.
a: alloc_pages KERNEL 2
free_pages $a 2
expect ret 0
# Again: nobody has it.
free_pages $a 2
expect err EINVAL
expect event.console 1
# The middle of a block.
b: alloc_pages KERNEL 3
free_pages $b+1 0
expect err EINVAL
expect event.console 1
# With a larger order than it had: all of it is lost.
free_pages $b 4
expect err EINVAL
expect event.console 1
free_pages $b 3
expect err EINVAL
# With a smaller one: the rest leaks, and nobody notices.
c: alloc_pages KERNEL 1
free_pages $c 0
expect event.console 0
# NULL is no page at all.
free_page 0
expect ret 0
# More than 4 MiB cannot be had at once, and the kernel says why.
alloc_pages KERNEL 11
expect err ENOMEM
expect event.console 1
alloc_pages KERNEL|NOWARN 11
expect event.console 0
