// When a call is made again, and after how long.

import { setTimeout as sleep } from "node:timers/promises";
import { UnavailableError } from "./errors.js";

/** Every call ends after this long, in milliseconds, unless told otherwise. */
export const DEFAULT_TIMEOUT_MS = 30_000;
/** For calls whose work grows with a session's history: replay, verify. */
export const LONG_TIMEOUT_MS = 2 * 60 * 60 * 1000;
/** A call that may be repeated is made at most this often. */
export const ATTEMPTS_MAX = 4;
/** The wait before the second attempt, in milliseconds; then it doubles. */
const FIRST_BACKOFF_MS = 100;
const BACKOFF_MAX_MS = 2000;

/**
 * Counts the failures in a row of one piece of work and waits between them:
 * twice as long each time, varied by a fifth so that clients spread, and not
 * less than the server asks for.
 */
export class Patience {
  #failures = 0;
  #end = Infinity;

  constructor(
    /** From the first failure since the start or a success on. */
    readonly timeoutMs: number,
    readonly attemptsMax = Infinity,
  ) {}

  /** The work goes on, for however long: count anew from the next failure. */
  reset(): void {
    this.#failures = 0;
    this.#end = Infinity;
  }

  /**
   * Waits until it may be tried again.
   * @throws the error itself when patience is at its end or no repetition
   * would help; the signal's reason when it is aborted.
   */
  async wait(
    error: unknown,
    signal: AbortSignal | undefined,
    deadline = Infinity,
  ): Promise<void> {
    if (!(error instanceof UnavailableError)) throw error;
    this.#failures += 1;
    this.#end = Math.min(this.#end, Date.now() + this.timeoutMs, deadline);
    const ms = this.#backoff(error);
    if (this.#failures >= this.attemptsMax || Date.now() + ms >= this.#end) {
      throw error;
    }
    await sleep(ms, undefined, { signal }).catch(() =>
      signal?.throwIfAborted(),
    );
  }

  #backoff(error: UnavailableError): number {
    const doubled = FIRST_BACKOFF_MS * 2 ** (this.#failures - 1);
    const spread = 0.8 + 0.4 * Math.random();
    const ms = Math.min(doubled, BACKOFF_MAX_MS) * spread;
    return Math.max(ms, error.retryDelay ?? 0);
  }
}
