"""Faultline: simulated Linux machines behind gRPC.

    import faultline

    client = faultline.connect("localhost:50051")
    lab = client.create_session("lab-1")
    page = lab.mmap(4096).check().value
    print(lab.store(page, 7))  # the outcome, and why the page faulted
    print(lab.read_proc("/proc/1/maps"))
    lab.maps()  # in a notebook, a picture

What the simulated kernel refuses is data: `outcome.errno`, `outcome.signal`.
A call that fails raises a FaultlineError.
"""

import os as _os
import typing as _typing

# Without it a child of fork() cannot use gRPC when its parent did. It counts
# only when nobody has imported grpc before.
_os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "1")

from faultline import v1
from faultline.calls import GFP_KERNEL, commands, make_command
from faultline.client import Client, connect
from faultline.errors import (
    AlreadyExists,
    AttemptGraded,
    AttemptsUsed,
    Cancelled,
    Conflict,
    DataLoss,
    DeadlineExceeded,
    FaultlineError,
    FieldViolation,
    InternalError,
    InvalidArgument,
    LimitReached,
    NotFound,
    NotImplementedByServer,
    OutOfRange,
    PermissionDenied,
    PreconditionFailed,
    RequestIdReused,
    RevisionMismatch,
    SessionNotOpen,
    Unavailable,
)
from faultline.flags import *
from faultline.grade import Grade
from faultline.grading import Attempt, Grading
from faultline.look import Look
from faultline.maps import AddressSpace, Vma
from faultline.outcome import Event, NoProcess, Outcome, Signal, Signalled
from faultline.session import Session
from faultline.watch import Change, Watch

if _typing.TYPE_CHECKING:

    def __getattr__(name: str) -> int:
        """PROT_READ and the like; see faultline.flags."""


__version__ = "0.1.0"
