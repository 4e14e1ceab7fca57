"""Looking into a machine, without changing it and without a trace."""

from faultline import v1
from faultline.connection import LONG_TIMEOUT, Connection
from faultline.flags import Errno
from faultline.maps import AddressSpace, Vma
from faultline.outcome import os_error

_VMA_PAGE = 10_000
# Of a file that is read whole, in bytes: /proc/1/pagemap has 256 GiB.
_WHOLE_MAX = 256 << 20


class Look:
    """The machine of a session, as it is or as it was.

    Session is a Look at the machine as it is; Session.at(5) is one at
    revision 5. Raises NotFound (no such process, page), SessionNotOpen (closed
    or panicked: look at one of its revisions), OutOfRange (no such revision
    yet)."""

    def __init__(
        self, connection: Connection, name: str, at_revision: int | None = None
    ):
        self._connection = connection
        self.name = name  # "sessions/lab-1"
        self.at_revision = at_revision  # None: as it is

    def _ask(self, rpc: str, request):
        request.session = self.name
        timeout = None
        if self.at_revision is not None:
            request.at_revision = self.at_revision
            timeout = LONG_TIMEOUT  # it may take a replay
        return self._connection.call(f"InspectService/{rpc}", request, timeout)

    def read_proc(self, path: str) -> str:
        """A file of the simulated /proc, whole: "/proc/1/maps". OSError as
        open(2) would fail: FileNotFoundError, ProcessLookupError."""
        return self.read_proc_bytes(path).decode("utf-8", "replace")

    def read_proc_bytes(
        self, path: str, offset: int = 0, length: int | None = None
    ) -> bytes:
        """The same as bytes, or a part of it: for /proc/1/pagemap. All of it
        is of one moment; RevisionMismatch when the session moved on between
        two parts of a long one; OSError EFBIG when it has more than 256 MiB
        and no length was given."""
        parts: list[bytes] = []
        size = 0
        request = v1.ReadProcRequest(path=path, offset=offset)
        left = length
        while left is None or left > 0:
            request.length = min(left or 0, 1 << 20)
            response = self._ask("ReadProc", request)
            if response.error:
                raise os_error(Errno(response.error), path)
            parts.append(response.data or response.text.encode())
            size += len(parts[-1])
            if left is None and size > _WHOLE_MAX:
                raise os_error(Errno.EFBIG, path)
            if response.next_offset == 0:
                break
            if left is not None:
                left -= len(parts[-1])
            request.offset = response.next_offset
            if self.at_revision is None:
                request.expected_revision = response.revision
        return b"".join(parts)

    def maps(self, pid: int = 1) -> AddressSpace:
        """The VMAs of a process."""
        request = v1.ListVmasRequest(pid=pid, page_size=_VMA_PAGE)
        vmas: list[Vma] = []
        for part in self._parts("ListVmas", request):
            vmas.extend(map(Vma.from_proto, part.vmas))
        return AddressSpace(self.name, pid, part.revision, vmas)

    def mm(self, *, pid: int = 1) -> v1.MmStruct:
        """The mm_struct of a process: every field that 2.6.32 had."""
        return self._ask("GetMm", v1.GetMmRequest(pid=pid)).mm

    def replacement(self, *, pid: int = 1) -> v1.GetReplacementResponse:
        """The frames and counters of a process that has a replacement policy;
        FailedPrecondition when it has none."""
        return self._ask("GetReplacement", v1.GetReplacementRequest(pid=pid))

    def vma_tree(
        self, *, pid: int = 1
    ) -> tuple[v1.VmaTree, list[v1.VmaNode]]:
        """The red-black tree of VMAs, and its nodes by address."""
        request = v1.GetVmaTreeRequest(pid=pid, page_size=_VMA_PAGE)
        parts = list(self._parts("GetVmaTree", request))
        return parts[0].tree, [node for part in parts for node in part.nodes]

    def chunks(self, *, pid: int = 1) -> tuple[v1.Heap, list[v1.Chunk]]:
        """The heap of a process, and its chunks by address."""
        request = v1.ListChunksRequest(pid=pid, page_size=_VMA_PAGE)
        parts = list(self._parts("ListChunks", request))
        return parts[-1].heap, [c for part in parts for c in part.chunks]

    def page_cache(
        self, file: str | int
    ) -> tuple[v1.AddressSpace, list[v1.CachedPage]]:
        """The page cache of a file, by its name or its inode number, and its
        cached pages in the order of the file."""
        request = v1.GetPageCacheRequest(page_size=_VMA_PAGE)
        if isinstance(file, str):
            request.path = file
        else:
            request.inode = file
        parts = list(self._parts("GetPageCache", request))
        return parts[0].mapping, [p for part in parts for p in part.pages]

    def _parts(self, rpc: str, request):
        while True:
            response = self._ask(rpc, request)
            yield response
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token
            if self.at_revision is None:
                request.expected_revision = response.revision

    def walk(self, address: int, *, pid: int = 1) -> v1.WalkPageTableResponse:
        """Follows an address through the page tables, as the processor does,
        but sets no accessed bit and takes no fault."""
        request = v1.WalkPageTableRequest(pid=pid, address=address)
        return self._ask("WalkPageTable", request)

    def page(self, pfn: int) -> v1.Page:
        """The struct page of a frame."""
        return self._ask("GetPage", v1.GetPageRequest(pfn=pfn)).page

    def zones(self) -> list[v1.Zone]:
        """The zones with their sizes and watermarks, in pages."""
        return list(self._ask("ListZones", v1.ListZonesRequest()).zones)

    def slabs(self) -> list[v1.SlabCache]:
        """The caches of the slab allocator, the newest first."""
        request = v1.ListSlabsRequest(page_size=_VMA_PAGE)
        parts = self._parts("ListSlabs", request)
        return [cache for part in parts for cache in part.caches]

    def free_areas(self) -> dict[str, list[int]]:
        """Free blocks by zone; entry n counts those of 2**n pages."""
        response = self._ask("GetFreeAreas", v1.GetFreeAreasRequest())
        return {areas.zone: list(areas.blocks) for areas in response.zones}

    def lru(self, name: str = "") -> tuple[v1.GetLruResponse, list[v1.LruPage]]:
        """The LRU lists, and pages of the one of that name, for example
        "inactive_anon", from its tail on."""
        parts = list(self._parts("GetLru", v1.GetLruRequest(lru=name)))
        return parts[0], [page for part in parts for page in part.pages]

    def swaps(self) -> list[v1.SwapArea]:
        """The swap areas, as /proc/swaps has them."""
        return list(self._ask("ListSwaps", v1.ListSwapsRequest()).areas)

    def verify_machine(self) -> str:
        """Checks every invariant; the first that does not hold, or ""."""
        request = v1.VerifyMachineRequest()
        return self._ask("VerifyMachine", request).problem
