// Several clients in one session of a real server: who sent what, and what the
// others see of it, also when the server is killed in between.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  type Change,
  type Client,
  connect,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  NotAllowedError,
  NotFoundError,
  Role,
  Session,
  SnapshotKind,
  UnavailableError,
} from "faultline";
import { CuttingProxy } from "./cutting_proxy.js";
import { Server } from "./server.js";

const ANON = { length: 4096, prot: 3, flags: MAP_PRIVATE | MAP_ANONYMOUS };

describe("a session of several clients", () => {
  let server: Server;
  let client: Client;
  before(async () => {
    server = await Server.start({ durable: true });
    client = connect(server.address);
  });
  after(async () => {
    client.close();
    await server.stop();
  });

  it("records who sent each command", async () => {
    const lab = await client.createSession({ id: "who" });
    const ada = await lab.join({ id: "ada", displayName: "Ada's notebook" });
    const bob = await lab.join({ id: "bob", role: Role.OBSERVER });
    await ada.brk();
    await lab.brk();
    await assert.rejects(bob.brk(), (error) => {
      assert.ok(error instanceof NotAllowedError);
      assert.equal(error.code, "PERMISSION_DENIED");
      return true;
    });
    const senders = (await all(lab.commands())).map((one) => one.sender);
    assert.equal(senders.length, 2);
    assert.equal(senders[0], "sessions/who/participants/ada");
    assert.match(senders[1]!, /^ipv4:127\.0\.0\.1:\d+$/);
    await bob.leave();
    const there = (await all(lab.participants())).map((one) => one.name);
    assert.deepEqual(there, ["sessions/who/participants/ada"]);
    const ever = await all(lab.participants({ includeLeft: true }));
    assert.equal(ever.length, 2);
    assert.ok(ever[1]?.leaveTime);
    await assert.rejects(bob.brk(), NotFoundError);
  });

  it("shows the past and the future of all clients", async () => {
    const lab = await client.createSession();
    const { address } = await lab.mmap(ANON);
    const watch = lab.watch({ startRevision: 1, includeCommands: true });
    const past = (await watch.next()).value as Change;
    assert.equal(past.revision, 1n);
    assert.equal(past.command?.op.case, "mmap");
    assert.equal(past.outcome?.address, address);
    assert.match(past.sender, /^ipv4:/);
    assert.ok(Math.abs(past.time!.getTime() - Date.now()) < 60_000);
    const other = connect(server.address);
    const driver = await other.openSession(lab.name);
    const future = watch.next();
    await driver.store(address, 7);
    const { revision, events } = (await future).value as Change;
    assert.equal(revision, 2n);
    const kinds = events.map((event) => event.body.case);
    assert.deepEqual(kinds, ["pageFaultUser", "faultResolved"]);
    other.close();
    const end = watch.next();
    await lab.end();
    assert.equal((await end).done, true);
  });

  it("shows what is asked for", async () => {
    const lab = await client.createSession();
    const { address } = await lab.mmap(ANON);
    await lab.store(address, 1);
    await lab.fork();
    await lab.store(address, 2, { pid: 2 });
    const endRevision = lab.revision;
    const seen = async (settings: Parameters<Session["watch"]>[0]) => {
      const range = { startRevision: 1, endRevision };
      const changes = await all(lab.watch({ ...range, ...settings }));
      return changes.map((one) => Number(one.revision));
    };
    assert.deepEqual(await seen({ kinds: ["faultResolved"] }), [2, 4]);
    assert.deepEqual(await seen({ pids: [2], kinds: ["faultResolved"] }), [4]);
    assert.deepEqual(await seen({ kinds: ["schedProcessFork"] }), [3]);
  });

  it("shows each change once while the server is killed", async () => {
    const lab = await client.createSession();
    const count = 400;
    const range = { startRevision: 1, endRevision: count };
    const watching = all(lab.watch({ ...range, includeCommands: true }));
    let restarted = Promise.resolve();
    for (let i = 0; i < count; ++i) {
      if (i % 90 === 50) restarted = restarted.then(() => server.restart());
      await tickOnce(lab, i);
    }
    await restarted;
    checkTicks(await watching, count);
  });

  it("shows each change once over connections that are cut", async () => {
    const lab = await client.createSession();
    const proxy = await new CuttingProxy(server.address, 11).start();
    const far = connect(proxy.address);
    const count = 400;
    const watcher = new Session(far.connection, lab.name, 0n);
    const range = { startRevision: 1, endRevision: count };
    const changes: Change[] = [];
    // Never far ahead, so that what is missing fits between two cuts.
    let sent = 0;
    while (sent < 10) await tickOnce(lab, sent++);
    for await (const change of watcher.watch({
      ...range,
      includeCommands: true,
    })) {
      changes.push(change);
      if (sent < count) await tickOnce(lab, sent++);
    }
    checkTicks(changes, count);
    assert.ok(proxy.cuts > 5, `${proxy.cuts} cuts`);
    far.close();
    proxy.stop();
  });

  it("can be taken up where a snapshot was taken", async () => {
    const lab = await client.createSession({ id: "snap" });
    const { address } = await lab.mmap(ANON);
    await lab.store(address, 7);
    const taken = await lab.createSnapshot({ id: "seven" });
    assert.equal(taken.name, "sessions/snap/snapshots/seven");
    assert.equal(taken.revision, 2n);
    assert.equal(taken.kind, SnapshotKind.USER);
    await lab.store(address, 8);
    const other = await lab.restoreSnapshot("seven", { id: "snap-2" });
    assert.equal(other.revision, 0n);
    assert.equal((await other.load(address)).value, 7n);
    assert.equal((await lab.load(address)).value, 8n);
    const { fingerprint } = await other.fingerprint({ revision: 0 });
    assert.equal(fingerprint, taken.fingerprint);
    const users = (await all(lab.snapshots())).filter(
      (one) => one.kind === SnapshotKind.USER,
    );
    assert.deepEqual(users, [await lab.snapshot("seven")]);
    await lab.deleteSnapshot("seven");
    await assert.rejects(lab.snapshot("seven"), NotFoundError);
  });

  it("can be looked at as it was", async () => {
    const lab = await client.createSession();
    const { address } = await lab.mmap(ANON);
    await lab.munmap({ addr: address, length: 4096 });
    await lab.end();
    const before = lab.at(1);
    assert.equal((await before.maps()).length, 2);
    assert.match(await before.readProc("/proc/1/maps"), /^7ffff7ffe000-/);
    assert.equal((await before.walk(address)).present, false);
    assert.equal((await lab.at(2).maps()).length, 1);
    await assert.rejects(lab.at(9).maps(), { code: "OUT_OF_RANGE" });
  });
});

/** As the README says: until it is answered, under the same request id. */
async function tickOnce(lab: Session, n: number): Promise<void> {
  const requestId = `tick-${n}`;
  for (;;) {
    try {
      await lab.tick({ nanoseconds: n }, { requestId });
      return;
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
    }
  }
}

function checkTicks(changes: Change[], count: number): void {
  const told = changes.map(({ revision, command }) => {
    assert.ok(command?.op.case === "tick");
    assert.equal(command.op.value.nanoseconds, revision - 1n);
    return revision;
  });
  const expected = Array.from({ length: count }, (_, i) => BigInt(i + 1));
  assert.deepEqual(told, expected);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
