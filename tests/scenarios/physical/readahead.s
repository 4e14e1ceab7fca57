# Readahead: who reads a file in order waits for the disk once, who jumps each
# time. The windows are those of Linux 6.18 for a disk with read_ahead_kb=128.
boot seed=1
file 1 400p dc
# The first page brings four: more may be wanted.
pread 1 0
expect event.page_cache_ra 1
expect event.mm_filemap_add_to_page_cache 4
expect event.block_rq_complete 1
# The second is marked. Coming to it starts the next window, twice as large, and
# nobody waits for it: the disk has it in hand when the call returns.
pread 1 1p
expect event.page_cache_ra 1
expect event.mm_filemap_add_to_page_cache 8
expect event.block_rq_issue 1
expect event.block_rq_complete 0
# In between nothing happens.
pread 1 2p
pread 1 3p
expect event.page_cache_ra 0
# Its first page is the mark of the third. Windows end at a multiple of the
# folios they are made of.
pread 1 4p
expect event.page_cache_ra 1
expect event.mm_filemap_add_to_page_cache 4
# One page far away, which nothing says is the beginning of more, comes alone.
pread 1 390p
expect event.page_cache_ra 0
expect event.mm_filemap_add_to_page_cache 1
tick
# A fault reads around: 16 pages before it and 15 behind.
m: mmap 0 400p r-- SHARED 1
read $m+200p
expect maj == 1
expect event.mm_filemap_add_to_page_cache 32
# What is there is mapped around the fault, 64 KiB at once.
read $m+201p
expect min == 0
expect maj == 0
read $m+210p
expect min == 1
# Who says that he jumps gets what he asks for and no more.
madvise $m 400p RANDOM
read $m+300p
expect maj == 1
expect event.mm_filemap_add_to_page_cache 1
# Who says that he goes on gets what lies ahead.
madvise $m 400p SEQUENTIAL
read $m+320p
expect maj == 1
expect event.mm_filemap_add_to_page_cache 32
# And a descriptor's reader can say it too.
munmap $m 400p
drop_caches 1
expect event.console 1
fadvise 1 0 0 RANDOM
pread 1 0
expect event.mm_filemap_add_to_page_cache 1
fadvise 1 10p 20p WILLNEED
expect event.mm_filemap_add_to_page_cache 20
fadvise 1 0 0 DONTNEED
expect event.mm_filemap_delete_from_page_cache 1
