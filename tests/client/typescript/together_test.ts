// Participants and snapshots: what is asked of the server, and what becomes of
// its answers.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Client, connect, Role, type Session } from "faultline";
import {
  HistoryService,
  MachineService,
  type Participant,
  SessionService,
  type Snapshot,
} from "faultline/v1";
import { FakeServer } from "./fake_server.js";

describe("a session that is shared", () => {
  const server = new FakeServer();
  let client: Client;
  let lab: Session;
  let asked: unknown[] = [];
  before(async () => {
    server.add(SessionService, {
      getSession: ({ session }) => ({ session: { name: session } }),
      joinSession: ({ session, participantId, role, displayName }) => {
        asked = [session, role, displayName];
        const name = `${session}/participants/${participantId}`;
        return { participant: { name }, revision: 5n };
      },
      leaveSession: ({ participant: name }) => ({ participant: { name } }),
      listParticipants: ({ includeLeft, pageToken }) => ({
        participants: [{ name: pageToken ? "second" : `first ${includeLeft}` }],
        nextPageToken: pageToken ? "" : "more",
      }),
    });
    server.add(MachineService, {
      brk: ({ options }) => {
        asked = [options?.participant];
        return { revision: 6n, outcome: {} };
      },
      run: async function* (requests) {
        for await (const { options } of requests) {
          asked = [options?.participant];
          yield { last: true };
        }
      },
    });
    server.add(HistoryService, {
      createSnapshot: ({ session, snapshotId, displayName, revision }) => {
        asked = [displayName, revision];
        return { snapshot: { name: `${session}/snapshots/${snapshotId}` } };
      },
      getSnapshot: ({ snapshot: name }) => ({ snapshot: { name, bytes: 7n } }),
      listSnapshots: ({ pageToken }) => ({
        snapshots: [{ name: pageToken ? "second" : "first" }],
        nextPageToken: pageToken ? "" : "more",
      }),
      deleteSnapshot: ({ snapshot, allowMissing }) => {
        asked = [snapshot, allowMissing];
        return {};
      },
      restoreSnapshot: ({ snapshot, sessionId, displayName }) => {
        asked = [snapshot, displayName];
        return { session: { name: `sessions/${sessionId}` } };
      },
    });
    await server.start();
    client = connect(server.address);
    lab = await client.openSession("lab");
  });
  after(() => {
    client.close();
    server.stop();
  });

  it("is joined by a handle that sends its participant's name", async () => {
    const role = Role.OBSERVER;
    const ada = await lab.join({ id: "ada", role, displayName: "Ada" });
    assert.deepEqual(asked, ["sessions/lab", Role.OBSERVER, "Ada"]);
    assert.equal(ada.participant, "sessions/lab/participants/ada");
    assert.equal(ada.revision, 5n);
    await ada.brk();
    assert.deepEqual(asked, [ada.participant]);
    for await (const answer of ada.run([[{ brk: {} }]])) void answer;
    assert.deepEqual(asked, [ada.participant]);
    await lab.brk();
    assert.deepEqual(asked, [""]);
    const again = lab.as("ada");
    assert.equal(again.participant, ada.participant);
    assert.equal((await again.leave()).name, ada.participant);
  });

  it("lists who is there, page by page", async () => {
    const names = async (includeLeft: boolean) =>
      (await all<Participant>(lab.participants({ includeLeft }))).map(
        (one) => one.name,
      );
    assert.deepEqual(await names(false), ["first false", "second"]);
    assert.deepEqual(await names(true), ["first true", "second"]);
  });

  it("has snapshots by a short name or the whole", async () => {
    const whole = "sessions/lab/snapshots/start";
    const settings = { id: "start", displayName: "Start", revision: 3 };
    assert.equal((await lab.createSnapshot(settings)).name, whole);
    assert.deepEqual(asked, ["Start", 3n]);
    assert.equal((await lab.snapshot("start")).name, whole);
    assert.equal((await lab.snapshot(whole)).name, whole);
    const names = (await all<Snapshot>(lab.snapshots())).map((s) => s.name);
    assert.deepEqual(names, ["first", "second"]);
    await lab.deleteSnapshot("start");
    assert.deepEqual(asked, [whole, false]);
    await lab.deleteSnapshot(whole, { allowMissing: true });
    assert.deepEqual(asked, [whole, true]);
    const naming = { id: "again", displayName: "Again" };
    const restored = await lab.restoreSnapshot("start", naming);
    assert.deepEqual(asked, [whole, "Again"]);
    assert.equal(restored.name, "sessions/again");
  });
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
