// Integers that stay exact. A 64-bit value is a bigint here; a number is taken
// in its place as long as it is one that JavaScript holds exactly.

import { ScalarType } from "@bufbuild/protobuf";

const UINT64_MAX = 2n ** 64n - 1n;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const UINT32_MAX = 2 ** 32 - 1;
const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

/**
 * An address, a length or a revision. A `number` must be a whole one below
 * 2^53; what is larger is a `bigint`, such as `0xffffffffff600000n`.
 */
export type Integer = bigint | number;

/** `0x7ffff7ffb000`, as Linux writes an address; negative: two's complement. */
export function hex(value: Integer): string {
  return "0x" + BigInt.asUintN(64, BigInt(value)).toString(16);
}

/** The smallest and the largest value of a 64-bit type, or undefined. */
function bounds64(type: ScalarType): [bigint, bigint] | undefined {
  switch (type) {
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return [0n, UINT64_MAX];
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return [INT64_MIN, INT64_MAX];
    default:
      return undefined;
  }
}

function bounds32(type: ScalarType): [number, number] {
  return type === ScalarType.UINT32 || type === ScalarType.FIXED32
    ? [0, UINT32_MAX]
    : [INT32_MIN, INT32_MAX];
}

/**
 * Says why a value cannot be an integer of that type and what would do;
 * undefined when it can.
 */
export function integerProblem(
  value: unknown,
  type: ScalarType,
): string | undefined {
  if (typeof value !== "bigint" && typeof value !== "number") {
    return `must be a whole number, not ${describe(value)}`;
  }
  if (typeof value === "number") {
    if (!Number.isInteger(value)) {
      return `must be a whole number, not ${value}`;
    }
    if (!Number.isSafeInteger(value)) {
      return (
        `is the number ${value}, but numbers are exact only up to 2^53 - 1: ` +
        "write it as a bigint, for example 0xffffffffff600000n"
      );
    }
  }
  const [low, high] = bounds64(type) ?? bounds32(type);
  if (value >= low && value <= high) return undefined;
  const remedy =
    value < 0n && high === UINT64_MAX
      ? "; for the address with these bits write " +
        hex(BigInt.asUintN(64, BigInt(value))) +
        "n"
      : "";
  return `must be from ${low} to ${high}, not ${value}${remedy}`;
}

/** As a message holds it: bigint for 64 bits, else number. No problem in it. */
export function toScalar(value: Integer, type: ScalarType): Integer {
  return bounds64(type) ? BigInt(value) : Number(value);
}

/** A value in an error message. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return "an array";
  return typeof value === "object"
    ? "an object"
    : `the ${typeof value} ${String(value)}`;
}
