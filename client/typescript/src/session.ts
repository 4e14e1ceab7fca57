// A handle on one session: its commands, its /proc, its history, who is in it.

import { build, toInt64 } from "./arguments.js";
import type { Calls, CommandSettings } from "./calls.js";
import {
  COMMAND_NAMES,
  command,
  type CommandArguments,
  type CommandName,
  methodOf,
  requestOf,
} from "./commands.js";
import {
  type Connection,
  newRequestId,
  type RpcSettings,
} from "./connection.js";
import { AccessKind } from "./gen/faultline/v1/access_kind_pb.js";
import {
  HistoryService,
  type JournalEntry,
  type ReplayReport,
  type VerifyReport,
} from "./gen/faultline/v1/history_pb.js";
import {
  CallOptionsSchema,
  type Outcome as OutcomeMessage,
} from "./gen/faultline/v1/outcome_pb.js";
import {
  JoinSessionRequestSchema,
  LeaveSessionRequestSchema,
  ListParticipantsRequestSchema,
  type Participant,
  type Role,
} from "./gen/faultline/v1/participant_pb.js";
import {
  CloseSessionRequestSchema,
  GetSessionRequestSchema,
  type Session as SessionMessage,
  SessionService,
} from "./gen/faultline/v1/session_pb.js";
import {
  CreateSnapshotRequestSchema,
  DeleteSnapshotRequestSchema,
  GetSnapshotRequestSchema,
  ListSnapshotsRequestSchema,
  RestoreSnapshotRequestSchema,
  type Snapshot,
} from "./gen/faultline/v1/snapshot_pb.js";
import * as history from "./history.js";
import type { Integer } from "./integers.js";
import { Look } from "./look.js";
import { Outcome } from "./outcome.js";
import { PAGE_SIZE_MAX, pages } from "./paging.js";
import { LONG_TIMEOUT_MS } from "./retry.js";
import { type Batch, type BatchAnswer, Run, type RunSettings } from "./run.js";
import { type Choose, Victims } from "./victims.js";
import { type Change, watch, type WatchSettings } from "./watch.js";

/** The name of a new session, snapshot or participant. */
export interface Naming extends RpcSettings {
  /**
   * The last part of its name: 1 to 63 of a-z, 0-9 and -, first a letter, last
   * no -. Default: the server chooses.
   */
  readonly id?: string | undefined;
  /** For people; at most 256 bytes. */
  readonly displayName?: string | undefined;
}

/** A deletion. */
export interface DeleteSettings extends RpcSettings {
  /** An absent one is no error. */
  readonly allowMissing?: boolean | undefined;
}

/**
 * One session as one client sees it. Any number of handles, clients and
 * programs may work in one session. A method rejects with a FaultlineError
 * when the call itself failed, and only then.
 */
export class Session extends Look {
  #revision: bigint;

  /** @internal Sessions come from a Client. */
  constructor(
    connection: Connection,
    name: string,
    revision: bigint,
    /** Who sends this handle's commands, see join; empty: an address. */
    readonly participant = "",
  ) {
    super(connection, name);
    this.#revision = revision;
  }

  /** The newest revision that this handle has seen. */
  get revision(): bigint {
    return this.#revision;
  }

  /** What the server knows of the session now. */
  async info(settings?: RpcSettings): Promise<SessionMessage> {
    const { session } = await this.connection.unary(
      SessionService.method.getSession,
      build(GetSessionRequestSchema, { session: this.name }),
      settings,
    );
    this.#see(session!.revision);
    return session!;
  }

  /** Ends the machine; its history stays. Once more changes nothing. */
  async end(settings?: RpcSettings): Promise<SessionMessage> {
    const { session } = await this.connection.unary(
      SessionService.method.closeSession,
      build(CloseSessionRequestSchema, { session: this.name }),
      settings,
    );
    return session!;
  }

  /** Makes any command; `session.mmap(…)` is `session.call("mmap", …)`. */
  async call<N extends CommandName>(
    name: N,
    args: CommandArguments<N> = {},
    settings: CommandSettings = {},
  ): Promise<Outcome> {
    const { pid, expectedRevision, eventLevel, ...rpc } = settings;
    const options = build(CallOptionsSchema, {
      requestId: settings.requestId ?? newRequestId(),
      expectedRevision,
      eventLevel,
      participant: this.participant,
    });
    const request = requestOf(command(name, args, pid), this.name, options);
    const response = (await this.connection.unary(
      methodOf(name),
      request,
      rpc,
    )) as unknown as { revision: bigint; outcome: OutcomeMessage };
    this.#see(response.revision);
    return new Outcome(response.outcome, response.revision);
  }

