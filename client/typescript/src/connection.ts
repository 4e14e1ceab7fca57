// A connection to a server, and how a call is made: grpc-js driven by the
// descriptors of the contract. Client and Session are thin over it.

import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import {
  type DescMessage,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { isLoopback, normalizeAddress } from "./address.js";
import { ATTEMPTS_MAX, DEFAULT_TIMEOUT_MS, Patience } from "./retry.js";
import { fromGrpc } from "./status.js";

/** The settings of any call. */
export interface RpcSettings {
  /**
   * How long the call may take, with its repetitions, in milliseconds. For a
   * watch and a run: how long they may be without an answer of a server.
   */
  readonly timeoutMs?: number | undefined;
  /** Aborts the call; it is then rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A request as a message, or as the bytes of one. */
type Request<D extends DescMessage> = MessageShape<D> | Uint8Array;

// A dead peer is noticed within this; the server allows pings this often.
const KEEPALIVE_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;
const CONNECT_BACKOFF_MS = 100;
const CONNECT_BACKOFF_MAX_MS = 2_000;

/** Cheap until the first call; a process may end without closing it. */
export class Connection {
  /** As gRPC has it: host:port or unix:/path. */
  readonly address: string;
  readonly #channel: grpc.Client;

  /** Does not wait for the server: the first call tells if there is one. */
  constructor(address: string) {
    this.address = normalizeAddress(address);
    this.#channel = new grpc.Client(
      this.address,
      grpc.credentials.createInsecure(),
      {
        "grpc.keepalive_time_ms": KEEPALIVE_MS,
        "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
        "grpc.initial_reconnect_backoff_ms": CONNECT_BACKOFF_MS,
        "grpc.max_reconnect_backoff_ms": CONNECT_BACKOFF_MAX_MS,
        // A connection of its own: one client's trouble is not another's.
        "grpc.use_local_subchannel_pool": 1,
        "grpc.enable_http_proxy": isLoopback(this.address) ? 0 : 1,
        "grpc.primary_user_agent": "faultline-node",
      },
    );
  }

  /** Ends the connection; calls that are under way fail. */
  close(): void {
    this.#channel.close();
  }

  /**
   * Makes a unary call. After UNAVAILABLE it is made again, up to ATTEMPTS_MAX
   * times in all, where that is harmless: see isRepeatable.
   */
  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: Request<I>,
    settings: RpcSettings = {},
  ): Promise<MessageShape<O>> {
    const { signal, timeoutMs = DEFAULT_TIMEOUT_MS } = settings;
    const deadline = Date.now() + timeoutMs;
    const attemptsMax = isRepeatable(method, request) ? ATTEMPTS_MAX : 1;
    const patience = new Patience(timeoutMs, attemptsMax);
    for (;;) {
      try {
        return await this.#once(method, request, deadline, signal);
      } catch (error) {
        await patience.wait(error, signal, deadline);
      }
    }
  }

  #once<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: Request<I>,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<MessageShape<O>> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const call = this.#channel.makeUnaryRequest(
        pathOf(method),
        serializer(method),
        deserializer(method),
        request,
        new grpc.Metadata(),
        { deadline },
        (error, response) => {
          signal?.removeEventListener("abort", abort);
          if (signal?.aborted) return reject(signal.reason);
          if (error) return reject(fromGrpc(error, this.address));
          return resolve(response as MessageShape<O>);
        },
      );
      const abort = () => call.cancel();
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /**
   * Makes a call that is answered by a stream. It is not repeated. Ending the
   * iteration ends the call.
   */
  async *serverStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: Request<I>,
    settings: RpcSettings = {},
  ): AsyncGenerator<MessageShape<O>, void, undefined> {
    settings.signal?.throwIfAborted();
    const { timeoutMs } = settings;
    const call = this.#channel.makeServerStreamRequest(
      pathOf(method),
      serializer(method),
      deserializer(method),
      request,
      new grpc.Metadata(),
      timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs },
    );
    yield* this.#read<O>(call, settings.signal);
  }

  /** Opens a stream in both directions. It is not repeated. */
  duplex<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    signal?: AbortSignal,
  ): Duplex<I, O> {
    signal?.throwIfAborted();
    const call = this.#channel.makeBidiStreamRequest(
      pathOf(method),
      serializer(method),
      deserializer(method),
      new grpc.Metadata(),
      {},
    );
    call.on("error", ignore);
    const opened = new Promise<void>((resolve, reject) => {
      call.once("metadata", () => resolve());
      call.once("error", (error: unknown) =>
        reject(isGrpc(error) ? fromGrpc(error, this.address) : error),
      );
    });
    opened.catch(ignore); // who does not wait for it reads the error later
    return {
      opened,
      send: (request) => void call.write(request),
      finish: () => void call.end(),
      responses: this.#read<O>(call, signal),
    };
  }

  async *#read<O extends DescMessage>(
    call: Readable & { cancel(): void },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<MessageShape<O>, void, undefined> {
    const abort = () => call.cancel();
    signal?.addEventListener("abort", abort, { once: true });
    call.on("error", ignore);
    if (signal?.aborted) abort();
    try {
      for await (const response of call) yield response as MessageShape<O>;
    } catch (error) {
      signal?.throwIfAborted();
      throw isGrpc(error) ? fromGrpc(error, this.address) : error;
    } finally {
      signal?.removeEventListener("abort", abort);
      call.cancel();
    }
  }
}

/** A stream in both directions. */
export interface Duplex<I extends DescMessage, O extends DescMessage> {
  /** The server has begun to answer: its initial metadata are here. */
  readonly opened: Promise<void>;
  /** Sends a request; does nothing when the stream has ended. */
  send(request: Request<I>): void;
  /** There will be no other request. */
  finish(): void;
  /** To be read once. Ending the iteration ends the stream. */
  readonly responses: AsyncGenerator<MessageShape<O>, void, undefined>;
}

/** A request_id that no other call has. */
export function newRequestId(): string {
  return randomUUID();
}

/**
 * May a call be made again when its answer was lost? The contract says that
 * it changes nothing, or that it does the same again, or it carries a
 * request_id by which the server knows it. A deletion says NOT_FOUND the
 * second time, unless what is missing is allowed to be.
 */
function isRepeatable(method: DescMethod, request: unknown): boolean {
  const fields = request as {
    allowMissing?: boolean;
    options?: { requestId?: string };
    requestId?: string;
  };
  switch (method.idempotency) {
    case Idempotency.NO_SIDE_EFFECTS:
      return true;
    case Idempotency.IDEMPOTENT:
      return fields.allowMissing ?? true;
    default:
      return Boolean(fields.options?.requestId ?? fields.requestId);
  }
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function serializer(method: DescMethod) {
  return (request: Request<DescMessage>): Buffer => {
    const bytes =
      request instanceof Uint8Array ? request : toBinary(method.input, request);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

function deserializer(method: DescMethod) {
  // As a plain Uint8Array, so that a field of bytes is one, too.
  return ({ buffer, byteOffset, byteLength }: Buffer) =>
    fromBinary(method.output, new Uint8Array(buffer, byteOffset, byteLength));
}

// A stream that nobody reads any more still tells how it ended, and Node ends
// the process for an error without a listener.
function ignore(): void {}

function isGrpc(error: unknown): error is grpc.ServiceError {
  return error instanceof Error && "code" in error && "metadata" in error;
}
