"""A handle on one session: its commands, its machine, its history."""

import copy
from collections.abc import Callable, Iterable, Iterator

from faultline import v1
from faultline.calls import Calls, make_command
from faultline.connection import LONG_TIMEOUT, Connection, new_request_id
from faultline.errors import InternalError
from faultline.look import Look
from faultline.outcome import Outcome
from faultline.pages import pages
from faultline.run import BATCH_MAX, run
from faultline.victims import Choose, Victims
from faultline.watch import PATIENCE, Watch

Progress = Callable[[int, int], None]  # commands done, commands in all


class Session(Calls[Outcome], Look):
    """One session as one client sees it.

    A method of Calls executes a command and gives its Outcome; a method of Look
    shows the machine. Any number of clients, threads and processes may work in
    one session; one handle is for one thread.

    revision  after the last command of this handle

    A command is repeated when the server cannot be reached for a moment, under
    a request_id of its own, so it is never executed twice.
    """

    def __init__(self, connection: Connection, name: str, revision: int):
        """By Client.create_session and Client.open_session."""
        super().__init__(connection, name)
        self.revision = revision
        self.participant: str = ""
        self.event_level: "v1.EventLevel" = v1.EVENT_LEVEL_FAULTS
        self.timeout: float | None = None

    def __repr__(self) -> str:
        return (
            f"<Session {self.name} at revision {self.revision}, "
            f"{self._connection.address}>"
        )

    def with_settings(
        self,
        *,
        event_level: "v1.EventLevel | None" = None,
        timeout: float | None = None,
    ) -> "Session":
        """The same session with other settings: how much an Outcome tells
        (v1.EVENT_LEVEL_*), and how many seconds a command may take."""
        other = copy.copy(self)
        if event_level is not None:
            other.event_level = event_level
        if timeout is not None:
            other.timeout = timeout
        return other

    # --- Commands.

    def call(
        self,
        command: v1.Command | str,
        pid: int = 1,
        /,
        *,
        expected_revision: int | None = None,
        request_id: str = "",
        **arguments,
    ) -> Outcome:
        """Any command, as a message or by name: call("mmap", 1, length=4096).

        With expected_revision it is executed only if the session is at this
        revision; else RevisionMismatch. With a request_id of yours (1 to 64
        printable characters) it can be repeated after any failure, also by
        another process: the first outcome is returned again, without events;
        RequestIdReused if it was another command's."""
        if isinstance(command, str):
            command = make_command(command, pid, **arguments)
        elif arguments:
            raise TypeError("a message takes no further arguments")
        op = command.WhichOneof("op")
        if op is None:
            raise ValueError("the command has no operation")
        arguments_of_op = getattr(command, op)
        rpc = type(arguments_of_op).DESCRIPTOR.name
        request = getattr(v1, f"{rpc}Request")(
            session=self.name,
            options=self._options(expected_revision, request_id),
            pid=command.pid,
            **{op: arguments_of_op},
        )
        response = self._connection.call(
            f"MachineService/{rpc}", request, self.timeout
        )
        self.revision = response.revision
        return Outcome(response.outcome, response.revision)

    def _do(self, command: v1.Command) -> Outcome:
        return self.call(command)

    def _options(self, expected_revision, request_id) -> v1.CallOptions:
        return v1.CallOptions(
            request_id=request_id or new_request_id(),
            expected_revision=expected_revision,
            event_level=self.event_level,
            participant=self.participant,
        )

    def run(
        self,
        commands: Iterable[v1.Command],
        *,
        batch_size: int = BATCH_MAX,
        packed: bool = False,
        expected_revision: int | None = None,
    ) -> Iterator[Outcome]:
        """Many commands in batches over one stream; gives their outcomes in
        order, while further batches are on their way.

            from faultline import commands as c
            for outcome in lab.run(c.store(a + i * 4096, 1) for i in range(n)):
                ...

        Nothing is sent before the first outcome is asked for; whoever stops
        before the last does not know which of the rest were executed. `packed`
        makes the answers of plain commands smaller (they have no digest and no
        events). A batch with an impossible command is refused as a whole and
        ends the stream: the error's metadata has its "batch"."""
        if not 1 <= batch_size <= BATCH_MAX:
            raise ValueError(f"batch_size must be 1 to {BATCH_MAX}")
        options = self._options(expected_revision, "")
        for outcome in run(
            self._connection, self.name, commands, options, batch_size, packed
        ):
            self.revision = outcome.revision
            yield outcome

    # --- Looking, and watching.

    def choose_victims(self, choose: Choose, *, pid: int = 1) -> Victims:
        """Makes a function the replacement policy of a process that has
        REPLACEMENT_POLICY_CLIENT: it is told what is in memory and names the
        page that leaves. AlreadyExists: another client is."""
        return Victims(self._connection, self.name, pid, choose)

    def at(self, revision: int) -> Look:
        """The machine as it was at a revision; also of a closed session."""
        return Look(self._connection, self.name, revision)

    def watch(
        self,
        start_revision: int | None = None,
        end_revision: int | None = None,
        *,
        pids: Iterable[int] = (),
        kinds: Iterable[str] = (),
        event_level: "v1.EventLevel" = v1.EVENT_LEVEL_FAULTS,
        include_commands: bool = False,
        patience: float = PATIENCE,
    ) -> Watch:
        """What commands do, from a revision on: 1 is the first command, None
        the next one. `pids` and `kinds` (such as "fault_resolved") leave out
        the events of others; include_commands gives each Change its command,
        outcome, sender and time. `patience`: seconds to wait for a server that
        is gone."""
        if start_revision is None:
            start_revision = self.describe().revision + 1
        request = v1.WatchEventsRequest(
            session=self.name,
            start_revision=start_revision,
            end_revision=end_revision,
            pids=pids,
            kinds=kinds,
            event_level=event_level,
            include_commands=include_commands,
        )
        return Watch(self._connection, request, patience)

    # --- The session itself, and who is in it.

    def describe(self) -> v1.Session:
        """Its configuration, state, revision and times."""
        request = v1.GetSessionRequest(session=self.name)
        return self._connection.call(
            "SessionService/GetSession", request
        ).session

    def close_session(self) -> v1.Session:
        """Ends the machine; the history stays. Twice is the same as once."""
        request = v1.CloseSessionRequest(session=self.name)
        return self._connection.call(
            "SessionService/CloseSession", request
        ).session

    def delete_session(self, *, missing_ok: bool = False) -> None:
        """Deletes the session with its history, for good."""
        request = v1.DeleteSessionRequest(
            session=self.name, allow_missing=missing_ok
        )
        self._connection.call("SessionService/DeleteSession", request)

    def join(
        self,
        participant_id: str = "",
        *,
        role: "v1.Role" = v1.ROLE_DRIVER,
        display_name: str = "",
    ) -> "Session":
        """Enters the session under a name: gives a handle whose commands are
        recorded with it (its `participant`). A v1.ROLE_OBSERVER may only look
        and watch. AlreadyExists: somebody has or had that name."""
        request = v1.JoinSessionRequest(
            session=self.name,
            participant_id=participant_id,
            role=role,
            display_name=display_name,
        )
        response = self._connection.call("SessionService/JoinSession", request)
        return self.as_participant(response.participant.name)

    def as_participant(self, name: str) -> "Session":
        """A handle for a participant that has joined before: "ada", or its
        whole name."""
        other = copy.copy(self)
        prefix = f"{self.name}/participants/"
        other.participant = prefix + name.removeprefix(prefix)
        return other

    def leave(self) -> v1.Participant:
        """The participant of this handle leaves; what it sends from now on is
        refused."""
        if not self.participant:
            raise ValueError("this handle has not joined the session")
        request = v1.LeaveSessionRequest(participant=self.participant)
        return self._connection.call(
            "SessionService/LeaveSession", request
        ).participant

    def participants(
        self, *, include_left: bool = False
    ) -> Iterator[v1.Participant]:
        """Who is in the session, in the order of their names."""
        request = v1.ListParticipantsRequest(
            session=self.name, include_left=include_left
        )
        return pages(
            self._connection,
            "SessionService/ListParticipants",
            request,
            "participants",
        )

    # --- Snapshots. A name is the last part of it or all of it.

    def create_snapshot(
        self,
        snapshot_id: str = "",
        *,
        display_name: str = "",
        revision: int | None = None,
    ) -> v1.Snapshot:
        """Keeps the machine, as it is or as it was at a revision, under a
        name; the server chooses one when there is none."""
        request = v1.CreateSnapshotRequest(
            session=self.name,
            snapshot_id=snapshot_id,
            display_name=display_name,
            revision=revision,
        )
        timeout = None if revision is None else LONG_TIMEOUT  # for a replay
        return self._connection.call(
            "HistoryService/CreateSnapshot", request, timeout
        ).snapshot

    def snapshot(self, name: str) -> v1.Snapshot:
        """What is known of a snapshot."""
        request = v1.GetSnapshotRequest(snapshot=self._snapshot_name(name))
        return self._connection.call(
            "HistoryService/GetSnapshot", request
        ).snapshot

    def snapshots(self) -> Iterator[v1.Snapshot]:
        """All of them, also the server's own, in the order of revisions."""
        return pages(
            self._connection,
            "HistoryService/ListSnapshots",
            v1.ListSnapshotsRequest(session=self.name),
            "snapshots",
        )

    def delete_snapshot(self, name: str, *, missing_ok: bool = False) -> None:
        """Deletes one; sessions that were restored from it stay."""
        request = v1.DeleteSnapshotRequest(
            snapshot=self._snapshot_name(name), allow_missing=missing_ok
        )
        self._connection.call("HistoryService/DeleteSnapshot", request)

    def restore_snapshot(
        self, name: str, session_id: str = "", *, display_name: str = ""
    ) -> "Session":
        """A new session whose machine is that of the snapshot, at revision
        0."""
        request = v1.RestoreSnapshotRequest(
            snapshot=self._snapshot_name(name),
            session_id=session_id,
            display_name=display_name,
        )
        made = self._connection.call(
            "HistoryService/RestoreSnapshot", request
        ).session
        return Session(self._connection, made.name, made.revision)

    def _snapshot_name(self, name: str) -> str:
        if name.startswith("sessions/"):
            return name
        return f"{self.name}/snapshots/{name}"

    # --- History.

    def history(self, start_revision: int = 1) -> Iterator[v1.JournalEntry]:
        """The recorded commands, from a revision on."""
        return pages(
            self._connection,
            "HistoryService/ListCommands",
            v1.ListCommandsRequest(
                session=self.name, start_revision=start_revision
            ),
            "entries",
        )

    def fingerprint(
        self, revision: int | None = None
    ) -> v1.GetFingerprintResponse:
        """A hash of the machine's whole state, and one of each part of it; of
        a former revision that takes a replay."""
        request = v1.GetFingerprintRequest(session=self.name, revision=revision)
        return self._connection.call(
            "HistoryService/GetFingerprint", request, LONG_TIMEOUT
        )

    def replay(
        self, to_revision: int = 0, progress: Progress | None = None
    ) -> v1.ReplayReport:
        """Executes the recorded commands (0: all) on a fresh machine on the
        server and compares. A divergence is in the report, not an error."""
        request = v1.ReplayRequest(session=self.name, to_revision=to_revision)
        return self._report("HistoryService/Replay", request, progress)

    def verify(self, progress: Progress | None = None) -> v1.VerifyReport:
        """Checks the journal, the replay and the machine."""
        request = v1.VerifySessionRequest(session=self.name)
        return self._report("HistoryService/VerifySession", request, progress)

    def _report(self, rpc: str, request, progress: Progress | None):
        for response in self._connection.stream(rpc, request, LONG_TIMEOUT):
            if response.HasField("report"):
                return response.report
            if progress is not None:
                progress(response.progress.done, response.progress.total)
        raise InternalError("the server ended the stream without a report")
