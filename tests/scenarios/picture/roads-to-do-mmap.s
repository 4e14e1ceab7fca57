# Memory comes to a program by many calls, and all of them end in a new VMA:
# fork copies the parent's, execve maps the parts of an image, mmap is asked
# for one, malloc asks mmap or brk.
boot seed=1
image /bin/gonzo text=2p data=1p bss=2p
# mmap: do_mmap() finds a free range and makes the VMA.
mmap 0 3p rw- PRIVATE|ANON
expect event.vm_unmapped_area 1
expect event.vma_create 1
# malloc of a large block is an mmap of it, header and all.
malloc 1m
expect event.vm_unmapped_area 1
expect event.vma_create >= 1
expect status.VmData >= 1028
# The same call made the heap, for the cache of the thread: brk makes a VMA at
# a place that is given, so that it searches for none.
expect event.vma_create >= 1
# malloc of a small block is a part of the heap that is there already.
malloc 100
expect event.vm_unmapped_area 0
expect event.vma_create 0
# fork: each VMA is copied, with its page table entries; nothing is searched.
fork
expect event.sched_process_fork 1
expect event.vma_create >= 3
expect event.vm_unmapped_area 0
# execve: do_mmap() for each part of the image, at its place; the vdso where
# there is room; the old VMAs go.
@1 exec /bin/gonzo
expect event.sched_process_exec 1
expect event.vma_remove >= 3
expect event.vma_create >= 5
expect event.vm_unmapped_area 1
@0 munmap 0 1p
expect ok
