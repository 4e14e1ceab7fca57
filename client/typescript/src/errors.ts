// What a failed call says. The failures of a simulated program (ENOMEM,
// SIGSEGV) are never here: they are data in an Outcome.

import type { status } from "@grpc/grpc-js";

/** The name of a gRPC status code, for example `"NOT_FOUND"`. */
export type StatusCode = Exclude<keyof typeof status, "OK">;

/** One field of a request that cannot be used. */
export interface FieldViolation {
  /** Its path, for example `"mmap.length"`. */
  readonly field: string;
  /** What is wrong and what would be right. */
  readonly description: string;
}

/** What an error knows besides its message. */
export interface ErrorDetails {
  /** For a program, for example `"SESSION_NOT_FOUND"`; else empty. */
  readonly reason?: string;
  /** Of the reason: `"faultline.dev"`; empty when there is none. */
  readonly domain?: string;
  /** What the reason is about, for example `{session: "sessions/lab-1"}`. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** The fields of the request that cannot be used. */
  readonly violations?: readonly FieldViolation[];
  /** How long the server asks to wait before a repetition, in milliseconds. */
  readonly retryDelay?: number;
  /** What it was made from. */
  readonly cause?: unknown;
}

/**
 * A call that failed. The subclasses say what a program can do about it; the
 * message says it to a person.
 */
export class FaultlineError extends Error {
  /** The gRPC status code. */
  readonly code: StatusCode;
  readonly reason: string;
  readonly domain: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly FieldViolation[];
  readonly retryDelay: number | undefined;

  constructor(code: StatusCode, message: string, details: ErrorDetails = {}) {
    super(explain(message, details.violations ?? []), { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.reason = details.reason ?? "";
    this.domain = details.domain ?? "";
    this.metadata = details.metadata ?? {};
    this.violations = details.violations ?? [];
    this.retryDelay = details.retryDelay;
  }
}

/** Correct the request. INVALID_ARGUMENT, OUT_OF_RANGE. */
export class InvalidRequestError extends FaultlineError {}
/** Choose a name that is there. NOT_FOUND. */
export class NotFoundError extends FaultlineError {}
/** Choose another name, or use what is there. ALREADY_EXISTS. */
export class AlreadyExistsError extends FaultlineError {}
/** Read the session again and decide anew. ABORTED. */
export class ConflictError extends FaultlineError {}
/**
 * The session, the participant or the attempt is not in a state for it: closed,
 * panicked, an observer, graded; or a secret is wrong. `reason` tells which.
 * FAILED_PRECONDITION, PERMISSION_DENIED, UNAUTHENTICATED.
 */
export class NotAllowedError extends FaultlineError {}
/** The server is at a limit: wait, or ask for less. RESOURCE_EXHAUSTED. */
export class ExhaustedError extends FaultlineError {}
/**
 * The server cannot be reached, or shuts down: try again later. Repeat a
 * command under the same `requestId`. UNAVAILABLE.
 */
export class UnavailableError extends FaultlineError {}
/**
 * Time ran out: a command may or may not have been executed. The same
 * `requestId` tells. DEADLINE_EXCEEDED, CANCELLED.
 */
export class TimeoutError extends FaultlineError {}
/** A fault of the server, or no Faultline server: report it. All others. */
export class ServerFaultError extends FaultlineError {}

const CLASSES: { readonly [code in StatusCode]?: typeof FaultlineError } = {
  INVALID_ARGUMENT: InvalidRequestError,
  OUT_OF_RANGE: InvalidRequestError,
  NOT_FOUND: NotFoundError,
  ALREADY_EXISTS: AlreadyExistsError,
  ABORTED: ConflictError,
  FAILED_PRECONDITION: NotAllowedError,
  PERMISSION_DENIED: NotAllowedError,
  UNAUTHENTICATED: NotAllowedError,
  RESOURCE_EXHAUSTED: ExhaustedError,
  UNAVAILABLE: UnavailableError,
  DEADLINE_EXCEEDED: TimeoutError,
  CANCELLED: TimeoutError,
};

/** An error of the class that fits its code. */
export function makeError(
  code: StatusCode,
  message: string,
  details?: ErrorDetails,
): FaultlineError {
  return new (CLASSES[code] ?? ServerFaultError)(code, message, details);
}

/** The error for a request that is refused before it is sent. */
export function invalidField(
  field: string,
  description: string,
): FaultlineError {
  return makeError("INVALID_ARGUMENT", `${field} ${description}`, {
    reason: "FIELD_INVALID",
    domain: "faultline.dev",
    metadata: { field },
    violations: [{ field, description }],
  });
}

/** The message, and a line for each violation that it does not tell. */
function explain(message: string, all: readonly FieldViolation[]): string {
  const more = all.filter((v) => !message.includes(v.description));
  return [message, ...more.map((v) => `  ${v.field}: ${v.description}`)].join(
    "\n",
  );
}
