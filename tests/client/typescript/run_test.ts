// Run: batches that are sent ahead and answered in order, on the real server,
// also when it is killed in the middle; and on one that a test decides.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import {
  AccessKind,
  type Batch,
  type BatchAnswer,
  type Client,
  type CommandInit,
  connect,
  ConflictError,
  EventLevel,
  InvalidRequestError,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  type RunSettings,
  type Session,
} from "faultline";
import { MachineService, type RunRequest, SessionService } from "faultline/v1";
import { CuttingProxy } from "./cutting_proxy.js";
import { Failure, FakeServer } from "./fake_server.js";
import { Server } from "./server.js";

const MMAP: CommandInit = {
  mmap: { length: 4096, prot: 3, flags: MAP_PRIVATE | MAP_ANONYMOUS },
};

async function all(
  lab: Session,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  settings?: RunSettings,
): Promise<BatchAnswer[]> {
  const answers: BatchAnswer[] = [];
  for await (const answer of lab.run(batches, settings)) answers.push(answer);
  return answers;
}

describe("a run", () => {
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

  it("answers batches in order", async () => {
    const lab = await client.createSession();
    const fork: CommandInit = { fork: {} };
    const child: CommandInit = { pid: 2, brk: {} };
    const nobody: CommandInit = { pid: 9, brk: {} };
    const answers = await all(lab, [[MMAP, fork], [child], [nobody, MMAP]]);
    assert.deepEqual(
      answers.map(({ batch, revision }) => [batch, revision]),
      [
        [0, 2n],
        [1, 3n],
        [2, 5n],
      ],
    );
    assert.equal(answers[0]?.outcomes[0]?.address, 0x7ffff7ffe000n);
    assert.equal(answers[0]?.outcomes[0]?.revision, 1n);
    assert.equal(answers[0]?.outcomes[1]?.value, 2n);
    assert.equal(answers[2]?.outcomes[0]?.noProcess, true);
    assert.equal(lab.revision, 5n);
  });

  it("gives packed answers the same outcomes", async () => {
    const batch: Batch = [
      MMAP,
      { access: { kind: AccessKind.WRITE, addr: 0x7ffff7ffe000n, value: 7 } },
      { access: { kind: AccessKind.READ, addr: 0x7ffff7ffe000n } },
      { munmap: { addr: 1, length: 1 } },
      { access: { kind: AccessKind.READ, addr: 8 } },
      { ...MMAP, pid: 9 },
    ];
    const settings = { eventLevel: EventLevel.NONE };
    const plain = await all(await client.createSession(), [batch], settings);
    const packed = await all(await client.createSession(), [batch], {
      ...settings,
      packed: true,
    });
    const lines = ([answer]: BatchAnswer[]) =>
      answer?.outcomes.map(({ digest, data, ...rest }) => rest);
    assert.deepEqual(lines(packed), lines(plain));
    assert.equal(packed[0]?.outcomes[3]?.errno, "EINVAL");
    assert.equal(packed[0]?.outcomes[4]?.signal?.name, "SIGSEGV");
    assert.equal(packed[0]?.outcomes[5]?.noProcess, true);
  });

  it("has nothing to say about nothing", async () => {
    assert.deepEqual(await all(await client.createSession(), []), []);
  });

  it("may build a batch on the answer before", async () => {
    const lab = await client.createSession();
    let answered: (answer: BatchAnswer) => void = () => {};
    async function* batches(): AsyncGenerator<Batch> {
      const first = new Promise<BatchAnswer>((resolve) => (answered = resolve));
      yield [MMAP];
      const addr = (await first).outcomes[0]!.address;
      yield [{ access: { kind: AccessKind.WRITE, addr, value: 1 } }];
    }
    const answers: BatchAnswer[] = [];
    for await (const answer of lab.run(batches())) {
      answered(answer);
      answers.push(answer);
    }
    assert.equal(answers[1]?.outcomes[0]?.minFlt, 1n);
  });

  it("takes batches no faster than they are answered", async () => {
    const lab = await client.createSession();
    let taken = 0;
    function* batches(): Generator<Batch> {
      for (; taken < 100; ++taken) yield [MMAP];
    }
    for await (const { batch } of lab.run(batches())) {
      assert.ok(taken <= batch + 1 + 9, `${taken} taken, ${batch} answered`);
    }
    assert.equal(lab.revision, 100n);
  });

  it("ends with the error of a batch and its number", async () => {
    const lab = await client.createSession();
    const wrong: CommandInit = { access: { addr: 1 } };
    await assert.rejects(all(lab, [[MMAP], [MMAP, wrong]]), (error) => {
      assert.ok(error instanceof InvalidRequestError);
      assert.equal(error.metadata.batch, "1");
      assert.match(error.violations[0]?.field ?? "", /^commands\[1\]\.access/);
      return true;
    });
    assert.equal((await lab.info()).revision, 1n);
  });

  it("refuses a command that cannot be sent", async () => {
    const lab = await client.createSession();
    const wrong = [{ mmap: { length: 2 ** 53 } }];
    await assert.rejects(all(lab, [wrong]), /mmap\.length is the number/);
    const none = [{ mmpa: {} } as never];
    await assert.rejects(all(lab, [none]), /"mmpa" is not a command/);
    const two = [{ fork: {}, brk: {} } as never];
    await assert.rejects(all(lab, [two]), /exactly one name/);
  });

  it("ends with the error of its source", async () => {
    const lab = await client.createSession();
    function* batches(): Generator<Batch> {
      yield [MMAP];
      throw new Error("no more paper");
    }
    const answers: BatchAnswer[] = [];
    await assert.rejects(async () => {
      for await (const answer of lab.run(batches())) answers.push(answer);
    }, /no more paper/);
    assert.equal(answers.length, 1, "what came before it is answered");
  });

  it("closes its source when its reader breaks off", async () => {
    const lab = await client.createSession();
    let closed: () => void = () => {};
    const wasClosed = new Promise<void>((resolve) => (closed = resolve));
    function* batches(): Generator<Batch> {
      try {
        for (;;) yield [MMAP];
      } finally {
        closed();
      }
    }
    for await (const { batch } of lab.run(batches())) if (batch === 20) break;
    await wasClosed;
  });

  it("ends when it is aborted, also while it waits for a batch", async () => {
    const lab = await client.createSession();
    async function* batches(): AsyncGenerator<Batch> {
      yield [MMAP];
      await new Promise(() => {});
    }
    for (const signal of [AbortSignal.timeout(100), AbortSignal.timeout(0)]) {
      const run = all(lab, batches(), { signal });
      await assert.rejects(run, { name: "TimeoutError" });
    }
  });

  it("lets nobody in between when it expects a revision", async () => {
    const lab = await client.createSession();
    await all(lab, [[MMAP, MMAP], [MMAP]], { expectedRevision: 0 });
    const late = all(lab, [[MMAP]], { expectedRevision: 1 });
    await assert.rejects(late, ConflictError);
    assert.equal((await lab.info()).revision, 3n);
  });

  it("executes each batch once while the server is killed", async () => {
    const lab = await client.createSession({ id: "killed" });
    const count = 60;
    function* batches(): Generator<Batch> {
      for (let i = 0; i < count; ++i)
        yield [MMAP, { tick: { nanoseconds: i } }];
    }
    let revision = 0n;
    for await (const answer of lab.run(batches(), { packed: true })) {
      revision += 2n;
      assert.equal(answer.revision, revision);
      if (answer.batch % 20 === 7) await server.restart();
    }
    assert.equal((await lab.info()).revision, BigInt(count * 2));
    let ticks = 0n;
    for await (const { command } of lab.commands()) {
      if (command?.op.case !== "tick") continue;
      assert.equal(command.op.value.nanoseconds, ticks++);
    }
    assert.equal(ticks, BigInt(count));
    assert.ok((await lab.verify()).ok);
  });
});

