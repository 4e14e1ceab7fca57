// Exercises, attempts and grades on a server.

import { create } from "@bufbuild/protobuf";
import { build, toInt64 } from "./arguments.js";
import {
  type Connection,
  newRequestId,
  type RpcSettings,
} from "./connection.js";
import { invalidField, makeError } from "./errors.js";
import {
  type Attempt as AttemptMessage,
  type CreateExerciseResponse,
  CreateExerciseRequestSchema,
  DeleteExerciseRequestSchema,
  type ExerciseSummary,
  GetAttemptRequestSchema,
  GetExerciseRequestSchema,
  GradeRequestSchema,
  GradingService,
  ListExercisesRequestSchema,
  ListGradesRequestSchema,
  StartAttemptRequestSchema,
  type SubmitRequest,
  SubmitRequestSchema,
  type Variant,
  type VariantGoal,
  type VariantQuestion,
} from "./gen/faultline/v1/grading_pb.js";
import {
  GetSessionRequestSchema,
  SessionService,
} from "./gen/faultline/v1/session_pb.js";
import { Grade } from "./grade.js";
import { describe, type Integer } from "./integers.js";
import { PAGE_SIZE_MAX, pages } from "./paging.js";
import { LONG_TIMEOUT_MS } from "./retry.js";
import { type DeleteSettings, Session } from "./session.js";

const { method } = GradingService;

/** For what makes something new. */
export interface RepeatableSettings extends RpcSettings {
  /**
   * A repetition with the same one, by any program, gives what the first call
   * gave. Default: one that no other call has.
   */
  readonly requestId?: string | undefined;
}

/** For what shows grades. */
export interface SecretSettings {
  /** The secret of the exercise: shows what graders see. */
  readonly secret?: string | undefined;
}

/** Answers by the ids of the questions; a number as a program has it. */
export type Answers = Readonly<Record<string, string | Integer>>;

/**
 * The grading of one server: `client.grading`. An exercise is named by `"cow"`
 * or `"exercises/cow"`, an attempt by `"cow/a7f"` or all of its name.
 */
export class Grading {
  /** @internal It comes from a Client. */
  constructor(private readonly connection: Connection) {}

  /**
   * Adds an exercise, the text of its file, after checks that may take a
   * while. With `replace` it takes the place of one of its id.
   * @throws InvalidRequestError whose violations say line and column.
   */
  createExercise(
    yaml: string,
    { replace, ...rpc }: RpcSettings & { replace?: boolean } = {},
  ): Promise<CreateExerciseResponse> {
    const request = build(CreateExerciseRequestSchema, { yaml, replace });
    return this.connection.unary(method.createExercise, request, {
      timeoutMs: LONG_TIMEOUT_MS,
      ...rpc,
    });
  }

  /** What is public of an exercise. */
  async exercise(name: string, rpc?: RpcSettings): Promise<ExerciseSummary> {
    const { exercise } = await this.connection.unary(
      method.getExercise,
      build(GetExerciseRequestSchema, { exercise: exerciseName(name) }),
      rpc,
    );
    return exercise!;
  }

  /** All of them in the order of their names. */
  async *exercises(
    rpc?: RpcSettings,
  ): AsyncGenerator<ExerciseSummary, void, undefined> {
    const pageSize = PAGE_SIZE_MAX;
    const all = pages((pageToken) =>
      this.connection.unary(
        method.listExercises,
        build(ListExercisesRequestSchema, { pageToken, pageSize }),
        rpc,
      ),
    );
    for await (const { exercises } of all) yield* exercises;
  }

  /**
   * Deletes an exercise; one that has attempts, with `force`: they and their
   * grades are lost.
   */
  async deleteExercise(
    name: string,
    { allowMissing, force, ...rpc }: DeleteSettings & { force?: boolean } = {},
  ): Promise<void> {
    const exercise = exerciseName(name);
    await this.connection.unary(
      method.deleteExercise,
      build(DeleteExerciseRequestSchema, { exercise, allowMissing, force }),
      rpc,
    );
  }

  /**
   * Draws a student's variant.
   * @throws NotAllowedError, reason ATTEMPTS_USED: there is no further one.
   */
  async startAttempt(
    exercise: string,
    student: string,
    { requestId, ...rpc }: RepeatableSettings = {},
  ): Promise<Attempt> {
    const { attempt } = await this.connection.unary(
      method.startAttempt,
      build(StartAttemptRequestSchema, {
        exercise: exerciseName(exercise),
        student,
        requestId: requestId ?? newRequestId(),
      }),
      rpc,
    );
    return new Attempt(this.connection, attempt!);
  }

  /** An attempt that was started before. */
  async attempt(name: string, rpc?: RpcSettings): Promise<Attempt> {
    const { attempt } = await this.connection.unary(
      method.getAttempt,
      build(GetAttemptRequestSchema, { attempt: attemptName(name) }),
      rpc,
    );
    return new Attempt(this.connection, attempt!);
  }

