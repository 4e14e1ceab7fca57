// What a failed call says, when it is made again, and why a server could not
// be reached.

import assert from "node:assert/strict";
import { createServer as createHttp } from "node:http";
import { constants, createServer as createHttp2 } from "node:http2";
import { type AddressInfo, createServer as createTcp, Server } from "node:net";
import { after, before, beforeEach, describe, it } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import {
  type Client,
  connect,
  FaultlineError,
  InvalidRequestError,
  ServerFaultError,
  type Session,
  TimeoutError,
  UnavailableError,
} from "faultline";
import { MachineService, SessionService } from "faultline/v1";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../dist/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../dist/gen/google/rpc/status_pb.js";
import { Failure, FakeServer } from "./fake_server.js";

function failure(code: status, reason: string, retryMs = 0): Failure {
  const info = create(ErrorInfoSchema, {
    reason,
    domain: "faultline.dev",
    metadata: { field: "mmap.length" },
  });
  const bad = create(BadRequestSchema, {
    fieldViolations: [{ field: "mmap.length", description: "is too long" }],
  });
  const retry = create(RetryInfoSchema, {
    retryDelay: {
      seconds: BigInt(Math.floor(retryMs / 1000)),
      nanos: (retryMs % 1000) * 1e6,
    },
  });
  const details = [
    anyPack(ErrorInfoSchema, info),
    anyPack(BadRequestSchema, bad),
    anyPack(RetryInfoSchema, retry),
  ];
  const bytes = toBinary(StatusSchema, create(StatusSchema, { details }));
  return new Failure(code, "it cannot be", bytes);
}

describe("a failed call", () => {
  const server = new FakeServer();
  let client: Client;
  let lab: Session;
  /** What the next calls fail with. */
  let failures: Error[] = [];
  let requestIds: string[] = [];
  let creations = 0;
  let hang = false;
  const failNext = () => {
    const next = failures.shift();
    if (next) throw next;
  };
  before(async () => {
    server.add(SessionService, {
      getSession: ({ session }) => {
        failNext();
        return { session: { name: session, revision: 41n } };
      },
      createSession: () => {
        creations += 1;
        failNext();
        return { session: { name: "sessions/new" } };
      },
    });
    server.add(MachineService, {
      mmap: async ({ options }) => {
        requestIds.push(options?.requestId ?? "");
        failNext();
        if (hang) await new Promise(() => {});
        return { revision: 42n, outcome: { value: 0x1000n } };
      },
    });
    await server.start();
    client = connect(server.address);
    lab = await client.openSession("lab");
  });
  beforeEach(() => {
    failures = [];
    requestIds = [];
    creations = 0;
    hang = false;
  });
  after(() => {
    client.close();
    server.stop();
  });

  it("has code, reason, metadata, violations and delay", async () => {
    failures = [failure(status.INVALID_ARGUMENT, "FIELD_INVALID", 1500)];
    await assert.rejects(lab.mmap(), (error) => {
      assert.ok(error instanceof InvalidRequestError);
      assert.ok(error instanceof FaultlineError);
      assert.equal(error.name, "InvalidRequestError");
      assert.equal(error.code, "INVALID_ARGUMENT");
      assert.equal(error.reason, "FIELD_INVALID");
      assert.equal(error.domain, "faultline.dev");
      assert.deepEqual(error.metadata, { field: "mmap.length" });
      assert.deepEqual(error.violations, [
        { field: "mmap.length", description: "is too long" },
      ]);
      assert.equal(error.retryDelay, 1500);
      assert.equal(error.message, "it cannot be\n  mmap.length: is too long");
      return true;
    });
  });

  const classes: [keyof typeof status, string][] = [
    ["INVALID_ARGUMENT", "InvalidRequestError"],
    ["OUT_OF_RANGE", "InvalidRequestError"],
    ["NOT_FOUND", "NotFoundError"],
    ["ALREADY_EXISTS", "AlreadyExistsError"],
    ["ABORTED", "ConflictError"],
    ["FAILED_PRECONDITION", "NotAllowedError"],
    ["PERMISSION_DENIED", "NotAllowedError"],
    ["RESOURCE_EXHAUSTED", "ExhaustedError"],
    ["DEADLINE_EXCEEDED", "TimeoutError"],
    ["CANCELLED", "TimeoutError"],
    ["INTERNAL", "ServerFaultError"],
    ["DATA_LOSS", "ServerFaultError"],
  ];
  for (const [code, name] of classes) {
    it(`is a ${name} for ${code}, and is not made again`, async () => {
      failures = [failure(status[code], "NO")];
      await assert.rejects(lab.mmap(), { name, code, reason: "NO" });
      assert.equal(requestIds.length, 1);
    });
  }

  it("is made again under its request id after UNAVAILABLE", async () => {
    failures = [1, 2].map(() => failure(status.UNAVAILABLE, "BUSY"));
    const outcome = await lab.mmap();
    assert.equal(outcome.address, 0x1000n);
    assert.equal(requestIds.length, 3);
    assert.equal(new Set(requestIds).size, 1);
    assert.notEqual(requestIds[0], "");
    await lab.mmap();
    assert.equal(new Set(requestIds).size, 2, "one id per call");
  });

  it("is made four times at most", async () => {
    failures = Array.from({ length: 9 }, () =>
      failure(status.UNAVAILABLE, "X"),
    );
    await assert.rejects(lab.mmap(), UnavailableError);
    assert.equal(requestIds.length, 4);
  });

  it("is made again not before the server's delay", async () => {
    failures = [failure(status.UNAVAILABLE, "BUSY", 600)];
    const start = Date.now();
    await lab.mmap();
    assert.ok(Date.now() - start >= 590);
    failures = [failure(status.UNAVAILABLE, "BUSY", 600)];
    const inTime = lab.mmap({}, { timeoutMs: 300 });
    await assert.rejects(inTime, { reason: "BUSY" });
  });

  it("is made again when it changes nothing", async () => {
    failures = [failure(status.UNAVAILABLE, "BUSY")];
    assert.equal((await lab.info()).revision, 41n);
  });

  it("is not made again when that could do it twice", async () => {
    failures = [failure(status.UNAVAILABLE, "BUSY")];
    await assert.rejects(client.createSession(), UnavailableError);
    assert.equal(creations, 1);
  });

  it("may be aborted between two attempts", async () => {
    const abort = new AbortController();
    failures = [failure(status.UNAVAILABLE, "BUSY", 20_000)];
    const call = lab.mmap({}, { signal: abort.signal });
    setTimeout(() => abort.abort(new Error("enough")), 50);
    await assert.rejects(call, /enough/);
  });

  it("ends when its time is over", async () => {
    hang = true;
    await assert.rejects(lab.mmap({}, { timeoutMs: 200 }), (error) => {
      assert.ok(error instanceof TimeoutError);
      assert.match(error.message, /may or may not have been executed/);
      return true;
    });
    assert.equal(requestIds.length, 1);
  });

  it("ends when it is aborted", async () => {
    hang = true;
    const signal = AbortSignal.timeout(100);
    await assert.rejects(lab.mmap({}, { signal }), { name: "TimeoutError" });
  });

  it("is told as it is when the details are none", async () => {
    failures = [
      new Failure(status.NOT_FOUND, "gone", Uint8Array.of(255, 255, 255)),
    ];
    await assert.rejects(lab.info(), {
      name: "NotFoundError",
      message: "gone",
    });
  });

  it("says that a server lacks the call", async () => {
    await assert.rejects(lab.brk(), (error) => {
      assert.ok(error instanceof ServerFaultError);
      assert.equal(error.code, "UNIMPLEMENTED");
      assert.match(error.message, /not a Faultline server, or an older one/);
      return true;
    });
  });
});

