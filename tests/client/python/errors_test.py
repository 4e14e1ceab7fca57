"""What a failed call raises, and that only harmless calls are repeated."""

import pickle
import threading
import time
import unittest

import grpc

import faultline
from faultline import v1

import faking
import serving

Code = grpc.StatusCode


def setUpModule():
    global client
    client = serving.client_of_module(unittest.addModuleCleanup)


class FromTheServer(unittest.TestCase):
    def raised(self, kind, call):
        with self.assertRaises(kind) as raised:
            call()
        self.assertIs(type(raised.exception), kind)
        return raised.exception

    def test_not_found(self):
        error = self.raised(
            faultline.NotFound, lambda: client.open_session("nobody")
        )
        self.assertEqual(error.code, Code.NOT_FOUND)
        self.assertEqual(error.reason, "SESSION_NOT_FOUND")
        self.assertEqual(error.metadata, {"session": "sessions/nobody"})
        self.assertIn("ListSessions", str(error))

    def test_fields_that_cannot_be_are_named(self):
        config = v1.MachineConfig(ram_bytes=1, cpus=65)
        error = self.raised(
            faultline.InvalidArgument,
            lambda: client.create_session(config=config),
        )
        fields = [violation.field for violation in error.violations]
        self.assertEqual(fields, ["config.ram_bytes", "config.cpus"])
        self.assertEqual(len(str(error).splitlines()), 2)
        self.assertIn("\n  config.cpus: 65", str(error))

    def test_the_life_of_a_session(self):
        lab = client.create_session("life")
        self.raised(
            faultline.AlreadyExists, lambda: client.create_session("life")
        )
        lab.close_session()
        self.raised(faultline.SessionNotOpen, lab.fork)
        self.raised(faultline.SessionNotOpen, lab.maps)
        self.raised(faultline.OutOfRange, lambda: lab.replay(99))
        lab.delete_session()
        self.raised(faultline.NotFound, lab.delete_session)
        lab.delete_session(missing_ok=True)
        client.delete_session("life", missing_ok=True)

    def test_a_message_that_is_too_large(self):
        lab = client.create_session()
        error = self.raised(
            faultline.LimitReached, lambda: lab.write(1, b"x" * (5 << 20))
        )
        self.assertEqual(error.reason, "REQUEST_TOO_LARGE")

    def test_an_error_can_be_pickled(self):
        error = self.raised(
            faultline.NotFound, lambda: client.open_session("nobody")
        )
        other = pickle.loads(pickle.dumps(error))
        self.assertIs(type(other), faultline.NotFound)
        self.assertEqual(vars(other), vars(error))


class FromOthers(unittest.TestCase):
    """Statuses that a Faultline does not send by itself."""

    def check(self, kind, code, reason="", **kwargs):
        def answer(_, context):
            faking.fail(context, code, reason, **kwargs)

        server = faking.FakeServer(CreateSession=answer)
        self.addCleanup(server.close)
        with faultline.connect(server.address) as other:
            with self.assertRaises(kind) as raised:
                other.create_session()
        self.assertIs(type(raised.exception), kind)
        return raised.exception

    def test_each_code_has_its_exception(self):
        for code, kind in (
            (Code.PERMISSION_DENIED, faultline.PermissionDenied),
            (Code.FAILED_PRECONDITION, faultline.PreconditionFailed),
            (Code.ABORTED, faultline.Conflict),
            (Code.DATA_LOSS, faultline.DataLoss),
            (Code.INTERNAL, faultline.InternalError),
            (Code.CANCELLED, faultline.Cancelled),
            (Code.UNKNOWN, faultline.FaultlineError),
        ):
            with self.subTest(code):
                error = self.check(kind, code, "SOME_REASON")
                self.assertEqual(error.reason, "SOME_REASON")
                self.assertEqual(str(error), "as the test wants")

    def test_a_status_without_details_is_not_the_servers_answer(self):
        error = self.check(faultline.PermissionDenied, Code.PERMISSION_DENIED)
        self.assertEqual(error.reason, "")

    def test_no_time(self):
        ended = threading.Event()

        def answer(*_):
            ended.wait()
            return v1.CreateSessionResponse()

        server = faking.FakeServer(CreateSession=answer)
        self.addCleanup(server.close)
        self.addCleanup(ended.set)
        with faultline.connect(server.address, timeout=0.05) as other:
            with self.assertRaises(faultline.DeadlineExceeded) as raised:
                other.create_session()
        self.assertIn("did not answer in time", str(raised.exception))

    def test_the_time_after_which_to_come_again(self):
        error = self.check(
            faultline.Unavailable, Code.UNAVAILABLE, "SHUTTING_DOWN", delay=1.5
        )
        self.assertEqual(error.retry_delay, 1.5)


class Repetition(unittest.TestCase):
    def serve(self, failures, **kwargs):
        """A server that is not available for the first `failures` calls."""
        self.requests = []

        def answer(response):
            def call(request, context):
                self.requests.append(request)
                if len(self.requests) <= failures:
                    faking.fail(context, Code.UNAVAILABLE, "GONE", **kwargs)
                return response

            return call

        server = faking.FakeServer(
            Fork=answer(v1.ForkResponse(revision=5)),
            GetSession=answer(v1.GetSessionResponse()),
            CreateSession=answer(v1.CreateSessionResponse()),
            DeleteSession=answer(v1.DeleteSessionResponse()),
        )
        self.addCleanup(server.close)
        fake = faultline.connect(server.address)
        self.addCleanup(fake.close)
        return fake

    def session(self, fake):
        return faultline.Session(fake._connection, "sessions/x", 0)

    def test_a_command_is_repeated_under_the_same_request_id(self):
        lab = self.session(self.serve(failures=3))
        self.assertEqual(lab.fork().revision, 5)
        self.assertEqual(len(self.requests), 4)
        ids = {request.options.request_id for request in self.requests}
        self.assertEqual(len(ids), 1)
        lab.fork()
        self.assertNotIn(self.requests[-1].options.request_id, ids)

    def test_a_question_is_repeated(self):
        self.serve(failures=1).get_session("x")
        self.assertEqual(len(self.requests), 2)

    def test_it_gives_up(self):
        lab = self.session(self.serve(failures=99))
        with self.assertRaises(faultline.Unavailable):
            lab.fork()
        self.assertEqual(len(self.requests), 4)

    def test_what_is_not_harmless_is_not_repeated(self):
        fake = self.serve(failures=99)
        for call in (
            fake.create_session,
            lambda: fake.delete_session("x"),
        ):
            self.requests.clear()
            with self.assertRaises(faultline.Unavailable):
                call()
            self.assertEqual(len(self.requests), 1)

    def test_deleting_what_may_be_missing_is_repeated(self):
        self.serve(failures=1).delete_session("x", missing_ok=True)
        self.assertEqual(len(self.requests), 2)

    def test_it_waits_as_long_as_the_server_asks(self):
        fake = self.serve(failures=1, delay=0.5)
        start = time.monotonic()
        fake.get_session("x")
        self.assertGreaterEqual(time.monotonic() - start, 0.5)

    def test_it_does_not_wait_beyond_the_deadline(self):
        lab = self.session(self.serve(failures=1, delay=3600))
        start = time.monotonic()
        with self.assertRaises(faultline.Unavailable):
            lab.fork()
        self.assertLess(time.monotonic() - start, 10)
        self.assertEqual(len(self.requests), 1)


if __name__ == "__main__":
    unittest.main()
