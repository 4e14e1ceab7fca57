"""A connection to a server: the channel, and how a call is made.

One process, one channel: a channel that was opened before fork() or by
multiprocessing is left to the parent, the child opens its own.
"""

import functools
import os
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator

import grpc
from google.protobuf import descriptor
from google.protobuf import descriptor_pb2
from google.protobuf import message

from faultline import diagnosis
from faultline import errors
from faultline import v1

DEFAULT_TIMEOUT = 30.0  # seconds, of a call that has no timeout of its own
LONG_TIMEOUT = 2 * 3600.0  # for calls whose work grows with a history, grades
ATTEMPTS_MAX = 4  # of a call that may be repeated
FIRST_BACKOFF = (
    0.1  # seconds before the second attempt; doubles, within a fifth
)
BACKOFF_MAX = 1.0
_RECEIVE_BYTES_MAX = 8 << 20  # twice what a server sends

_NO_SIDE_EFFECTS = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
_IDEMPOTENT = descriptor_pb2.MethodOptions.IDEMPOTENT


def new_request_id() -> str:
    """One that no other call has, whichever process makes it."""
    return uuid.uuid4().hex


@functools.cache
def find_method(name: str) -> descriptor.MethodDescriptor:
    """`MachineService/Mmap`, also with `faultline.v1.` before it."""
    service_name, _, method_name = name.rpartition("/")
    service_name = service_name.removeprefix("faultline.v1.")
    for module in (
        v1.session_pb2,
        v1.machine_pb2,
        v1.inspect_pb2,
        v1.history_pb2,
        v1.grading_pb2,
    ):
        service = module.DESCRIPTOR.services_by_name.get(service_name)
        if service and method_name in service.methods_by_name:
            return service.methods_by_name[method_name]
    raise ValueError(f"the contract has no rpc '{name}'")


def _streams(method: descriptor.MethodDescriptor) -> tuple[bool, bool]:
    """Whether the client streams, whether the server does."""
    proto = descriptor_pb2.MethodDescriptorProto()
    method.CopyToProto(proto)
    return proto.client_streaming, proto.server_streaming


def is_streaming(method: descriptor.MethodDescriptor) -> bool:
    """Whether either side sends more than one message."""
    return any(_streams(method))


def may_repeat(
    method: descriptor.MethodDescriptor, request: message.Message
) -> bool:
    """Whether a call may be made again after UNAVAILABLE: it changes nothing,
    or the server knows it by its request_id, or twice is the same as once."""
    level = method.GetOptions().idempotency_level
    fields = request.DESCRIPTOR.fields_by_name
    if level == _IDEMPOTENT:
        # A second DeleteSession finds nothing left to delete.
        return "allow_missing" not in fields or request.allow_missing
    if level == _NO_SIDE_EFFECTS:
        return True
    if "options" in fields:
        return bool(request.options.request_id)
    return "request_id" in fields and bool(request.request_id)


def backoff(attempt: int, error: errors.FaultlineError) -> float:
    """Seconds to wait after a failed attempt (the first is 0): doubled from
    one to the next, and not less than the server asks for."""
    wait = min(FIRST_BACKOFF * 2**attempt, BACKOFF_MAX)
    return max(wait * random.uniform(0.8, 1.2), error.retry_delay or 0)


class Connection:
    """Thread-safe; can be pickled, and used after fork()."""

    def __init__(self, address: str, timeout: float = DEFAULT_TIMEOUT):
        """`address` is normalized; see diagnosis. Does not wait for the
        server. `timeout` is in seconds, for calls that have none."""
        self.address = address
        self.timeout = timeout
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._pid = 0  # of the process that the channel belongs to
        self._rpcs: dict[str, Callable] = {}  # of the channel, by name

    def __getstate__(self):
        return (self.address, self.timeout)

    def __setstate__(self, state):
        self.__init__(*state)

    def close(self) -> None:
        """Ends the connection; a later call opens it again."""
        with self._lock:
            channel, self._channel = self._channel, None
            self._rpcs = {}
            if channel is not None and self._pid == os.getpid():
                channel.close()

    def call(
        self,
        name: str,
        request: message.Message,
        timeout: float | None = None,
    ) -> message.Message:
        """A unary rpc, until it succeeds, fails with something other than
        UNAVAILABLE, or has used its attempts or its time."""
        method = find_method(name)
        rpc = self._rpc(name)
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        for attempt in range(ATTEMPTS_MAX):
            try:
                return rpc(request, timeout=end - time.monotonic())
            except grpc.RpcError as error:
                failure = errors.from_rpc_error(error, self.address)
            if (
                not isinstance(failure, errors.Unavailable)
                or not may_repeat(method, request)
                or attempt + 1 == ATTEMPTS_MAX
            ):
                break
            wait = backoff(attempt, failure)
            if time.monotonic() + wait >= end:
                break
            time.sleep(wait)
        raise failure

    def stream(
        self,
        name: str,
        request: message.Message | Iterable[message.Message],
        timeout: float | None = None,
    ) -> "Stream":
        """A streaming rpc, once. Without a timeout it may last for ever."""
        rpc = self._rpc(name)
        return Stream(rpc(request, timeout=timeout), self.address)

    def _rpc(self, name: str) -> Callable:
        with self._lock:
            if self._channel is None or self._pid != os.getpid():
                self._channel = _make_channel(self.address)
                self._pid = os.getpid()
                self._rpcs = {}
            if name not in self._rpcs:
                self._rpcs[name] = _make_rpc(self._channel, find_method(name))
            return self._rpcs[name]


class Stream:
    """The responses of a streaming rpc; failures are FaultlineErrors."""

    def __init__(self, call, address: str):
        self._call = call
        self._address = address

    def __iter__(self) -> Iterator[message.Message]:
        try:
            yield from self._call
        except grpc.RpcError as error:
            raise errors.from_rpc_error(error, self._address) from None

    def wait_until_open(self) -> None:
        """Until the server has accepted it, or refused it."""
        try:
            self._call.initial_metadata()
            if self._call.done() and self._call.code() != grpc.StatusCode.OK:
                raise self._call
        except grpc.RpcError as error:
            raise errors.from_rpc_error(error, self._address) from None

    def cancel(self) -> None:
        """Ends it; from any thread."""
        self._call.cancel()


def _make_rpc(
    channel: grpc.Channel, method: descriptor.MethodDescriptor
) -> Callable:
    shape = "_".join(
        "stream" if streams else "unary" for streams in _streams(method)
    )
    response_class = getattr(v1, method.output_type.name)
    return getattr(channel, shape)(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=response_class.FromString,
    )


def _make_channel(address: str) -> grpc.Channel:
    options = [
        # A dead peer is noticed within this, also while no call is in flight.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        ("grpc.max_receive_message_length", _RECEIVE_BYTES_MAX),
        # A connection of its own: one client's trouble is not another's.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.primary_user_agent", "faultline-python"),
    ]
    if diagnosis.is_loopback(address):
        options.append(("grpc.enable_http_proxy", 0))
    return grpc.insecure_channel(address, options)
