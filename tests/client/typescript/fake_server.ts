// A server whose answers a test decides: for what a real one does only when
// something breaks.

import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";

export type Handlers<S extends DescService> = {
  [M in keyof S["method"]]?: S["method"][M] extends {
    methodKind: infer Kind;
    input: infer I extends DescMessage;
    output: infer O extends DescMessage;
  }
    ? Handler<Kind, I, O>
    : never;
};

type Handler<
  Kind,
  I extends DescMessage,
  O extends DescMessage,
> = Kind extends "unary"
  ? (
      request: MessageShape<I>,
    ) => MessageInitShape<O> | Promise<MessageInitShape<O>>
  : Kind extends "server_streaming"
    ? (request: MessageShape<I>) => AsyncIterable<MessageInitShape<O>>
    : (
        requests: AsyncIterable<MessageShape<I>>,
      ) => AsyncIterable<MessageInitShape<O>>;

type Fields = Record<string, unknown>;

/** A failure as a server sends it. */
export class Failure extends Error {
  constructor(
    readonly code: grpc.status,
    message: string,
    /** google.rpc.Status. */
    readonly details?: Uint8Array,
  ) {
    super(message);
  }
}

export class FakeServer {
  readonly #server = new grpc.Server();
  #port = 0;

  /** host:port. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  add<S extends DescService>(service: S, handlers: Handlers<S>): this {
    const definition: Record<
      string,
      grpc.MethodDefinition<Message, Message>
    > = {};
    const functions: Record<string, grpc.UntypedHandleCall> = {};
    for (const [name, handler] of Object.entries(handlers)) {
      const method = service.method[name]!;
      definition[name] = definitionOf(method);
      functions[name] = adapt(method, handler as never);
    }
    this.#server.addService(definition, functions);
    return this;
  }

  async start(): Promise<this> {
    this.#port = await new Promise<number>((resolve, reject) =>
      this.#server.bindAsync(
        "127.0.0.1:0",
        grpc.ServerCredentials.createInsecure(),
        (error, port) => (error ? reject(error) : resolve(port)),
      ),
    );
    return this;
  }

  /** Ends it at once, calls that are under way too. */
  stop(): void {
    this.#server.forceShutdown();
  }
}

function definitionOf(
  method: DescMethod,
): grpc.MethodDefinition<Message, Message> {
  const toBuffer = (schema: DescMessage) => (message: Message) =>
    Buffer.from(toBinary(schema, message));
  const toMessage = (schema: DescMessage) => (bytes: Buffer) =>
    fromBinary(schema, new Uint8Array(bytes));
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: method.methodKind === "bidi_streaming",
    responseStream: method.methodKind !== "unary",
    requestSerialize: toBuffer(method.input),
    requestDeserialize: toMessage(method.input),
    responseSerialize: toBuffer(method.output),
    responseDeserialize: toMessage(method.output),
  };
}

function adapt(
  method: DescMethod,
  handler: (request: unknown) => unknown,
): grpc.UntypedHandleCall {
  if (method.methodKind === "unary") {
    const unary: grpc.handleUnaryCall<Message, Message> = async (
      call,
      answer,
    ) => {
      try {
        const response = (await handler(call.request)) as Fields;
        answer(null, create(method.output, response));
      } catch (error) {
        answer(statusOf(error));
      }
    };
    return unary;
  }
  if (method.methodKind === "server_streaming") {
    return (call: grpc.ServerWritableStream<Message, Message>) =>
      void write(method, handler(call.request), call);
  }
  // A handler that stops reading may still have something to say.
  return (call: grpc.ServerDuplexStream<Message, Message>) =>
    void write(
      method,
      handler(call.iterator({ destroyOnReturn: false })),
      call,
    );
}

async function write(
  method: DescMethod,
  responses: unknown,
  call:
    | grpc.ServerWritableStream<Message, Message>
    | grpc.ServerDuplexStream<Message, Message>,
): Promise<void> {
  try {
    for await (const response of responses as AsyncIterable<Fields>) {
      if (call.cancelled) return;
      call.write(create(method.output, response));
    }
    call.end();
  } catch (error) {
    call.emit("error", statusOf(error));
  }
}

function statusOf(error: unknown): Partial<grpc.StatusObject> {
  if (!(error instanceof Failure)) {
    return { code: grpc.status.UNKNOWN, details: String(error) };
  }
  const metadata = new grpc.Metadata();
  if (error.details) {
    metadata.set("grpc-status-details-bin", Buffer.from(error.details));
  }
  return { code: error.code, details: error.message, metadata };
}