  /** The grades of an exercise in the order in which they were given. */
  async *grades(
    exercise: string,
    settings: RpcSettings & SecretSettings & { student?: string } = {},
  ): AsyncGenerator<Grade, void, undefined> {
    const { student, secret, ...rpc } = settings;
    const all = pages((pageToken) =>
      this.connection.unary(
        method.listGrades,
        build(ListGradesRequestSchema, {
          exercise: exerciseName(exercise),
          student,
          secret,
          pageToken,
          pageSize: PAGE_SIZE_MAX,
        }),
        rpc,
      ),
    );
    for await (const { grades } of all) {
      for (const grade of grades) yield new Grade(grade);
    }
  }
}

/** A variant of an exercise on its way to a grade. */
export class Attempt {
  #message: AttemptMessage;

  /** @internal Attempts come from a Grading. */
  constructor(
    private readonly connection: Connection,
    message: AttemptMessage,
  ) {
    this.#message = message;
  }

  /** All that the server told of it last. */
  get message(): AttemptMessage {
    return this.#message;
  }

  /** `"exercises/cow/attempts/a7f"` */
  get name(): string {
    return this.#message.name;
  }

  get student(): string {
    return this.#message.student;
  }

  /** What was drawn: text, set-up, machine, rules; its seed is a bigint. */
  get variant(): Variant {
    return this.#message.variant!;
  }

  /** What is to be predicted. */
  get questions(): readonly VariantQuestion[] {
    return this.variant.questions;
  }

  /** What is to be achieved, in the session. */
  get goals(): readonly VariantGoal[] {
    return this.variant.goals;
  }

  /** Something was handed in. */
  get submitted(): boolean {
    return this.#message.submitted;
  }

  /** And graded: nothing can be handed in any more. */
  get graded(): boolean {
    return this.#message.graded;
  }

  /** The machine to be driven, where there are goals. */
  async openSession(rpc?: RpcSettings): Promise<Session> {
    const { name, session } = this.#message;
    if (session === "") {
      const message = `${name} has questions and no session: submit answers`;
      throw makeError("INVALID_ARGUMENT", message);
    }
    const found = await this.connection.unary(
      SessionService.method.getSession,
      build(GetSessionRequestSchema, { session }),
      rpc,
    );
    return new Session(this.connection, session, found.session!.revision);
  }

  /**
   * Hands in answers, in place of what was handed in before.
   * @throws NotAllowedError, reason ATTEMPT_GRADED: it is too late.
   */
  async submit(answers: Answers, rpc?: RpcSettings): Promise<void> {
    const texts: Record<string, string> = {};
    for (const [question, answer] of Object.entries(answers)) {
      texts[question] = toText(question, answer);
    }
    const value = { answers: texts };
    await this.#submit(
      create(SubmitRequestSchema, {
        attempt: this.name,
        submission: { case: "answers", value },
      }),
      rpc,
    );
  }

  /** Hands in the session: up to a revision, or up to now. */
  async submitSession(
    settings: RpcSettings & { revision?: Integer } = {},
  ): Promise<void> {
    const { revision, ...rpc } = settings;
    const value =
      revision === undefined ? {} : { revision: toInt64(revision, "revision") };
    await this.#submit(
      create(SubmitRequestSchema, {
        attempt: this.name,
        submission: { case: "session", value },
      }),
      rpc,
    );
  }

  async #submit(request: SubmitRequest, rpc?: RpcSettings): Promise<void> {
    const { attempt } = await this.connection.unary(
      method.submit,
      request,
      rpc,
    );
    this.#message = attempt!;
  }

  /** Grades what was handed in; each call gives a further grade. */
  async grade(
    settings: RepeatableSettings & SecretSettings = {},
  ): Promise<Grade> {
    const { secret, requestId, ...rpc } = settings;
    const { grade } = await this.connection.unary(
      method.grade,
      build(GradeRequestSchema, {
        attempt: this.name,
        secret,
        requestId: requestId ?? newRequestId(),
      }),
      { timeoutMs: LONG_TIMEOUT_MS, ...rpc },
    );
    this.#message.graded = true;
    return new Grade(grade!);
  }
}

function exerciseName(idOrName: string): string {
  return idOrName.startsWith("exercises/") ? idOrName : `exercises/${idOrName}`;
}

function attemptName(shortOrName: string): string {
  const [exercise, attempt, ...more] = shortOrName.split("/");
  if (attempt === undefined || more.length > 0) return shortOrName;
  return `exercises/${exercise}/attempts/${attempt}`;
}

function toText(question: string, answer: unknown): string {
  if (typeof answer === "string") return answer;
  if (typeof answer === "bigint") return answer.toString();
  if (typeof answer === "number" && Number.isSafeInteger(answer)) {
    return answer.toString();
  }
  throw invalidField(
    `answers.${question}`,
    typeof answer === "number"
      ? `is the number ${answer}: write it as a bigint or a string`
      : `must be a string or a whole number, not ${describe(answer)}`,
  );
}
