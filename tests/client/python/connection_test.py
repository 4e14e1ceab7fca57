"""How the client finds a server, and says why it did not."""

import concurrent.futures
import multiprocessing
import os
import pickle
import socket
import threading
import unittest
from unittest import mock

import grpc

import faultline
from faultline import diagnosis

import faking
import serving


def setUpModule():
    global client
    client = serving.client_of_module(unittest.addModuleCleanup)


class Addresses(unittest.TestCase):
    def test_what_may_be_left_out(self):
        for given, normal in (
            ("localhost", "localhost:50051"),
            ("10.0.0.1:7", "10.0.0.1:7"),
            (":7", "localhost:7"),
            ("[::1]", "[::1]:50051"),
            ("[::1]:7", "[::1]:7"),
            ("unix:/run/faultline", "unix:/run/faultline"),
        ):
            self.assertEqual(diagnosis.normalize_address(given), normal)

    def test_what_cannot_be_one(self):
        for given, words in (
            ("", "it is empty"),
            ("http://localhost:7", "it has a scheme"),
            ("local host", "no host has"),
            ("host/path", "no host has"),
            ("localhost:port", "'port' is not a port"),
            ("localhost:65536", "is not a port"),
            ("localhost:0", "is not a port"),
            ("::1", "brackets"),
        ):
            with self.subTest(given):
                with self.assertRaisesRegex(ValueError, words):
                    faultline.connect(given)

    def test_where_a_proxy_has_no_business(self):
        for address, loopback in (
            ("localhost:1", True),
            ("127.0.0.2:1", True),
            ("[::1]:1", True),
            ("unix:/x", True),
            ("10.0.0.1:1", False),
            ("example.org:1", False),
        ):
            self.assertIs(diagnosis.is_loopback(address), loopback)


class Unreachable(unittest.TestCase):
    def message(self, address):
        with faultline.connect(address) as other:
            with self.assertRaises(faultline.FaultlineError) as raised:
                other.create_session()
        self.assertEqual(raised.exception.reason, "")
        return str(raised.exception)

    def test_nothing_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        text = self.message(f"127.0.0.1:{port}")
        self.assertIn(f"nothing listens on 127.0.0.1:{port}: start", text)

    def test_no_such_host(self):
        text = self.message("no-such-host.invalid:7")
        self.assertIn("there is no host 'no-such-host.invalid'", text)

    def test_no_such_socket(self):
        text = self.message("unix:/nowhere/faultline")
        self.assertIn("there is no socket unix:/nowhere/faultline", text)

    def test_something_that_does_not_speak_grpc(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            answered = threading.Thread(target=self.answer, args=(listener,))
            answered.start()
            text = self.message("127.0.0.1:%d" % listener.getsockname()[1])
            listener.shutdown(socket.SHUT_RDWR)
            answered.join()
        self.assertIn("does not speak gRPC without TLS", text)

    def answer(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    def test_something_that_is_no_faultline(self):
        server = faking.FakeServer()
        self.addCleanup(server.close)
        text = self.message(server.address)
        self.assertIn("it is not a Faultline server, or an older one", text)

    def test_a_proxy_in_the_way(self):
        variables = {"https_proxy": "http://127.0.0.1:1", "no_proxy": ""}
        with mock.patch.dict(os.environ, variables):
            text = diagnosis.diagnose(
                grpc.StatusCode.UNAVAILABLE, "failed", "example.org:7"
            )
            here = diagnosis.diagnose(
                grpc.StatusCode.UNAVAILABLE, "failed", "127.0.0.1:7"
            )
            with faultline.connect(client.address) as other:
                other.create_session()  # it is on loopback: not asked
        self.assertIn("variable https_proxy sends calls through a proxy", text)
        self.assertIn("add example.org to no_proxy", text)
        self.assertNotIn("proxy", here)


def pid_and_revision(lab):
    outcome = lab.fork()
    return os.getpid(), outcome.revision


class Processes(unittest.TestCase):
    COUNT = 6

    def check(self, method):
        lab = client.create_session()
        lab.fork()  # the connection is there before the processes are
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            results = pool.map(pid_and_revision, [lab] * self.COUNT)
        self.assertNotIn(os.getpid(), {pid for pid, _ in results})
        revisions = sorted(revision for _, revision in results)
        self.assertEqual(revisions, list(range(2, self.COUNT + 2)))
        self.assertEqual(lab.fork().revision, self.COUNT + 2)

    def test_after_fork(self):
        self.check("fork")

    def test_spawned(self):
        self.check("spawn")

    def test_a_handle_can_be_pickled(self):
        lab = client.create_session().with_settings(timeout=5)
        other = pickle.loads(pickle.dumps(lab))
        self.assertEqual(repr(other), repr(lab))
        self.assertEqual(other.fork().revision, 1)

    def test_threads_share_a_client(self):
        name = client.create_session().name

        def drive(_):
            lab = client.open_session(name)
            return [lab.fork().revision for _ in range(10)]

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            lists = list(pool.map(drive, range(4)))
        self.assertEqual(sorted(sum(lists, [])), list(range(1, 41)))
        for revisions in lists:
            self.assertEqual(revisions, sorted(revisions))


class Lists(unittest.TestCase):
    def test_sessions_in_the_order_of_their_names(self):
        for name in ("page-b", "page-a", "page-c"):
            client.create_session(name, display_name=name.upper())
        found = [
            (session.name, session.display_name)
            for session in client.list_sessions()
            if session.name.startswith("sessions/page-")
        ]
        self.assertEqual(
            found,
            [(f"sessions/page-{c}", f"PAGE-{c.upper()}") for c in "abc"],
        )

    def test_a_connection_opens_again_after_close(self):
        client.close()
        self.assertEqual(client.create_session("reopened").revision, 0)
        self.assertEqual(repr(client), f"<Client of {client.address}>")


if __name__ == "__main__":
    unittest.main()
