// Runs the interop table through the Node client; the format and the arguments
// are those of tests/interop/README.md. Uses the package that is built beside
// the programs in $FAULTLINE_BIN.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { Difference, runCase } from "./table.mjs";

const SKIPPED = 77;

const { values: options } = parseArgs({
  options: {
    address: { type: "string" },
    table: { type: "string" },
    case: { type: "string" },
  },
});
if (!options.address || !options.table) {
  console.error("usage: run_table.mjs --address HOST:PORT --table FILE");
  process.exit(3);
}

const bin = process.env.FAULTLINE_BIN ?? "build/dev/bin";
const home = join(bin, "..", "typescript");
if (!existsSync(join(home, "dist", "index.js"))) {
  console.log(
    `skipped: the Node client is not built in ${home}: ` +
      "deploy/setup.sh --node installs what it needs, then build again",
  );
  process.exit(SKIPPED);
}
const load = (path) => import(pathToFileURL(join(home, path)).href);
const { connect, FaultlineError } = await load("dist/index.js");
const contract = await load("dist/v1.js");
const { fromJson, toJson } = await load(
  "node_modules/@bufbuild/protobuf/dist/esm/index.js",
);

const services = Object.values(contract).filter(
  (one) => one.kind === "service",
);

/** One that the contract has, or, to send bytes to, one that it has not. */
function methodOf({ rpc, rawRequest }) {
  const [typeName, name] = rpc.split("/");
  const service = services.find((one) => one.typeName === typeName);
  const method = service?.methods.find((one) => one.name === name);
  if (method) return method;
  if (rawRequest === undefined) throw new Error(`the contract has no ${rpc}`);
  return { ...services[0].methods[0], parent: { typeName }, name };
}

function callsOf({ connection }) {
  return async (step) => {
    const method = methodOf(step);
    const responses = [];
    try {
      for await (const response of send(connection, method, step)) {
        const json = toJson(method.output, response, {
          alwaysEmitImplicit: true,
        });
        responses.push(json);
      }
    } catch (error) {
      if (!(error instanceof FaultlineError)) throw error;
      return { responses, failure: failureOf(error) };
    }
    return { responses };
  };
}

async function* send(connection, method, step) {
  const read = (json) => fromJson(method.input, json);
  if (step.requests) {
    const stream = connection.duplex(method);
    for (const request of step.requests) stream.send(read(request));
    stream.finish();
    yield* stream.responses;
    return;
  }
  const request =
    step.rawRequest !== undefined
      ? Buffer.from(step.rawRequest, "base64")
      : read(step.request ?? {});
  if (method.methodKind === "server_streaming") {
    yield* connection.serverStream(method, request);
  } else {
    yield await connection.unary(method, request);
  }
}

function failureOf(error) {
  const { code, reason, domain, metadata, message } = error;
  const violations = error.violations.map(({ field }) => field);
  const retry = error.retryDelay !== undefined;
  return { code, reason, domain, metadata, violations, message, retry };
}

const { cases } = JSON.parse(readFileSync(options.table, "utf8"));
const client = connect(options.address);
const call = callsOf(client);
let passed = 0;
try {
  for (const test of cases) {
    if (test.skip?.node || (options.case ?? test.name) !== test.name) continue;
    await runCase(test, call);
    passed += 1;
  }
} catch (error) {
  console.log(error.cause instanceof Difference ? error.message : error);
  process.exit(1);
}
console.log(`${passed} cases passed`);
client.close();
