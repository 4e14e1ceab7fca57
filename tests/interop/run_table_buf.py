#!/usr/bin/env python3
"""Runs the interop table with `buf curl`: a client that has never seen the
contract and learns it from the server's reflection, one process per step."""

import base64
import glob
import json
import os
import shutil
import subprocess

from faultline import errors

import table

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
# Where setup.sh puts it: the program itself, not npm's starter of it.
INSTALLED = "build/tools/buf/node_modules/@bufbuild/buf-*/bin/buf"
TIMEOUT = 60


def call_of_address(address):
    installed = glob.glob(os.path.join(ROOT, INSTALLED))
    buf = installed[0] if installed else shutil.which("buf")
    if buf is None:
        raise table.Skip("no buf; deploy/setup.sh --lint installs it")

    def call(step):
        requests = step.get("requests", [step.get("request", {})])
        ended = subprocess.run(
            [
                *(buf, "curl", "--protocol", "grpc"),
                *("--http2-prior-knowledge", "--emit-defaults", "--data", "@-"),
                f"http://{address}/{step['rpc']}",
            ],
            input="\n".join(map(json.dumps, requests)).encode(),
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
        failure = None
        if ended.returncode != 0:
            failure = failure_of(ended.stderr.decode())
        return list(documents(ended.stdout.decode())), failure

    return call


def documents(text):
    """JSON values, one after the other."""
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        value, end = decoder.raw_decode(text)
        yield value
        text = text[end:]


def failure_of(text):
    try:
        error = json.loads(text)
    except ValueError:
        raise SystemExit(f"buf curl: {text}") from None
    code = error["code"].upper()
    failure = table.Failure(
        code="CANCELLED" if code == "CANCELED" else code,
        message=error.get("message", ""),
    )
    status = errors.Status()
    for detail in error.get("details", []):
        status.details.add(
            type_url="type.googleapis.com/" + detail["type"],
            value=base64.b64decode(detail["value"] + "=="),
        )
    details = errors.parse_details(status.SerializeToString())
    if details is not None:
        failure.reason = details["reason"]
        failure.metadata = details["metadata"]
        failure.violations = [v.field for v in details["violations"]]
        failure.retry = details["retry_delay"] is not None
    return failure


if __name__ == "__main__":
    table.run("buf", call_of_address)
