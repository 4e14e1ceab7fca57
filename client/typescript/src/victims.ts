// A replacement policy in the client: MachineService.ChooseVictims.

import { build } from "./arguments.js";
import type { Connection, Duplex } from "./connection.js";
import {
  ChooseVictimsRequestSchema,
  MachineService,
} from "./gen/faultline/v1/machine_pb.js";
import type { VictimWanted } from "./gen/faultline/v1/replacement_pb.js";
import type { Integer } from "./integers.js";

/** Names the page that leaves memory: an address in it. */
export type Choose = (wanted: VictimWanted) => Integer | Promise<Integer>;

type VictimsStream = Duplex<
  typeof MachineService.method.chooseVictims.input,
  typeof MachineService.method.chooseVictims.output
>;

/**
 * Answers which page of a process leaves memory, until it is stopped. A
 * `choose` that throws, or names a page that may not go, ends it too: the
 * accesses then stop with `outcome.message.victimWanted`.
 */
export class Victims {
  readonly #stream: VictimsStream;
  readonly #done: Promise<void>;
  #failure: { readonly error: unknown } | undefined;

  private constructor(stream: VictimsStream, choose: Choose) {
    this.#stream = stream;
    this.#done = this.#answer(choose);
  }

  /** @internal Of Session.chooseVictims. */
  static async begin(
    connection: Connection,
    session: string,
    pid: number,
    choose: Choose,
  ): Promise<Victims> {
    const stream = connection.duplex(MachineService.method.chooseVictims);
    stream.send(build(ChooseVictimsRequestSchema, { session, pid }));
    await stream.opened; // until then the server does not know of it
    return new Victims(stream, choose);
  }

  /** Ends it; rejects with what ended it before. */
  async stop(): Promise<void> {
    this.#stream.finish();
    await this.#done;
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure.error;
  }

  /** Never rejects: see #failure. */
  async #answer(choose: Choose): Promise<void> {
    try {
      for await (const { wanted } of this.#stream.responses) {
        const victim = await choose(wanted!);
        this.#stream.send(build(ChooseVictimsRequestSchema, { victim }));
      }
    } catch (error) {
      this.#failure = { error };
    }
  }
}
