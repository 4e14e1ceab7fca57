// A replacement policy in TypeScript, on the real server.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import {
  AlreadyExistsError,
  type Client,
  connect,
  InvalidRequestError,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  type Session,
} from "faultline";
import { ReplacementPolicy } from "faultline/v1";
import { Server } from "./server.js";

describe("a policy of the client", () => {
  let server: Server;
  let client: Client;
  let lab: Session;
  let base: bigint;
  before(async () => {
    server = await Server.start();
    client = connect(server.address);
  });
  after(async () => {
    client.close();
    await server.stop();
  });
  beforeEach(async () => {
    lab = await client.createSession({ config: { swapBytes: 1 << 20 } });
    const mapped = await lab.mmap({
      length: 8 * PAGE_SIZE,
      prot: PROT_READ | PROT_WRITE,
      flags: MAP_PRIVATE | MAP_ANONYMOUS,
    });
    base = mapped.address;
    await lab.setReplacement({ policy: ReplacementPolicy.CLIENT, frames: 2 });
  });
  const page = (n: number) => base + BigInt(n * PAGE_SIZE);

  it("chooses, and the session replays without it", async () => {
    const asked: bigint[][] = [];
    const victims = await lab.chooseVictims((wanted) => {
      asked.push([wanted.address, ...wanted.frames.map(({ addr }) => addr)]);
      // The newest.
      return wanted.frames.reduce((a, b) => (b.loadedAt > a.loadedAt ? b : a))
        .addr;
    });
    for (const n of [0, 1, 2, 3]) await lab.store(page(n), n + 1);
    await victims.stop();
    assert.deepEqual(asked, [
      [page(2), page(0), page(1)],
      [page(3), page(0), page(2)],
    ]);
    assert.equal((await lab.verify()).ok, true);
  });

  it("ends with a wrong answer", async () => {
    await lab.store(page(0), 1);
    await lab.store(page(1), 1);
    const victims = await lab.chooseVictims(() => 0);
    assert.equal((await lab.store(page(2), 1)).errno, "EAGAIN");
    await assert.rejects(victims.stop(), InvalidRequestError);
  });

  it("ends with what it throws", async () => {
    await lab.store(page(0), 1);
    await lab.store(page(1), 1);
    const victims = await lab.chooseVictims(async () => {
      throw new RangeError("no idea");
    });
    assert.equal((await lab.store(page(2), 1)).errno, "EAGAIN");
    await assert.rejects(victims.stop(), /no idea/);
  });

  it("is one at a time", async () => {
    const victims = await lab.chooseVictims(() => 0);
    await assert.rejects(
      lab.chooseVictims(() => 0),
      AlreadyExistsError,
    );
    await victims.stop();
  });
});
