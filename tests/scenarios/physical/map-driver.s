# A driver lends a page of the kernel's to a process. Its buffer comes from
# vmalloc; when the process touches its mapping, the driver's fault handler walks
# the kernel's page tables to the page and hands it out.
insmod map_driver
expect ret 0
expect cat /proc/modules contains map_driver 16384 0 - Live
expect cat /proc/devices contains 254 map_driver
mknod mapfile c 254 0
expect ret 0
open 1 /mapfile
expect cat /proc/modules contains map_driver 16384 1 - Live
m: mmap 0 4096 rw SHARED 1 0
read $m
expect val 0x6f
expect min 1
read $m+1
expect val 0x6b
read $m+2
expect val 0x21
expect min 0
# The same page is written by one and read by the other.
write $m 79
expect cat /proc/1/maps contains rw-s
# Longer than the buffer; behind its end; a PRIVATE copy that could be written.
mmap 0 8192 r SHARED 1 0
expect err ENXIO
mmap 0 4096 r SHARED 1 4096
expect err ENXIO
mmap 0 4096 rw PRIVATE 1 0
expect err EINVAL
# Opened for reading only.
open 2 /mapfile r
mmap 0 4096 rw SHARED 2 0
expect err EACCES
# A minor number that the driver does not have.
mknod other c 254 1
open 3 /other
expect err ENXIO
# As long as somebody has it open or mapped, the module stays: EWOULDBLOCK.
close 2
close 1
rmmod map_driver
expect err EAGAIN
munmap $m 4096
rmmod map_driver
expect ret 0
open 1 /mapfile
expect err ENXIO
