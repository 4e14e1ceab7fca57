// The Node client of Faultline.
//
//   import { connect, MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ } from "faultline";
//   const lab = await connect("localhost").createSession({ id: "lab-1" });
//   const mapped = await lab.mmap({ length: 4096, prot: PROT_READ,
//                                   flags: MAP_PRIVATE | MAP_ANONYMOUS });
//   mapped.errno ?? hex(mapped.address);

export type { Arguments } from "./arguments.js";
export type { Call, Calls, CommandSettings } from "./calls.js";
export { Client, connect } from "./client.js";
export {
  COMMAND_NAMES,
  command,
  type CommandArguments,
  type CommandInit,
  type CommandName,
} from "./commands.js";
export { Connection, type Duplex, type RpcSettings } from "./connection.js";
export * from "./constants.js";
export {
  AlreadyExistsError,
  ConflictError,
  ExhaustedError,
  FaultlineError,
  type FieldViolation,
  InvalidRequestError,
  NotAllowedError,
  NotFoundError,
  ServerFaultError,
  type StatusCode,
  TimeoutError,
  UnavailableError,
} from "./errors.js";
export { AccessKind } from "./gen/faultline/v1/access_kind_pb.js";
export { FileContent, FsType } from "./gen/faultline/v1/command_pb.js";
export { type Event, FaultResolution } from "./gen/faultline/v1/event_pb.js";
export { CheckStatus, ReportStatus } from "./gen/faultline/v1/grade_pb.js";
export { ExerciseKind } from "./gen/faultline/v1/grading_pb.js";
export { EventLevel } from "./gen/faultline/v1/outcome_pb.js";
export { Role } from "./gen/faultline/v1/participant_pb.js";
export {
  Personality,
  Profile,
  SessionState,
  ThpMode,
} from "./gen/faultline/v1/session_pb.js";
export { SnapshotKind } from "./gen/faultline/v1/snapshot_pb.js";
export { Grade } from "./grade.js";
export {
  type Answers,
  Attempt,
  Grading,
  type RepeatableSettings,
  type SecretSettings,
} from "./grading.js";
export type { ReplaySettings } from "./history.js";
export { hex, type Integer } from "./integers.js";
export { type FaultedEntry, Outcome, type Signal } from "./outcome.js";
export { Look, type PartSettings, type ProcessSettings } from "./look.js";
export { Mapping } from "./mapping.js";
export type { Batch, BatchAnswer, RunSettings } from "./run.js";
export { type DeleteSettings, type Naming, Session } from "./session.js";
export { type Choose, Victims } from "./victims.js";
export type { Change, EventKind, WatchSettings } from "./watch.js";
