"""Watching a session: what its commands did, past and future."""

import dataclasses
import datetime
import threading
import time
from collections.abc import Iterator

from faultline import v1
from faultline.connection import Connection, Stream, backoff
from faultline.errors import Cancelled, Unavailable
from faultline.outcome import Event, Outcome

PATIENCE = 60.0  # seconds without a server after which a watch gives up


@dataclasses.dataclass(frozen=True)
class Change:
    """What one command did."""

    revision: int  # the session's, after the command
    events: tuple[Event, ...]
    # With include_commands:
    command: v1.Command | None
    outcome: Outcome | None  # None as well when it broke the simulator
    sender: str  # a participant's name, or the address that it came from
    time: datetime.datetime | None  # when it was recorded; UTC

    @classmethod
    def from_proto(cls, proto: v1.Change) -> "Change":
        def has(field: str) -> bool:
            return proto.HasField(field)

        return cls(
            proto.revision,
            tuple(Event.from_proto(event) for event in proto.events),
            proto.command if has("command") else None,
            Outcome(proto.outcome, proto.revision) if has("outcome") else None,
            proto.sender,
            proto.time.ToDatetime(datetime.timezone.utc)
            if has("time")
            else None,
        )


class Watch:
    """The changes of a session, an iterator without an end of its own.

        with lab.watch() as changes:
            for change in changes:
                print(change.revision, *change.events)

    When the connection is cut or the server restarts, the watch goes on where
    it was: each change comes once. It ends after end_revision, when the session
    is closed or has panicked, and when cancel() is called; it raises NotFound
    when the session is deleted and Unavailable after PATIENCE seconds without a
    server.

    revision   all that was asked for up to here has been given out
    """

    def __init__(
        self,
        connection: Connection,
        request: v1.WatchEventsRequest,
        patience: float = PATIENCE,
    ):
        """`request` has its start_revision."""
        self._connection = connection
        self._request = request
        self._patience = patience
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._stream: Stream | None = None
        self.revision = request.start_revision - 1
        self._changes = self._run()

    def __iter__(self) -> "Watch":
        return self

    def __next__(self) -> Change:
        return next(self._changes)

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_) -> None:
        self.cancel()

    def cancel(self) -> None:
        """Ends it, from any thread: the iteration stops."""
        self._cancelled.set()
        with self._lock:
            if self._stream is not None:
                self._stream.cancel()

    def _run(self) -> Iterator[Change]:
        failures = 0
        last_heard = time.monotonic()
        while not self._cancelled.is_set():
            try:
                for response in self._open():
                    failures, last_heard = 0, time.monotonic()
                    for change in response.changes:
                        self.revision = change.revision
                        yield Change.from_proto(change)
                        if self._cancelled.is_set():
                            return
                    self.revision = response.revision
                return
            except Cancelled:
                if self._cancelled.is_set():
                    return
                raise
            except Unavailable as error:
                if time.monotonic() - last_heard > self._patience:
                    raise
                self._cancelled.wait(backoff(failures, error))
                failures += 1

    def _open(self) -> Stream:
        self._request.start_revision = self.revision + 1
        stream = self._connection.stream(
            "HistoryService/WatchEvents", self._request
        )
        with self._lock:
            self._stream = stream
            if self._cancelled.is_set():
                stream.cancel()
        return stream
