"""Linux's numbers under Linux's names, for x86-64.

A flag is an int, so the numbers of Python's own `mmap` and `os` do as well;
these are the simulated kernel's on whatever system the client runs.

    from faultline import PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS
"""

import enum
import functools
import typing

if typing.TYPE_CHECKING:

    def __getattr__(name: str) -> int:
        """The constants are made by the decorator below."""


_linux = functools.partial(enum.global_enum, update_str=True)


@_linux
class Prot(enum.IntFlag):
    """mmap(2), mprotect(2): what may be done with memory."""

    PROT_NONE = 0
    PROT_READ = 1
    PROT_WRITE = 2
    PROT_EXEC = 4
    PROT_GROWSDOWN = 0x01000000
    PROT_GROWSUP = 0x02000000


@_linux
class Map(enum.IntFlag):
    """mmap(2)."""

    MAP_SHARED = 0x01
    MAP_PRIVATE = 0x02
    MAP_SHARED_VALIDATE = 0x03
    MAP_FIXED = 0x10
    MAP_ANONYMOUS = 0x20
    MAP_32BIT = 0x40
    MAP_GROWSDOWN = 0x100
    MAP_LOCKED = 0x2000
    MAP_NORESERVE = 0x4000
    MAP_POPULATE = 0x8000
    MAP_NONBLOCK = 0x10000
    MAP_STACK = 0x20000
    MAP_HUGETLB = 0x40000
    MAP_FIXED_NOREPLACE = 0x100000


@_linux
class Mremap(enum.IntFlag):
    """mremap(2)."""

    MREMAP_MAYMOVE = 1
    MREMAP_FIXED = 2
    MREMAP_DONTUNMAP = 4


@_linux
class Madv(enum.IntEnum):
    """madvise(2)."""

    MADV_NORMAL = 0
    MADV_RANDOM = 1
    MADV_SEQUENTIAL = 2
    MADV_WILLNEED = 3
    MADV_DONTNEED = 4
    MADV_FREE = 8
    MADV_REMOVE = 9
    MADV_DONTFORK = 10
    MADV_DOFORK = 11
    MADV_MERGEABLE = 12
    MADV_UNMERGEABLE = 13
    MADV_HUGEPAGE = 14
    MADV_NOHUGEPAGE = 15
    MADV_DONTDUMP = 16
    MADV_DODUMP = 17
    MADV_WIPEONFORK = 18
    MADV_KEEPONFORK = 19
    MADV_COLD = 20
    MADV_PAGEOUT = 21
    MADV_POPULATE_READ = 22
    MADV_POPULATE_WRITE = 23
    MADV_COLLAPSE = 25


@_linux
class Mpol(enum.IntEnum):
    """mbind(2), set_mempolicy(2): what is done with the nodes."""

    MPOL_DEFAULT = 0
    MPOL_PREFERRED = 1
    MPOL_BIND = 2
    MPOL_INTERLEAVE = 3
    MPOL_LOCAL = 4
    MPOL_PREFERRED_MANY = 5
    MPOL_WEIGHTED_INTERLEAVE = 6


@_linux
class MpolMf(enum.IntFlag):
    """mbind(2): what is done with pages that are elsewhere."""

    MPOL_MF_STRICT = 1
    MPOL_MF_MOVE = 2
    MPOL_MF_MOVE_ALL = 4


@_linux
class MpolF(enum.IntFlag):
    """get_mempolicy(2)."""

    MPOL_F_NODE = 1
    MPOL_F_ADDR = 2
    MPOL_F_MEMS_ALLOWED = 4


@_linux
class Mlock(enum.IntFlag):
    """mlock2(2)."""

    MLOCK_ONFAULT = 1


@_linux
class Mcl(enum.IntFlag):
    """mlockall(2)."""

    MCL_CURRENT = 1
    MCL_FUTURE = 2
    MCL_ONFAULT = 4


@_linux
class Ms(enum.IntFlag):
    """msync(2)."""

    MS_ASYNC = 1
    MS_INVALIDATE = 2
    MS_SYNC = 4


@_linux
class OpenFlag(enum.IntFlag):
    """open(2)."""

    O_RDONLY = 0
    O_WRONLY = 0o1
    O_RDWR = 0o2
    O_CREAT = 0o100
    O_EXCL = 0o200
    O_TRUNC = 0o1000
    O_APPEND = 0o2000


@_linux
class CloneFlag(enum.IntFlag):
    """clone(2)."""

    CLONE_VM = 0x100
    CLONE_FS = 0x200
    CLONE_FILES = 0x400
    CLONE_SIGHAND = 0x800
    CLONE_VFORK = 0x4000
    CLONE_PARENT = 0x8000
    CLONE_THREAD = 0x10000


@_linux
class Rlimit(enum.IntEnum):
    """setrlimit(2)."""

    RLIMIT_CPU = 0
    RLIMIT_FSIZE = 1
    RLIMIT_DATA = 2
    RLIMIT_STACK = 3
    RLIMIT_CORE = 4
    RLIMIT_RSS = 5
    RLIMIT_NPROC = 6
    RLIMIT_NOFILE = 7
    RLIMIT_MEMLOCK = 8
    RLIMIT_AS = 9


RLIM_INFINITY = 2**64 - 1
PAGE_SIZE = 4096  # bytes


@_linux
class Sig(enum.IntEnum):
    """signal(7)."""

    SIGHUP = 1
    SIGINT = 2
    SIGQUIT = 3
    SIGILL = 4
    SIGTRAP = 5
    SIGABRT = 6
    SIGBUS = 7
    SIGFPE = 8
    SIGKILL = 9
    SIGUSR1 = 10
    SIGSEGV = 11
    SIGUSR2 = 12
    SIGPIPE = 13
    SIGALRM = 14
    SIGTERM = 15
    SIGSTKFLT = 16
    SIGCHLD = 17
    SIGCONT = 18
    SIGSTOP = 19

    @classmethod
    def _missing_(cls, value):
        return _unlisted(cls, f"SIG{value}", value)


class Errno(enum.IntEnum):
    """errno(3): the errors of the simulated kernel."""

    EPERM = 1
    ENOENT = 2
    ESRCH = 3
    EINTR = 4
    EIO = 5
    ENXIO = 6
    E2BIG = 7
    ENOEXEC = 8
    EBADF = 9
    ECHILD = 10
    EAGAIN = 11
    ENOMEM = 12
    EACCES = 13
    EFAULT = 14
    EBUSY = 16
    EEXIST = 17
    ENODEV = 19
    ENOTDIR = 20
    EISDIR = 21
    EINVAL = 22
    ENFILE = 23
    EMFILE = 24
    ENOTTY = 25
    ETXTBSY = 26
    EFBIG = 27
    ENOSPC = 28
    ESPIPE = 29
    EROFS = 30
    ENOSYS = 38
    EOVERFLOW = 75
    ELIBBAD = 80
    EOPNOTSUPP = 95

    def __str__(self) -> str:
        return self.name

    @classmethod
    def _missing_(cls, value):
        return _unlisted(cls, f"E{value}", value)


def _unlisted(cls, name, value):
    """A member for a number that a newer server may send."""
    if not isinstance(value, int):
        return None
    member = int.__new__(cls, value)
    member._name_ = name
    member._value_ = value
    return member


__all__ = [
    name
    for name, value in list(globals().items())
    if isinstance(value, (enum.IntFlag, enum.IntEnum))
    or (isinstance(value, type) and issubclass(value, enum.Enum))
] + ["RLIM_INFINITY", "PAGE_SIZE"]
