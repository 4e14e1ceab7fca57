// Compiled, never run: what the declarations take, and what they refuse.

import { type Client, type Session } from "faultline";

export async function takes(client: Client, lab: Session): Promise<void> {
  await lab.mmap({ addr: 0x1000n, length: 4096, prot: 3 }, { pid: 2 });
  await lab.call("execve", { path: "/bin/sh", argv: ["sh"] });
  await client.createSession({ config: { ramBytes: 2 ** 30, seed: 7n } });
  for await (const { outcomes } of lab.run([[{ pid: 2, fork: {} }]])) {
    const value: bigint | undefined = outcomes[0]?.value;
    void value;
  }
  for await (const { events } of lab.watch({ kinds: ["vmaSplit"] })) {
    for (const { body } of events) {
      if (body.case === "vmaSplit") void (body.value.at satisfies bigint);
    }
  }
}

export async function grades(client: Client): Promise<void> {
  const attempt = await client.grading.startAttempt("cow", "ada");
  await attempt.submit({ faults: 3n, pages: "0x3", errno: 12 });
  const grade = await attempt.grade({ secret: "staff" });
  void (grade.report.seed satisfies bigint);
  void (attempt.message.startRevision satisfies bigint);
  // @ts-expect-error A score may be hidden.
  void (grade.score satisfies number);
  // @ts-expect-error An answer is a text or a number.
  await attempt.submit({ faults: true });
  // @ts-expect-error A revision is no text.
  await attempt.submitSession({ revision: "3" });
}

export async function refuses(client: Client, lab: Session): Promise<void> {
  // @ts-expect-error mmap has no argument of that name.
  await lab.mmap({ len: 4096 });
  // @ts-expect-error An address is no text.
  await lab.munmap({ addr: "0x1000" });
  // @ts-expect-error There is no such command.
  await lab.call("mmpa", {});
  // @ts-expect-error These are the arguments of another command.
  await lab.call("brk", { length: 1 });
  // @ts-expect-error A machine has no such setting.
  await client.createSession({ config: { ram: 1 } });
  // @ts-expect-error A command of a batch has a name.
  lab.run([[{ pid: 2 }]]);
  // @ts-expect-error There is no such kind of event.
  lab.watch({ kinds: ["vma_split"] });
  // @ts-expect-error A revision is exact.
  void (lab.revision satisfies number);
}
