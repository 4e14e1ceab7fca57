# A memory policy says on which node memory is wanted. With one node it chooses
# nothing, but it is a property of a VMA, and so it decides about merging.
mmap 0x10000000 6p rw- PRIVATE|FIXED|ANON
writer 0x10000000 6
expect vmas 2
# The middle is bound to node 0: three VMAs, though nothing else differs.
mbind 0x10002000 2p BIND 0
expect event.vma_split 2
expect vmas 4
cat /proc/self/numa_maps
expect cat /proc/self/numa_maps contains 10000000 default anon=2
expect cat /proc/self/numa_maps contains 10002000 bind:0 anon=2
# What is below takes the same policy, and merges.
mbind 0x10000000 2p BIND 0
expect event.vma_merge 1
expect vmas 3
# Nodes that do not exist are left out of a mask, so this is the same policy,
mbind 0x10004000 2p BIND 0-3
expect vmas 2
# but with STATIC_NODES the kernel keeps what was asked for, and this is not.
mbind 0x10004000 2p BIND|STATIC_NODES 0-3
expect vmas 3
get_mempolicy 0x10004000 ADDR
expect ret == 0x8002
expect vec == 1111
# A mapping does not take the policy of its thread, which is asked for where a
# VMA has none; so new memory merges with old memory that has none.
set_mempolicy INTERLEAVE 0
mmap 0x10006000 1p rw- PRIVATE|FIXED|ANON
expect event.vma_create 1
expect cat /proc/self/numa_maps contains 10006000 interleave:0
get_mempolicy 0x10006000 ADDR
expect ret == 0
# Shared memory has its policy in the file: another mapping of it finds it there.
file 0 4p m
mmap 0x20000000 4p rw- SHARED|FIXED 0 0
mbind 0x20000000 4p PREFERRED 0
munmap 0x20000000 4p
mmap 0x30000000 2p rw- SHARED|FIXED 0 2
get_mempolicy 0x30000000 ADDR
expect ret == 1
# MPOL_MF_MOVE gives pages new frames when they lie on no node of the mask.
# LOCAL has no mask, so that all of them move; what they hold moves along.
write 0x10000000 7
mbind 0x10000000 1p LOCAL - MOVE
read 0x10000000
expect val == 7
expect min == 0
# The default takes all policies back, holes or not: one VMA again.
mbind 0x10000000 16p DEFAULT -
expect vmas 3
