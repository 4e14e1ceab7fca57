// The calls of a session, on the real server.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  AccessKind,
  type Client,
  COMMAND_NAMES,
  ConflictError,
  connect,
  EventLevel,
  InvalidRequestError,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  NotFoundError,
  PROT_READ,
  PROT_WRITE,
  Session,
} from "faultline";
import { CommandSchema } from "faultline/v1";
import { Server } from "./server.js";

const ANON = MAP_PRIVATE | MAP_ANONYMOUS;
const RW = PROT_READ | PROT_WRITE;

describe("a session", () => {
  let server: Server;
  let client: Client;
  before(async () => {
    server = await Server.start();
    client = connect(server.address);
  });
  after(async () => {
    client.close();
    await server.stop();
  });

  it("maps, stores and loads", async () => {
    const lab = await client.createSession({ id: "maps" });
    const mapped = await lab.mmap({ length: 8192, prot: RW, flags: ANON });
    assert.equal(mapped.errno, undefined);
    assert.equal(mapped.address, 0x7ffff7ffd000n);
    const stored = await lab.store(mapped.address, 7);
    assert.equal(stored.minFlt, 1n);
    assert.deepEqual(
      stored.events.map((event) => event.body.case),
      ["pageFaultUser", "faultResolved"],
    );
    assert.equal((await lab.load(mapped.address)).value, 7n);
    assert.equal(lab.revision, 3n);
  });

  it("gives an errno as data", async () => {
    const lab = await client.createSession();
    const outcome = await lab.munmap({ addr: 1, length: 4096 });
    assert.equal(outcome.ok, false);
    assert.equal(outcome.errno, "EINVAL");
    assert.equal(outcome.value, -22n);
    assert.equal(outcome.toString(), "EINVAL");
    assert.equal(outcome.revision, 1n, "it is recorded all the same");
  });

  it("gives a signal as data", async () => {
    const lab = await client.createSession();
    const outcome = await lab.load(0x10);
    assert.equal(outcome.errno, undefined);
    assert.deepEqual(outcome.signal, {
      name: "SIGSEGV",
      number: 11,
      code: 1,
      addr: 0x10n,
    });
    assert.equal(outcome.toString(), "SIGSEGV at 0x10");
  });

  it("says so when there is no process", async () => {
    const lab = await client.createSession();
    const { exited } = await lab.exit({ status: 1 });
    assert.equal(exited, true);
    const late = await lab.brk();
    assert.equal(late.noProcess, true);
    assert.equal(late.ok, false);
    assert.equal(late.toString(), "no such process");
  });

  it("has a method for each command of the contract", async () => {
    const contract = CommandSchema.oneofs[0]!.fields.map((f) => f.localName);
    assert.deepEqual(COMMAND_NAMES, contract);
    for (const name of COMMAND_NAMES) {
      assert.equal(typeof Session.prototype[name], "function", name);
    }
  });

  it("sends each command by its own rpc", async () => {
    for (const name of COMMAND_NAMES) {
      const lab = await client.createSession();
      // With no arguments some are refused: by the server, for their content.
      await lab[name]({}).catch((error) => {
        assert.ok(error instanceof InvalidRequestError, `${name}: ${error}`);
        assert.ok(error.violations.length > 0, name);
      });
      const [entry] = await all(lab.commands());
      if (entry) assert.equal(entry.command?.op.case, name);
    }
  });

  it("makes a call as the process that is named", async () => {
    const lab = await client.createSession();
    const child = Number((await lab.fork()).value);
    assert.equal(child, 2);
    await lab.exit({ status: 3 }, { pid: child });
    const waited = await lab.wait({ pid: child });
    assert.equal(waited.value, 2n);
    assert.deepEqual(waited.data, Uint8Array.of(0, 3, 0, 0));
  });

  it("makes many accesses with one command", async () => {
    const lab = await client.createSession();
    const args = { length: 8 * 4096, prot: RW, flags: ANON };
    const { address } = await lab.mmap(args);
    const outcome = await lab.accessMany({
      base: address,
      addr: [0, 2n * 4096n, 1],
      kind: [AccessKind.WRITE, AccessKind.READ, AccessKind.READ],
      count: [2, 2, 1],
      value: Uint8Array.of(7),
      data: true,
    });
    assert.equal(outcome.accesses, 5n);
    assert.deepEqual(outcome.data, Uint8Array.of(7, 7, 0, 0, 0));
    assert.equal(outcome.minFlt, 4n);
    assert.deepEqual(outcome.faulted, [
      { entry: 0, minFlt: 2, majFlt: 0 },
      { entry: 1, minFlt: 2, majFlt: 0 },
    ]);
    assert.deepEqual((await lab.load(address)).faulted, []);
  });

  it("keeps bytes", async () => {
    const lab = await client.createSession();
    const data = Uint8Array.from({ length: 256 }, (_, i) => i);
    await lab.createFile({ path: "/bytes", data });
    const fd = Number((await lab.open({ path: "/bytes" })).value);
    const { data: read } = await lab.read({ fd, length: 300 });
    assert.deepEqual(read, data);
  });

  it("tells as much as it is asked to", async () => {
    const lab = await client.createSession();
    const args = { length: 4096, prot: RW, flags: ANON };
    const kinds = async (eventLevel: EventLevel) => {
      const outcome = await lab.mmap(args, { eventLevel });
      return outcome.events.map((event) => event.body.case);
    };
    assert.deepEqual(await kinds(EventLevel.NONE), []);
    assert.deepEqual(await kinds(EventLevel.ALL), [
      "vmUnmappedArea",
      "vmaMerge",
    ]);
  });

  it("boots the machine that is asked for", async () => {
    const lab = await client.createSession({
      displayName: "small",
      config: { ramBytes: 16 * 2 ** 20, seed: 2n ** 64n - 1n },
    });
    const { config, displayName } = await lab.info();
    assert.equal(displayName, "small");
    assert.equal(config?.ramBytes, 2n ** 24n);
    assert.equal(config?.seed, 2n ** 64n - 1n);
  });

  it("executes a command at the expected revision only", async () => {
    const lab = await client.createSession({ id: "expected" });
    await lab.brk({}, { expectedRevision: 0 });
    const late = lab.brk({}, { expectedRevision: 0 });
    await assert.rejects(late, (error) => {
      assert.ok(error instanceof ConflictError);
      assert.equal(error.code, "ABORTED");
      assert.equal(error.reason, "REVISION_MISMATCH");
      assert.equal(error.domain, "faultline.dev");
      assert.equal(error.metadata.session, "sessions/expected");
      return true;
    });
  });

  it("executes a command once for each request id", async () => {
    const lab = await client.createSession();
    const args = { length: 4096, prot: RW, flags: ANON };
    const first = await lab.mmap(args, { requestId: "mine" });
    const again = await lab.mmap(args, { requestId: "mine" });
    assert.equal(again.address, first.address);
    assert.equal(again.revision, 1n);
    const other = lab.brk({}, { requestId: "mine" });
    await assert.rejects(other, { reason: "REQUEST_ID_REUSED" });
  });

  it("says which field cannot be", async () => {
    const lab = await client.createSession();
    const failed = lab.open({ path: "x".repeat(5000) });
    await assert.rejects(failed, (error) => {
      assert.ok(error instanceof InvalidRequestError);
      assert.equal(error.violations[0]?.field, "open.path");
      assert.match(error.message, /open\.path/);
      return true;
    });
  });

  it("lists, opens, ends and deletes sessions", async () => {
    await client.createSession({ id: "zz-1" });
    const lab = await client.openSession("zz-1");
    await lab.brk();
    assert.equal((await client.openSession(lab.name)).revision, 1n);
    const names = (await all(client.sessions())).map((one) => one.name);
    assert.ok(names.includes("sessions/zz-1"));
    assert.deepEqual(names, [...names].sort());
    await lab.end();
    await assert.rejects(lab.brk(), { reason: "SESSION_CLOSED" });
    await client.deleteSession("zz-1");
    await assert.rejects(client.openSession("zz-1"), NotFoundError);
    await assert.rejects(client.deleteSession("zz-1"), NotFoundError);
    await client.deleteSession("zz-1", { allowMissing: true });
  });

  it("reads and checks its history", async () => {
    const lab = await client.createSession();
    const { address } = await lab.mmap({ length: 8192, prot: RW, flags: ANON });
    await lab.store(address, 1);
    const entries = await all(lab.commands({ startRevision: 2 }));
    assert.equal(entries.length, 1);
    const op = entries[0]?.command?.op;
    assert.equal(op?.case === "access" && op.value.addr, address);
    const told: bigint[] = [];
    const onProgress = (done: bigint, total: bigint) => told.push(done, total);
    assert.equal((await lab.replay({ onProgress })).equal, 2n);
    assert.equal((await lab.replay({ toRevision: 1 })).commands, 1n);
    const { ok, checks } = await lab.verify();
    assert.ok(ok);
    assert.equal(checks[0]?.name, "journal");
    const now = await lab.fingerprint();
    const before = await lab.fingerprint({ revision: 1 });
    assert.equal(before.revision, 1n);
    assert.notEqual(now.fingerprint, before.fingerprint);
  });

  it("looks into the machine", async () => {
    const lab = await client.createSession();
    const { address } = await lab.mmap({ length: 8192, prot: RW, flags: ANON });
    await lab.store(address, 1);
    const { present, pfn, steps } = await lab.walk(address);
    assert.ok(present);
    assert.deepEqual(
      steps.map((step) => step.level),
      [4, 3, 2, 1],
    );
    assert.equal((await lab.page(pfn)).kind, "anon");
    assert.ok((await lab.zones()).some((zone) => zone.name === "DMA32"));
    assert.equal((await lab.freeAreas())[0]?.blocks.length, 11);
    assert.equal(await lab.verifyMachine(), "");
  });

  it("does not make a call whose signal is aborted", async () => {
    const lab = await client.createSession();
    const signal = AbortSignal.abort(new Error("changed my mind"));
    await assert.rejects(lab.brk({}, { signal }), /changed my mind/);
    assert.equal((await lab.info()).revision, 0n);
  });
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