describe("a run over connections that are cut", () => {
  let server: Server;
  let proxy: CuttingProxy;
  let client: Client;
  before(async () => {
    server = await Server.start();
    proxy = await new CuttingProxy(server.address, 7).start();
    client = connect(proxy.address);
  });
  after(async () => {
    client.close();
    proxy.stop();
    await server.stop();
  });

  it("executes each batch once", async () => {
    const direct = connect(server.address);
    const plain = await direct.createSession();
    const lab = await client.openSession(plain.name);
    const tick = (n: number): CommandInit => ({ tick: { nanoseconds: n } });
    const batches = Array.from({ length: 200 }, (_, i) =>
      [0, 1, 2, 3, 4].map((k) => tick(i * 5 + k)),
    );
    const answers = await all(lab, batches);
    assert.deepEqual(
      answers.map((answer) => answer.batch),
      batches.map((_, i) => i),
    );
    const recorded: bigint[] = [];
    for await (const { command } of plain.commands()) {
      if (command?.op.case === "tick") {
        recorded.push(command.op.value.nanoseconds);
      }
    }
    const sent = Array.from({ length: 1000 }, (_, i) => BigInt(i));
    assert.deepEqual(recorded, sent);
    direct.close();
    assert.ok(proxy.cuts > 5, `${proxy.cuts} cuts`);
  });
});

