"""What the simulated kernel did: results, errnos and signals as data."""

import dataclasses
import functools
import os

from google.protobuf import message

from faultline import v1
from faultline.flags import Errno, Sig

_ADDRESS_MIN = 0x10000  # a value from here on is shown as an address


@dataclasses.dataclass(frozen=True)
class Signal:
    """A signal that the operation raised in its process."""

    signal: Sig
    code: int  # si_code: SEGV_MAPERR 1, SEGV_ACCERR 2, BUS_ADRERR 2 …
    addr: int  # si_addr

    def __str__(self) -> str:
        return f"{self.signal.name} at {self.addr:#x}"


class Signalled(Exception):
    """Raised by Outcome.check() for a signal; `signal` is the Signal."""

    def __init__(self, signal: Signal):
        super().__init__(signal)
        self.signal = signal


class NoProcess(Exception):
    """Raised by Outcome.check() when there is no such process."""


@dataclasses.dataclass(frozen=True)
class Event:
    """One thing that the simulated kernel did.

    str(event) is it in one plain English sentence."""

    pid: int  # for which process or thread; 0: none
    text: str
    kind: str  # "fault_resolved"; "" for one that this client does not know
    body: message.Message | None  # v1.FaultResolved, for example

    def __str__(self) -> str:
        return self.text

    @classmethod
    def from_proto(cls, proto: v1.Event) -> "Event":
        kind = proto.WhichOneof("body") or ""
        body = getattr(proto, kind) if kind else None
        return cls(proto.pid, proto.text, kind, body)


class Outcome:
    """The answer to one command.

    proto     the v1.Outcome itself
    revision  the session's revision after the command
    """

    def __init__(self, proto: v1.Outcome, revision: int):
        self.proto = proto
        self.revision = revision

    def __eq__(self, other) -> bool:
        if not isinstance(other, Outcome):
            return NotImplemented
        return (self.proto, self.revision) == (other.proto, other.revision)

    @property
    def value(self) -> int:
        """The call's return value; with an error the negative errno. Of an
        access: the byte that was read last."""
        return self.proto.value

    @property
    def errno(self) -> Errno | None:
        """The simulated kernel's error, or None."""
        return Errno(self.proto.error) if self.proto.error else None

    @property
    def signal(self) -> Signal | None:
        """The signal that the operation raised, or None."""
        if not self.proto.HasField("signal"):
            return None
        raised = self.proto.signal
        return Signal(Sig(raised.signal), raised.code, raised.addr)

    @property
    def ok(self) -> bool:
        """Neither an error nor a signal, and there was such a process."""
        proto = self.proto
        return not (proto.error or proto.no_process or proto.HasField("signal"))

    @property
    def exited(self) -> bool:
        """The operation ended the process."""
        return self.proto.exited

    @property
    def no_process(self) -> bool:
        """There is no such process, or it has ended; nothing was done."""
        return self.proto.no_process

    @property
    def min_flt(self) -> int:
        """Faults without I/O."""
        return self.proto.min_flt

    @property
    def maj_flt(self) -> int:
        """Faults that waited for a block device."""
        return self.proto.maj_flt

    @property
    def accesses(self) -> int:
        """Of an access: bytes loaded or stored before the end or the signal."""
        return self.proto.accesses

    @property
    def cost_ns(self) -> int:
        """What it cost, in simulated nanoseconds."""
        return self.proto.cost_ns

    @property
    def data(self) -> bytes:
        """The bytes of read, mincore and wait."""
        return self.proto.data

    @functools.cached_property
    def events(self) -> tuple[Event, ...]:
        """What happened, in order; as much as the event level asks for."""
        return tuple(Event.from_proto(event) for event in self.proto.events)

    def check(self) -> "Outcome":
        """Itself when all went well; else raises OSError (or the subclass that
        Python has for the errno), Signalled or NoProcess."""
        if self.proto.no_process:
            raise NoProcess("there is no such process, or it has ended")
        if self.signal is not None:
            raise Signalled(self.signal)
        if self.errno is not None:
            raise os_error(self.errno)
        return self

    def __repr__(self) -> str:
        return f"<Outcome {self._summary()}>"

    def __str__(self) -> str:
        return "\n".join([self._summary(), *map(str, self.events)])

    def _summary(self) -> str:
        value = self.value
        if self.errno is not None:
            words = [self.errno.name]
        elif self.no_process:
            words = ["no such process"]
        elif value >= _ADDRESS_MIN:
            words = [hex(value)]
        else:
            words = [str(value)]
        if self.signal is not None:
            words.append(str(self.signal))
        if self.exited:
            words.append("exited")
        for count, kind in ((self.min_flt, "minor"), (self.maj_flt, "major")):
            if count:
                words.append(f"{count} {kind} fault" + "s" * (count > 1))
        return ", ".join(words)


def os_error(error: Errno, *path: str) -> OSError:
    """As Python raises it for a real system call."""
    text = os.strerror(error)
    return OSError(int(error), text, *path)
