// Says in words why a server could not be reached: gRPC's own text names
// neither the likely cause nor what to do.

import { hostOf, isLoopback } from "./address.js";
import type { StatusCode } from "./errors.js";

/** The message for a failure without the details of a Faultline server. */
export function diagnose(
  code: StatusCode,
  text: string,
  address: string,
): string {
  switch (code) {
    case "UNAVAILABLE":
      return unreachable(text, address);
    case "UNIMPLEMENTED":
      return (
        `the server at ${address} does not have this call: it is not a ` +
        "Faultline server, or an older one"
      );
    case "DEADLINE_EXCEEDED":
      return /LB pick|name resolution/i.test(text) && !/remote_addr/.test(text)
        ? `nobody answered at ${address} in time${proxyHint(address)}: is it ` +
            "the right address?"
        : `the server at ${address} did not answer in time; a command may or ` +
            "may not have been executed";
    default:
      return text || `the call to ${address} failed`;
  }
}

/**
 * Is it a connection that ended in the middle of a call? grpc-js calls that an
 * internal error where HTTP/2 or a write told it first.
 */
export function isCut(code: StatusCode, text: string): boolean {
  return (code === "INTERNAL" || code === "UNKNOWN") && CUT.test(text);
}

const CUT =
  /RST_STREAM|^Write error|^Write failed|HTTP\/2 stream|No status information/;

function unreachable(text: string, address: string): string {
  if (/ECONNREFUSED/.test(text)) {
    return (
      `nothing listens on ${address}: start a server there with ` +
      "`faultline serve`, or give the address of one that runs"
    );
  }
  if (/ENOENT/.test(text) && address.startsWith("unix:")) {
    return (
      `there is no socket ${address}: start a server with ` +
      "`faultline serve`"
    );
  }
  if (/name resolution failed|ENOTFOUND/i.test(text)) {
    return (
      `there is no host '${hostOf(address)}': check its spelling and the ` +
      `network${proxyHint(address)}`
    );
  }
  if (/protocol error|HTTP\/?1|SSL|TLS/i.test(text)) {
    return (
      `what listens on ${address} does not speak gRPC without TLS: is this ` +
      "the right port?"
    );
  }
  if (CUT.test(text)) return `the connection to ${address} was cut (${text})`;
  if (/dropped|closed|failed to connect|ECONNRESET|goaway/i.test(text)) {
    return (
      `the server at ${address} closed the connection: it is shutting down, ` +
      `or it is not a Faultline server (${text})`
    );
  }
  return `cannot reach the server at ${address}: ${text}${proxyHint(address)}`;
}

function proxyHint(address: string): string {
  const name = ["grpc_proxy", "https_proxy", "http_proxy"].find(
    (variable) => process.env[variable],
  );
  if (name === undefined || isLoopback(address)) return "";
  return (
    `; the environment variable ${name} sends calls through a proxy: add ` +
    `${hostOf(address)} to no_proxy if it should not`
  );
}
