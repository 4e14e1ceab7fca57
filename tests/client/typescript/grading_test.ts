// Exercises, attempts and grades, with a real server and with one that loses
// answers.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import {
  AlreadyExistsError,
  type Attempt,
  CheckStatus,
  type Client,
  ConflictError,
  connect,
  ExerciseKind,
  type Grade,
  InvalidRequestError,
  NotAllowedError,
  NotFoundError,
  UnavailableError,
} from "faultline";
import { GradingService } from "faultline/v1";
import { Failure, FakeServer } from "./fake_server.js";
import { Server } from "./server.js";

const GOALS = "server/grading/exercises/rss-against-vsz.yaml";

const yaml = (id: string) => `\
id: ${id}
title: A brk
text: The heap grows by {n} pages.
secret: staff
attempts: 2
variables: [{name: n, range: {min: 2, max: 9}}]
setup: |
  a: brk 0
  b: brk $a+{n}p
questions:
  - {id: faults, text: 'How many minor faults?', answer: total.min}
  - {id: pages, text: 'How many pages?', answer: n, points: 2}
`;

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const hasReason =
  (kind: new (...args: never[]) => Error, reason: string) =>
  (error: unknown) => {
    assert.ok(error instanceof kind, String(error));
    assert.equal((error as NotFoundError).reason, reason);
    return true;
  };

