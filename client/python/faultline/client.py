"""A server, and the sessions on it."""

from collections.abc import Iterator

from faultline import v1
from faultline.connection import DEFAULT_TIMEOUT, Connection
from faultline.diagnosis import DEFAULT_PORT, normalize_address
from faultline.grading import Grading
from faultline.pages import pages
from faultline.session import Session


def connect(
    address: str = f"localhost:{DEFAULT_PORT}",
    *,
    timeout: float = DEFAULT_TIMEOUT,
) -> "Client":
    """A client of the server at `host`, `host:port`, `[::1]:port` or
    `unix:/path`; ValueError for what cannot be an address. Does not wait: the
    first call tells whether there is a server. `timeout` is in seconds, for
    each call that has no timeout of its own."""
    return Client(Connection(normalize_address(address), timeout))


class Client:
    """Thread-safe; can be pickled, and used after fork(). A name of a session
    is "lab-1" or "sessions/lab-1"."""

    def __init__(self, connection: Connection):
        """By connect()."""
        self._connection = connection

    @property
    def address(self) -> str:
        return self._connection.address

    def __repr__(self) -> str:
        return f"<Client of {self.address}>"

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection. A later call opens it again."""
        self._connection.close()

    def create_session(
        self,
        session_id: str = "",
        *,
        display_name: str = "",
        config: v1.MachineConfig | None = None,
    ) -> Session:
        """Boots a machine and starts its history at revision 0. Without an id
        the server chooses one. AlreadyExists: the name is taken."""
        request = v1.CreateSessionRequest(
            session_id=session_id, display_name=display_name, config=config
        )
        made = self._connection.call(
            "SessionService/CreateSession", request
        ).session
        return Session(self._connection, made.name, made.revision)

    def open_session(self, name: str) -> Session:
        """A handle on a session that is there; NotFound if it is not."""
        found = self.get_session(name)
        return Session(self._connection, found.name, found.revision)

    def get_session(self, name: str) -> v1.Session:
        """What the server knows of a session."""
        request = v1.GetSessionRequest(session=session_name(name))
        return self._connection.call(
            "SessionService/GetSession", request
        ).session

    def list_sessions(self) -> Iterator[v1.Session]:
        """All sessions in the order of their names."""
        return pages(
            self._connection,
            "SessionService/ListSessions",
            v1.ListSessionsRequest(),
            "sessions",
        )

    def delete_session(self, name: str, *, missing_ok: bool = False) -> None:
        """Deletes a session with its history, for good."""
        request = v1.DeleteSessionRequest(
            session=session_name(name), allow_missing=missing_ok
        )
        self._connection.call("SessionService/DeleteSession", request)

    @property
    def grading(self) -> Grading:
        """Exercises, attempts and grades."""
        return Grading(self._connection)

    def call(self, rpc: str, request, timeout: float | None = None):
        """Any unary rpc of the contract: "InspectService/ListZones". Repeated
        after UNAVAILABLE where that is harmless."""
        return self._connection.call(rpc, request, timeout)

    def stream(self, rpc: str, request, timeout: float | None = None):
        """Any streaming rpc, once: iterate over the responses. `request` is a
        message, or an iterable of them where the client streams."""
        return self._connection.stream(rpc, request, timeout)


def session_name(id_or_name: str) -> str:
    """ "sessions/lab-1" for both "lab-1" and "sessions/lab-1"."""
    return "sessions/" + id_or_name.removeprefix("sessions/")
