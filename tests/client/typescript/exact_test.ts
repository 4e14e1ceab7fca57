// 64-bit values stay what they are, there and back, and whatever JavaScript
// could bend on the way is refused.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  type Client,
  connect,
  hex,
  InvalidRequestError,
  RLIM_INFINITY,
  type Session,
} from "faultline";
import type { Command } from "faultline/v1";
import { Server } from "./server.js";

const U64_MAX = 2n ** 64n - 1n;

describe("64-bit values", () => {
  let server: Server;
  let client: Client;
  let lab: Session;
  before(async () => {
    server = await Server.start();
    client = connect(server.address);
    lab = await client.createSession();
  });
  after(async () => {
    client.close();
    await server.stop();
  });

  const recorded = async (): Promise<Command["op"]> => {
    const startRevision = lab.revision;
    for await (const entry of lab.commands({ startRevision })) {
      return entry.command!.op;
    }
    throw new Error("nothing is recorded");
  };

  for (const addr of [
    0n,
    2n ** 53n - 1n,
    2n ** 53n,
    2n ** 53n + 1n,
    2n ** 63n - 1n,
    2n ** 63n,
    0xffffffffff600001n,
    U64_MAX,
  ]) {
    it(`sends and records ${hex(addr)} as it is`, async () => {
      await lab.munmap({ addr, length: addr });
      const op = await recorded();
      assert.ok(op.case === "munmap");
      assert.equal(op.value.addr, addr);
      assert.equal(op.value.length, addr);
    });
  }

  it("takes safe numbers in place of bigints", async () => {
    await lab.munmap({ addr: Number.MAX_SAFE_INTEGER, length: 0 });
    const op = await recorded();
    assert.ok(op.case === "munmap");
    assert.equal(op.value.addr, 2n ** 53n - 1n);
  });

  it("gets back the address of a signal above 2^63", async () => {
    const other = await client.createSession();
    // Not canonical: the processor refuses it, and Linux tells no address.
    // The first of the kernel's half is told.
    const addr = 0xffff800000000001n;
    const { signal } = await other.load(addr);
    assert.equal(signal?.addr, addr);
  });

  it("gets back negative values", async () => {
    const { value, address } = await lab.munmap({ addr: 1, length: 1 });
    assert.equal(value, -22n);
    assert.equal(address, U64_MAX - 21n);
    assert.equal(hex(value), "0xffffffffffffffea");
  });

  it("sends negative values where the contract has them", async () => {
    await lab.truncate({ fd: -1, size: -(2n ** 63n) });
    const op = await recorded();
    assert.ok(op.case === "truncate");
    assert.deepEqual([op.value.fd, op.value.size], [-1, -(2n ** 63n)]);
  });

  it("knows infinity", async () => {
    await lab.setrlimit({ resource: 9, soft: RLIM_INFINITY, hard: U64_MAX });
    const op = await recorded();
    assert.ok(op.case === "setrlimit");
    assert.deepEqual([op.value.soft, op.value.hard], [U64_MAX, U64_MAX]);
  });

  const refused: [string, object, RegExp][] = [
    [
      "a number at 2^53",
      { addr: 2 ** 53 },
      /mmap\.addr is the number .*bigint/,
    ],
    ["a number above 2^53", { addr: 2 ** 60 }, /exact only up to 2\^53/],
    ["a fraction", { addr: 0.5 }, /mmap\.addr must be a whole number, not 0.5/],
    ["NaN", { length: NaN }, /mmap\.length must be a whole number, not NaN/],
    ["infinity", { length: Infinity }, /a whole number, not Infinity/],
    ["2^64", { addr: 2n ** 64n }, /must be from 0 to 18446744073709551615/],
    ["-1 as an address", { addr: -1 }, /write 0xffffffffffffffffn/],
    ["a text", { addr: "0x1000" }, /a whole number, not "0x1000"/],
    ["null", { addr: null }, /a whole number, not null/],
    ["2^31 for an int32", { fd: 2 ** 31 }, /mmap\.fd must be from -2147483648/],
    ["a name that is none", { len: 1 }, /mmap\.len is not an argument.*length/],
  ];
  for (const [what, args, message] of refused) {
    it(`refuses ${what}`, async () => {
      const { revision } = lab;
      await assert.rejects(lab.mmap(args), (error) => {
        assert.ok(error instanceof InvalidRequestError);
        assert.equal(error.reason, "FIELD_INVALID");
        assert.match(error.message, message);
        return true;
      });
      assert.equal((await lab.info()).revision, revision, "nothing was sent");
    });
  }

  it("refuses what is no text, flag or bytes", async () => {
    const path = lab.open({ path: 5 as never });
    await assert.rejects(path, /open\.path must be a string, not the number 5/);
    const group = lab.exit({ group: 1 as never });
    await assert.rejects(group, /exit\.group must be true or false/);
    const data = lab.write({ data: "abc" as never });
    await assert.rejects(data, /write\.data must be a Uint8Array/);
    const argv = lab.execve({ argv: "ls" as never });
    await assert.rejects(argv, /execve\.argv must be an array, not "ls"/);
    const element = lab.execve({ argv: ["ls", 7 as never] });
    await assert.rejects(element, /execve\.argv\[1\] must be a string/);
    const config = client.createSession({ config: { sysctls: [7 as never] } });
    await assert.rejects(config, /config\.sysctls\[0\] must be an object/);
  });

  it("refuses an unsafe revision and a pid that is none", async () => {
    const expectedRevision = 2 ** 53;
    await assert.rejects(lab.brk({}, { expectedRevision }), /2\^53/);
    await assert.rejects(lab.brk({}, { pid: -1 }), /pid must be from 0/);
    await assert.rejects(lab.brk({}, { pid: 2 ** 32 }), /pid must be from 0/);
  });
});
