// A server: its sessions.

import { type Arguments, build } from "./arguments.js";
import { Connection, type RpcSettings } from "./connection.js";
import {
  CreateSessionRequestSchema,
  DeleteSessionRequestSchema,
  GetSessionRequestSchema,
  ListSessionsRequestSchema,
  type MachineConfig,
  type Session as SessionMessage,
  SessionService,
} from "./gen/faultline/v1/session_pb.js";
import { Grading } from "./grading.js";
import { PAGE_SIZE_MAX, pages } from "./paging.js";
import { type DeleteSettings, Session, type Naming } from "./session.js";

/**
 * A client of the server at `host`, `host:port`, `[::1]:port` or `unix:/path`;
 * default: the one that `faultline serve` starts on this computer. Does not
 * wait for it: the first call tells whether there is one.
 * @throws InvalidRequestError for what cannot be an address.
 */
export function connect(address = "localhost"): Client {
  return new Client(new Connection(address));
}

/** A server. */
export class Client {
  constructor(
    /** For calls of any rpc of the contract. */
    readonly connection: Connection,
  ) {}

  /** As gRPC has it: host:port or unix:/path. */
  get address(): string {
    return this.connection.address;
  }

  /** Ends the connection. A program may also just end. */
  close(): void {
    this.connection.close();
  }

  /** Boots a machine; what the config leaves out is the default. */
  async createSession(
    spec: Naming & { config?: Arguments<MachineConfig> } = {},
  ): Promise<Session> {
    const { id, displayName, config, ...rpc } = spec;
    const { session } = await this.connection.unary(
      SessionService.method.createSession,
      build(CreateSessionRequestSchema, {
        sessionId: id,
        displayName,
        config,
      }),
      rpc,
    );
    return this.#handle(session!);
  }

  /** A handle on a session, by `"lab-1"` or `"sessions/lab-1"`. */
  async openSession(name: string, rpc?: RpcSettings): Promise<Session> {
    const { session } = await this.connection.unary(
      SessionService.method.getSession,
      build(GetSessionRequestSchema, { session: sessionName(name) }),
      rpc,
    );
    return this.#handle(session!);
  }

  /** All sessions in the order of their names. */
  async *sessions(
    rpc?: RpcSettings,
  ): AsyncGenerator<SessionMessage, void, undefined> {
    const pageSize = PAGE_SIZE_MAX;
    const all = pages((pageToken) =>
      this.connection.unary(
        SessionService.method.listSessions,
        build(ListSessionsRequestSchema, { pageToken, pageSize }),
        rpc,
      ),
    );
    for await (const { sessions } of all) yield* sessions;
  }

  /** Deletes a session with its history, for good. */
  async deleteSession(
    name: string,
    { allowMissing, ...rpc }: DeleteSettings = {},
  ): Promise<void> {
    const session = sessionName(name);
    await this.connection.unary(
      SessionService.method.deleteSession,
      build(DeleteSessionRequestSchema, { session, allowMissing }),
      rpc,
    );
  }

  /** Exercises, attempts and grades. */
  get grading(): Grading {
    return new Grading(this.connection);
  }

  #handle({ name, revision }: SessionMessage): Session {
    return new Session(this.connection, name, revision);
  }
}

function sessionName(idOrName: string): string {
  return idOrName.startsWith("sessions/") ? idOrName : `sessions/${idOrName}`;
}
