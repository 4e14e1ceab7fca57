// The contract: every message, enum and service of proto/faultline/v1, for
// programs that call an rpc themselves: client.connection.unary(method, …).

export * from "./gen/faultline/v1/command_pb.js";
export * from "./gen/faultline/v1/errno_pb.js";
export * from "./gen/faultline/v1/event_pb.js";
export * from "./gen/faultline/v1/exercise_pb.js";
export * from "./gen/faultline/v1/grade_pb.js";
export * from "./gen/faultline/v1/grading_pb.js";
export * from "./gen/faultline/v1/heap_pb.js";
export * from "./gen/faultline/v1/history_pb.js";
export * from "./gen/faultline/v1/inspect_pb.js";
export * from "./gen/faultline/v1/machine_calls_pb.js";
export * from "./gen/faultline/v1/machine_pb.js";
export * from "./gen/faultline/v1/mm_struct_pb.js";
export * from "./gen/faultline/v1/outcome_pb.js";
export * from "./gen/faultline/v1/participant_pb.js";
export * from "./gen/faultline/v1/reclaim_pb.js";
export * from "./gen/faultline/v1/replacement_pb.js";
export * from "./gen/faultline/v1/session_pb.js";
export * from "./gen/faultline/v1/snapshot_pb.js";
export * from "./gen/faultline/v1/watch_pb.js";
