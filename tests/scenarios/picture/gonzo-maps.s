# The address space of a small program, line by line: text, data, bss, heap,
# the region of mappings with its libraries, the stack.
boot seed=1
image /lib64/ld-linux-x86-64.so.2 type=dyn text=8p data=1p bss=1p
image /bin/gonzo text=2p data=1p bss=2p interp=/lib64/ld-linux-x86-64.so.2
image /lib/libc.so.6 type=dyn text=64p data=2p bss=1p file=1
exec /bin/gonzo
expect ok

# Text: the code, with the file's headers before it. It may be read and run,
# not written, so that every process that runs gonzo shares its pages.
expect cat /proc/self/maps contains 00400000-00402000 r-xp 00000000 08:01
# Data: the variables that have a first value. It is private: a page is the
# file's until it is written, and a copy afterwards.
expect cat /proc/self/maps contains 00402000-00403000 rw-p 00002000 08:01
# Bss: the variables that begin as zero. Nothing of them is in the file, so
# the mapping is anonymous, and its pages are there when they are touched.
expect cat /proc/self/maps contains 00403000-00405000 rw-p 00000000 00:00 0
# No heap yet: it begins where bss ends, and is empty.
expect cat /proc/self/maps lacks [heap]
# The program's interpreter, ld.so, lies highest in the region of mappings,
# which grows down from mmap_base. Its text, its data, its bss:
expect cat /proc/self/maps contains 7ffff7ff5000-7ffff7ffd000 r-xp 00000000 08:01
expect cat /proc/self/maps contains 7ffff7ffd000-7ffff7ffe000 rw-p 00008000 08:01
expect cat /proc/self/maps contains 7ffff7ffe000-7ffff7fff000 rw-p 00000000 00:00 0
# Below it what the kernel gives every program: its clocks, and code to read
# them without a system call.
expect cat /proc/self/maps contains [vvar]
expect cat /proc/self/maps contains [vdso]
# The stack, at the top. It holds the arguments and grows down by itself.
expect cat /proc/self/maps contains 7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0
expect cat /proc/self/maps contains [stack]

# What ld.so does next: it maps libc, all of it at once so that the parts keep
# their distance, then its data over the end of that, then zeros for its bss.
text: mmap 0 67p r-x PRIVATE|DENYWRITE 1
data: mmap $text+64p 2p rw- PRIVATE|FIXED|DENYWRITE 1 64
bss: mmap $text+66p 1p rw- PRIVATE|FIXED|ANON
expect ok
expect cat /proc/self/maps contains /lib/libc.so.6
expect smaps.Size@$text 256
expect smaps.Size@$data 8
expect smaps.Size@$bss 4
# The first malloc makes the heap: 132 KiB by brk, behind bss.
malloc 100
expect cat /proc/self/maps contains 00405000-00426000 rw-p 00000000 00:00 0
expect cat /proc/self/maps contains [heap]
# Text is shared with whoever runs gonzo; a write to data makes a copy.
read 0x400000
write 0x402000 1
expect smaps.Anonymous@0x402000 4
expect smaps.Anonymous@0x400000 0
# Nobody can write to text.
write 0x400000 1
expect sig SIGSEGV
