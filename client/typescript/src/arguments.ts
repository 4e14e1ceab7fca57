// Named arguments into the messages of the contract, by their descriptors:
// whatever cannot be sent as it was meant is refused with the field's name.

import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  type MessageShape,
  ScalarType,
} from "@bufbuild/protobuf";
import { invalidField } from "./errors.js";
import {
  describe,
  type Integer,
  integerProblem,
  toScalar,
} from "./integers.js";

/**
 * The fields of a message as a caller gives them: each may be left out, and a
 * 64-bit one is a bigint or a safe number.
 */
export type Arguments<M> = {
  [K in keyof M as K extends `$${string}` ? never : K]?: Argument<M[K]>;
};

type Argument<T> = T extends bigint
  ? Integer
  : T extends Uint8Array
    ? Uint8Array
    : T extends readonly (infer E)[]
      ? readonly Argument<E>[]
      : T extends Message
        ? Arguments<T>
        : T;

/**
 * The message with these fields. `path` stands before a field's name in
 * errors, for example "mmap.".
 * @throws InvalidRequestError that names the field.
 */
export function build<D extends DescMessage>(
  schema: D,
  given: object,
  path = "",
): MessageShape<D> {
  const message = create(schema) as MessageShape<D> & Record<string, unknown>;
  const target: Record<string, unknown> = message;
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const field = schema.field[name];
    if (field === undefined || field.oneof) throw unknown(schema, path + name);
    target[name] = toField(field, value, path + name);
  }
  return message;
}

/**
 * A 64-bit argument that is no field of a message.
 * @throws InvalidRequestError that names it.
 */
export function toInt64(value: Integer, name: string): bigint {
  return toScalarField(ScalarType.INT64, value, name) as bigint;
}

function unknown(schema: DescMessage, field: string): Error {
  const names = schema.fields.filter((f) => !f.oneof).map((f) => f.localName);
  const remedy =
    names.length > 0 ? `there are ${names.join(", ")}` : "it takes none";
  return invalidField(field, `is not an argument of ${schema.name}: ${remedy}`);
}

function toField(field: DescField, value: unknown, path: string): unknown {
  switch (field.fieldKind) {
    case "scalar":
      return toScalarField(field.scalar, value, path);
    case "enum":
      return toScalarField(ScalarType.INT32, value, path);
    case "message":
      return build(field.message, toObject(value, path), `${path}.`);
    case "list":
      if (!Array.isArray(value)) {
        throw invalidField(path, `must be an array, not ${describe(value)}`);
      }
      return value.map((one, i) => toElement(field, one, `${path}[${i}]`));
    case "map":
      throw invalidField(path, "cannot be given as an argument");
  }
}

function toElement(
  field: DescField & { fieldKind: "list" },
  value: unknown,
  path: string,
): unknown {
  switch (field.listKind) {
    case "scalar":
      return toScalarField(field.scalar, value, path);
    case "enum":
      return toScalarField(ScalarType.INT32, value, path);
    case "message":
      return build(field.message, toObject(value, path), `${path}.`);
  }
}

function toObject(value: unknown, path: string): object {
  if (typeof value === "object" && value !== null) return value;
  throw invalidField(path, `must be an object, not ${describe(value)}`);
}

function toScalarField(
  type: ScalarType,
  value: unknown,
  path: string,
): unknown {
  const problem = scalarProblem(type, value);
  if (problem !== undefined) throw invalidField(path, problem);
  return isOther(type) ? value : toScalar(value as Integer, type);
}

function isOther(type: ScalarType): boolean {
  return (
    type === ScalarType.STRING ||
    type === ScalarType.BOOL ||
    type === ScalarType.BYTES
  );
}

function scalarProblem(type: ScalarType, value: unknown): string | undefined {
  switch (type) {
    case ScalarType.STRING:
      if (typeof value === "string") return undefined;
      return `must be a string, not ${describe(value)}`;
    case ScalarType.BOOL:
      if (typeof value === "boolean") return undefined;
      return `must be true or false, not ${describe(value)}`;
    case ScalarType.BYTES:
      if (value instanceof Uint8Array) return undefined;
      return `must be a Uint8Array, not ${describe(value)}`;
    default:
      return integerProblem(value, type);
  }
}
