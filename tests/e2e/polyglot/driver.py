"""One driver of a session, in Python: driver.py ADDRESS SESSION NUMBER BASE.

Stores to its page until standard input ends, each time under a request id of
its own, and prints `TAG REVISION DIGEST` for each answer. A server that is gone
is waited for: the same request is sent until it is answered.
"""

import sys
import threading
import time

import faultline
from faultline import v1

address, session_name, number, base = sys.argv[1:]
stopping = threading.Event()


def wait_for_the_end() -> None:
    sys.stdin.read()
    stopping.set()


def store(session: faultline.Session, tag: int) -> faultline.Outcome:
    # With one access the stride says nothing: it is the name of this command.
    access = v1.Access(
        kind=v1.ACCESS_KIND_WRITE,
        addr=int(base),
        count=1,
        stride=tag,
        value=tag % 256,
    )
    while True:
        try:
            return session.call(
                v1.Command(pid=1, access=access),
                request_id=f"driver-{number}-{tag}",
            )
        except (faultline.Unavailable, faultline.DeadlineExceeded):
            time.sleep(0.05)


def main() -> None:
    threading.Thread(target=wait_for_the_end, daemon=True).start()
    session = faultline.Session(
        faultline.connect(address)._connection, session_name, 0
    )
    tag = int(number) << 32
    while not stopping.is_set():
        tag += 1
        outcome = store(session, tag)
        print(tag, outcome.revision, outcome.proto.digest, flush=True)


main()
