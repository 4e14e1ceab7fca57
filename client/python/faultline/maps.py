"""The VMAs of a process, shown as text and, in a notebook, as a picture."""

import dataclasses
import html
from collections.abc import Iterable, Sequence

from faultline import v1

# A colour for what a mapping may do, and one for each that has a name of its
# own; readable for the colour-blind.
_COLOURS = {
    "[heap]": "#009e73",
    "[stack]": "#cc79a7",
    "r": "#56b4e9",
    "rw": "#e69f00",
    "rx": "#0072b2",
    "rwx": "#d55e00",
}
_NO_COLOUR = "#999999"
_BAR_SHARE_MIN = 0.5  # of a VMA in the picture, so that a page can be seen


@dataclasses.dataclass(frozen=True)
class Vma:
    """A struct vm_area_struct."""

    start: int  # first byte
    end: int  # the byte after the last
    permissions: str  # as /proc/PID/maps shows them: "rw-p"
    name: str  # the file, "[heap]", "[stack]", "[anon:…]" or ""
    flags: int  # VM_*
    offset: int  # of the first byte in its file
    inode: int  # of the mapped file; 0: none

    @property
    def size(self) -> int:
        """In bytes."""
        return self.end - self.start

    def __contains__(self, addr: int) -> bool:
        return self.start <= addr < self.end

    def __str__(self) -> str:
        line = (
            f"{self.start:012x}-{self.end:012x} {self.permissions} "
            f"{size_text(self.size):>10}  {self.name}"
        )
        return line.rstrip()

    @classmethod
    def from_proto(cls, proto: v1.Vma) -> "Vma":
        return cls(
            proto.start,
            proto.end,
            proto.permissions,
            proto.name,
            proto.flags,
            proto.offset,
            proto.inode,
        )


class AddressSpace(Sequence[Vma]):
    """The VMAs of one process at one revision, in the order of addresses.

    print() shows a line each; a notebook shows a picture and a table."""

    def __init__(
        self, session: str, pid: int, revision: int, vmas: Iterable[Vma]
    ):
        self.session = session  # "sessions/lab-1"
        self.pid = pid
        self.revision = revision
        self._vmas = tuple(vmas)

    def __len__(self) -> int:
        return len(self._vmas)

    def __getitem__(self, index):
        return self._vmas[index]

    @property
    def size(self) -> int:
        """Of all, in bytes: VmSize."""
        return sum(vma.size for vma in self._vmas)

    def find(self, addr: int) -> Vma | None:
        """The one that has this address, or None."""
        return next((vma for vma in self._vmas if addr in vma), None)

    def _title(self) -> str:
        return (
            f"process {self.pid} of {self.session} at revision "
            f"{self.revision}: {size_text(self.size)} in {len(self)} VMAs"
        )

    def __repr__(self) -> str:
        return "\n".join([self._title(), *(f"  {vma}" for vma in self._vmas)])

    def _repr_html_(self) -> str:
        return (
            f"<div><div>{html.escape(self._title())}</div>"
            f"{self._bar()}{self._table()}</div>"
        )

    def _bar(self) -> str:
        """Low addresses left. Widths are logarithms, for a stack and a page
        are not seen beside each other; a gap has one width."""
        cells = []
        end = None
        for vma in self._vmas:
            if end is not None and vma.start > end:
                gap = html.escape(f"{size_text(vma.start - end)} unmapped")
                cells.append(f'<div title="{gap}" style="width:1.5em"></div>')
            end = vma.end
            share = max(_BAR_SHARE_MIN, (vma.size // 4096).bit_length())
            cells.append(
                f'<div title="{html.escape(str(vma), quote=True)}" style="'
                f"flex:{share};background:{_colour(vma)};"
                'border:1px solid #fff"></div>'
            )
        return (
            '<div style="display:flex;height:1.6em;margin:.4em 0;'
            f'max-width:60em">{"".join(cells)}</div>'
        )

    def _table(self) -> str:
        rows = []
        for vma in self._vmas:
            cells = (
                f"{vma.start:012x}",
                f"{vma.end:012x}",
                vma.permissions,
                size_text(vma.size),
                vma.name,
            )
            texts = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
            rows.append(
                f'<tr><td style="background:{_colour(vma)}"></td>{texts}</tr>'
            )
        heads = ("", "start", "end", "perms", "size", "name")
        head = "".join(f"<th>{text}</th>" for text in heads)
        return (
            '<table style="font-family:monospace"><thead><tr>'
            f'{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
        )


def size_text(size: int) -> str:
    """Bytes as people say them: "132 KiB", "1.5 GiB"."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.4g} {unit}"
        amount /= 1024
    return f"{amount:.4g} TiB"


def _colour(vma: Vma) -> str:
    if vma.name in _COLOURS:
        return _COLOURS[vma.name]
    may = "".join(c for c in vma.permissions[:3] if c != "-")
    return _COLOURS.get(may, _NO_COLOUR)
