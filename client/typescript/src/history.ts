// What is recorded of a session: its commands, replays, snapshots.

import type { MessageShape } from "@bufbuild/protobuf";
import { build } from "./arguments.js";
import type { Connection, RpcSettings } from "./connection.js";
import { makeError } from "./errors.js";
import {
  GetFingerprintRequestSchema,
  HistoryService,
  type JournalEntry,
  ListCommandsRequestSchema,
  type Progress,
  ReplayRequestSchema,
  type ReplayReport,
  type VerifyReport,
  VerifySessionRequestSchema,
} from "./gen/faultline/v1/history_pb.js";
import type { Integer } from "./integers.js";
import { pages } from "./paging.js";
import { LONG_TIMEOUT_MS } from "./retry.js";

const { method } = HistoryService;

/** The settings of a check that replays a session. */
export interface ReplaySettings extends RpcSettings {
  /** Called about twice a second with the commands done and in all. */
  readonly onProgress?: ((done: bigint, total: bigint) => void) | undefined;
}

export async function* commands(
  connection: Connection,
  session: string,
  startRevision: Integer,
  rpc: RpcSettings,
): AsyncGenerator<JournalEntry, void, undefined> {
  const all = pages((pageToken) =>
    connection.unary(
      method.listCommands,
      build(ListCommandsRequestSchema, { session, startRevision, pageToken }),
      rpc,
    ),
  );
  for await (const { entries } of all) yield* entries;
}

export async function replay(
  connection: Connection,
  session: string,
  toRevision: Integer,
  { onProgress, ...rpc }: ReplaySettings,
): Promise<ReplayReport> {
  const request = build(ReplayRequestSchema, { session, toRevision });
  const stream = connection.serverStream(method.replay, request, {
    timeoutMs: LONG_TIMEOUT_MS,
    ...rpc,
  });
  return report<ReplayReport>(stream, onProgress);
}

export async function verify(
  connection: Connection,
  session: string,
  { onProgress, ...rpc }: ReplaySettings,
): Promise<VerifyReport> {
  const request = build(VerifySessionRequestSchema, { session });
  const stream = connection.serverStream(method.verifySession, request, {
    timeoutMs: LONG_TIMEOUT_MS,
    ...rpc,
  });
  return report<VerifyReport>(stream, onProgress);
}

export function fingerprint(
  connection: Connection,
  session: string,
  revision: Integer | undefined,
  rpc: RpcSettings,
): Promise<MessageShape<typeof method.getFingerprint.output>> {
  const request = build(GetFingerprintRequestSchema, { session, revision });
  return connection.unary(method.getFingerprint, request, {
    timeoutMs: LONG_TIMEOUT_MS,
    ...rpc,
  });
}

interface Told<Report> {
  event:
    | { case: "progress"; value: Progress }
    | { case: "report"; value: Report }
    | { case: undefined; value?: undefined };
}

/** Reads a stream of progress that ends in a report. */
async function report<Report>(
  stream: AsyncIterable<Told<Report>>,
  onProgress: ReplaySettings["onProgress"],
): Promise<Report> {
  for await (const { event } of stream) {
    if (event.case === "report") return event.value;
    if (event.case === "progress") {
      onProgress?.(event.value.done, event.value.total);
    }
  }
  throw makeError("INTERNAL", "the server ended the stream without a report");
}
