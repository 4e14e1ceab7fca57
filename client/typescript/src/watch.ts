// Watching a session: what its commands did, revision by revision. A stream
// that is cut is taken up again after the last change that was handed out, so
// that each comes exactly once and in order.

import { timestampDate } from "@bufbuild/protobuf/wkt";
import { build, toInt64 } from "./arguments.js";
import type { Connection, RpcSettings } from "./connection.js";
import type { Command } from "./gen/faultline/v1/command_pb.js";
import { type Event, EventSchema } from "./gen/faultline/v1/event_pb.js";
import { HistoryService } from "./gen/faultline/v1/history_pb.js";
import type { EventLevel } from "./gen/faultline/v1/outcome_pb.js";
import {
  type Change as ChangeMessage,
  WatchEventsRequestSchema,
} from "./gen/faultline/v1/watch_pb.js";
import type { Integer } from "./integers.js";
import { Outcome } from "./outcome.js";
import { DEFAULT_TIMEOUT_MS, Patience } from "./retry.js";

/** A kind of event: `"faultResolved"`, `"vmaSplit"` … */
export type EventKind = NonNullable<Event["body"]["case"]>;

/** What to watch. */
export interface WatchSettings extends RpcSettings {
  /**
   * The first revision to tell of; 1 is the first command, and one that is yet
   * to come is waited for. Default: the first that this handle has not seen,
   * session.revision + 1.
   */
  readonly startRevision?: Integer | undefined;
  /** The last revision to tell of. Default: until the session is closed. */
  readonly endRevision?: Integer | undefined;
  /** Only events and commands of these processes. Default: of all. */
  readonly pids?: readonly number[] | undefined;
  /** Only events of these kinds. Default: all that the level has. */
  readonly kinds?: readonly EventKind[] | undefined;
  /** How many events; default: faults, signals and processes. */
  readonly eventLevel?: EventLevel | undefined;
  /** Tell the command, its outcome, its sender and its time, too. */
  readonly includeCommands?: boolean | undefined;
  /** Called when all that was asked for up to a revision was handed out. */
  readonly onProgress?: ((revision: bigint) => void) | undefined;
}

/** What one command did. */
export interface Change {
  /** The session's revision after it. */
  readonly revision: bigint;
  /** The events that were asked for, in the order in which they happened. */
  readonly events: readonly Event[];
  /** With includeCommands: the command. */
  readonly command: Command | undefined;
  /** With includeCommands, if the command did not break the simulator. */
  readonly outcome: Outcome | undefined;
  /** With includeCommands: the participant, or the address, that sent it. */
  readonly sender: string;
  /** With includeCommands: when it was recorded. */
  readonly time: Date | undefined;
}

/** Yields the changes of a session from `startRevision` on. */
export async function* watch(
  connection: Connection,
  session: string,
  startRevision: Integer,
  settings: WatchSettings,
): AsyncGenerator<Change, void, undefined> {
  const { signal, onProgress, endRevision } = settings;
  const patience = new Patience(settings.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  let next = toInt64(startRevision, "startRevision");
  while (endRevision === undefined || next <= endRevision) {
    const request = requestOf(session, next, settings);
    try {
      const stream = connection.serverStream(
        HistoryService.method.watchEvents,
        request,
        { signal },
      );
      for await (const { revision, changes } of stream) {
        patience.reset();
        for (const change of changes) {
          if (change.revision < next) continue;
          next = change.revision + 1n;
          yield toChange(change);
        }
        if (revision >= next) next = revision + 1n;
        onProgress?.(revision);
      }
      return;
    } catch (error) {
      await patience.wait(error, signal);
    }
  }
}

function requestOf(
  session: string,
  startRevision: bigint,
  settings: WatchSettings,
) {
  const { endRevision, pids, kinds, eventLevel, includeCommands } = settings;
  return build(WatchEventsRequestSchema, {
    session,
    startRevision,
    endRevision,
    pids,
    kinds: kinds?.map(protoNameOf),
    eventLevel,
    includeCommands,
  });
}

/** The contract's name of a kind; what is none is the server's to refuse. */
function protoNameOf(kind: EventKind): string {
  return EventSchema.field[kind]?.name ?? kind;
}

function toChange(message: ChangeMessage): Change {
  const { revision, events, command, sender } = message;
  return {
    revision,
    events,
    command,
    outcome: message.outcome && new Outcome(message.outcome, revision),
    sender,
    time: message.time && timestampDate(message.time),
  };
}
