"""Many commands, fast: MachineService.Run, a stream of batches."""

import queue
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from faultline import errors
from faultline import v1
from faultline.connection import (
    ATTEMPTS_MAX,
    Connection,
    backoff,
    new_request_id,
)
from faultline.outcome import Outcome

BATCH_MAX = 4096  # commands; the server takes no more
WINDOW = 8  # batches sent and not yet answered; the server reads no further


def run(
    connection: Connection,
    session: str,
    commands: Iterable[v1.Command],
    options: v1.CallOptions,
    batch_size: int,
    packed: bool,
) -> Iterator[Outcome]:
    """See Session.run. `options` has no request_id; its expected_revision is
    that of the first command."""
    batches = _batches(session, commands, options, batch_size, packed)
    unanswered: deque[v1.RunRequest] = deque()
    failures = 0
    more = True
    while more or unanswered:
        exchange = _Exchange(connection, unanswered)
        try:
            while more or unanswered:
                while more and len(unanswered) < WINDOW:
                    batch = next(batches, None)
                    if batch is None:
                        more = False
                    else:
                        unanswered.append(batch)
                        exchange.send(batch)
                if not unanswered:
                    break
                outcomes = exchange.receive()
                unanswered.popleft()
                failures = 0
                yield from outcomes
        except errors.Unavailable as error:
            # What was not answered is sent again, under the same request_ids.
            failures += 1
            if failures == ATTEMPTS_MAX:
                raise
            time.sleep(backoff(failures - 1, error))
        finally:
            exchange.close()


def _batches(session, commands, options, batch_size, packed):
    commands = iter(commands)
    while True:
        request = v1.RunRequest(session=session, options=options, packed=packed)
        request.options.request_id = new_request_id()
        for command in commands:
            request.commands.append(command)
            if len(request.commands) == batch_size:
                break
        if not request.commands:
            return
        yield request
        options.ClearField("expected_revision")


class _Exchange:
    """One stream. Requests that wait for an answer are sent first."""

    def __init__(
        self, connection: Connection, unanswered: Iterable[v1.RunRequest]
    ):
        self._requests: queue.SimpleQueue = queue.SimpleQueue()
        for request in unanswered:
            self.send(request)
        self._stream = connection.stream(
            "MachineService/Run", iter(self._requests.get, None)
        )
        self._responses = iter(self._stream)

    def send(self, request: v1.RunRequest) -> None:
        self._requests.put(request)

    def receive(self) -> list[Outcome]:
        """The whole answer to the oldest batch."""
        outcomes: list[Outcome] = []
        for response in self._responses:
            outcomes.extend(_outcomes(response))
            if response.last:
                return outcomes
        raise errors.InternalError(
            "the server ended the stream before it answered every batch"
        )

    def close(self) -> None:
        self._requests.put(None)
        self._stream.cancel()


def _outcomes(response: v1.RunResponse) -> Iterator[Outcome]:
    packed = response.packed
    count = len(response.outcomes) or packed.count
    first = response.revision - count + 1
    for i, outcome in enumerate(response.outcomes):
        yield Outcome(outcome, first + i)
    columns = _columns(packed)
    for i in range(packed.count):
        if i in packed.whole:
            yield Outcome(packed.whole[i], first + i)
        else:
            plain: dict[str, Any] = {
                name: column[i] for name, column in columns
            }
            yield Outcome(v1.Outcome(**plain), first + i)


def _columns(packed: v1.PackedOutcomes) -> list[tuple[str, list[int]]]:
    """The columns that are not empty; they have the names of the fields of an
    Outcome."""
    return [
        (field.name, list(column))
        for field, column in packed.ListFields()
        if field.name not in ("count", "whole")
    ]
