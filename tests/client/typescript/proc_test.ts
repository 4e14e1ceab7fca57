// Looks at /proc: on the real server, and in parts that a test decides.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { inspect } from "node:util";
import {
  type Client,
  connect,
  ConflictError,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  NotFoundError,
} from "faultline";
import { InspectService, SessionService } from "faultline/v1";
import { status } from "@grpc/grpc-js";
import { Failure, FakeServer } from "./fake_server.js";
import { Server } from "./server.js";

describe("/proc of a real machine", () => {
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

  it("is Linux's text", async () => {
    const lab = await client.createSession();
    assert.match(
      await lab.readProc("/proc/1/maps"),
      /^7ffffffde000-7ffffffff000 rw-p .* \[stack\]\n$/,
    );
  });

  it("has the mm_struct, the tree of VMAs and the heap beside it", async () => {
    const lab = await client.createSession();
    const { value } = await lab.malloc({ size: 100n });
    const mm = await lab.mm();
    assert.equal(mm.mapCount, 2);
    assert.equal(mm.brk - mm.startBrk, 132n << 10n);
    const { tree, nodes } = await lab.vmaTree();
    assert.equal(tree.nodes, 2);
    assert.equal(nodes[0]!.start, mm.startBrk);
    const { heap, chunks } = await lab.chunks();
    assert.equal(heap.systemMem, 132n << 10n);
    assert.ok(chunks.some(({ addr }) => addr === value));
  });

  it("has the page cache of a file", async () => {
    const lab = await client.createSession();
    await lab.createFile({ path: "/bytes", data: new Uint8Array([1, 2, 3]) });
    const { mapping, pages } = await lab.pageCache("/bytes");
    assert.equal(mapping.nrpages, 1n);
    assert.deepEqual(
      pages.map(({ index }) => index),
      [0n],
    );
    const again = await lab.pageCache(mapping.host);
    assert.equal(again.mapping.path, "/bytes");
  });

  it("may have several parts", async () => {
    const lab = await client.createSession();
    const flags = MAP_PRIVATE | MAP_ANONYMOUS;
    // Neighbours of another protection do not merge: a row for each.
    const batch = Array.from({ length: 2000 }, (_, i) => ({
      mmap: { length: 4096, prot: i % 2, flags },
    }));
    for await (const { outcomes } of lab.run([batch])) {
      assert.ok(outcomes.every((outcome) => outcome.ok));
    }
    const smaps = await lab.readProc("/proc/1/smaps");
    assert.ok(smaps.length > 2 ** 20, `${smaps.length} bytes`);
    assert.equal(smaps.match(/^Rss:/gm)?.length, 2001);
    assert.equal((await lab.maps()).length, 2001);
  });

  it("has the bytes that are asked for", async () => {
    const lab = await client.createSession();
    const flags = MAP_PRIVATE | MAP_ANONYMOUS;
    const { address } = await lab.mmap({ length: 8192, prot: 3, flags });
    await lab.store(address, 1);
    const offset = (address / 4096n) * 8n;
    const part = { offset, length: 16 };
    const bytes = await lab.readProcBytes("/proc/1/pagemap", part);
    const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
    const present = 1n << 63n;
    assert.ok(view.getBigUint64(0, true) & present);
    assert.equal(view.getBigUint64(8, true) & present, 0n);
    const text = await lab.readProc("/proc/meminfo");
    const middle = { offset: 3, length: 5 };
    const some = await lab.readProcBytes("/proc/meminfo", middle);
    assert.equal(Buffer.from(some).toString(), text.slice(3, 8));
  });

  it("reads nothing whole that has no end", async () => {
    const lab = await client.createSession();
    await assert.rejects(lab.readProcBytes("/proc/1/pagemap"), {
      name: "InvalidRequestError",
      message: /more than 256 MiB/,
    });
  });

  it("has the errno of a file that is not there as a reason", async () => {
    const lab = await client.createSession();
    await assert.rejects(lab.readProc("/proc/1/none"), (error) => {
      assert.ok(error instanceof NotFoundError);
      assert.equal(error.reason, "ENOENT");
      assert.match(error.message, /\/proc\/1\/none: ENOENT/);
      return true;
    });
  });

  it("has maps as rows", async () => {
    const lab = await client.createSession();
    const flags = MAP_PRIVATE | MAP_ANONYMOUS;
    await lab.mmap({ length: 8192, prot: 1, flags });
    const rows = await lab.maps();
    assert.equal(rows.length, 2);
    const [row] = rows;
    assert.equal(row?.start, 0x7ffff7ffd000n);
    assert.equal(row?.end, 0x7ffff7fff000n);
    assert.equal(row?.size, 8192n);
    assert.equal(row?.permissions, "r--p");
    assert.equal(inspect(row), "7ffff7ffd000-7ffff7fff000 r--p 8 kB");
    assert.match(String(rows[1]), /^7ffffffde000-.* 132 kB \[stack\]$/);
    await assert.rejects(lab.maps({ pid: 9 }), { reason: "PROCESS_NOT_FOUND" });
  });
});

