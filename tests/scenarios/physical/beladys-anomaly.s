# More frames, more faults: FIFO with three frames and with four, on the
# reference string of Belady, Nelson and Shedler (1969). The other policies of
# the textbooks, and what each does: `faultline policies --help`.
boot ram=64m swap=1m
m: mmap 0 8p rw PRIVATE|ANON
replacement fifo 3
accesses read $m+1p; read $m+2p; read $m+3p; read $m+4p; read $m+1p; read $m+2p; read $m+5p; read $m+1p; read $m+2p; read $m+3p; read $m+4p; read $m+5p
expect event.page_replaced 9
madvise $m 8p DONTNEED
replacement fifo 4
accesses read $m+1p; read $m+2p; read $m+3p; read $m+4p; read $m+1p; read $m+2p; read $m+5p; read $m+1p; read $m+2p; read $m+3p; read $m+4p; read $m+5p
expect event.page_replaced 10
# LRU keeps what was used last, so a frame more never hurts.
madvise $m 8p DONTNEED
replacement lru 3
accesses read $m+1p; read $m+2p; read $m+3p; read $m+4p; read $m+1p; read $m+2p; read $m+5p; read $m+1p; read $m+2p; read $m+3p; read $m+4p; read $m+5p
expect event.page_replaced 10
madvise $m 8p DONTNEED
replacement lru 4
accesses read $m+1p; read $m+2p; read $m+3p; read $m+4p; read $m+1p; read $m+2p; read $m+5p; read $m+1p; read $m+2p; read $m+3p; read $m+4p; read $m+5p
expect event.page_replaced 8
# What leaves goes to swap, and comes back from there with a major fault.
write $m+1p 42
write $m+6p 1
write $m+7p 1
write $m 1
write $m+2p 1
read $m+1p
expect val 42
expect maj 1
# The optimum is told what will be accessed.
madvise $m 8p DONTNEED
replacement opt 2 $m+1p $m+2p $m+3p $m+1p $m+2p
read $m+1p
read $m+2p
read $m+3p
expect event.page_replaced 1
read $m+1p
expect event.page_replaced 0
# A client that is the policy is asked: here nobody answers.
madvise $m 8p DONTNEED
replacement client 1
read $m
read $m+1p
expect err EAGAIN
evict $m
read $m+1p
expect ok
