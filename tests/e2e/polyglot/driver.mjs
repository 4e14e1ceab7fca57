// One driver of a session, in Node: driver.mjs PACKAGE ADDRESS SESSION NUMBER
// BASE. As driver.py.

import { setTimeout } from "node:timers/promises";

const [packageDirectory, address, sessionName, number, base] =
  process.argv.slice(2);
const fl = await import(`${packageDirectory}/dist/index.js`);

let stopping = false;
process.stdin.on("end", () => (stopping = true)).resume();

async function patiently(call) {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const gone =
        error instanceof fl.UnavailableError ||
        error instanceof fl.TimeoutError;
      if (!gone) throw error;
      await setTimeout(50);
    }
  }
}

const session = await patiently(() =>
  fl.connect(address).openSession(sessionName),
);
for (let tag = BigInt(number) << 32n; !stopping; ) {
  tag += 1n;
  // With one access the stride says nothing: it is the name of this command.
  const access = {
    kind: fl.AccessKind.WRITE,
    addr: BigInt(base),
    count: 1n,
    stride: tag,
    value: Number(tag % 256n),
  };
  const requestId = `driver-${number}-${tag}`;
  const outcome = await patiently(() =>
    session.call("access", access, { requestId }),
  );
  process.stdout.write(`${tag} ${outcome.revision} ${outcome.digest}\n`);
}
process.exit(0);
