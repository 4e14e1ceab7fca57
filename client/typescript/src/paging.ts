// Lists that come in pages, and looks that take several requests.

import { ConflictError } from "./errors.js";
import { ATTEMPTS_MAX } from "./retry.js";

/** As much as the server gives at a time. */
export const PAGE_SIZE_MAX = 1000;

/** Asks for page after page, until there is no other. */
export async function* pages<P extends { nextPageToken: string }>(
  ask: (pageToken: string) => Promise<P>,
): AsyncGenerator<P, void, undefined> {
  let pageToken = "";
  do {
    const page = await ask(pageToken);
    yield page;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

/**
 * Makes a look of several requests, which fails when the session has moved on
 * between two of them; then it is made anew, a few times.
 */
export async function atOneRevision<T>(look: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; ++attempt) {
    try {
      return await look();
    } catch (error) {
      const moved = error instanceof ConflictError;
      if (!moved || attempt >= ATTEMPTS_MAX) throw error;
    }
  }
}
