"""Exercises, attempts and grades on a server.

    grading = client.grading
    grading.create_exercise(pathlib.Path("cow.yaml").read_text())
    attempt = grading.start_attempt("cow", "ada@x.edu")
    print(attempt)  # the text, the program and the questions
    attempt.submit({"faults": 3})
    print(attempt.grade())
"""

from collections.abc import Iterator, Mapping

from faultline import v1
from faultline.connection import LONG_TIMEOUT, Connection, new_request_id
from faultline.grade import Grade, points_text
from faultline.pages import pages
from faultline.session import Session


class Grading:
    """The grading of one server: `client.grading`. Thread-safe.

    An exercise is named "cow" or "exercises/cow", an attempt "cow/a7f" or
    "exercises/cow/attempts/a7f"."""

    def __init__(self, connection: Connection):
        """By Client.grading."""
        self._connection = connection

    # --- For instructors.

    def create_exercise(
        self, yaml: str, *, replace: bool = False
    ) -> v1.CreateExerciseResponse:
        """Adds an exercise, the text of its file, after checks that may take a
        while. The response has `exercise` and `warnings`. With `replace` it
        takes the place of one of its id, whose attempts it then grades.
        InvalidArgument: `violations` say line, column and what would be
        right."""
        request = v1.CreateExerciseRequest(yaml=yaml, replace=replace)
        return self._connection.call(
            "GradingService/CreateExercise", request, LONG_TIMEOUT
        )

    def exercise(self, name: str) -> v1.ExerciseSummary:
        """What is public of an exercise."""
        request = v1.GetExerciseRequest(exercise=exercise_name(name))
        return self._connection.call(
            "GradingService/GetExercise", request
        ).exercise

    def exercises(self) -> Iterator[v1.ExerciseSummary]:
        """All of them, in the order of their names."""
        return pages(
            self._connection,
            "GradingService/ListExercises",
            v1.ListExercisesRequest(),
            "exercises",
        )

    def delete_exercise(
        self, name: str, *, missing_ok: bool = False, force: bool = False
    ) -> None:
        """Deletes one; with `force` also its attempts and grades, without
        which PreconditionFailed is raised when it has any."""
        request = v1.DeleteExerciseRequest(
            exercise=exercise_name(name), allow_missing=missing_ok, force=force
        )
        self._connection.call("GradingService/DeleteExercise", request)

    def grades(
        self, exercise: str, *, student: str = "", secret: str = ""
    ) -> Iterator[Grade]:
        """All grades of an exercise, or those of one student, in the order in
        which they were given. With the exercise's secret: all that is in
        them."""
        request = v1.ListGradesRequest(
            exercise=exercise_name(exercise), student=student, secret=secret
        )
        for grade in pages(
            self._connection, "GradingService/ListGrades", request, "grades"
        ):
            yield Grade(grade)

    # --- For students.

    def start_attempt(
        self, exercise: str, student: str, *, request_id: str = ""
    ) -> "Attempt":
        """Draws a student's variant. With a request_id of yours a repetition,
        also by another process, gives the same attempt. AttemptsUsed: there is
        no further one."""
        request = v1.StartAttemptRequest(
            exercise=exercise_name(exercise),
            student=student,
            request_id=request_id or new_request_id(),
        )
        response = self._connection.call("GradingService/StartAttempt", request)
        return Attempt(self._connection, response.attempt)

    def attempt(self, name: str) -> "Attempt":
        """One that was started before."""
        request = v1.GetAttemptRequest(attempt=attempt_name(name))
        response = self._connection.call("GradingService/GetAttempt", request)
        return Attempt(self._connection, response.attempt)


