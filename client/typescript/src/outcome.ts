// What the simulated kernel did with one command. ENOMEM and SIGSEGV are here:
// they are results of a call that succeeded.

import { create } from "@bufbuild/protobuf";
import { Errno } from "./gen/faultline/v1/errno_pb.js";
import type { Event } from "./gen/faultline/v1/event_pb.js";
import type * as v1 from "./gen/faultline/v1/outcome_pb.js";
import { FaultedEntriesSchema } from "./gen/faultline/v1/outcome_pb.js";
import { hex } from "./integers.js";

/** A signal that an operation raised in its process. */
export interface Signal {
  /** For example `"SIGSEGV"`. */
  readonly name: string;
  /** Its number, for example 11. */
  readonly number: number;
  /** si_code: SEGV_MAPERR 1, SEGV_ACCERR 2, BUS_ADRERR 2 … */
  readonly code: number;
  /** si_addr: the address that was accessed. */
  readonly addr: bigint;
}

/** An entry of accessMany that faulted. */
export interface FaultedEntry {
  /** Which, from 0. */
  readonly entry: number;
  /** Faults without I/O that it took. */
  readonly minFlt: number;
  /** Faults that had to wait for a block device. */
  readonly majFlt: number;
}

/** What one command gave. */
export class Outcome {
  /**
   * The call's return value, -errno when it failed. For an access: the byte
   * that was read last.
   */
  readonly value: bigint;
  /** For example `"ENOMEM"`; undefined when the call succeeded. */
  readonly errno: string | undefined;
  /** Undefined when none was raised. */
  readonly signal: Signal | undefined;
  /** The operation ended the process: exit, a fatal signal, the OOM killer. */
  readonly exited: boolean;
  /** There is no such process, or it has ended; nothing was done. */
  readonly noProcess: boolean;
  /** Faults without I/O that it took. */
  readonly minFlt: bigint;
  /** Faults that had to wait for a block device. */
  readonly majFlt: bigint;
  /** For accesses: those done before the end or the signal. */
  readonly accesses: bigint;
  /** What it cost, in simulated nanoseconds. */
  readonly costNs: bigint;
  /** The bytes of read, mincore and wait, and of accessMany if asked for. */
  readonly data: Uint8Array;
  /** In the order in which they happened; `body.case` is the kind. */
  readonly events: readonly Event[];
  /** A hash of all but the events; 0n in an answer that was packed. */
  readonly digest: bigint;
  readonly #message: v1.Outcome;

  constructor(
    message: v1.Outcome,
    /** The session's revision after it. */
    readonly revision: bigint,
  ) {
    this.#message = message;
    this.value = message.value;
    this.errno = errnoName(message.error);
    this.signal = message.signal && {
      name: signalName(message.signal.signal),
      number: message.signal.signal,
      code: message.signal.code,
      addr: message.signal.addr,
    };
    this.exited = message.exited;
    this.noProcess = message.noProcess;
    this.minFlt = message.minFlt;
    this.majFlt = message.majFlt;
    this.accesses = message.accesses;
    this.costNs = message.costNs;
    this.data = message.data;
    this.events = message.events;
    this.digest = message.digest;
  }

  /** For accessMany: the entries that faulted, in order. */
  get faulted(): FaultedEntry[] {
    const { entry, minFlt, majFlt } =
      this.#message.faulted ?? create(FaultedEntriesSchema);
    return entry.map((one, i) => ({
      entry: one,
      minFlt: minFlt[i] ?? 0,
      majFlt: majFlt[i] ?? 0,
    }));
  }

  /** As it came, with all that the contract has. */
  get message(): v1.Outcome {
    return this.#message;
  }

  /** No errno, no signal, and there was such a process. */
  get ok(): boolean {
    return !this.errno && !this.signal && !this.noProcess;
  }

  /** The return value as an address: 0 to 2^64 - 1. */
  get address(): bigint {
    return BigInt.asUintN(64, this.value);
  }

  /** For people: `0x7ffff7ffb000`, `ENOMEM`, `SIGSEGV at 0x10`, `7`. */
  toString(): string {
    if (this.noProcess) return "no such process";
    if (this.signal) return `${this.signal.name} at ${hex(this.signal.addr)}`;
    if (this.errno) return this.errno;
    return this.value < 4096n ? this.value.toString() : hex(this.value);
  }
}

/** `"ENOMEM"` for 12, `"errno 133"` for one without a name; 0: undefined. */
export function errnoName(errno: number): string | undefined {
  if (errno === Errno.UNSPECIFIED) return undefined;
  return Errno[errno] ?? `errno ${errno}`;
}

const SIGNALS = (
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM " +
  "STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO " +
  "PWR SYS"
).split(" ");

/** `"SIGSEGV"` for 11: the simulated machine's numbers, not this computer's. */
export function signalName(signal: number): string {
  const name = SIGNALS[signal - 1];
  return name === undefined ? `signal ${signal}` : `SIG${name}`;
}