describe("grading", () => {
  let server: Server;
  let client: Client;
  before(async () => {
    server = await Server.start();
    client = connect(server.address);
  });
  after(async () => {
    client.close();
    await server.stop();
  });

  const start = async (id: string, student = "ada"): Promise<Attempt> => {
    await client.grading.createExercise(yaml(id), { replace: true });
    return client.grading.startAttempt(id, student);
  };

  it("has exercises", async () => {
    const { grading } = client;
    const { exercise, warnings } = await grading.createExercise(yaml("life"));
    assert.equal(exercise?.name, "exercises/life");
    assert.equal(exercise?.kind, ExerciseKind.PREDICT);
    assert.deepEqual(warnings, []);
    assert.deepEqual(await grading.exercise("life"), exercise);
    assert.deepEqual(await grading.exercise("exercises/life"), exercise);
    const names = (await all(grading.exercises())).map(({ name }) => name);
    assert.ok(names.includes("exercises/life"));
    await assert.rejects(
      grading.createExercise(yaml("life")),
      AlreadyExistsError,
    );
    const replaced = await grading.createExercise(
      yaml("life").replace("A brk", "The heap"),
      { replace: true },
    );
    assert.equal(replaced.exercise?.title, "The heap");
    await grading.deleteExercise("life");
    await assert.rejects(
      grading.deleteExercise("life"),
      hasReason(NotFoundError, "EXERCISE_NOT_FOUND"),
    );
    await grading.deleteExercise("life", { allowMissing: true });
  });

  it("tells what is wrong with a file", async () => {
    await assert.rejects(
      client.grading.createExercise("id: bad\ntitel: x\n"),
      (error) => {
        assert.ok(error instanceof InvalidRequestError);
        assert.match(error.message, /2:1: .*'titel'.* did you mean 'title'/);
        return true;
      },
    );
  });

  it("keeps an exercise with attempts unless forced", async () => {
    await start("kept");
    await assert.rejects(
      client.grading.deleteExercise("kept"),
      hasReason(NotAllowedError, "EXERCISE_HAS_ATTEMPTS"),
    );
    await client.grading.deleteExercise("kept", { force: true });
  });

  it("goes from the draw to the grade", async () => {
    const attempt = await start("walk");
    assert.equal(attempt.student, "ada");
    const ids = attempt.questions.map(({ id }) => id);
    assert.deepEqual(ids, ["faults", "pages"]);
    assert.match(attempt.variant.text, /^The heap grows by \d pages/);
    await attempt.submit({ faults: 0n, pages: 3333 });
    assert.ok(attempt.submitted);
    const again = await client.grading.attempt(attempt.name);
    assert.deepEqual(again.message, attempt.message);
    const short = attempt.name.replace(/^exercises\/|attempts\//g, "");
    assert.equal((await client.grading.attempt(short)).name, attempt.name);
    const grade = await attempt.grade();
    assert.ok(attempt.graded && grade.gradable);
    assert.deepEqual([grade.score, grade.scoreMax], [1, 3]);
    assert.equal(grade.check("faults")?.status, CheckStatus.PASSED);
    assert.equal(grade.check("pages")?.actual, "3333");
    assert.equal(grade.check("pages")?.expected, "", "one is left");
    assert.equal(grade.check("nothing"), undefined);
    assert.match(String(grade), /^walk: 1 of 3 points\n {2}faults 1\/1 passed/);
    assert.match(String(grade), /\n {2}pages 0\/2 failed\n {4}yours: 3333\n/);
    assert.ok(Math.abs(grade.time.getTime() - Date.now()) < 300_000);
    assert.equal(typeof grade.report.seed, "bigint");
    assert.equal(grade.report.seed, attempt.variant.seed);
    await assert.rejects(
      attempt.submit({ faults: 0 }),
      hasReason(NotAllowedError, "ATTEMPT_GRADED"),
    );
  });

  it("has seeds of 64 bits, each exact", async () => {
    // Seeds have 64 bits: as numbers, most of these would come out rounded.
    const seeds = new Set<bigint>();
    for (const student of ["a", "b", "c", "d", "e", "f"]) {
      seeds.add((await start("seeds", student)).variant.seed);
    }
    assert.equal(seeds.size, 6);
    const beyond = [...seeds].filter((seed) => seed > 2n ** 53n);
    assert.ok(beyond.length > 0);
    const odd = beyond.filter((seed) => BigInt(Number(seed)) !== seed);
    assert.ok(odd.length > 0, "exact where a number is not");
  });

  it("counts attempts and knows repetitions", async () => {
    const first = await start("twice");
    const { grading } = client;
    await first.submit({});
    assert.equal((await first.grade()).check("pages")?.expected, "");
    const requestId = "second";
    const second = await grading.startAttempt("twice", "ada", { requestId });
    assert.notEqual(second.name, first.name);
    const same = await grading.startAttempt("twice", "ada", { requestId });
    assert.equal(same.name, second.name);
    await assert.rejects(
      grading.startAttempt("twice", "bob", { requestId }),
      hasReason(ConflictError, "REQUEST_ID_REUSED"),
    );
    await assert.rejects(
      grading.startAttempt("twice", "ada"),
      hasReason(NotAllowedError, "ATTEMPTS_USED"),
    );
    await assert.rejects(
      second.grade(),
      hasReason(NotAllowedError, "NOTHING_SUBMITTED"),
    );
    await second.submit({});
    const grade = await second.grade({ requestId });
    assert.notEqual(grade.check("pages")?.expected, "", "the last attempt");
    assert.equal((await second.grade({ requestId })).name, grade.name);
    assert.notEqual((await second.grade()).name, grade.name);
  });

  it("grades a session that was driven", async () => {
    const { grading } = client;
    await grading.createExercise(readFileSync(GOALS, "utf8"));
    const attempt = await grading.startAttempt("rss-against-vsz", "ada");
    assert.deepEqual(attempt.goals.map(({ id }) => id).slice(0, 1), ["size"]);
    await assert.rejects(attempt.submit({ size: 1 }), InvalidRequestError);
    const lab = await attempt.openSession();
    assert.equal(lab.revision, attempt.message.startRevision);
    const { address } = await lab.mmap({ length: 4096, prot: 3, flags: 34 });
    await lab.store(address, 1);
    await attempt.submitSession();
    assert.equal(attempt.message.submittedRevision, lab.revision);
    await attempt.submitSession({ revision: lab.revision - 1n });
    assert.equal(attempt.message.submittedRevision, lab.revision - 1n);
    const unsafe = attempt.submitSession({ revision: 2 ** 53 });
    await assert.rejects(unsafe, /2\^53/);
    const grade = await attempt.grade();
    const place = `${lab.name}@${lab.revision - 1n}`;
    assert.equal(grade.report.submission, place);
    assert.equal(grade.score, 0);
  });

  it("lists grades, of all or of one", async () => {
    for (const student of ["ada", "bob", "ada"]) {
      const attempt = await start("list", student);
      await attempt.submit({ faults: 0 });
      await attempt.grade();
    }
    const { grading } = client;
    const students = async (student?: string) => {
      const settings = student === undefined ? {} : { student };
      const grades: Grade[] = await all(grading.grades("list", settings));
      return grades.map((grade) => grade.student);
    };
    assert.deepEqual(await students(), ["ada", "bob", "ada"]);
    assert.deepEqual(await students("ada"), ["ada", "ada"]);
    assert.deepEqual(await students("eve"), []);
    await assert.rejects(all(grading.grades("nothing")), NotFoundError);
  });

  it("shows hidden checks to those who know the secret", async () => {
    const hidden = yaml("hidden").replace("points: 2", "$&, hidden: true");
    const { grading } = client;
    await grading.createExercise(hidden);
    const attempt = await grading.startAttempt("hidden", "ada");
    await attempt.submit({ faults: 0 });
    const grade = await attempt.grade();
    assert.deepEqual([grade.score, grade.scoreMax], [undefined, undefined]);
    assert.match(String(grade), /^hidden: the score is not shown/);
    const secret = "staff";
    assert.equal((await attempt.grade({ secret })).score, 1);
    const listed = await all(grading.grades("hidden", { secret }));
    assert.deepEqual(
      listed.map(({ score }) => score),
      [1, 1],
    );
    const guessed = attempt.grade({ secret: "guess" });
    await assert.rejects(guessed, hasReason(NotAllowedError, "SECRET_WRONG"));
  });

  it("sends nothing that is no answer", async () => {
    const attempt = await start("typed");
    const refused: [unknown, RegExp][] = [
      [1.5, /answers\.faults is the number 1\.5/],
      [2 ** 53, /answers\.faults is the number .*bigint/],
      [true, /answers\.faults must be a string or a whole number/],
      [null, /not null/],
    ];
    for (const [faults, message] of refused) {
      await assert.rejects(attempt.submit({ faults: faults as never }), {
        message,
        name: "InvalidRequestError",
      });
    }
    await attempt.submit({ pages: 2n ** 64n });
    const grade = await attempt.grade();
    assert.equal(grade.check("pages")?.actual, "18446744073709551616");
    await assert.rejects(attempt.openSession(), /no session: submit answers/);
  });
});

describe("grading, when answers get lost", () => {
  const server = new FakeServer();
  let client: Client;
  let asked: unknown[] = [];
  const lose = (request: unknown) => {
    asked.push(request);
    if (asked.length === 1) throw new Failure(status.UNAVAILABLE, "lost");
  };
  before(async () => {
    server.add(GradingService, {
      createExercise: (request) => (lose(request), {}),
      startAttempt: (request) => {
        lose(request);
        return { attempt: { name: `${request.exercise}/attempts/a7f` } };
      },
      getAttempt: ({ attempt: name }) => ({ attempt: { name } }),
      submit: (request) => {
        lose(request);
        return { attempt: { name: request.attempt, submitted: true } };
      },
      grade: (request) => {
        lose(request);
        return { grade: { report: { score: 1 } } };
      },
      listGrades: ({ pageToken }) => ({
        grades: [{ name: pageToken ? "b" : "a" }],
        nextPageToken: pageToken ? "" : "more",
      }),
    });
    await server.start();
    client = connect(server.address);
  });
  after(() => {
    client.close();
    server.stop();
  });

  it("asks again under the same id", async () => {
    asked = [];
    const attempt = await client.grading.startAttempt("cow", "ada");
    assert.equal(attempt.name, "exercises/cow/attempts/a7f");
    assert.equal(asked.length, 2);
    assert.deepEqual(asked[0], asked[1]);
    asked = [];
    await attempt.grade();
    assert.deepEqual(asked[0], asked[1]);
    assert.notEqual((asked[0] as { requestId: string }).requestId, "");
  });

  it("hands in again", async () => {
    const attempt = await client.grading.attempt("cow/a7f");
    asked = [];
    await attempt.submit({ faults: 1 });
    assert.equal(asked.length, 2);
    assert.deepEqual(asked[0], asked[1]);
  });

  it("does not add an exercise again", async () => {
    asked = [];
    await assert.rejects(client.grading.createExercise("x"), UnavailableError);
    assert.equal(asked.length, 1);
  });

  it("lists all pages", async () => {
    const names = (await all(client.grading.grades("cow"))).map((g) => g.name);
    assert.deepEqual(names, ["a", "b"]);
  });
});
