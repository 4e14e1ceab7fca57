#!/usr/bin/env python3
"""Records what Linux's /proc says of a process with memory of every kind.

Run as root on Linux 6.18 with one argument, the directory to write to. The
same calls are made on a simulated machine by recorded_test.cc, which expects
the same text. Only what lies at the fixed addresses below is written down.
"""

import ctypes
import os
import re
import struct
import sys

PAGE = 4096
PRIVATE, SHARED, FIXED, ANON, NORESERVE = 2, 1, 16, 32, 0x4000
STACK, GROWSDOWN = 0x20000, 0x100
# LRU, ACTIVE, REFERENCED, UNEVICTABLE, IDLE: they depend on batching.
KPF_NOISE = 1 << 2 | 1 << 5 | 1 << 6 | 1 << 18 | 1 << 25
PATH = "/dev/shm/faultline-golden"
INODES = {"01": "1", "1b": "2"}  # by the minor number of the device
RANGES = ((0x10000000, 0x60000000),)

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [
    ctypes.c_long
]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
for call in (libc.mprotect, libc.mlock, libc.madvise):
    call.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def mmap(addr, pages, prot, flags, fd=-1, offset=0):
    got = libc.mmap(addr, pages * PAGE, prot, flags | FIXED, fd, offset)
    assert got == addr, os.strerror(ctypes.get_errno())


def write(addr, value):
    ctypes.c_ubyte.from_address(addr).value = value


def read(addr):
    return ctypes.c_ubyte.from_address(addr).value


def inside(line):
    start = re.match(r"([0-9a-f]+)-", line)
    return start and any(a <= int(start[1], 16) < b for a, b in RANGES)


def blocks(text):
    """The lines of a maps or smaps text that belong to our addresses.

    Inode numbers become those of a fresh machine: 1 for shared anonymous
    memory, 2 for the file.
    """
    keep = False
    for line in text.splitlines(keepends=True):
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            keep = inside(line)
        if keep:
            yield re.sub(
                r" 00:(01|1b) ([0-9]+)",
                lambda m: f" 00:{m[1]} {INODES[m[1]].ljust(len(m[2]))}",
                line,
            )


def word(path, index):
    with open(path, "rb", buffering=0) as file:
        return struct.unpack("<Q", os.pread(file.fileno(), 8, index * 8))[0]


def pages(pid, maps):
    """Address, pagemap word without the frame, kpageflags, kpagecount."""
    for line in maps:
        start, end = (int(x, 16) for x in line.split()[0].split("-"))
        for vpn in range(start // PAGE, end // PAGE):
            entry = word(f"/proc/{pid}/pagemap", vpn)
            if not entry >> 63:
                continue
            pfn = entry & ((1 << 55) - 1)
            flags = word("/proc/kpageflags", pfn) & ~KPF_NOISE
            count = word("/proc/kpagecount", pfn)
            yield f"{vpn:x} {entry >> 55:x} {flags:x} {count}\n"


def act(fd, read_only):
    """The calls, in the order in which recorded_test.cc makes them."""
    mmap(0x10000000, 8, 3, PRIVATE | ANON)
    for page in range(3):
        write(0x10000000 + page * PAGE, 1)
    read(0x10005000)
    mmap(0x20000000, 8, 3, PRIVATE, fd, PAGE)
    read(0x20000000)
    write(0x20001000, 2)
    mmap(0x30000000, 4, 3, SHARED | ANON)
    write(0x30000000, 3)
    write(0x30001000, 3)
    mmap(0x40000000, 2, 1, SHARED, read_only)
    read(0x40001000)
    mmap(0x50000000, 4, 0, PRIVATE | ANON | NORESERVE)
    mmap(0x51000000, 4, 3, PRIVATE | ANON | STACK)
    mmap(0x52000000, 4, 7, PRIVATE | ANON)
    write(0x52000000, 4)
    write(0x52001000, 4)
    libc.mprotect(0x52001000, PAGE, 0)
    mmap(0x53000000, 4, 3, PRIVATE | ANON)
    libc.madvise(0x53000000, 4 * PAGE, 16)  # MADV_DONTDUMP
    mmap(0x54000000, 4, 3, PRIVATE | ANON)
    libc.madvise(0x54000000, 2 * PAGE, 10)  # MADV_DONTFORK
    libc.madvise(0x54002000, 2 * PAGE, 18)  # MADV_WIPEONFORK
    mmap(0x55000000, 4, 3, PRIVATE | ANON)
    libc.mlock(0x55001000, 2 * PAGE, 0)


def forget_references(fd):
    """Makes the cached pages of the file as if nobody had touched them."""
    mmap(RANGES[0][0], 10, 1, SHARED, fd)
    for page in range(10):
        read(RANGES[0][0] + page * PAGE)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("1")
    libc.munmap(RANGES[0][0], 10 * PAGE)


def record(directory, name, pid):
    with open(f"/proc/{pid}/smaps") as file:
        smaps = list(blocks(file.read()))
    with open(f"/proc/{pid}/maps") as file:
        maps = list(blocks(file.read()))
    for suffix, lines in (
        ("maps", maps),
        ("smaps", smaps),
        ("pages", pages(pid, maps)),
    ):
        with open(f"{directory}/{name}.{suffix}", "w") as file:
            file.writelines(lines)


def main():
    directory = sys.argv[1]
    with open(PATH, "wb") as file:
        file.write(b"x" * (10 * PAGE))
    fd = os.open(PATH, os.O_RDWR)
    read_only = os.open(PATH, os.O_RDONLY)
    forget_references(fd)
    act(fd, read_only)
    child_ready, parent_done = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        write(0x10000000, 9)
        read(0x30000000)
        read(0x55001000)
        read(0x55002000)
        os.write(child_ready[1], b"x")
        os.read(parent_done[0], 1)
        os._exit(0)
    os.read(child_ready[0], 1)
    record(directory, "parent", os.getpid())
    record(directory, "child", pid)
    os.write(parent_done[1], b"x")
    os.waitpid(pid, 0)
    os.unlink(PATH)


if __name__ == "__main__":
    main()
