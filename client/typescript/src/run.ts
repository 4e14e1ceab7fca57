// Batches of commands, for speed: they are sent without waiting, and answered
// in order. After a cut the batches without an answer are sent again under
// their own request ids, so that each is executed once.

import { create } from "@bufbuild/protobuf";
import { build } from "./arguments.js";
import { type CommandInit, commandOf } from "./commands.js";
import {
  type Connection,
  type Duplex,
  newRequestId,
  type RpcSettings,
} from "./connection.js";
import { FaultlineError, makeError } from "./errors.js";
import {
  MachineService,
  type PackedOutcomes,
  PackedOutcomesSchema,
  type RunRequest,
  RunRequestSchema,
  type RunResponse,
} from "./gen/faultline/v1/machine_pb.js";
import {
  CallOptionsSchema,
  type EventLevel,
  OutcomeSchema,
  type Outcome as OutcomeMessage,
} from "./gen/faultline/v1/outcome_pb.js";
import type { Integer } from "./integers.js";
import { Outcome } from "./outcome.js";
import { DEFAULT_TIMEOUT_MS, Patience } from "./retry.js";

/** 1 to 4096 commands that are executed and recorded together. */
export type Batch = readonly CommandInit[];

/** The settings of a run. */
export interface RunSettings extends RpcSettings {
  /** How many events to send; default: faults, signals and processes. */
  readonly eventLevel?: EventLevel | undefined;
  /**
   * The answers come in columns, several times smaller where commands make
   * neither events nor data. Outcomes look the same, but have no digest.
   */
  readonly packed?: boolean | undefined;
  /**
   * The session's revision before the first batch: nobody else may have sent
   * a command between the batches, else ConflictError.
   */
  readonly expectedRevision?: Integer | undefined;
}

/** The answer to a batch. */
export interface BatchAnswer {
  /** Which batch of the run, from 0. */
  readonly batch: number;
  /** The session's revision after it. */
  readonly revision: bigint;
  /** One per command. */
  readonly outcomes: readonly Outcome[];
}

// The server reads ahead as many batches; more would only wait on the way.
const UNANSWERED_MAX = 8;

interface Sent {
  readonly batch: number;
  readonly request: RunRequest;
  outcomes: Outcome[];
}

type RunStream = Duplex<
  typeof MachineService.method.run.input,
  typeof MachineService.method.run.output
>;

/** One run: who takes batches from the caller, and who reads answers. */
export class Run {
  readonly #connection: Connection;
  readonly #session: string;
  readonly #settings: RunSettings;
  readonly #unanswered: Sent[] = [];
  #stream: RunStream | undefined;
  /** The batch that the server calls 0. */
  #firstOfStream = 0;
  #allSent = false;
  #over = false;
  /** What the caller's batches threw; told after the answers before it. */
  #failure: { readonly error: unknown } | undefined;
  #waiting: (() => void)[] = [];

  constructor(
    connection: Connection,
    session: string,
    /** Of the participant that sends it, or empty. */
    readonly participant: string,
    settings: RunSettings,
  ) {
    this.#connection = connection;
    this.#session = session;
    this.#settings = settings;
  }