describe("a run that is cut", () => {
  const server = new FakeServer();
  let client: Client;
  let lab: Session;
  /** Per stream: how many batches are answered before the cut. */
  let answersBeforeCut: number[] = [];
  let streams: RunRequest[][] = [];
  let half = false;
  let cutIdle = false;
  before(async () => {
    server.add(SessionService, {
      getSession: ({ session }) => ({ session: { name: session } }),
    });
    server.add(MachineService, {
      run: async function* (requests) {
        const stream: RunRequest[] = [];
        streams.push(stream);
        const answers = answersBeforeCut.shift() ?? Infinity;
        for await (const request of requests) {
          stream.push(request);
          const batch = BigInt(stream.length - 1);
          const value = request.commands[0]?.pid ?? 0;
          const revision = BigInt(value);
          const part = {
            batch,
            revision,
            outcomes: [{ value: BigInt(value) }],
          };
          if (stream.length <= answers) {
            yield { ...part, last: true };
            if (cutIdle) throw new Failure(status.UNAVAILABLE, "cut");
          } else {
            if (half) yield part;
            throw new Failure(status.UNAVAILABLE, "cut");
          }
        }
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

  const numbered = (count: number): Batch[] =>
    Array.from({ length: count }, (_, i) => [{ pid: i + 1, brk: {} }]);

  for (const parts of ["none", "half"]) {
    it(`repeats what has ${parts} of its answer under its id`, async () => {
      half = parts === "half";
      answersBeforeCut = [3, 0, 1];
      streams = [];
      const answers = await all(lab, numbered(12));
      assert.deepEqual(
        answers.map(({ batch, outcomes }) => [batch, outcomes.map(String)]),
        Array.from({ length: 12 }, (_, i) => [i, [`${i + 1}`]]),
      );
      assert.equal(streams.length, 4);
      const firsts = streams.map((stream) => stream[0]?.commands[0]?.pid);
      assert.deepEqual(firsts, [1, 4, 4, 5]);
      const ids = new Map<number, Set<string>>();
      for (const { commands, options } of streams.flat()) {
        const { pid } = commands[0]!;
        ids.set(pid, (ids.get(pid) ?? new Set()).add(options!.requestId));
      }
      assert.ok([...ids.values()].every((some) => some.size === 1));
      assert.equal(new Set([...ids.values()].map((s) => [...s][0])).size, 12);
    });
  }

  it("waits for a batch before it looks for a server again", async () => {
    cutIdle = true;
    streams = [];
    let answered: () => void = () => {};
    async function* batches(): AsyncGenerator<Batch> {
      for (const batch of numbered(3)) {
        const wasAnswered = new Promise<void>((done) => (answered = done));
        yield batch;
        await wasAnswered;
      }
    }
    const seen: number[] = [];
    for await (const { batch } of lab.run(batches())) {
      seen.push(batch);
      answered();
    }
    assert.deepEqual(seen, [0, 1, 2]);
    assert.deepEqual(
      streams.map((stream) => stream.length),
      [1, 1, 1],
    );
  });
});