  /** Loads the byte at an address into `value`. */
  load(addr: Integer, settings?: CommandSettings): Promise<Outcome> {
    return this.call("access", { kind: AccessKind.READ, addr }, settings);
  }

  /** Stores a byte, 0 to 255, at an address. */
  store(
    addr: Integer,
    value: number,
    settings?: CommandSettings,
  ): Promise<Outcome> {
    const args = { kind: AccessKind.WRITE, addr, value };
    return this.call("access", args, settings);
  }

  /**
   * Executes batches of commands, for speed: they are sent while the answers
   * are read, at most 8 ahead. Answers come in the order of the batches.
   */
  async *run(
    batches: Iterable<Batch> | AsyncIterable<Batch>,
    settings: RunSettings = {},
  ): AsyncGenerator<BatchAnswer, void, undefined> {
    const { name, participant } = this;
    const run = new Run(this.connection, name, participant, settings);
    for await (const answer of run.answers(batches)) {
      this.#see(answer.revision);
      yield answer;
    }
  }

  /**
   * Tells what the commands of all clients did, revision by revision, past and
   * future, each exactly once, also when the connection is cut meanwhile. Ends
   * after `endRevision` or with the session.
   */
  async *watch(
    settings: WatchSettings = {},
  ): AsyncGenerator<Change, void, undefined> {
    const start = settings.startRevision ?? this.#revision + 1n;
    yield* watch(this.connection, this.name, start, settings);
  }

  /** A look at the machine as it was at a revision; no process runs there. */
  at(revision: Integer): Look {
    return new Look(this.connection, this.name, toInt64(revision, "revision"));
  }

  /** The recorded commands from a revision on. */
  commands(
    settings: RpcSettings & { startRevision?: Integer } = {},
  ): AsyncGenerator<JournalEntry, void, undefined> {
    const { startRevision = 1n, ...rpc } = settings;
    return history.commands(this.connection, this.name, startRevision, rpc);
  }

  /** Replays the history on a fresh machine. A divergence is no error. */
  replay(
    settings: history.ReplaySettings & { toRevision?: Integer } = {},
  ): Promise<ReplayReport> {
    const { toRevision = 0n, ...rest } = settings;
    return history.replay(this.connection, this.name, toRevision, rest);
  }

  /** Checks the journal, a replay, and the machine. */
  verify(settings: history.ReplaySettings = {}): Promise<VerifyReport> {
    return history.verify(this.connection, this.name, settings);
  }

  /** A hash of the machine's state, and one of each subsystem. */
  fingerprint(
    settings: RpcSettings & { revision?: Integer } = {},
  ): ReturnType<typeof history.fingerprint> {
    const { revision, ...rpc } = settings;
    return history.fingerprint(this.connection, this.name, revision, rpc);
  }

  /** Keeps the machine under a name, as it is or as it was at a revision. */
  async createSnapshot(
    settings: Naming & { revision?: Integer } = {},
  ): Promise<Snapshot> {
    const { id, displayName, revision, ...rpc } = settings;
    const { snapshot } = await this.connection.unary(
      HistoryService.method.createSnapshot,
      build(CreateSnapshotRequestSchema, {
        session: this.name,
        snapshotId: id,
        displayName,
        revision,
      }),
      { timeoutMs: LONG_TIMEOUT_MS, ...rpc },
    );
    return snapshot!;
  }

  /** The snapshots of the session in the order of their revisions. */
  async *snapshots(
    rpc?: RpcSettings,
  ): AsyncGenerator<Snapshot, void, undefined> {
    const session = this.name;
    const all = pages((pageToken) =>
      this.connection.unary(
        HistoryService.method.listSnapshots,
        build(ListSnapshotsRequestSchema, {
          session,
          pageToken,
          pageSize: PAGE_SIZE_MAX,
        }),
        rpc,
      ),
    );
    for await (const { snapshots } of all) yield* snapshots;
  }

