// Watching: a stream that is cut wherever it can be is taken up again, and
// every change comes once and in order. On a server that a test decides.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import {
  type Change,
  type Client,
  connect,
  EventLevel,
  NotFoundError,
  type Session,
  UnavailableError,
} from "faultline";
import {
  HistoryService,
  SessionService,
  type WatchEventsRequest,
} from "faultline/v1";
import { Failure, FakeServer } from "./fake_server.js";

/** One message of a stream, a cut, or the stream's end by a refusal. */
type Step =
  | { revision: bigint; changes: { revision: bigint }[] }
  | Failure
  | "wait";

const CUT = new Failure(status.UNAVAILABLE, "cut");

function message(revision: number, ...changes: number[]): Step {
  return {
    revision: BigInt(revision),
    changes: changes.map((one) => ({ revision: BigInt(one) })),
  };
}

describe("a watch", () => {
  const server = new FakeServer();
  let client: Client;
  let lab: Session;
  let streams: Step[][] = [];
  let requests: WatchEventsRequest[] = [];
  let cancelled = 0;
  /** In place of streams, for sessions of their own. */
  const plans = new Map<string, Step[][]>();
  before(async () => {
    server.add(SessionService, {
      getSession: ({ session }) => ({
        session: { name: session, revision: 4n },
      }),
    });
    server.add(HistoryService, {
      watchEvents: async function* (request) {
        requests.push(request);
        try {
          const mine = plans.get(request.session) ?? streams;
          for (const step of mine.shift() ?? []) {
            if (step instanceof Failure) throw step;
            if (step === "wait") await new Promise(() => {});
            else yield step;
          }
        } finally {
          cancelled += 1;
        }
      },
    });
    await server.start();
    client = connect(server.address);
  });
  beforeEach(async () => {
    lab = await client.openSession("lab");
    streams = [];
    requests = [];
    cancelled = 0;
  });
  after(() => {
    client.close();
    server.stop();
  });

  const starts = () => requests.map((one) => Number(one.startRevision));

  async function revisions(watch: AsyncIterable<Change>): Promise<number[]> {
    const seen: number[] = [];
    for await (const { revision } of watch) seen.push(Number(revision));
    return seen;
  }

  it("starts after what its handle has seen", async () => {
    streams = [[message(4), message(5, 5)]];
    assert.deepEqual(await revisions(lab.watch()), [5]);
    assert.deepEqual(starts(), [5]);
  });

  it("asks for what it was asked", async () => {
    await revisions(
      lab.watch({
        startRevision: 2,
        endRevision: 9n,
        pids: [1, 2],
        kinds: ["faultResolved", "vmaSplit"],
        eventLevel: EventLevel.ALL,
        includeCommands: true,
      }),
    );
    const [request] = requests;
    assert.equal(request?.session, "sessions/lab");
    assert.equal(request?.startRevision, 2n);
    assert.equal(request?.endRevision, 9n);
    assert.deepEqual(request?.pids, [1, 2]);
    assert.deepEqual(request?.kinds, ["fault_resolved", "vma_split"]);
    assert.equal(request?.eventLevel, EventLevel.ALL);
    assert.equal(request?.includeCommands, true);
  });

  it("goes on after a cut where it was", async () => {
    streams = [
      [message(1, 1), message(3, 2, 3), CUT],
      [CUT],
      [message(3), message(4, 4), CUT],
      [message(5, 5)],
    ];
    const watch = lab.watch({ startRevision: 1 });
    assert.deepEqual(await revisions(watch), [1, 2, 3, 4, 5]);
    assert.deepEqual(starts(), [1, 4, 4, 5]);
  });

  it("goes on after a mark without changes", async () => {
    streams = [[message(1, 1), message(90), CUT], [message(91, 91)]];
    const watch = lab.watch({ startRevision: 1 });
    assert.deepEqual(await revisions(watch), [1, 91]);
    assert.deepEqual(starts(), [1, 91]);
  });

  it("does not go back for a mark that is behind", async () => {
    streams = [[message(3, 3), message(1), CUT], [message(4, 4)]];
    const watch = lab.watch({ startRevision: 3 });
    assert.deepEqual(await revisions(watch), [3, 4]);
    assert.deepEqual(starts(), [3, 4]);
  });

  it("hands nothing out twice, whatever the server sends", async () => {
    streams = [[message(2, 1, 2), CUT], [message(3, 1, 2, 3)]];
    const watch = lab.watch({ startRevision: 1 });
    assert.deepEqual(await revisions(watch), [1, 2, 3]);
  });

  it("tells each change once, cut at any moment", async () => {
    const count = 60;
    const expected = Array.from({ length: count }, (_, i) => i + 1);
    const watchOne = async (seed: number) => {
      plans.set(`sessions/s${seed}`, randomStreams(seed, count));
      const session = await client.openSession(`s${seed}`);
      const watch = session.watch({ startRevision: 1, endRevision: count });
      assert.deepEqual(await revisions(watch), expected, `seed ${seed}`);
    };
    await Promise.all(Array.from({ length: 40 }, (_, i) => watchOne(i + 1)));
  });

  it("does not ask again after its last revision", async () => {
    streams = [[message(2, 1, 2), CUT]];
    const watch = lab.watch({ startRevision: 1, endRevision: 2 });
    assert.deepEqual(await revisions(watch), [1, 2]);
    assert.equal(requests.length, 1);
  });

  it("tells its progress", async () => {
    streams = [[message(4), message(6, 5, 6), message(8)]];
    const marks: bigint[] = [];
    const onProgress = (revision: bigint) => marks.push(revision);
    await revisions(lab.watch({ onProgress }));
    assert.deepEqual(marks, [4n, 6n, 8n]);
  });

  it("ends with an error that no repetition helps", async () => {
    streams = [[message(5, 5), new Failure(status.NOT_FOUND, "deleted")]];
    const seen: bigint[] = [];
    await assert.rejects(async () => {
      for await (const { revision } of lab.watch()) seen.push(revision);
    }, NotFoundError);
    assert.deepEqual(seen, [5n]);
    assert.equal(requests.length, 1);
  });

  it("ends when there is no server for too long", async () => {
    streams = [
      [message(5, 5), CUT],
      ...Array.from({ length: 99 }, () => [CUT]),
    ];
    const start = Date.now();
    const watch = revisions(lab.watch({ timeoutMs: 500 }));
    await assert.rejects(watch, UnavailableError);
    assert.ok(requests.length > 2 && Date.now() - start < 5000);
  });

  it("ends when it is aborted", async () => {
    streams = [[message(5, 5), "wait"]];
    const abort = new AbortController();
    const seen: bigint[] = [];
    await assert.rejects(async () => {
      for await (const change of lab.watch({ signal: abort.signal })) {
        seen.push(change.revision);
        abort.abort(new Error("enough"));
      }
    }, /enough/);
    assert.deepEqual(seen, [5n]);
  });

  it("ends the call when its reader breaks off", async () => {
    const many = Array.from({ length: 20_000 }, (_, i) =>
      message(5 + i, 5 + i),
    );
    streams = [many];
    for await (const { revision } of lab.watch()) {
      if (revision === 7n) break;
    }
    // The next call is made on the same connection: by its answer the server
    // has heard of the end of the first.
    await lab.info();
    await until(() => cancelled === 1);
  });
});

/** `count` changes in streams that are cut anywhere; the same for a seed. */
function randomStreams(seed: number, count: number): Step[][] {
  let state = seed;
  const random = (n: number) => {
    state = (state * 48271) % 2147483647;
    return state % n;
  };
  const streams: Step[][] = [];
  let done = 0;
  while (done < count) {
    const stream: Step[] = random(3) ? [message(done)] : [];
    for (let n = random(6); n > 0 && done < count; --n) {
      const size = Math.min(random(5), count - done);
      const changes = Array.from({ length: size }, (_, i) => done + 1 + i);
      done += size;
      stream.push(message(done, ...changes));
    }
    if (done < count || random(2)) stream.push(CUT);
    streams.push(stream);
  }
  return streams;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate);
}