class Attempt:
    """A variant of an exercise on its way to a grade.

    message   all that the server told of it last: a v1.Attempt

    str(attempt) is what the student reads."""

    def __init__(self, connection: Connection, message: v1.Attempt):
        """By Grading.start_attempt and Grading.attempt."""
        self._connection = connection
        self.message = message

    @property
    def name(self) -> str:
        """ "exercises/cow/attempts/a7f"."""
        return self.message.name

    @property
    def student(self) -> str:
        return self.message.student

    @property
    def variant(self) -> v1.Variant:
        """What was drawn: text, set-up, machine, rules."""
        return self.message.variant

    @property
    def questions(self) -> tuple[v1.VariantQuestion, ...]:
        """What is to be predicted."""
        return tuple(self.message.variant.questions)

    @property
    def goals(self) -> tuple[v1.VariantGoal, ...]:
        """What is to be achieved, in the session."""
        return tuple(self.message.variant.goals)

    @property
    def submitted(self) -> bool:
        """Something was handed in."""
        return self.message.submitted

    @property
    def graded(self) -> bool:
        """And graded: nothing can be handed in any more."""
        return self.message.graded

    def open_session(self) -> Session:
        """The machine to be driven, where there are goals; else ValueError."""
        if not self.message.session:
            raise ValueError(
                f"{self.name} has questions and no session: submit answers"
            )
        request = v1.GetSessionRequest(session=self.message.session)
        found = self._connection.call(
            "SessionService/GetSession", request
        ).session
        return Session(self._connection, found.name, found.revision)

    def submit(
        self,
        answers: Mapping[str, str | int] | None = None,
        *,
        revision: int | None = None,
    ) -> None:
        """Hands in, in place of what was handed in before: answers by the ids
        of the questions; or, where there are goals, the session up to a
        revision or up to now. AttemptGraded: it is too late."""
        request = v1.SubmitRequest(attempt=self.name)
        if answers is None:
            request.session.SetInParent()
            if revision is not None:
                request.session.revision = revision
        elif revision is not None:
            raise ValueError("answers have no revision")
        else:
            request.answers.SetInParent()
            for question, answer in answers.items():
                request.answers.answers[question] = _answer(question, answer)
        response = self._connection.call("GradingService/Submit", request)
        self.message = response.attempt

    def grade(self, *, secret: str = "", request_id: str = "") -> Grade:
        """Grades what was handed in. Each call gives a further grade, unless
        it has the request_id of an earlier one."""
        request = v1.GradeRequest(
            attempt=self.name,
            secret=secret,
            request_id=request_id or new_request_id(),
        )
        response = self._connection.call(
            "GradingService/Grade", request, LONG_TIMEOUT
        )
        self.message.graded = True
        return Grade(response.grade)

    def __repr__(self) -> str:
        return f"<Attempt {self.name} of {self.student}>"

    def __str__(self) -> str:
        variant = self.variant
        parts = [f"{variant.title}\n\n{variant.text.rstrip()}"]
        if variant.setup:
            parts.append(variant.setup.rstrip())
        asked = [*variant.questions, *variant.goals]
        parts.append("\n".join(_asked(one) for one in asked))
        return "\n\n".join(parts)


def exercise_name(id_or_name: str) -> str:
    """ "exercises/cow" for both "cow" and "exercises/cow"."""
    return "exercises/" + id_or_name.removeprefix("exercises/")


def attempt_name(short_or_name: str) -> str:
    """ "exercises/cow/attempts/a7f" for both that and "cow/a7f"."""
    parts = short_or_name.split("/")
    if len(parts) != 2:
        return short_or_name
    return f"exercises/{parts[0]}/attempts/{parts[1]}"


def _answer(question: str, answer: str | int) -> str:
    if isinstance(answer, int) and not isinstance(answer, bool):
        return str(int(answer))
    if isinstance(answer, str):
        return answer
    raise TypeError(
        f"the answer to {question} must be a str or an int, "
        f"not {type(answer).__name__}"
    )


def _asked(one: v1.VariantQuestion | v1.VariantGoal) -> str:
    points = f" ({points_text(one.points)})" if one.points else ""
    return f"{one.id}: {' '.join(one.text.split())}{points}"
