// The error of a call that failed, from what gRPC knows of it.

import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { type ServiceError, status } from "@grpc/grpc-js";
import { diagnose, isCut } from "./diagnosis.js";
import {
  type ErrorDetails,
  type FaultlineError,
  makeError,
  type StatusCode,
} from "./errors.js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "./gen/google/rpc/error_details_pb.js";
import { type Status, StatusSchema } from "./gen/google/rpc/status_pb.js";

/**
 * With the server's own words and details, or, when they did not come from a
 * Faultline server, with a diagnosis of why it was not reached.
 */
export function fromGrpc(error: ServiceError, address: string): FaultlineError {
  const code = (status[error.code] ?? "UNKNOWN") as StatusCode;
  const details = detailsOf(error);
  if (details === undefined) {
    const text = error.details ?? error.message;
    const own = isCut(code, text) ? "UNAVAILABLE" : code;
    return makeError(own, diagnose(own, text, address), { cause: error });
  }
  return makeError(code, error.details, { ...details, cause: error });
}

/** What the server attached; undefined when it attached nothing. */
function detailsOf(error: ServiceError): ErrorDetails | undefined {
  const bytes = error.metadata?.get("grpc-status-details-bin")[0];
  if (!(bytes instanceof Uint8Array)) return undefined;
  let proto: Status;
  try {
    proto = fromBinary(StatusSchema, bytes);
  } catch {
    return undefined;
  }
  return proto.details.length > 0 ? collect(proto) : undefined;
}

function collect(proto: Status): ErrorDetails {
  let details: ErrorDetails = {};
  for (const any of proto.details) {
    const info = anyUnpack(any, ErrorInfoSchema);
    const bad = anyUnpack(any, BadRequestSchema);
    const retry = anyUnpack(any, RetryInfoSchema)?.retryDelay;
    if (info) {
      const { reason, domain, metadata } = info;
      details = { ...details, reason, domain, metadata };
    }
    if (bad) {
      const violations = bad.fieldViolations.map(({ field, description }) => ({
        field,
        description,
      }));
      details = { ...details, violations };
    }
    if (retry) {
      const retryDelay = Number(retry.seconds) * 1000 + retry.nanos / 1e6;
      details = { ...details, retryDelay };
    }
  }
  return details;
}
