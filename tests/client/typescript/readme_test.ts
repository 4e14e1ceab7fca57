// What the READMEs show is what happens.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Server } from "./server.js";

const PACKAGE = join(dirname(fileURLToPath(import.meta.url)), "..");
const EXAMPLE = join(PACKAGE, "examples", "cow.mjs");

/** The first block of a kind in a text. */
function block(text: string, kind: string): string {
  const found = new RegExp(`\`\`\`${kind}\n(.*?)\`\`\``, "s").exec(text)?.[1];
  assert.ok(found, `no block of ${kind}`);
  return found;
}

async function output(program: string, ...rest: string[]): Promise<string> {
  const run = promisify(execFile)(process.execPath, [program, ...rest]);
  return (await run).stdout;
}

describe("the READMEs", () => {
  let server: Server;
  before(async () => (server = await Server.start()));
  after(() => server.stop());
  const readme = readFileSync(join(PACKAGE, "README.md"), "utf8");
  const tour = readFileSync("README.md", "utf8").split("From Node")[1] ?? "";

  it("start with the example", () => {
    assert.equal(block(readme, "js"), readFileSync(EXAMPLE, "utf8"));
  });

  it("show what the example prints", async () => {
    const printed = await output(EXAMPLE, server.address);
    assert.equal(printed, block(readme, "text"));
  });

  it("show what the lesson of the tour prints", async () => {
    const lesson = join(PACKAGE, "tests-built", "lesson.mjs");
    const here = `connect("${server.address}")`;
    writeFileSync(lesson, block(tour, "js").replace("connect()", here));
    const printed = await output(lesson);
    assert.equal(`$ node lesson.mjs\n${printed}`, block(tour, "text"));
  });
});