  async *answers(
    batches: Iterable<Batch> | AsyncIterable<Batch>,
  ): AsyncGenerator<BatchAnswer, void, undefined> {
    const { signal, timeoutMs } = this.#settings;
    signal?.throwIfAborted();
    const wake = () => this.#wake();
    signal?.addEventListener("abort", wake);
    void this.#send(batches);
    const patience = new Patience(timeoutMs ?? DEFAULT_TIMEOUT_MS);
    try {
      while (await this.#hasMore()) {
        try {
          yield* this.#readOneStream(patience);
        } catch (error) {
          this.#stream = undefined;
          await patience.wait(this.#renumber(error), signal);
        }
      }
      if (this.#failure) throw this.#failure.error;
    } finally {
      signal?.removeEventListener("abort", wake);
      this.#over = true;
      this.#wake();
    }
  }

  /** Waits for a batch, so that an idle run needs no server. */
  async #hasMore(): Promise<boolean> {
    await this.#until(() => this.#unanswered.length > 0 || this.#allSent);
    return this.#unanswered.length > 0;
  }

  /** Takes batches as there is room. Never throws: see #failure. */
  async #send(batches: Iterable<Batch> | AsyncIterable<Batch>): Promise<void> {
    let count = 0;
    let expected = this.#settings.expectedRevision;
    try {
      for await (const batch of batches) {
        await this.#until(() => this.#unanswered.length < UNANSWERED_MAX);
        if (this.#over) return;
        const request = this.#requestOf(batch, expected);
        this.#unanswered.push({ batch: count++, request, outcomes: [] });
        if (expected !== undefined) {
          expected = BigInt(expected) + BigInt(batch.length);
        }
        this.#stream?.send(request);
        this.#wake();
      }
    } catch (error) {
      this.#failure = { error };
    }
    this.#allSent = true;
    this.#stream?.finish();
    this.#wake();
  }

  async *#readOneStream(
    patience: Patience,
  ): AsyncGenerator<BatchAnswer, void, undefined> {
    const { signal } = this.#settings;
    const stream = this.#connection.duplex(MachineService.method.run, signal);
    this.#stream = stream;
    this.#firstOfStream = this.#unanswered[0]?.batch ?? 0;
    for (const sent of this.#unanswered) {
      sent.outcomes = [];
      stream.send(sent.request);
    }
    if (this.#allSent) stream.finish();
    for await (const response of stream.responses) {
      const sent = this.#unanswered[0];
      if (sent === undefined) throw endedEarly(0);
      sent.outcomes.push(...outcomesOf(response));
      if (!response.last) continue;
      this.#unanswered.shift();
      this.#wake();
      patience.reset();
      const { batch, outcomes } = sent;
      yield { batch, revision: response.revision, outcomes };
    }
    if (this.#unanswered.length > 0 || !this.#allSent) {
      throw endedEarly(this.#unanswered.length);
    }
  }

  #requestOf(batch: Batch, expectedRevision: Integer | undefined): RunRequest {
    const { eventLevel, packed } = this.#settings;
    const options = build(CallOptionsSchema, {
      requestId: newRequestId(),
      expectedRevision,
      eventLevel,
      participant: this.participant,
    });
    return create(RunRequestSchema, {
      session: this.#session,
      options,
      commands: batch.map(commandOf),
      packed: packed ?? false,
    });
  }

  /** A server counts the batches of one stream, a run those of all. */
  #renumber(error: unknown): unknown {
    if (!(error instanceof FaultlineError) || !error.metadata.batch) {
      return error;
    }
    const batch = String(Number(error.metadata.batch) + this.#firstOfStream);
    const metadata = { ...error.metadata, batch };
    return makeError(error.code, error.message, { ...error, metadata });
  }

  /** Waits until it is so, or the run is over. */
  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      this.#settings.signal?.throwIfAborted();
      if (this.#over) return;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

function outcomesOf(response: RunResponse): Outcome[] {
  const messages = response.packed
    ? unpack(response.packed)
    : response.outcomes;
  const before = response.revision - BigInt(messages.length);
  return messages.map((one, i) => new Outcome(one, before + BigInt(i + 1)));
}

// The columns are named like the fields of an outcome.
const COLUMNS = PackedOutcomesSchema.fields
  .filter((field) => field.fieldKind === "list")
  .map((field) => field.localName);

/** Columns into outcomes; a column in which all are 0 is empty. */
function unpack(packed: PackedOutcomes): OutcomeMessage[] {
  const columns = packed as unknown as Record<string, unknown[]>;
  const used = COLUMNS.filter((name) => columns[name]!.length > 0);
  return Array.from({ length: Number(packed.count) }, (_, i) => {
    const whole = packed.whole[i];
    if (whole) return whole;
    const outcome = create(OutcomeSchema);
    for (const name of used) {
      Object.assign(outcome, { [name]: columns[name]![i] });
    }
    return outcome;
  });
}

function endedEarly(unanswered: number) {
  return makeError(
    "INTERNAL",
    `the server ended the run with ${unanswered} batches unanswered`,
  );
}
