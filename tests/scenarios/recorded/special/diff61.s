# operations whose outcome differs between 6.1 and 6.18
file 0 16p
file 1 16p h
# 1 failing mremap(FIXED): is the target range unmapped?
a: mmap 0x10000000 16p rw- PRIVATE|ANON|FIXED
mremap 0x18000000 2p 2p MAYMOVE|FIXED 0x10004000
dump maps
# 2 order of checks: overlap (EINVAL) vs unmapped source (EFAULT)
mremap 0x18000000 4p 4p MAYMOVE|FIXED 0x18002000
# 3 move of a range spanning two VMAs
mmap 0x11000000 4p rw- PRIVATE|ANON|FIXED
mmap 0x11004000 4p r-- PRIVATE|ANON|FIXED
mremap 0x11000000 8p 8p MAYMOVE|FIXED 0x12000000
dump maps
# 4 heap name of a VMA that only touches brk
brk $brk+2p
mmap $brk+2p 1p r-- PRIVATE|ANON|FIXED
dump maps
brk $brk
mmap $brk+0p 1p r-- PRIVATE|ANON|FIXED
dump maps
munmap $brk+0p 2p
munmap $brk+2p 2p
# 5 accounting: untouched rw -> r--, next to never-writable r--
mmap 0x13000000 4p rw- PRIVATE|ANON|FIXED
mmap 0x13004000 4p r-- PRIVATE|ANON|FIXED
mprotect 0x13000000 4p r--
dump maps,smaps
# 5b same but touched
mmap 0x13100000 4p rw- PRIVATE|ANON|FIXED
write 0x13100000 1
mmap 0x13104000 4p r-- PRIVATE|ANON|FIXED
mprotect 0x13100000 4p r--
dump maps
# 6 MAP_STACK
mmap 0x14000000 4p rw- PRIVATE|ANON|FIXED
mmap 0x14004000 4p rw- PRIVATE|ANON|FIXED|STACK
dump maps
# 7 populate errors
madvise 0x15000000 4p POPULATE_WRITE
mmap 0x15000000 2p rw- PRIVATE|ANON|FIXED
madvise 0x15000000 4p POPULATE_WRITE
madvise 0x15000000 4p POPULATE_READ
mmap 0x15100000 2p r-- PRIVATE|ANON|FIXED
madvise 0x15100000 2p POPULATE_WRITE
madvise 0x15100000 3p POPULATE_WRITE
mmap 0x15200000 4p r-- SHARED|FIXED 1 0
madvise 0x15200000 4p POPULATE_READ
# 8 mlock / munlockall
mmap 0x16000000 12p rw- PRIVATE|ANON|FIXED
mlock 0x16004000 4p
dump maps
munlockall
dump maps
mlock 0x16004000 4p
munlock 0x16000000 12p
dump maps
# 9 merge across both neighbours when they have different anon_vmas
mmap 0x17000000 2p rw- PRIVATE|ANON|FIXED
mmap 0x17004000 2p rw- PRIVATE|ANON|FIXED
write 0x17000000 1
write 0x17004000 1
mmap 0x17002000 2p rw- PRIVATE|ANON|FIXED
dump maps
mmap 0x17100000 2p rw- PRIVATE|ANON|FIXED
mmap 0x17104000 2p rw- PRIVATE|ANON|FIXED
write 0x17104000 1
mmap 0x17102000 2p rw- PRIVATE|ANON|FIXED
dump maps
mmap 0x17200000 6p rw- PRIVATE|ANON|FIXED
mprotect 0x17202000 2p r--
write 0x17200000 1
write 0x17204000 1
mprotect 0x17202000 2p rw-
dump maps
mmap 0x17300000 6p rw- PRIVATE|ANON|FIXED
mprotect 0x17302000 2p r--
write 0x17304000 1
mprotect 0x17302000 2p rw-
dump maps
# 10 big mappings
h: mmap 0 4m rw- PRIVATE|ANON
i: mmap 0 3p rw- PRIVATE|ANON
j: mmap 0 128m --- PRIVATE|ANON|NORESERVE
# 11 brk next to a mapping below start_brk
mmap $brk-2p 2p rw- PRIVATE|ANON|FIXED
brk $brk+2p
dump maps
# 12 mremap grow merging with the next VMA, shrink
mmap 0x19000000 2p rw- PRIVATE|ANON|FIXED
mmap 0x19003000 2p rw- PRIVATE|ANON|FIXED
mremap 0x19000000 2p 3p 0
dump maps
mremap 0x19000000 3p 9p 0
mremap 0x19000000 5p 2p 0
dump all
