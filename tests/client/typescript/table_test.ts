// The runner of the interop table: it passes what is so, and tells what is not.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Server } from "./server.js";

const PACKAGE = join(dirname(fileURLToPath(import.meta.url)), "..");
const RUNNER = join(PACKAGE, "interop", "run_table.mjs");

describe("the runner of the interop table", () => {
  let server: Server;
  let folder: string;
  before(async () => {
    server = await Server.start();
    folder = mkdtempSync(join(tmpdir(), "faultline-node-"));
  });
  after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  const run = (cases: object[], ...more: string[]) => {
    const table = join(folder, "table.json");
    writeFileSync(table, JSON.stringify({ cases }));
    const arguments_ = ["--address", server.address, "--table", table, ...more];
    const env = { ...process.env, FAULTLINE_BIN: join(PACKAGE, "..", "bin") };
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [RUNNER, ...arguments_],
      { encoding: "utf8", env },
    );
    return { status, output: stdout + stderr };
  };
  let count = 0;
  const mmap = (expected: object) => ({
    name: `mmap-${++count}`,
    session: {},
    steps: [
      {
        rpc: "faultline.v1.MachineService/Mmap",
        request: {
          session: "${session}",
          pid: 1,
          mmap: { length: "8192", prot: "3", flags: "34" },
        },
        ...expected,
      },
      {
        rpc: "faultline.v1.MachineService/Munmap",
        request: {
          session: "${session}",
          pid: 1,
          munmap: { addr: "1", length: "8192" },
        },
        response: { outcome: { value: "-22", error: "ERRNO_EINVAL" } },
      },
    ],
  });

  it("passes what is so", () => {
    const good = mmap({
      response: {
        revision: 1,
        outcome: {
          value: "140737354125312",
          signal: null,
          exited: false,
          data: "",
          events: { $size: 0 },
          costNs: { $any: true },
        },
      },
      save: { length: "outcome.costNs" },
    });
    // A saved number, moved below 0, is one of 64 bits again.
    Object.assign(good.steps[1]!.request, {
      munmap: { addr: "${length-300}", length: "${length+1}" },
    });
    const skipped = { ...mmap({}), skip: { node: "not now" } };
    const { status, output } = run([good, skipped]);
    assert.equal(output, "1 cases passed\n");
    assert.equal(status, 0);
  });

  const wrong: [string, object, RegExp][] = [
    [
      "a value",
      { response: { outcome: { value: "140737354125313" } } },
      /step 1, .*Mmap: responses\[0\]\.outcome\.value\n {2}expected "140737354125313"\n {2}actual {3}"140737354125312"/,
    ],
    [
      "something that is there",
      { response: { outcome: { value: null } } },
      /responses\[0\]\.outcome\.value/,
    ],
    [
      "something that is not there",
      { response: { outcome: { signal: { signal: 11 } } } },
      /responses\[0\]\.outcome\.signal/,
    ],
    ["a flag", { response: { outcome: { exited: true } } }, /outcome\.exited/],
    [
      "a default",
      { response: { outcome: { minFlt: { $any: true } } } },
      /outcome\.minFlt/,
    ],
    [
      "a size",
      { response: { outcome: { events: [{}] } } },
      /outcome\.events\n/,
    ],
    ["a failure", { status: { code: "NOT_FOUND" } }, /Mmap: status\n/],
    ["a number of responses", { responses: [] }, /Mmap: responses\n/],
    ["a name", { save: { it: "outcome.none" } }, /no outcome\.none to save/],
  ];
  for (const [what, expected, words] of wrong) {
    it(`tells ${what} that is not so`, () => {
      const { status, output } = run([mmap(expected)]);
      assert.match(output, words);
      assert.equal(status, 1);
    });
  }

  it("tells a failure that is another, or none that was expected", () => {
    const step = { rpc: "faultline.v1.SessionService/GetSession" };
    const failing = (status: object) => [
      { name: "failing", steps: [{ ...step, status }] },
    ];
    const code = "INVALID_ARGUMENT";
    assert.equal(run(failing({ code })).status, 0);
    const about = { code, reason: "FIELD_MISSING", violations: ["session"] };
    assert.equal(run(failing({ ...about, message: "required" })).status, 0);
    for (const other of [
      { code: "NOT_FOUND" },
      { code, reason: "FIELD_INVALID" },
      { code, violations: [] },
      { code, message: "is purple" },
      { code, metadata: { field: "pid" } },
      { code, retry: true },
    ]) {
      const { status, output } = run(failing(other));
      assert.equal(status, 1, JSON.stringify(other));
      assert.match(output, /case failing, step 1, .*GetSession: status\./);
    }
    const unexpected = run([{ name: "failing", steps: [step] }]);
    assert.equal(unexpected.status, 1);
  });

  it("runs one case when asked", () => {
    const { output } = run([mmap({ responses: [] })], "--case", "none");
    assert.equal(output, "0 cases passed\n");
  });
});
