"""Says in words why a server could not be reached: gRPC's own text names
neither the likely cause nor what to do."""

import os

import grpc

DEFAULT_PORT = 50051  # where `faultline serve` listens unless told otherwise


def normalize_address(address: str) -> str:
    """`host`, `host:port`, `[::1]:port`, `:port` or `unix:/path` as gRPC wants
    it, with the default port when there is none. ValueError says what is wrong
    with an address that cannot be one."""

    def bad(why: str) -> ValueError:
        return ValueError(
            f"'{address}' is not the address of a server: {why}; write "
            f"host:port, such as localhost:{DEFAULT_PORT}"
        )

    if not address:
        raise bad("it is empty")
    if address.startswith("unix:"):
        return address
    if "://" in address:
        raise bad("it has a scheme")
    if any(c in address for c in " \t/"):
        raise bad("it has a character that no host has")
    host, colon, port = address.rpartition(":")
    if not colon or "]" in port:
        return f"{address}:{DEFAULT_PORT}"
    if ":" in host and not host.endswith("]"):
        raise bad("an IPv6 address goes into brackets")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise bad(f"'{port}' is not a port from 1 to 65535")
    return f"{host or 'localhost'}:{port}"


def is_loopback(address: str) -> bool:
    """True for localhost, 127.0.0.0/8, ::1 and Unix sockets: where a proxy has
    no business."""
    host = _host_of(address)
    return (
        address.startswith("unix:")
        or host in ("localhost", "::1")
        or host.startswith("127.")
    )


def diagnose(code: grpc.StatusCode, text: str | None, address: str) -> str:
    """The message for a failure that carries no details of a Faultline."""
    text = text or ""
    if code == grpc.StatusCode.UNAVAILABLE:
        return _unreachable(text, address)
    if code == grpc.StatusCode.UNIMPLEMENTED:
        return (
            f"the server at {address} does not have this call: it is not a "
            "Faultline server, or an older one"
        )
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return (
            f"the server at {address} did not answer in time; a command may or "
            "may not have been executed"
        )
    return text or f"the call to {address} failed"


def _unreachable(text: str, address: str) -> str:
    lower = text.lower()

    def says(*parts: str) -> bool:
        return any(part in lower for part in parts)

    if says("connection refused"):
        return (
            f"nothing listens on {address}: start a server there with "
            "`faultline serve`, or give the address of one that runs"
        )
    if says("no such file or directory") and address.startswith("unix:"):
        return (
            f"there is no socket {address}: start a server with "
            "`faultline serve`"
        )
    if says("dns resolution failed", "resolver"):
        return (
            f"there is no host '{_host_of(address)}': check its spelling and "
            f"the network{_proxy_hint(address)}"
        )
    if says("http1", "http/2", "settings frame", "trying to connect", "ssl"):
        return (
            f"what listens on {address} does not speak gRPC without TLS: is "
            f"this the right port?{_proxy_hint(address)}"
        )
    if says("socket closed", "connection reset", "goaway"):
        return (
            f"the server at {address} closed the connection: it is shutting "
            f"down, or it is not a Faultline server ({text})"
        )
    return f"cannot reach the server at {address}: {text}{_proxy_hint(address)}"


def _host_of(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")


def _proxy_hint(address: str) -> str:
    if is_loopback(address):
        return ""
    for name in ("grpc_proxy", "https_proxy", "http_proxy"):
        if os.environ.get(name):
            return (
                f"; the environment variable {name} sends calls through a "
                f"proxy: add {_host_of(address)} to no_proxy if it should not"
            )
    return ""
