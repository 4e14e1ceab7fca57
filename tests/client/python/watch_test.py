"""A watch goes on where it was, and ends when it should."""

import random
import threading
import time
import unittest

import grpc

import faultline
from faultline import v1

import faking
import serving

Code = grpc.StatusCode


class Watched:
    """A session of `revision` commands, as WatchEvents tells of it. After
    each `between` responses, on the average, a stream is cut."""

    def __init__(self, revision, between=1e9, seed=1):
        self.revision = revision
        self.requests = []
        self._random = random.Random(seed)
        self._between = between

    def get(self, request, context):
        return v1.GetSessionResponse(
            session=v1.Session(name=request.session, revision=self.revision)
        )

    def watch(self, request, context):
        self.requests.append(request)
        start = request.start_revision
        end = request.end_revision or self.revision
        yield v1.WatchEventsResponse(revision=start - 1)
        while start <= end:
            if self._random.random() < 1 / self._between:
                faking.fail(context, Code.UNAVAILABLE, "SHUTTING_DOWN")
            last = min(end, start + self._random.randrange(3))
            yield v1.WatchEventsResponse(
                revision=last,
                changes=[self.change(r) for r in range(start, last + 1)],
            )
            start = last + 1

    def change(self, revision):
        event = v1.Event(pid=1, text=f"event {revision}")
        event.fault_resolved.address = revision
        return v1.Change(revision=revision, events=[event])


class WatchTest(unittest.TestCase):
    def serve(self, **answers):
        server = faking.FakeServer(**answers)
        self.addCleanup(server.close)
        client = faultline.connect(server.address)
        self.addCleanup(client.close)
        return faultline.Session(client._connection, "sessions/x", 0)

    def watched(self, *args, **kwargs):
        self.fake = Watched(*args, **kwargs)
        return self.serve(WatchEvents=self.fake.watch, GetSession=self.fake.get)


class Resuming(WatchTest):
    def test_each_change_comes_once_however_often_it_is_cut(self):
        lab = self.watched(200, between=10)
        watch = lab.watch(1)
        revisions = []
        for change in watch:
            revisions.append(change.revision)
            self.assertEqual(watch.revision, change.revision)
        self.assertEqual(revisions, list(range(1, 201)))
        starts = [request.start_revision for request in self.fake.requests]
        self.assertGreater(len(starts), 5)
        self.assertEqual(starts, sorted(starts))

    def test_the_same_is_asked_for_again(self):
        lab = self.watched(50, between=5)
        watch = lab.watch(
            10,
            40,
            pids=[1, 2],
            kinds=["fault_resolved"],
            event_level=v1.EVENT_LEVEL_ALL,
            include_commands=True,
        )
        self.assertEqual(
            [change.revision for change in watch], list(range(10, 41))
        )
        for request in self.fake.requests:
            self.assertEqual(request.session, "sessions/x")
            self.assertEqual(list(request.pids), [1, 2])
            self.assertEqual(list(request.kinds), ["fault_resolved"])
            self.assertEqual(request.event_level, v1.EVENT_LEVEL_ALL)
            self.assertTrue(request.include_commands)
            self.assertEqual(request.end_revision, 40)

    def test_from_the_next_command_on(self):
        lab = self.watched(7)
        watch = lab.watch()
        self.fake.revision = 9
        self.assertEqual([change.revision for change in watch], [8, 9])

    def test_a_mark_without_changes_moves_the_start(self):
        starts = []

        def watch(request, context):
            starts.append(request.start_revision)
            if len(starts) == 1:
                yield v1.WatchEventsResponse(revision=30)
                faking.fail(context, Code.UNAVAILABLE)
            yield v1.WatchEventsResponse(revision=31)

        watch = self.serve(WatchEvents=watch).watch(1)
        self.assertEqual(list(watch), [])
        self.assertEqual((starts, watch.revision), ([1, 31], 31))


class Ending(WatchTest):
    def test_a_failure_that_is_no_cut_is_raised(self):
        def watch(request, context):
            yield v1.WatchEventsResponse(revision=0)
            faking.fail(context, Code.NOT_FOUND, "SESSION_NOT_FOUND")

        with self.assertRaises(faultline.NotFound):
            list(self.serve(WatchEvents=watch).watch(1))

    def test_it_gives_up_when_its_patience_is_over(self):
        def watch(request, context):
            faking.fail(context, Code.UNAVAILABLE, "SHUTTING_DOWN")
            yield

        lab = self.serve(WatchEvents=watch)
        start = time.monotonic()
        with self.assertRaises(faultline.Unavailable):
            list(lab.watch(1, patience=0.3))
        self.assertGreater(time.monotonic() - start, 0.3)

    def endless(self):
        """A stream that says something once, and then nothing more."""
        self.ended = threading.Event()

        def watch(request, context):
            context.add_callback(self.ended.set)
            yield v1.WatchEventsResponse(
                revision=1, changes=[v1.Change(revision=1)]
            )
            self.ended.wait()

        return self.serve(WatchEvents=watch)

    def test_cancel_ends_it_from_another_thread(self):
        watch = self.endless().watch(1)
        received = threading.Event()

        def cancel():
            received.wait()
            watch.cancel()

        canceller = threading.Thread(target=cancel)
        canceller.start()
        revisions = []
        for change in watch:
            revisions.append(change.revision)
            received.set()
        self.assertEqual(revisions, [1])
        canceller.join()
        self.assertTrue(self.ended.wait(10))
        self.assertEqual(list(watch), [])

    def test_leaving_the_with_ends_it(self):
        with self.endless().watch(1) as watch:
            self.assertEqual(next(watch).revision, 1)
        self.assertTrue(self.ended.wait(10))

    def test_cancel_ends_the_wait_for_a_server(self):
        called = threading.Event()

        def watch(request, context):
            called.set()
            faking.fail(context, Code.UNAVAILABLE, delay=3600)
            yield

        watch = self.serve(WatchEvents=watch).watch(1)

        def cancel():
            called.wait()
            watch.cancel()

        canceller = threading.Thread(target=cancel)
        canceller.start()
        self.assertEqual(list(watch), [])
        canceller.join()


