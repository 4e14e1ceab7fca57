// What the README shows is what happens.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Server } from "./server.js";

const PACKAGE = join(dirname(fileURLToPath(import.meta.url)), "..");
const EXAMPLE = join(PACKAGE, "examples", "cow.mjs");

describe("the README", () => {
  let server: Server;
  before(async () => (server = await Server.start()));
  after(() => server.stop());

  const readme = readFileSync(join(PACKAGE, "README.md"), "utf8");
  const block = (kind: string) =>
    new RegExp(`\`\`\`${kind}\n(.*?)\`\`\``, "s").exec(readme)?.[1];

  it("starts with the example", () => {
    assert.equal(block("js"), readFileSync(EXAMPLE, "utf8"));
  });

  it("shows what the example prints", async () => {
    const arguments_ = [EXAMPLE, server.address];
    const run = promisify(execFile)(process.execPath, arguments_);
    assert.equal((await run).stdout, block("text"));
  });
});
