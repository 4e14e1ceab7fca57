"""What the tests of the Python client share: servers, and a line to cut."""

import concurrent.futures
import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import tempfile
import threading

import faultline

FAULTLINE = os.path.join(os.environ["FAULTLINE_BIN"], "faultline")
_PR_SET_PDEATHSIG = 1
# A server dies with the thread that started it, so this one starts them all.
_starter = concurrent.futures.ThreadPoolExecutor(max_workers=1)


class Server:
    """`faultline serve` on a port and in a data directory of its own. It dies
    with the test."""

    def __init__(self):
        self._data = tempfile.TemporaryDirectory(prefix="faultline-python-")
        self.start()

    def start(self):
        """Again, after kill(): on the same data, at another address."""
        self._process = _starter.submit(
            subprocess.Popen,
            [
                *(FAULTLINE, "serve", "--data", self._data.name),
                *("--listen", "127.0.0.1:0"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=_die_with_parent,
        ).result()
        line = self._process.stdout.readline()
        if not line.startswith("listening on "):
            raise AssertionError(f"the server does not listen: {line!r}")
        self.address = line.removeprefix("listening on ").strip()

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process.stdout.close()

    def close(self):
        self.kill()
        self._data.cleanup()


def _die_with_parent():
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def client_of_module(add_cleanup):
    """A client of a server that lives as long as the module's tests:
    client_of_module(unittest.addModuleCleanup)."""
    server = Server()
    add_cleanup(server.close)
    client = faultline.connect(server.address)
    add_cleanup(client.close)
    return client


class Relay:
    """A line between client and server that can be cut and be laid anew."""

    def __init__(self, target):
        self.target = target  # host:port; may change
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Ends every connection; new ones are accepted."""
        with self._lock:
            ends, self._open = self._open, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            host, port = self.target.split(":")
            try:
                far = socket.create_connection((host, int(port)))
            except OSError:
                near.close()
                continue
            with self._lock:
                self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(
                    target=_pump, args=(source, sink), daemon=True
                ).start()


def _pump(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
