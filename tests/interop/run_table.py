#!/usr/bin/env python3
"""Runs the interop table through the package `faultline`."""

import base64

import faultline
import grpc
from faultline import connection, errors, v1
from google.protobuf import json_format

import table

TIMEOUT = 60


def call_of_address(address):
    client = faultline.connect(address, timeout=TIMEOUT)
    channel = grpc.insecure_channel(address)

    def call(step):
        responses = []
        try:
            if "rawRequest" in step:
                send_bytes(channel, step)
            else:
                responses.extend(send(client, step))
        except faultline.FaultlineError as error:
            return responses, failure_of(error)
        return responses, None

    return call


def send(client, step):
    """The responses, as they come."""
    method = connection.find_method(step["rpc"])
    request_class = getattr(v1, method.input_type.name)

    def read(request):
        return json_format.ParseDict(request, request_class())

    requests = [read(request) for request in step.get("requests", [])]
    request = read(step.get("request", {}))
    if "requests" in step:
        responses = client.stream(step["rpc"], iter(requests), TIMEOUT)
    elif connection.is_streaming(method):
        responses = client.stream(step["rpc"], request, TIMEOUT)
    else:
        responses = [client.call(step["rpc"], request)]
    for response in responses:
        yield json_format.MessageToDict(
            response, including_default_value_fields=True
        )


def send_bytes(channel, step):
    rpc = channel.unary_unary(f"/{step['rpc']}")
    try:
        rpc(base64.b64decode(step["rawRequest"]), timeout=TIMEOUT)
    except grpc.RpcError as error:
        raise errors.from_rpc_error(error, "the server") from None


def failure_of(error):
    return table.Failure(
        code=error.code.name,
        message=error.message,
        reason=error.reason,
        metadata=error.metadata,
        violations=[v.field for v in error.violations],
        retry=error.retry_delay is not None,
    )


if __name__ == "__main__":
    table.run("python", call_of_address)
