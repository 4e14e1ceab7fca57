"""The result of grading an attempt, and how it is read."""

import datetime

from faultline import v1

_WENT = {
    v1.CHECK_STATUS_PASSED: "passed",
    v1.CHECK_STATUS_PARTIAL: "partly",
    v1.CHECK_STATUS_FAILED: "failed",
}


class Grade:
    """The result of grading an attempt.

    message   as it came: a v1.Grade

    str(grade) is fit to read."""

    def __init__(self, message: v1.Grade):
        """By Attempt.grade and Grading.grades."""
        self.message = message

    @property
    def name(self) -> str:
        """ "exercises/cow/attempts/a7f/grades/1"."""
        return self.message.name

    @property
    def student(self) -> str:
        return self.message.report.student

    @property
    def time(self) -> datetime.datetime:
        """When it was given, in UTC."""
        return self.message.create_time.ToDatetime(datetime.timezone.utc)

    @property
    def report(self) -> v1.GradeReport:
        """All of it."""
        return self.message.report

    @property
    def gradable(self) -> bool:
        """False: the submission could not be read; report.message says why."""
        return self.report.status == v1.REPORT_STATUS_GRADED

    @property
    def score(self) -> float | None:
        """None when it is not shown: there are hidden checks."""
        return None if self.report.redacted else self.report.score

    @property
    def score_max(self) -> float | None:
        """As score."""
        return None if self.report.redacted else self.report.score_max

    @property
    def checks(self) -> tuple[v1.GradedCheck, ...]:
        """Question by question or goal by goal."""
        return tuple(self.report.checks)

    def check(self, check_id: str) -> v1.GradedCheck:
        """The one of a question or goal; KeyError when none is shown."""
        for check in self.report.checks:
            if check.id == check_id:
                return check
        raise KeyError(check_id)

    def __repr__(self) -> str:
        return f"<Grade {self.name}, {self._score()}>"

    def __str__(self) -> str:
        lines = [f"{self.report.exercise}: {self._score()}"]
        if self.report.message:
            lines.append(self.report.message)
        for check in self.report.checks:
            lines += _graded(check)
        return "\n".join(lines)

    def _score(self) -> str:
        if self.report.redacted:
            return "the score is not shown"
        score, most = self.report.score, self.report.score_max
        return f"{points_text(score)} of {points_text(most)} points"


def points_text(points: float) -> str:
    """ "2", "1.5", "0.33"."""
    return f"{points:.2f}".rstrip("0").rstrip(".")


def _graded(check: v1.GradedCheck) -> list[str]:
    points = f"{points_text(check.points)}/{points_text(check.points_max)}"
    lines = [f"  {check.id} {points} {_WENT.get(check.status, '')}"]
    if check.status == v1.CHECK_STATUS_PASSED:
        return lines
    told = {
        "yours": check.actual,
        "right": check.expected,
        "but": check.message,
        "because": check.explanation,
        "decided": check.deciding_event,
        "see": check.evidence,
    }
    for label, text in told.items():
        if text:
            lines.append(f"    {label}: {' '.join(text.split())}")
    return lines
