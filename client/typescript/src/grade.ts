// The result of grading an attempt, and how it is read.

import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  CheckStatus,
  type GradedCheck,
  type GradeReport,
  ReportStatus,
} from "./gen/faultline/v1/grade_pb.js";
import type { Grade as GradeMessage } from "./gen/faultline/v1/grading_pb.js";

/** The result of grading an attempt. */
export class Grade {
  /** @internal Grades come from an Attempt and a Grading. */
  constructor(
    /** As it came. */
    readonly message: GradeMessage,
  ) {}

  /** `"exercises/cow/attempts/a7f/grades/1"` */
  get name(): string {
    return this.message.name;
  }

  get student(): string {
    return this.report.student;
  }

  /** When it was given. */
  get time(): Date {
    return timestampDate(this.message.createTime!);
  }

  /** All of it. */
  get report(): GradeReport {
    return this.message.report!;
  }

  /** False: the submission could not be read; `report.message` says why. */
  get gradable(): boolean {
    return this.report.status === ReportStatus.GRADED;
  }

  /** Undefined when it is not shown: there are hidden checks. */
  get score(): number | undefined {
    return this.report.redacted ? undefined : this.report.score;
  }

  /** As score. */
  get scoreMax(): number | undefined {
    return this.report.redacted ? undefined : this.report.scoreMax;
  }

  /** Question by question or goal by goal. */
  get checks(): readonly GradedCheck[] {
    return this.report.checks;
  }

  /** The check of a question or goal; undefined when none is shown. */
  check(id: string): GradedCheck | undefined {
    return this.checks.find((check) => check.id === id);
  }

  /** For people. */
  toString(): string {
    const { exercise, message } = this.report;
    const score =
      this.score === undefined
        ? "the score is not shown"
        : `${points(this.score)} of ${points(this.scoreMax ?? 0)} points`;
    const lines = [`${exercise}: ${score}`];
    if (message !== "") lines.push(message);
    for (const check of this.checks) lines.push(...graded(check));
    return lines.join("\n");
  }
}

function points(value: number): string {
  return String(Number(value.toFixed(2)));
}

const WENT = {
  [CheckStatus.UNSPECIFIED]: "",
  [CheckStatus.PASSED]: "passed",
  [CheckStatus.PARTIAL]: "partly",
  [CheckStatus.FAILED]: "failed",
};

function graded(check: GradedCheck): string[] {
  const score = `${points(check.points)}/${points(check.pointsMax)}`;
  const lines = [`  ${check.id} ${score} ${WENT[check.status]}`];
  if (check.status === CheckStatus.PASSED) return lines;
  const told: [string, string][] = [
    ["yours", check.actual],
    ["right", check.expected],
    ["but", check.message],
    ["because", check.explanation],
    ["decided", check.decidingEvent],
    ["see", check.evidence],
  ];
  for (const [label, text] of told) {
    const words = text.trim().split(/\s+/).join(" ");
    if (words !== "") lines.push(`    ${label}: ${words}`);
  }
  return lines;
}