  /** What is known of a snapshot, by `"start"` or its whole name. */
  async snapshot(id: string, rpc?: RpcSettings): Promise<Snapshot> {
    const { snapshot } = await this.connection.unary(
      HistoryService.method.getSnapshot,
      build(GetSnapshotRequestSchema, { snapshot: this.#snapshotName(id) }),
      rpc,
    );
    return snapshot!;
  }

  /** Deletes a snapshot; the history and restored sessions stay. */
  async deleteSnapshot(
    id: string,
    { allowMissing, ...rpc }: DeleteSettings = {},
  ): Promise<void> {
    const snapshot = this.#snapshotName(id);
    await this.connection.unary(
      HistoryService.method.deleteSnapshot,
      build(DeleteSnapshotRequestSchema, { snapshot, allowMissing }),
      rpc,
    );
  }

  /** A new session, at revision 0, whose machine is that of a snapshot. */
  async restoreSnapshot(
    snapshotId: string,
    { id, displayName, ...rpc }: Naming = {},
  ): Promise<Session> {
    const { session } = await this.connection.unary(
      HistoryService.method.restoreSnapshot,
      build(RestoreSnapshotRequestSchema, {
        snapshot: this.#snapshotName(snapshotId),
        sessionId: id,
        displayName,
      }),
      rpc,
    );
    return new Session(this.connection, session!.name, session!.revision);
  }

  /**
   * Makes a function the replacement policy of a process that has
   * ReplacementPolicy.CLIENT: it is told what is in memory and names the page
   * that leaves, until the Victims are stopped. AlreadyExistsError: another
   * client is.
   */
  chooseVictims(choose: Choose, settings: { pid?: number } = {}) {
    return Victims.begin(
      this.connection,
      this.name,
      settings.pid ?? 1,
      choose,
    );
  }

  /**
   * Enters the session: gives a handle whose commands are recorded with the
   * participant's name. An observer's commands are refused.
   */
  async join(
    settings: Naming & {
      /** Default: Role.DRIVER. */
      role?: Role;
    } = {},
  ): Promise<Session> {
    const { id, role, displayName, ...rpc } = settings;
    const { participant, revision } = await this.connection.unary(
      SessionService.method.joinSession,
      build(JoinSessionRequestSchema, {
        session: this.name,
        participantId: id,
        role,
        displayName,
      }),
      rpc,
    );
    return this.as(participant!.name, revision);
  }

  /** A handle that sends as a participant who has joined, also elsewhere. */
  as(participant: string, revision = this.#revision): Session {
    const name = participant.startsWith("sessions/")
      ? participant
      : `${this.name}/participants/${participant}`;
    return new Session(this.connection, this.name, revision, name);
  }

  /** The participant of this handle leaves; it sends no more commands. */
  async leave(rpc?: RpcSettings): Promise<Participant> {
    const { participant } = await this.connection.unary(
      SessionService.method.leaveSession,
      build(LeaveSessionRequestSchema, { participant: this.participant }),
      rpc,
    );
    return participant!;
  }

  /** Who is in the session, in the order of their names. */
  async *participants(
    settings: RpcSettings & { includeLeft?: boolean } = {},
  ): AsyncGenerator<Participant, void, undefined> {
    const { includeLeft, ...rpc } = settings;
    const session = this.name;
    const all = pages((pageToken) =>
      this.connection.unary(
        SessionService.method.listParticipants,
        build(ListParticipantsRequestSchema, {
          session,
          includeLeft,
          pageToken,
          pageSize: PAGE_SIZE_MAX,
        }),
        rpc,
      ),
    );
    for await (const { participants } of all) yield* participants;
  }

  #snapshotName(id: string): string {
    return id.startsWith("sessions/") ? id : `${this.name}/snapshots/${id}`;
  }

  #see(revision: bigint): void {
    if (revision > this.#revision) this.#revision = revision;
  }
}

// Its other half: a method for each command, see calls.ts.
export interface Session extends Calls {}

for (const name of COMMAND_NAMES) {
  Object.defineProperty(Session.prototype, name, {
    value(
      this: Session,
      args?: CommandArguments<typeof name>,
      settings?: CommandSettings,
    ) {
      return this.call(name, args, settings);
    },
  });
}