describe("/proc in parts", () => {
  // What each request expects, and what the machine's revision is then.
  const asked: (bigint | undefined)[] = [];
  let revisions: bigint[] = [];
  const server = new FakeServer();
  let client: Client;
  before(async () => {
    server.add(SessionService, {
      getSession: ({ session }) => ({ session: { name: session } }),
    });
    server.add(InspectService, {
      readProc: ({ path, offset, expectedRevision, atRevision }) => {
        if (path === "/proc/bytes") {
          const value = Uint8Array.of(255, 0);
          return { content: { case: "data", value } };
        }
        const now = revisions.shift() ?? 7n;
        asked.push(expectedRevision ?? atRevision);
        if (expectedRevision !== undefined && expectedRevision !== now) {
          throw new Failure(status.ABORTED, "it moved on");
        }
        const first = offset === 0n;
        return {
          revision: now,
          content: { case: "text", value: first ? "first €" : " second" },
          nextOffset: first ? 9n : 0n,
        };
      },
      listVmas: ({ pageToken, expectedRevision }) => {
        asked.push(expectedRevision);
        const start = pageToken === "" ? 0x1000n : 0x3000n;
        return {
          revision: 7n,
          vmas: [{ start, end: start + 0x1000n }],
          nextPageToken: pageToken === "" ? "more" : "",
        };
      },
    });
    await server.start();
    client = connect(server.address);
  });
  after(() => {
    client.close();
    server.stop();
  });

  it("joins them at one revision", async () => {
    const lab = await client.openSession("lab");
    asked.length = 0;
    assert.equal(await lab.readProc("/proc/1/smaps"), "first € second");
    assert.deepEqual(asked, [undefined, 7n]);
  });

  it("starts again when the session has moved on", async () => {
    const lab = await client.openSession("lab");
    asked.length = 0;
    revisions = [7n, 8n, 8n, 8n];
    assert.equal(await lab.readProc("/proc/1/smaps"), "first € second");
    assert.deepEqual(asked, [undefined, 7n, undefined, 8n]);
  });

  it("gives up when it never stands still", async () => {
    const lab = await client.openSession("lab");
    revisions = [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n];
    await assert.rejects(lab.readProc("/proc/1/smaps"), ConflictError);
    assert.equal(revisions.length, 0, "four attempts of two requests");
  });

  it("asks for one revision of the past in each part", async () => {
    const lab = await client.openSession("lab");
    asked.length = 0;
    await lab.at(3).readProc("/proc/1/smaps");
    assert.deepEqual(asked, [3n, 3n]);
  });

  it("is not always text", async () => {
    const lab = await client.openSession("lab");
    assert.deepEqual(
      await lab.readProcBytes("/proc/bytes"),
      Buffer.from([255, 0]),
    );
    await assert.rejects(lab.readProc("/proc/bytes"), /readProcBytes/);
  });

  it("joins pages of rows", async () => {
    const lab = await client.openSession("lab");
    asked.length = 0;
    const rows = await lab.maps();
    assert.deepEqual(
      rows.map((row) => row.start),
      [0x1000n, 0x3000n],
    );
    assert.deepEqual(asked, [undefined, 7n]);
  });
});
