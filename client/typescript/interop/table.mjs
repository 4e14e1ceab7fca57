// Reads tests/interop/table.json and compares: the README beside it is the
// format. What makes a call is the runner's.

/** What is expected, and what there is. */
export class Difference extends Error {
  constructor(path, expected, actual) {
    super(`${path}\n  expected ${show(expected)}\n  actual   ${show(actual)}`);
  }
}

/**
 * Runs the steps of a case. `call(step)` makes one call and resolves to
 * { responses, failure }: responses in proto3 JSON with the defaults written
 * out; failure, or undefined, with the keys that a step's status may have.
 */
export async function runCase(test, call) {
  const names = { case: test.name, session: `sessions/${test.name}` };
  const create = {
    rpc: "faultline.v1.SessionService/CreateSession",
    request: { sessionId: test.name, ...test.session },
    response: {},
  };
  const steps = test.session ? [create, ...test.steps] : test.steps;
  for (const [index, written] of steps.entries()) {
    const step = fill(written, names);
    try {
      const { responses, failure } = await call(step);
      check(step, responses, failure);
      for (const [name, path] of Object.entries(step.save ?? {})) {
        names[name] = String(valueAt(responses.at(-1), path));
      }
    } catch (error) {
      const number = test.session ? index : index + 1;
      const where = `case ${test.name}, step ${number}, ${step.rpc}`;
      throw new Error(`${where}: ${error.message}`, { cause: error });
    }
  }
}

/** A copy with the placeholders replaced and what is abbreviated written out. */
function fill(value, names) {
  if (typeof value === "string") {
    return value.replace(/\$\{(\w+)([+-]\d+)?\}/g, (whole, name, offset) => {
      if (!(name in names)) throw new Error(`nothing was saved as ${whole}`);
      return offset ? moved(names[name], offset) : names[name];
    });
  }
  if (Array.isArray(value)) {
    const [only] = value;
    if (value.length !== 1 || only?.$repeat === undefined) {
      return value.map((one) => fill(one, names));
    }
    return Array(only.$repeat).fill(fill(only.of, names));
  }
  if (typeof value !== "object" || value === null) return value;
  if (value.$bytes !== undefined) {
    return Buffer.alloc(value.$bytes, "x").toString("base64");
  }
  if (value.$text !== undefined) return "x".repeat(value.$text);
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, fill(one, names)]),
  );
}

function moved(value, offset) {
  return String(BigInt.asUintN(64, BigInt(value) + BigInt(offset)));
}

function check(step, responses, failure) {
  if (step.status) checkFailure(step.status, failure, responses);
  else if (failure) throw new Difference("status", "OK", failure);
  if (step.response) match("responses", [step.response], responses);
  if (step.responses) match("responses", step.responses, responses);
  if (step.last) {
    if (responses.length === 0) {
      throw new Difference("responses", "at least one", responses);
    }
    match("last", step.last, responses.at(-1));
  }
}

function checkFailure(expected, failure, responses) {
  if (!failure) throw new Difference("status", expected, responses);
  const { message, ...rest } = expected;
  match("status", rest, failure);
  if (message !== undefined) {
    match("status.message", { $contains: message }, failure.message);
  }
  if (expected.reason !== undefined) {
    match("status.domain", "faultline.dev", failure.domain);
  }
}

/** Throws a Difference when `actual` is not what the table expects. */
function match(path, expected, actual) {
  if (isMatch(expected, actual)) return;
  if (expected === null || typeof expected !== "object") {
    throw new Difference(path, expected, actual);
  }
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) {
      throw new Difference(path, expected, actual);
    }
    expected.forEach((one, i) => match(`${path}[${i}]`, one, actual[i]));
    return;
  }
  const special = Object.keys(expected).some((key) => key.startsWith("$"));
  if (special || actual === null || typeof actual !== "object") {
    throw new Difference(path, expected, actual);
  }
  for (const [key, value] of Object.entries(expected)) {
    match(`${path}.${key}`, value, actual[key]);
  }
}

/** The kinds of expectation that one look decides. */
function isMatch(expected, actual) {
  if (expected === null) return actual === undefined;
  if (typeof expected === "boolean") return actual === expected;
  if (typeof expected !== "object") {
    const isText = typeof actual === "string" || typeof actual === "number";
    return isText && String(actual) === String(expected);
  }
  if (expected.$any) return !isDefault(actual);
  if (expected.$size !== undefined) return actual?.length === expected.$size;
  if (expected.$contains === undefined) return false;
  return typeof actual === "string" && actual.includes(expected.$contains);
}

function isDefault(value) {
  if (Array.isArray(value)) return value.length === 0;
  return [undefined, "", "0", 0, false].includes(value);
}

function valueAt(response, path) {
  const names = path.match(/[^.[\]]+/g);
  const value = names.reduce((from, name) => from?.[name], response);
  if (value === undefined) throw new Error(`there is no ${path} to save`);
  return value;
}

function show(value) {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length <= 2000 ? text : `${text.slice(0, 2000)}…`;
}
