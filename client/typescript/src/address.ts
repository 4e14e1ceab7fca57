// Where a server is: the address as a person writes it, and as gRPC wants it.

import { makeError } from "./errors.js";

/** Where `faultline serve` listens unless told otherwise. */
export const DEFAULT_PORT = 50051;

/**
 * "host", "host:port", ":port", "[::1]:port" or "unix:/path", with the default
 * port when there is none.
 * @throws InvalidRequestError for what cannot be an address.
 */
export function normalizeAddress(address: string): string {
  if (address.startsWith("unix:")) return address;
  const why = addressProblem(address);
  if (why !== undefined) {
    throw makeError(
      "INVALID_ARGUMENT",
      `'${address}' is not the address of a server: ${why}; ` +
        `write host:port, such as localhost:${DEFAULT_PORT}`,
      { reason: "ADDRESS_INVALID" },
    );
  }
  if (portOf(address) === undefined) return `${address}:${DEFAULT_PORT}`;
  return address.startsWith(":") ? `localhost${address}` : address;
}

function addressProblem(address: string): string | undefined {
  if (address === "") return "it is empty";
  if (address.includes("://")) return "it has a scheme";
  if (/[\s/]/.test(address)) return "it has a character that no host has";
  const port = portOf(address);
  if (port === undefined) return undefined;
  const host = hostOf(address);
  if (!address.startsWith("[") && host.includes(":")) {
    return "an IPv6 address goes into brackets";
  }
  return /^\d{1,5}$/.test(port) && +port >= 1 && +port <= 65535
    ? undefined
    : `'${port}' is not a port from 1 to 65535`;
}

/** What follows the last colon that is not within brackets. */
function portOf(address: string): string | undefined {
  const colon = address.lastIndexOf(":");
  return colon > address.lastIndexOf("]")
    ? address.slice(colon + 1)
    : undefined;
}

/** The host of an address with a port, without the brackets of IPv6. */
export function hostOf(address: string): string {
  if (address.startsWith("[")) return address.slice(1, address.indexOf("]"));
  return address.slice(0, address.lastIndexOf(":"));
}

/** Is it this computer, where a proxy has no business? */
export function isLoopback(address: string): boolean {
  if (address.startsWith("unix:")) return true;
  const host = hostOf(address);
  return (
    host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host)
  );
}
