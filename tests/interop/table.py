"""Reads table.json and compares; README.md beside it is the format.

What a runner brings is a function that makes one call:
    call(step) -> (responses, failure)
where step is the step with every placeholder replaced, responses a list of
objects (proto3 JSON with the defaults written out) and failure a Failure or
None.
"""

import argparse
import base64
import dataclasses
import json
import re
import sys

_PLACEHOLDER = re.compile(r"\$\{(\w+)([+-]\d+)?\}")
_EXPECTATIONS = ("response", "responses", "last", "status")
_MISSING = object()


class Skip(Exception):
    """A runner cannot run here."""


class Difference(Exception):
    """What is expected, and what there is."""

    def __init__(self, path, expected, actual):
        super().__init__(
            f"{path}\n  expected {_show(expected)}\n  actual   {_show(actual)}"
        )


@dataclasses.dataclass
class Failure:
    code: str
    message: str = ""
    reason: str = ""
    metadata: dict = dataclasses.field(default_factory=dict)
    violations: list = dataclasses.field(default_factory=list)
    retry: bool = False


def run(client, call_of_address):
    """The whole of a runner. `client` is its name in `skip`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True, metavar="HOST:PORT")
    parser.add_argument("--table", required=True)
    parser.add_argument("--case", help="only this one")
    arguments = parser.parse_args()
    with open(arguments.table, encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    passed = 0
    try:
        call = call_of_address(arguments.address)
        for case in cases:
            wanted = arguments.case in (None, case["name"])
            if wanted and client not in case.get("skip", {}):
                _run_case(case, call)
                passed += 1
    except Skip as skip:
        print(f"skipped: {skip}")
        sys.exit(77)
    print(f"{passed} cases passed")


def _run_case(case, call):
    names = {"case": case["name"], "session": "sessions/" + case["name"]}
    steps = case["steps"]
    if "session" in case:
        create = {
            "rpc": "faultline.v1.SessionService/CreateSession",
            "request": {"sessionId": case["name"], **case["session"]},
            "response": {},
        }
        steps = [create, *steps]
    for number, step in enumerate(steps, 0 if "session" in case else 1):
        try:
            _run_step(_fill(step, names), call, names)
        except Difference as difference:
            where = f"case {case['name']}, step {number}, {step['rpc']}"
            raise SystemExit(f"{where}: {difference}") from None


def _run_step(step, call, names):
    responses, failure = call(step)
    if "status" in step:
        _match_failure(step["status"], failure, responses)
    elif failure is not None:
        raise Difference("status", "OK", dataclasses.asdict(failure))
    if "response" in step:
        _match_list("responses", [step["response"]], responses)
    elif "responses" in step:
        _match_list("responses", step["responses"], responses)
    elif "last" in step:
        if not responses:
            raise Difference("responses", "at least one", responses)
        match("last", step["last"], responses[-1])
    for name, path in step.get("save", {}).items():
        names[name] = str(_value_at(responses[-1], path))


# --- Requests.


def _fill(value, names):
    """A copy with the placeholders replaced and the lists written out."""
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda m: _replace(m, names), value)
    if isinstance(value, list):
        if (
            len(value) == 1
            and isinstance(value[0], dict)
            and "$repeat" in value[0]
        ):
            return [_fill(value[0]["of"], names)] * value[0]["$repeat"]
        return [_fill(element, names) for element in value]
    if isinstance(value, dict):
        if "$bytes" in value:
            return base64.b64encode(b"x" * value["$bytes"]).decode()
        if "$text" in value:
            return "x" * value["$text"]
        return {key: _fill(element, names) for key, element in value.items()}
    return value


def _replace(placeholder, names):
    value = names[placeholder[1]]
    if placeholder[2] is None:
        return value
    return str((int(value) + int(placeholder[2])) % 2**64)


# --- Responses.


def match(path, expected, actual):
    """Difference when `actual` is not what the table expects."""
    if actual is None:  # as some clients show a field that is not set
        actual = _MISSING
    if isinstance(expected, dict):
        _match_object(path, expected, actual)
    elif isinstance(expected, list):
        _match_list(path, expected, actual)
    elif expected is None:
        if actual is not _MISSING:
            raise Difference(path, None, actual)
    elif isinstance(expected, bool) or isinstance(actual, bool):
        if expected is not actual:
            raise Difference(path, expected, actual)
    elif actual is _MISSING or _text(expected) != _text(actual):
        raise Difference(path, expected, actual)


def _text(value):
    """Of a number with a point and nothing behind it: without the point."""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value)


def _match_object(path, expected, actual):
    if "$any" in expected:
        if actual is _MISSING or actual in ("", [], 0, "0"):
            raise Difference(path, "anything", actual)
    elif "$contains" in expected:
        if actual is _MISSING or expected["$contains"] not in actual:
            raise Difference(path, expected, actual)
    elif "$size" in expected:
        if actual is _MISSING or len(actual) != expected["$size"]:
            raise Difference(path, expected, actual)
    elif not isinstance(actual, dict):
        raise Difference(path, expected, actual)
    else:
        for key, value in expected.items():
            match(f"{path}.{key}", value, actual.get(key, _MISSING))


def _match_list(path, expected, actual):
    if not isinstance(actual, list) or len(actual) != len(expected):
        raise Difference(path, expected, actual)
    for i, element in enumerate(expected):
        match(f"{path}[{i}]", element, actual[i])


def _match_failure(expected, failure, responses):
    if failure is None:
        raise Difference("status", expected, responses)
    for key, value in expected.items():
        actual = getattr(failure, key)
        path = f"status.{key}"
        if key == "message":
            if value not in actual:
                raise Difference(path, {"$contains": value}, actual)
        elif key == "violations" and value != actual:
            raise Difference(path, value, actual)
        else:
            match(path, value, actual)


def _value_at(response, path):
    for name in re.findall(r"[^.\[\]]+", path):
        response = response[int(name) if name.isdigit() else name]
    return response


def _show(value):
    if value is _MISSING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 2000 else text[:2000] + "…"
