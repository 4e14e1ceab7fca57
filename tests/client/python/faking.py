"""A server that answers as a test wants: for what the real one cannot be made
to do at a given moment, such as failing twice and then succeeding."""

import concurrent.futures

import grpc

from faultline import errors, v1
from faultline.connection import find_method

_SHAPES = {
    "Run": grpc.stream_stream_rpc_method_handler,
    "WatchEvents": grpc.unary_stream_rpc_method_handler,
}


class FakeServer(grpc.GenericRpcHandler):
    """`answers` maps "SessionService/GetSession" to a function of the request
    (of an iterator of them for Run) and the context, which gives the response
    (an iterator of them for a stream)."""

    def __init__(self, **answers):
        self._answers = answers
        self._server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(max_workers=8)
        )
        self._server.add_generic_rpc_handlers([self])
        port = self._server.add_insecure_port("127.0.0.1:0")
        self.address = f"127.0.0.1:{port}"
        self._server.start()

    def close(self):
        self._server.stop(grace=None).wait()

    def service(self, details):
        name = details.method.rpartition("/")[2]
        if name not in self._answers:
            return None
        method = find_method(details.method.lstrip("/"))
        make = _SHAPES.get(name, grpc.unary_unary_rpc_method_handler)
        return make(
            self._answers[name],
            getattr(v1, method.input_type.name).FromString,
            lambda response: response.SerializeToString(),
        )


def fail(context, code, reason="", *, text="as the test wants", delay=None):
    """Ends the call as a Faultline does; without a reason, as others do."""
    status = errors.Status(code=code.value[0], message=text)
    if reason:
        info = errors.ErrorInfo(reason=reason, domain=errors.DOMAIN)
        status.details.add().Pack(info)
    if delay is not None:
        retry = errors.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(delay * 1e9))
        status.details.add().Pack(retry)
    if status.details:
        context.set_trailing_metadata(
            [("grpc-status-details-bin", status.SerializeToString())]
        )
    context.abort(code, text)