describe("a call whose stream is reset", () => {
  it("is made again like one that found no server", async () => {
    let streams = 0;
    const server = createHttp2();
    server.on("stream", (stream) => {
      streams += 1;
      stream.on("error", () => {});
      stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    });
    const client = connect(`127.0.0.1:${await listen(server)}`);
    const call = client.openSession("lab");
    await assert.rejects(call, {
      name: "UnavailableError",
      message: /the connection to 127\.0\.0\.1:\d+ was cut/,
    });
    assert.equal(streams, 4);
    client.close();
    server.close();
  });
});

describe("an address", () => {
  const good: [string, string][] = [
    ["localhost", "localhost:50051"],
    ["localhost:7", "localhost:7"],
    [":7", "localhost:7"],
    ["[::1]:7", "[::1]:7"],
    ["[::1]", "[::1]:50051"],
    ["unix:/run/f.sock", "unix:/run/f.sock"],
  ];
  for (const [written, normal] of good) {
    it(`may be ${written}`, () => {
      const client = connect(written);
      assert.equal(client.address, normal);
      client.close();
    });
  }
  const bad: [string, RegExp][] = [
    ["", /it is empty/],
    ["localhost:", /'' is not a port/],
    ["localhost:0", /'0' is not a port/],
    ["localhost:65536", /'65536' is not a port/],
    ["localhost:http", /'http' is not a port/],
    ["::1:7", /brackets/],
    ["http://localhost:7", /scheme/],
    ["local host:7", /character/],
  ];
  for (const [written, why] of bad) {
    it(`cannot be '${written}'`, () => {
      assert.throws(
        () => connect(written),
        (error) => {
          assert.ok(error instanceof InvalidRequestError);
          assert.match(error.message, why);
          assert.match(error.message, /write host:port/);
          return true;
        },
      );
    });
  }
});

describe("a server that is not there", () => {
  const says = async (address: string, words: RegExp, timeoutMs = 5000) => {
    const client = connect(address);
    const call = client.openSession("lab", { timeoutMs });
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof FaultlineError);
      assert.match(error.message, words);
      return true;
    });
    client.close();
  };

  it("is said not to listen", async () => {
    const listener = createTcp();
    const port = await listen(listener);
    listener.close();
    await says(`127.0.0.1:${port}`, /nothing listens on .*faultline serve/);
    await says("unix:/nowhere/f.sock", /no socket unix:\/nowhere\/f\.sock/);
  });

  it("is said to be something else", async () => {
    const web = createHttp((_, response) => response.end("hello"));
    await says(`127.0.0.1:${await listen(web)}`, /is this the right port/);
    web.close();
  });

  it("is said to close the connection", async () => {
    const listener = createTcp((socket) => socket.destroy());
    const port = await listen(listener);
    await says(`127.0.0.1:${port}`, /closed the connection|cannot reach/);
    listener.close();
  });

  it("is said not to answer", async () => {
    const listener = createTcp((socket) => socket.unref());
    const address = `127.0.0.1:${await listen(listener)}`;
    await says(address, /nobody answered .* in time/, 300);
    listener.close();
  });

  it("is said to have no such host", async () => {
    await says("no-such-host.invalid:7", /no host 'no-such-host\.invalid'/);
  });

  it("is looked for through a proxy only where one is used", async () => {
    process.env.https_proxy = "http://proxy.invalid:3128";
    try {
      await says(
        "no-such-host.invalid:7",
        /add no-such-host.invalid to no_pro/,
      );
    } finally {
      delete process.env.https_proxy;
    }
  });
});

function listen(server: Pick<Server, "listen" | "address">): Promise<number> {
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () =>
      resolve((server.address() as AddressInfo).port),
    ),
  );
}