class Changes(WatchTest):
    def test_what_a_change_has(self):
        change = v1.Change(
            revision=3,
            command=v1.Command(pid=1, fork=v1.Fork()),
            outcome=v1.Outcome(value=2),
            sender="ipv4:127.0.0.1:1",
        )
        change.time.seconds = 1_700_000_000
        change.events.add(pid=1, text="x").fault_refused.signal = 11

        def watch(request, context):
            yield v1.WatchEventsResponse(
                revision=4, changes=[change, v1.Change(revision=4)]
            )

        first, second = self.serve(WatchEvents=watch).watch(1)
        self.assertEqual(first.command, change.command)
        self.assertEqual((first.outcome.value, first.outcome.revision), (2, 3))
        self.assertEqual(first.sender, "ipv4:127.0.0.1:1")
        self.assertEqual(first.time.isoformat(), "2023-11-14T22:13:20+00:00")
        self.assertEqual(first.events[0].kind, "fault_refused")
        self.assertEqual(first.events[0].body.signal, 11)
        self.assertIsNone(second.command)
        self.assertIsNone(second.outcome)
        self.assertIsNone(second.time)
        self.assertEqual(second.events, ())


class ARealServer(unittest.TestCase):
    """Watches of a server that is driven, cut off and killed meanwhile."""

    COUNT = 600

    def setUp(self):
        self.server = serving.Server()
        self.addCleanup(self.server.close)
        self.relay = serving.Relay(self.server.address)
        self.addCleanup(self.relay.close)
        self.driver = self.connect().create_session()
        name = self.driver.name
        self.watcher = self.connect().open_session(name)

    def connect(self):
        client = faultline.connect(self.relay.address)
        self.addCleanup(client.close)
        return client

    def drive(self, disturb=None):
        page = self.driver.mmap(4096).check().value
        for i in range(1, self.COUNT):
            self.driver.store(page + 4096 * (i % 2), i % 256)
            if disturb is not None and i % 100 == 50:
                disturb()
        self.driver.close_session()

    def watch_while(self, disturb):
        """The watch that is cut, and one of the past that is not."""
        watch = self.watcher.watch(1, include_commands=True)
        thread = threading.Thread(target=self.drive, args=(disturb,))
        thread.start()
        seen = list(watch)
        thread.join()
        whole = list(self.watcher.watch(1, self.COUNT, include_commands=True))
        self.assertEqual(seen, whole)
        self.assertEqual(
            [change.revision for change in seen],
            list(range(1, self.COUNT + 1)),
        )
        for i, change in enumerate(seen[1:], 1):
            self.assertEqual(change.command.access.value, i % 256)

    def test_cut_off_nothing_is_missed_or_doubled(self):
        self.watch_while(self.relay.cut)

    def test_the_server_is_killed_and_nothing_is_missed_or_doubled(self):
        def restart():
            self.server.kill()
            self.server.start()
            self.relay.target = self.server.address

        self.watch_while(restart)

    def test_what_is_yet_to_come(self):
        watch = self.watcher.watch()
        self.driver.mmap(4096)
        outcome = self.driver.load(0)
        self.driver.close_session()
        changes = list(watch)
        self.assertEqual([change.revision for change in changes], [2])
        self.assertEqual(changes[0].events, outcome.events)
        self.assertIsNone(changes[0].command)
        self.assertEqual(watch.revision, 2)

    def test_only_what_is_asked_for(self):
        page = self.driver.mmap(4096).value
        self.driver.store(page)
        child = self.driver.fork().value
        self.driver.store(page, pid=child)
        kinds = [
            (change.revision, event.kind)
            for change in self.watcher.watch(1, 4, kinds=["fault_resolved"])
            for event in change.events
        ]
        self.assertEqual(kinds, [(2, "fault_resolved"), (4, "fault_resolved")])
        watch = self.watcher.watch(1, 4, pids=[child], include_commands=True)
        self.assertEqual([change.revision for change in watch], [4])
        with self.assertRaises(faultline.InvalidArgument):
            list(self.watcher.watch(1, kinds=["falt_resolved"]))

    def test_a_session_that_is_deleted(self):
        watch = self.watcher.watch(1)
        self.driver.fork()
        self.assertEqual(next(watch).revision, 1)
        self.driver.delete_session()
        with self.assertRaises(faultline.NotFound):
            next(watch)


if __name__ == "__main__":
    unittest.main()
