# KSM: pages of two processes that happen to be equal become one page, and a
# write makes them two again.
boot seed=1
# A process offers four pages for merging; two hold the same byte.
a: mmap 0 4p rw- PRIVATE|ANON
write $a 7
write $a+1p 7
write $a+2p 8
madvise $a 4p MERGEABLE
expect ok
# The child's pages are its own once it writes them, though it writes the same.
fork
@1 writer $a 2 4096 7
expect min == 2
expect smaps.KSM@$a 0
# ksmd looks at pages while time passes. At the first scan it remembers what it
# saw; what has not changed until the second is compared.
@0 sysctl ksm.run=1
tick
expect cat /sys/kernel/mm/ksm/full_scans contains 1
expect cat /sys/kernel/mm/ksm/pages_sharing contains 0
tick 20
# The 7s of both processes are one page (shared), which four addresses map:
# three pages of memory are saved (sharing). What fork shares needs no merging.
expect cat /sys/kernel/mm/ksm/pages_shared contains 1
expect cat /sys/kernel/mm/ksm/pages_sharing contains 3
expect smaps.KSM@$a 8
expect cat /proc/1/ksm_merging_pages contains 2
expect cat /proc/2/ksm_merging_pages contains 2
# To read is to read.
@1 read $a
expect val == 7
expect min == 0
# To write is to fault: the page is write-protected, whatever the VMA says, and
# the writer gets a copy. The others keep what they had.
@1 write $a 9
expect min == 1
expect event.fault_resolved 1
expect cat /proc/vmstat contains cow_ksm 1
@0 read $a
expect val == 7
expect smaps.KSM@$a 8
# ksmd learns of it when it comes by again.
tick 20
expect cat /sys/kernel/mm/ksm/pages_sharing contains 2
# Who takes the offer back gets pages of its own at once.
@0 madvise $a 4p UNMERGEABLE
expect min == 2
expect smaps.KSM@$a 0
# And 2 undoes all there is.
sysctl ksm.run=2
expect cat /sys/kernel/mm/ksm/pages_shared contains 0
expect cat /proc/2/ksm_merging_pages contains 0
