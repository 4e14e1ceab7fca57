"""The calls of a machine, one method each.

What a method gives depends on whom it is called on: on a Session it executes
the command and gives its Outcome, on `faultline.commands` it only makes the
v1.Command, for Session.run().

Addresses, offsets and lengths are bytes, any number of 64 bits; `pid` is the
calling process or thread, the first is 1. Nonsense is answered with the errno
that Linux would give; only what does not fit the contract at all (a negative
length, a name too long) is a ValueError or InvalidArgument.
"""

from collections.abc import Iterable
from typing import Generic, TypeVar

from faultline import v1
from faultline.flags import (
    MAP_ANONYMOUS,
    MAP_PRIVATE,
    MS_SYNC,
    O_RDONLY,
    PAGE_SIZE,
    PROT_READ,
    PROT_WRITE,
    RLIM_INFINITY,
)

Result = TypeVar("Result")

GFP_KERNEL = 0xCC0
NODES_MAX = 1024  # what a mask of nodes has room for


def _node_words(nodes: Iterable[int] | None) -> tuple[list[int], int]:
    """A mask's words, 64 nodes each, and the maxnode that goes with them."""
    if nodes is None:
        return [], 0
    mask = 0
    for node in nodes:
        mask |= 1 << node
    count = max(1, (mask.bit_length() + 63) // 64)
    words = [mask >> 64 * i & (2**64 - 1) for i in range(count)]
    return words, 64 * count + 1


def make_command(op: str, pid: int = 1, /, **arguments) -> v1.Command:
    """Any command by the name of its field in v1.Command: "mmap", length=4096.

    ValueError says which argument does not fit; one that is None is left out.
    """
    field = v1.Command.DESCRIPTOR.fields_by_name.get(op)
    if field is None or field.containing_oneof is None:
        raise ValueError(f"there is no call '{op}'")
    given = {k: v for k, v in arguments.items() if v is not None}
    message_class = getattr(v1, field.message_type.name)
    try:
        return v1.Command(pid=pid, **{op: message_class(**given)})
    except (TypeError, ValueError) as error:
        raise _misfit(op, pid, message_class, given, error) from None


def _misfit(op, pid, message_class, arguments, error) -> Exception:
    """The same error, with the name of the argument at fault."""
    tries = [(f"{op}: pid", pid, v1.Command, "pid")]
    for name, value in arguments.items():
        tries.append((f"{op}: {name}", value, message_class, name))
    for where, value, make, name in tries:
        try:
            make(**{name: value})
        except (TypeError, ValueError) as reason:
            return type(reason)(f"{where}: {value!r} does not fit: {reason}")
    return error


class Calls(Generic[Result]):
    """See the module."""

    def _do(self, command: v1.Command) -> Result:
        raise NotImplementedError

    # --- Memory.

    def mmap(
        self,
        length: int,
        prot: int = PROT_READ | PROT_WRITE,
        flags: int = MAP_PRIVATE | MAP_ANONYMOUS,
        *,
        addr: int = 0,
        fd: int = -1,
        offset: int = 0,
        pid: int = 1,
    ) -> Result:
        """mmap(2): maps anonymous memory or a file. Value: the address."""
        return self._call(
            "mmap",
            pid,
            addr=addr,
            length=length,
            prot=prot,
            flags=flags,
            fd=fd,
            offset=offset,
        )

    def munmap(self, addr: int, length: int, *, pid: int = 1) -> Result:
        """munmap(2): unmaps a range, splits what it cuts."""
        return self._call("munmap", pid, addr=addr, length=length)

    def mprotect(
        self, addr: int, length: int, prot: int, *, pid: int = 1
    ) -> Result:
        """mprotect(2): changes the protection of a range."""
        return self._call("mprotect", pid, addr=addr, length=length, prot=prot)

    def mremap(
        self,
        addr: int,
        old_length: int,
        new_length: int,
        flags: int = 0,
        *,
        new_addr: int = 0,
        pid: int = 1,
    ) -> Result:
        """mremap(2): grows, shrinks or moves. Value: the new address."""
        return self._call(
            "mremap",
            pid,
            addr=addr,
            old_length=old_length,
            new_length=new_length,
            flags=flags,
            new_addr=new_addr,
        )

    def brk(self, addr: int = 0, *, pid: int = 1) -> Result:
        """brk(2) of the kernel: moves the end of the heap; 0 only asks. Value:
        the end afterwards, the old one when it could not be moved."""
        return self._call("brk", pid, addr=addr)

    def madvise(
        self, addr: int, length: int, advice: int, *, pid: int = 1
    ) -> Result:
        """madvise(2): tells the kernel how a range will be used."""
        return self._call(
            "madvise", pid, addr=addr, length=length, advice=advice
        )

    def mlock(
        self, addr: int, length: int, flags: int = 0, *, pid: int = 1
    ) -> Result:
        """mlock2(2): faults a range in and keeps it in memory."""
        return self._call("mlock", pid, addr=addr, length=length, flags=flags)

    def munlock(self, addr: int, length: int, *, pid: int = 1) -> Result:
        """munlock(2): lets a range be reclaimed again."""
        return self._call("munlock", pid, addr=addr, length=length)

    def mlockall(self, flags: int, *, pid: int = 1) -> Result:
        """mlockall(2): locks what is mapped, what will be, or both."""
        return self._call("mlockall", pid, flags=flags)

    def munlockall(self, *, pid: int = 1) -> Result:
        """munlockall(2): undoes every lock of the process."""
        return self._call("munlockall", pid)

    def msync(
        self, addr: int, length: int, flags: int = MS_SYNC, *, pid: int = 1
    ) -> Result:
        """msync(2): writes a shared file mapping back."""
        return self._call("msync", pid, addr=addr, length=length, flags=flags)

    def mincore(self, addr: int, length: int, *, pid: int = 1) -> Result:
        """mincore(2): which pages are resident. Data: a byte per page."""
        return self._call("mincore", pid, addr=addr, length=length)

    def mseal(
        self, addr: int, length: int, flags: int = 0, *, pid: int = 1
    ) -> Result:
        """mseal(2): makes a range immutable."""
        return self._call("mseal", pid, addr=addr, length=length, flags=flags)

    def remap_file_pages(
        self,
        addr: int,
        length: int,
        pgoff: int,
        *,
        prot: int = 0,
        flags: int = 0,
        pid: int = 1,
    ) -> Result:
        """remap_file_pages(2): other pages of a shared mapping's file."""
        return self._call(
            "remap_file_pages",
            pid,
            addr=addr,
            length=length,
            prot=prot,
            pgoff=pgoff,
            flags=flags,
        )

    def process_madvise(
        self,
        target: int,
        ranges: Iterable[tuple[int, int]],
        advice: int,
        *,
        flags: int = 0,
        pid: int = 1,
    ) -> Result:
        """process_madvise(2) of (addr, length) ranges. Value: the bytes."""
        pairs = list(ranges)
        return self._call(
            "process_madvise",
            pid,
            target=target,
            addr=[addr for addr, _ in pairs],
            length=[length for _, length in pairs],
            advice=advice,
            flags=flags,
        )

    def mbind(
        self,
        addr: int,
        length: int,
        mode: int,
        nodes: Iterable[int] | None = (0,),
        *,
        flags: int = 0,
        pid: int = 1,
    ) -> Result:
        """mbind(2): gives a range a memory policy, MPOL_*. The machine has one
        node, 0; None is no mask at all."""
        words, maxnode = _node_words(nodes)
        return self._call(
            "mbind",
            pid,
            addr=addr,
            length=length,
            mode=mode,
            nodes=words,
            maxnode=maxnode,
            flags=flags,
        )

    def set_mempolicy(
        self,
        mode: int,
        nodes: Iterable[int] | None = (0,),
        *,
        pid: int = 1,
    ) -> Result:
        """set_mempolicy(2): the memory policy of the calling thread."""
        words, maxnode = _node_words(nodes)
        return self._call(
            "set_mempolicy", pid, mode=mode, nodes=words, maxnode=maxnode
        )

    def get_mempolicy(
        self, addr: int = 0, flags: int = 0, *, pid: int = 1
    ) -> Result:
        """get_mempolicy(2): MPOL_F_ADDR asks for that of an address. Value:
        the mode. Data: the nodes, 64 a word of 8 bytes."""
        return self._call(
            "get_mempolicy", pid, addr=addr, flags=flags, maxnode=NODES_MAX
        )

    def set_mempolicy_home_node(
        self,
        addr: int,
        length: int,
        home_node: int = 0,
        *,
        flags: int = 0,
        pid: int = 1,
    ) -> Result:
        """set_mempolicy_home_node(2): the node that a policy tries first."""
        return self._call(
            "set_mempolicy_home_node",
            pid,
            addr=addr,
            length=length,
            home_node=home_node,
            flags=flags,
        )

    def userfaultfd(self, flags: int = 0, *, pid: int = 1) -> Result:
        """userfaultfd(2): refused."""
        return self._call("userfaultfd", pid, flags=flags)

    def set_vma_name(
        self, addr: int, length: int, name: str, *, pid: int = 1
    ) -> Result:
        """prctl(PR_SET_VMA): names an anonymous range; "" removes the name."""
        return self._call(
            "set_vma_name", pid, addr=addr, length=length, name=name
        )

    # --- Accesses, of one byte each, through the TLB and the page tables. They
    # stop at the first that is signalled; `accesses` tells how many were done.

    def load(
        self,
        addr: int,
        *,
        count: int = 1,
        stride: int = PAGE_SIZE,
        pid: int = 1,
    ) -> Result:
        """Loads `count` bytes, `stride` apart. Value: the last one."""
        return self._access(v1.ACCESS_KIND_READ, addr, count, stride, None, pid)

    def store(
        self,
        addr: int,
        value: int = 0,
        *,
        count: int = 1,
        stride: int = PAGE_SIZE,
        pid: int = 1,
    ) -> Result:
        """Stores the byte `value` (0 to 255) `count` times, `stride` apart."""
        return self._access(
            v1.ACCESS_KIND_WRITE, addr, count, stride, value, pid
        )

    def fetch(
        self,
        addr: int,
        *,
        count: int = 1,
        stride: int = PAGE_SIZE,
        pid: int = 1,
    ) -> Result:
        """Fetches instructions from `count` places, `stride` apart."""
        return self._access(
            v1.ACCESS_KIND_FETCH, addr, count, stride, None, pid
        )

    def access_many(
        self,
        addrs: Iterable[int],
        kinds: Iterable[int],
        *,
        counts: Iterable[int] = (),
        strides: Iterable[int] = (),
        values: bytes = b"",
        base: int = 0,
        data: bool = False,
        pid: int = 1,
    ) -> Result:
        """Many accesses as one command, done in order, and stopped at the first
        that is signalled. `base` is added to every address; `kinds`
        (v1.ACCESS_KIND_*), `counts`, `strides` and `values` have one element
        for all addresses or one for each, or none: 1, one page, 0. With `data`
        the outcome has the byte of each access."""
        return self._call(
            "access_many",
            pid,
            base=base,
            addr=addrs,
            kind=kinds,
            count=counts,
            stride=strides,
            value=values,
            data=data,
        )

    def _access(self, kind, addr, count, stride, value, pid) -> Result:
        return self._call(
            "access",
            pid,
            kind=kind,
            addr=addr,
            count=count,
            stride=stride,
            value=value,
        )

    # --- Processes.

    def fork(self, *, pid: int = 1) -> Result:
        """fork(2). Value: the child's pid."""
        return self._call("fork", pid)

    def clone(self, flags: int, *, pid: int = 1) -> Result:
        """clone(2): a thread or a process. Value: its pid."""
        return self._call("clone", pid, flags=flags)

    def execve(
        self,
        path: str,
        argv: Iterable[str] = (),
        envp: Iterable[str] = (),
        *,
        pid: int = 1,
    ) -> Result:
        """execve(2) of a file of the machine that holds an ELF image."""
        return self._call(
            "execve", pid, path=path, argv=list(argv), envp=list(envp)
        )

    def exit(
        self, status: int = 0, *, group: bool = True, pid: int = 1
    ) -> Result:
        """exit_group(2); with group=False exit(2), the thread alone."""
        return self._call("exit", pid, status=status, group=group)

    def wait(
        self, child: int = -1, *, nohang: bool = True, pid: int = 1
    ) -> Result:
        """wait4(2); child -1: any. Value: the child's pid, or 0 when none has
        ended. Data: its status, 4 bytes, little-endian."""
        return self._call("wait", pid, pid=child, nohang=nohang)

    def kill(self, target: int, signal: int, *, pid: int = 1) -> Result:
        """kill(2): sends a signal; 0 asks whether the process exists."""
        return self._call("kill", pid, target=target, signal=signal)

    # --- Files.

    def create_file(
        self,
        path: str,
        size: int = 0,
        *,
        data: bytes = b"",
        content: int = v1.FILE_CONTENT_UNSPECIFIED,
        seed: int = 0,
        cached: bool = True,
        fs: int = v1.FS_TYPE_RAMFS,
        mode: int = 0o644,
    ) -> Result:
        """Puts a file into the machine. Administration: no process does it.

        size is in bytes and at least that of data, which is at most 2 MiB.
        cached False: the first access to each page is a major fault."""
        return self._call(
            "create_file",
            0,
            path=path,
            size=size,
            data=data,
            content=content,
            seed=seed,
            cached=cached,
            fs=fs,
            mode=mode,
        )

    def open(
        self,
        path: str,
        flags: int = O_RDONLY,
        *,
        at: int | None = None,
        pid: int = 1,
    ) -> Result:
        """open(2). Value: the descriptor, `at` when that is given."""
        return self._call("open", pid, path=path, flags=flags, at=at)

    def close(self, fd: int, *, pid: int = 1) -> Result:
        """close(2)."""
        return self._call("close", pid, fd=fd)

    def read(
        self, fd: int, length: int, offset: int = 0, *, pid: int = 1
    ) -> Result:
        """pread(2) of at most 2 MiB. Data: the bytes."""
        return self._call("read", pid, fd=fd, length=length, offset=offset)

    def write(
        self, fd: int, data: bytes, offset: int = 0, *, pid: int = 1
    ) -> Result:
        """pwrite(2) of at most 2 MiB."""
        return self._call("write", pid, fd=fd, data=data, offset=offset)

    def truncate(self, fd: int, size: int, *, pid: int = 1) -> Result:
        """ftruncate(2), in bytes."""
        return self._call("truncate", pid, fd=fd, size=size)

    def fsync(
        self, fd: int, data_only: bool = False, *, pid: int = 1
    ) -> Result:
        """fsync(2): writes dirty pages back; fdatasync(2) with data_only."""
        return self._call("fsync", pid, fd=fd, data_only=data_only)

    def fadvise(
        self, fd: int, offset: int, length: int, advice: int, *, pid: int = 1
    ) -> Result:
        """posix_fadvise(2): advice is POSIX_FADV_*."""
        return self._call(
            "fadvise", pid, fd=fd, offset=offset, length=length, advice=advice
        )

    def fallocate(
        self,
        fd: int,
        mode: int,
        offset: int,
        length: int,
        *,
        pid: int = 1,
    ) -> Result:
        """fallocate(2): FALLOC_FL_KEEP_SIZE 1, FALLOC_FL_PUNCH_HOLE 2."""
        return self._call(
            "fallocate", pid, fd=fd, mode=mode, offset=offset, length=length
        )

    def fcntl(self, fd: int, cmd: int, arg: int = 0, *, pid: int = 1) -> Result:
        """fcntl(2): F_ADD_SEALS 1033; F_GET_SEALS 1034, whose value they are."""
        return self._call("fcntl", pid, fd=fd, cmd=cmd, arg=arg)

    def memfd_create(
        self, name: str, flags: int = 0, at: int = -1, *, pid: int = 1
    ) -> Result:
        """memfd_create(2): a file without a name. Value: the descriptor."""
        return self._call("memfd_create", pid, name=name, flags=flags, at=at)

    # --- The kernel and the machine.

    def setrlimit(
        self,
        resource: int,
        soft: int,
        hard: int = RLIM_INFINITY,
        *,
        pid: int = 1,
    ) -> Result:
        """setrlimit(2): RLIMIT_*."""
        return self._call(
            "setrlimit", pid, resource=resource, soft=soft, hard=hard
        )

    def getrlimit(self, resource: int, *, pid: int = 1) -> Result:
        """getrlimit(2). Value: the soft limit. Data: both, 8 bytes each."""
        return self._call("getrlimit", pid, resource=resource)

    def setuid(self, uid: int, *, pid: int = 1) -> Result:
        """setuid(2): only user 0 has capabilities."""
        return self._call("setuid", pid, uid=uid)

    def prctl(self, option: int, arg: int = 0, *, pid: int = 1) -> Result:
        """prctl(2) of PR_SET_MDWE, PR_SET_DUMPABLE and their PR_GET_."""
        return self._call("prctl", pid, option=option, arg=arg)

    # --- The program's C library.

    def malloc(self, size: int, *, pid: int = 1) -> Result:
        """malloc(3) of glibc 2.36. Value: the address."""
        return self._call("malloc", pid, size=size)

    def calloc(self, count: int, size: int, *, pid: int = 1) -> Result:
        """calloc(3): zeroed memory. Value: the address."""
        return self._call("calloc", pid, count=count, size=size)

    def realloc(self, addr: int, size: int, *, pid: int = 1) -> Result:
        """realloc(3). Value: the address afterwards."""
        return self._call("realloc", pid, addr=addr, size=size)

    def free(self, addr: int, *, pid: int = 1) -> Result:
        """free(3). Where the heap is damaged the program aborts: signal is
        SIGABRT, data what glibc prints."""
        return self._call("free", pid, addr=addr)

    def mallopt(self, param: int, value: int, *, pid: int = 1) -> Result:
        """mallopt(3): M_*. Value: 1, or 0 when it was refused."""
        return self._call("mallopt", pid, param=param, value=value)

    def alloc_pages(self, order: int = 0, gfp: int = GFP_KERNEL) -> Result:
        """alloc_pages(): 2**order frames. Value: the first one's number."""
        return self._call("alloc_pages", 0, order=order, gfp=gfp)

    def free_pages(self, pfn: int, order: int = 0) -> Result:
        """__free_pages() of what alloc_pages gave."""
        return self._call("free_pages", 0, pfn=pfn, order=order)

    def get_free_pages(self, order: int = 0, gfp: int = GFP_KERNEL) -> Result:
        """__get_free_pages(): 2**order frames. Value: their kernel address."""
        return self._call("get_free_pages", 0, order=order, gfp=gfp)

    def get_zeroed_page(self, gfp: int = GFP_KERNEL) -> Result:
        """get_zeroed_page(): one frame. Value: its kernel address."""
        return self._call("get_zeroed_page", 0, gfp=gfp)

    def page_address(self, pfn: int) -> Result:
        """page_address(). Value: the kernel address; 0 in high memory."""
        return self._call("page_address", 0, pfn=pfn)

    def free_address(self, addr: int, order: int = 0) -> Result:
        """free_pages() of what get_free_pages gave."""
        return self._call("free_address", 0, addr=addr, order=order)

    # --- Slabs, vmalloc and the kernel's own memory.

    def kmalloc(self, size: int, gfp: int = GFP_KERNEL) -> Result:
        """kmalloc(). Value: the address; 16 (ZERO_SIZE_PTR) of 0 bytes."""
        return self._call("kmalloc", 0, size=size, gfp=gfp)

    def kfree(self, addr: int) -> Result:
        """kfree() of what kmalloc or a cache gave."""
        return self._call("kfree", 0, addr=addr)

    def kmem_cache_create(
        self, name: str, size: int, align: int = 0, flags: int = 0
    ) -> Result:
        """kmem_cache_create(): flags are SLAB_*."""
        return self._call(
            "kmem_cache_create",
            0,
            name=name,
            size=size,
            align=align,
            flags=flags,
        )

    def kmem_cache_alloc(self, name: str, gfp: int = GFP_KERNEL) -> Result:
        """kmem_cache_alloc(). Value: the object's address."""
        return self._call("kmem_cache_alloc", 0, name=name, gfp=gfp)

    def kmem_cache_free(self, name: str, addr: int) -> Result:
        """kmem_cache_free()."""
        return self._call("kmem_cache_free", 0, name=name, addr=addr)

    def kmem_cache_shrink(self, name: str) -> Result:
        """kmem_cache_shrink(). Value: 0 when no slab is left, else 1."""
        return self._call("kmem_cache_shrink", 0, name=name)

    def kmem_cache_destroy(self, name: str) -> Result:
        """kmem_cache_destroy(): EBUSY with objects left."""
        return self._call("kmem_cache_destroy", 0, name=name)

    def vmalloc(self, size: int, gfp: int = 0) -> Result:
        """vmalloc(). Value: the address."""
        return self._call("vmalloc", 0, size=size, gfp=gfp)

    def vfree(self, addr: int) -> Result:
        """vfree()."""
        return self._call("vfree", 0, addr=addr)

    def kmap(self, pfn: int) -> Result:
        """kmap(). Value: the address of the page in the kernel."""
        return self._call("kmap", 0, pfn=pfn)

    def kunmap(self, pfn: int) -> Result:
        """kunmap()."""
        return self._call("kunmap", 0, pfn=pfn)

    def kmap_local(self, pfn: int) -> Result:
        """kmap_local_page(), kmap_atomic(). Value: the address of the page in
        the kernel."""
        return self._call("kmap_local", 0, pfn=pfn)

    def kunmap_local(self, addr: int) -> Result:
        """kunmap_local(), kunmap_atomic(), of what was mapped last."""
        return self._call("kunmap_local", 0, addr=addr)

    def kernel_access(
        self,
        kind: "v1.AccessKind",
        addr: int,
        count: int = 1,
        stride: int = PAGE_SIZE,
        value: int = 0,
    ) -> Result:
        """Loads or stores bytes of the kernel's, through its page tables.
        Value: the last one; tlb_misses and table_loads say what it took."""
        return self._call(
            "kernel_access",
            0,
            kind=kind,
            addr=addr,
            count=count,
            stride=stride,
            value=value,
        )

    # --- The machine's administration.

    def drop_caches(self, mode: int = 3) -> Result:
        """A number written to drop_caches: 1 page cache, 2 slabs, 3 both."""
        return self._call("drop_caches", 0, mode=mode)

    def sync(self) -> Result:
        """sync(2): writes all dirty pages back."""
        return self._call("sync", 0)

    def swapon(self, path: str = "", size: int = 0, flags: int = 0) -> Result:
        """swapon(2) of a file, or of a new partition of `size` bytes. Value:
        the number of the area."""
        return self._call("swapon", 0, path=path, size=size, flags=flags)

    def swapoff(self, area: int = 0, path: str = "") -> Result:
        """swapoff(2), by number or by path."""
        return self._call("swapoff", 0, area=area, path=path)

    def set_oom_score_adj(self, value: int, *, pid: int = 1) -> Result:
        """A number written to /proc/PID/oom_score_adj, -1000 to 1000."""
        return self._call("set_oom_score_adj", pid, value=value)

    def insert_module(
        self, name: str, size: int = 0, params: str = ""
    ) -> Result:
        """insmod of a module that the machine has built in."""
        return self._call(
            "insert_module", 0, name=name, size=size, params=params
        )

    def remove_module(self, name: str, flags: int = 0) -> Result:
        """rmmod."""
        return self._call("remove_module", 0, name=name, flags=flags)

    def mknod(self, path: str, mode: int, major: int, minor: int) -> Result:
        """mknod(2): mode is S_IFCHR or S_IFBLK with permissions."""
        return self._call(
            "mknod", 0, path=path, mode=mode, major=major, minor=minor
        )

    # --- Replacement policies.

    def set_replacement(
        self,
        policy: int,
        frames: int = 0,
        future: Iterable[int] = (),
        *,
        pid: int = 1,
    ) -> Result:
        """Gives the process so many frames and a REPLACEMENT_POLICY_*. OPT is
        told the addresses that will be accessed."""
        return self._call(
            "set_replacement",
            pid,
            policy=policy,
            frames=frames,
            future=list(future),
        )

    def evict_page(self, addr: int, *, pid: int = 1) -> Result:
        """Takes the page at an address out of memory: the answer to
        victim_wanted."""
        return self._call("evict_page", pid, addr=addr)

    def sysctl(self, name: str, value: int, *more: int) -> Result:
        """Sets a sysctl: "vm.overcommit_memory". Of one with several values
        (vm.lowmem_reserve_ratio) the first ones may be given."""
        return self._call("sysctl", 0, name=name, value=value, more=more)

    def clear_refs(self, type: int, *, pid: int = 1) -> Result:
        """A number written to /proc/PID/clear_refs: 1 to 3 clear referenced
        bits, 4 the soft-dirty bits, 5 resets the peak of the resident set."""
        return self._call("clear_refs", pid, type=type)

    def tick(self, nanoseconds: int) -> Result:
        """Lets simulated time pass."""
        return self._call("tick", 0, nanoseconds=nanoseconds)

    def _call(self, op: str, pid: int, /, **arguments) -> Result:
        return self._do(make_command(op, pid, **arguments))


class _Commands(Calls[v1.Command]):
    def _do(self, command: v1.Command) -> v1.Command:
        return command


commands = _Commands()
