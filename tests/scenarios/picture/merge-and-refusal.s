# Neighbours that are alike become one VMA; neighbours that differ do not.
a: mmap 0x10000000 2p rw- PRIVATE|FIXED|ANON
expect event.vma_create 1
expect vmas 2
# Right behind it, the same in everything: the VMA that is there grows.
mmap 0x10002000 2p rw- PRIVATE|FIXED|ANON
expect event.vma_create 0
expect event.vma_merge 1
expect vmas 2
expect smaps.Size@0x10000000 16
# One that may only be read is refused: a VMA has one protection.
mmap 0x10004000 2p r-- PRIVATE|FIXED|ANON
expect event.vma_merge 0
expect event.vma_create 1
expect vmas 3
# With the protection changed they are alike, and merge after all.
mprotect 0x10004000 2p rw-
expect event.vma_merge 1
expect vmas 2
expect smaps.Size@0x10000000 24
# A hole between them is refused too; mapping it joins all three.
mmap 0x10007000 1p rw- PRIVATE|FIXED|ANON
expect event.vma_merge 0
expect vmas 3
mmap 0x10006000 1p rw- PRIVATE|FIXED|ANON
expect event.vma_merge 1
expect vmas 2
expect smaps.Size@0x10000000 32
# A child's VMA whose pages its parent still knows is not enlarged by a
# neighbour that has pages of its own.
write 0x10000000 1
fork
@1 mmap 0x10008000 1p rw- PRIVATE|FIXED|ANON
expect event.vma_merge 0
expect event.vma_create 1
# The parent's is: it has no parent in turn.
@0 mmap 0x10008000 1p rw- PRIVATE|FIXED|ANON
expect event.vma_merge 1
