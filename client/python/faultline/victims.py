"""A replacement policy in Python: MachineService.ChooseVictims."""

import queue
import threading
from collections.abc import Callable

from faultline import v1
from faultline.connection import Connection

_PATIENCE = 5.0  # seconds, for the server to end it

Choose = Callable[[v1.VictimWanted], int]


class Victims:
    """Answers, on a thread of its own, which page of a process leaves memory.

        with lab.choose_victims(lambda wanted: wanted.frames[0].addr):
            lab.load(page)

    It begins when the object is made and ends with the block. A `choose` that
    raises, or names a page that may not go, ends it too: the accesses then stop
    with Outcome.victim_wanted, and leaving the block raises that error.
    """

    def __init__(
        self, connection: Connection, session: str, pid: int, choose: Choose
    ):
        self._choose = choose
        self._answers: queue.SimpleQueue = queue.SimpleQueue()
        self._answers.put(v1.ChooseVictimsRequest(session=session, pid=pid))
        self._stream = connection.stream(
            "MachineService/ChooseVictims", iter(self._answers.get, None)
        )
        self._error: BaseException | None = None
        # Until then the server does not know of it.
        self._stream.wait_until_open()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Victims":
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends it; raises what ended it before."""
        self._answers.put(None)  # the server ends it then
        self._thread.join(_PATIENCE)
        self._stream.cancel()
        self._thread.join()
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _run(self) -> None:
        try:
            for response in self._stream:
                victim = self._choose(response.wanted)
                self._answers.put(v1.ChooseVictimsRequest(victim=victim))
        except Exception as error:  # the server's, or that of `choose`
            self._error = error
        finally:
            self._answers.put(None)
            self._stream.cancel()
