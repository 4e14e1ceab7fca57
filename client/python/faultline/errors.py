"""What a failed call says.

A call that fails raises a FaultlineError; which subclass says what a program
can do about it. What the simulated kernel refuses (ENOMEM, SIGSEGV) is never
here: it is data in an Outcome.

    try:
        lab = client.open_session("lab-1")
    except faultline.NotFound:
        lab = client.create_session("lab-1")
"""

import dataclasses
import importlib.resources
from typing import Any

import grpc
from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf.message import DecodeError
from google.protobuf import message_factory

from faultline import diagnosis

DOMAIN = "faultline.dev"
_DETAILS_KEY = "grpc-status-details-bin"


@dataclasses.dataclass(frozen=True)
class FieldViolation:
    """One field of a request that cannot be used."""

    field: str  # its path, "commands[3].mmap.length"
    description: str  # what is wrong and what would be right


class FaultlineError(Exception):
    """A call failed.

    message      for people: what is wrong and what to do
    code         a grpc.StatusCode
    reason       for programs: "SESSION_NOT_FOUND"; "" when the failure is not
                 the server's answer (it cannot be reached, for example)
    metadata     what belongs to the reason: {"session": "sessions/lab-1"}
    violations   the fields of the request that cannot be used
    retry_delay  seconds after which the server wants to be asked again, or None
    """

    def __init__(
        self,
        message: str,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        reason: str = "",
        metadata: dict[str, str] | None = None,
        violations: tuple[FieldViolation, ...] = (),
        retry_delay: float | None = None,
    ):
        # All of them in `args`, so that an error can be pickled.
        super().__init__(
            message, code, reason, metadata, violations, retry_delay
        )
        self.message = message
        self.code = code
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_delay = retry_delay

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r})"

    def __str__(self) -> str:
        lines = [self.message]
        for violation in self.violations:
            if violation.description not in self.message:
                lines.append(f"  {violation.field}: {violation.description}")
        return "\n".join(lines)


class InvalidArgument(FaultlineError):
    """The request cannot be: see `violations`. The program is wrong."""


class NotFound(FaultlineError):
    """There is no such session, process, page, snapshot, participant, exercise
    or attempt."""


class AlreadyExists(FaultlineError):
    """The name is taken: choose another, or use what is there."""


class Conflict(FaultlineError):
    """Somebody else was quicker, and nothing was done: repeat it."""


class RevisionMismatch(FaultlineError):
    """The session has moved on: read it again and decide again."""


class RequestIdReused(FaultlineError):
    """The request_id was used for another request: take a new one."""


class PreconditionFailed(FaultlineError):
    """Not in the state that things are in; the message says what would help.
    The classes below are the cases that a program can tell apart."""


class SessionNotOpen(PreconditionFailed):
    """The session is closed or has panicked: only its history can be used."""


class AttemptsUsed(PreconditionFailed):
    """The student has had all attempts at the exercise."""


class AttemptGraded(PreconditionFailed):
    """The attempt was graded: nothing can be handed in. Start another one."""


class OutOfRange(FaultlineError):
    """The session has no such revision yet."""


class PermissionDenied(FaultlineError):
    """An observer cannot send commands: join as a driver. Or a secret is not
    that of the exercise."""


class LimitReached(FaultlineError):
    """The server is at a limit: wait, or send less."""


class Unavailable(FaultlineError):
    """The server cannot be reached or is shutting down: try again later.

    A command was repeated under its request_id already, so its outcome is
    unknown only when this is raised."""


class DeadlineExceeded(FaultlineError):
    """No answer in time; a command may or may not have been executed."""


class Cancelled(FaultlineError):
    """The call was cancelled by this program."""


class NotImplementedByServer(FaultlineError):
    """No such call there: not a Faultline server, or an older one."""


class DataLoss(FaultlineError):
    """The stored history fails its checks: Session.verify() tells more."""


class InternalError(FaultlineError):
    """A bug of Faultline; please report it."""


_BY_CODE = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: PreconditionFailed,
    grpc.StatusCode.ABORTED: Conflict,
    grpc.StatusCode.OUT_OF_RANGE: OutOfRange,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.RESOURCE_EXHAUSTED: LimitReached,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.CANCELLED: Cancelled,
    grpc.StatusCode.UNIMPLEMENTED: NotImplementedByServer,
    grpc.StatusCode.DATA_LOSS: DataLoss,
    grpc.StatusCode.INTERNAL: InternalError,
}
_BY_REASON = {
    "REVISION_MISMATCH": RevisionMismatch,
    "REQUEST_ID_REUSED": RequestIdReused,
    "SESSION_CLOSED": SessionNotOpen,
    "SESSION_PANICKED": SessionNotOpen,
    "ATTEMPTS_USED": AttemptsUsed,
    "ATTEMPT_GRADED": AttemptGraded,
}


def from_rpc_error(error: grpc.RpcError, address: str) -> FaultlineError:
    """The FaultlineError for what grpc raised; `address` is where the call
    went, so that a failure to get there is told in plain words."""
    details = None
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY:
            details = parse_details(value)
    if details is None:
        message = diagnosis.diagnose(error.code(), error.details(), address)
        kind = _BY_CODE.get(error.code(), FaultlineError)
        return kind(message, error.code())
    kind = _BY_REASON.get(
        details["reason"], _BY_CODE.get(error.code(), FaultlineError)
    )
    return kind(error.details() or "", error.code(), **details)


def parse_details(data: bytes) -> dict[str, Any] | None:
    """What a Faultline server attached, a google.rpc.Status, as the arguments
    of FaultlineError; None when that is nothing."""
    status = Status()
    try:
        status.ParseFromString(data)
    except DecodeError:
        return None
    if not status.details:
        return None
    found: dict[str, Any] = {
        "reason": "",
        "metadata": {},
        "violations": (),
        "retry_delay": None,
    }
    info, bad_request, retry = ErrorInfo(), BadRequest(), RetryInfo()
    for detail in status.details:
        if detail.Unpack(info) and info.domain == DOMAIN:
            found["reason"] = info.reason
            found["metadata"] = dict(info.metadata)
        elif detail.Unpack(bad_request):
            found["violations"] = tuple(
                FieldViolation(v.field, v.description)
                for v in bad_request.field_violations
            )
        elif detail.Unpack(retry):
            delay = retry.retry_delay
            found["retry_delay"] = delay.seconds + delay.nanos / 1e9
    return found


def _google_rpc(*names: str):
    """Classes of google.rpc, from a pool of our own: another package of the
    program may bring the same messages into the common one."""
    data = importlib.resources.files("faultline").joinpath("google_rpc.binpb")
    files = descriptor_pb2.FileDescriptorSet.FromString(data.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    make = getattr(message_factory, "GetMessageClass", None)
    if make is None:  # protobuf before 4.22
        make = message_factory.MessageFactory(pool).GetPrototype
    return [make(pool.FindMessageTypeByName(f"google.rpc.{n}")) for n in names]


Status, ErrorInfo, BadRequest, RetryInfo = _google_rpc(
    "Status", "ErrorInfo", "BadRequest", "RetryInfo"
)
