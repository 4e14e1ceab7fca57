// The commands of a machine: their names, arguments and rpcs, all taken from
// the contract. A command that is added there is reachable here at once.

import {
  create,
  type DescMessage,
  type DescMethodUnary,
} from "@bufbuild/protobuf";
import { type Arguments, build } from "./arguments.js";
import { invalidField } from "./errors.js";
import { type Command, CommandSchema } from "./gen/faultline/v1/command_pb.js";
import { MachineService } from "./gen/faultline/v1/machine_pb.js";
import { describe } from "./integers.js";

type Op = Exclude<Command["op"], { case: undefined }>;

/** The name of a command: `"mmap"`, `"setVmaName"` … */
export type CommandName = NonNullable<Op["case"]>;

/** The named arguments of a command; what is left out is 0 or its default. */
export type CommandArguments<N extends CommandName> = Arguments<
  Extract<Op, { case: N }>["value"]
>;

/**
 * A command of a batch: its name with its arguments, and the process that
 * makes it. `{ mmap: { length: 8192, prot: 3, flags: 0x22 }, pid: 2 }`
 */
export type CommandInit =
  | Command
  | ({
      /** The calling process; default: as CommandSettings.pid. */
      readonly pid?: number;
    } & {
      [N in CommandName]: { readonly [K in N]: CommandArguments<N> };
    }[CommandName]);

/** Of which process a command is, when nothing is said: the first. */
const FIRST_PID = 1;
/** Acts of administration: nobody does them. */
const NOBODY = 0;
const ADMINISTRATION: ReadonlySet<string> = new Set<CommandName>([
  "createFile",
  "allocPages",
  "freePages",
  "sysctl",
  "tick",
]);

const OPS = new Map(
  CommandSchema.oneofs[0]!.fields.map((field) => [field.localName, field]),
);

/** All of them, in the order of the contract. */
export const COMMAND_NAMES = [...OPS.keys()] as readonly CommandName[];

/**
 * The message for a command.
 * @throws InvalidRequestError that names the argument that cannot be.
 */
export function command<N extends CommandName>(
  name: N,
  args: CommandArguments<N>,
  pid: number = ADMINISTRATION.has(name) ? NOBODY : FIRST_PID,
): Command {
  const op = OPS.get(name);
  if (op?.message === undefined) {
    throw invalidField(
      "command",
      `${describe(name)} is not a command: ` +
        `there are ${COMMAND_NAMES.join(", ")}`,
    );
  }
  const value = build(op.message, args, `${name}.`);
  const checked = build(CommandSchema, { pid });
  return create(CommandSchema, {
    pid: checked.pid,
    op: { case: name, value } as Command["op"],
  });
}

/** The message for a command of a batch. */
export function commandOf(given: CommandInit): Command {
  if ("$typeName" in given) return given;
  const { pid, ...rest } = given;
  const [entry, ...more] = Object.entries(rest);
  if (entry === undefined || more.length > 0) {
    throw invalidField(
      "command",
      "must have exactly one name, as in { munmap: { addr, length } }",
    );
  }
  return command(entry[0] as CommandName, entry[1] ?? {}, pid);
}

/** The unary rpc of a command. */
export function methodOf(name: CommandName): DescMethodUnary {
  return MachineService.method[name] as DescMethodUnary;
}

/** The request of that rpc: all have the same shape. */
export function requestOf(
  { pid, op }: Command,
  session: string,
  options: object,
) {
  const schema: DescMessage = methodOf(op.case!).input;
  return create(schema, { session, pid, options, [op.case!]: op.value });
}
