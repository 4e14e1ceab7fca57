"""Exercises, attempts and grades: from the file to the list of grades."""

import datetime
import pathlib
import unittest

import grpc

import faultline
from faultline import v1

import faking
import serving

EXERCISES = pathlib.Path(__file__).parents[3] / "server/grading/exercises"
Code = grpc.StatusCode

YAML = """\
id: {id}
title: A brk
text: The heap grows by {{n}} pages.
secret: staff
attempts: 2
variables: [{{name: n, range: {{min: 2, max: 9}}}}]
setup: |
  a: brk 0
  b: brk $a+{{n}}p
questions:
  - {{id: faults, text: 'How many minor faults?', answer: total.min}}
  - {{id: pages, text: 'How many pages?', answer: n, points: 2}}
"""


def setUpModule():
    global client, grading
    client = serving.client_of_module(unittest.addModuleCleanup)
    grading = client.grading


def add(exercise_id, text=YAML):
    grading.create_exercise(text.format(id=exercise_id))
    return exercise_id


class Exercises(unittest.TestCase):
    def test_the_life_of_one(self):
        made = grading.create_exercise(YAML.format(id="life"))
        self.assertEqual(made.exercise.name, "exercises/life")
        self.assertEqual(list(made.warnings), [])
        self.assertEqual(made.exercise.kind, v1.EXERCISE_KIND_PREDICT)
        self.assertEqual(made.exercise.points, 3)
        found = grading.exercise("life")
        self.assertEqual(found, grading.exercise("exercises/life"))
        self.assertEqual(found, made.exercise)
        self.assertIn(found, list(grading.exercises()))
        with self.assertRaises(faultline.AlreadyExists):
            grading.create_exercise(YAML.format(id="life"))
        again = grading.create_exercise(
            YAML.format(id="life").replace("A brk", "The heap"), replace=True
        )
        self.assertEqual(again.exercise.title, "The heap")
        grading.delete_exercise("life")
        with self.assertRaises(faultline.NotFound) as raised:
            grading.delete_exercise("life")
        self.assertEqual(raised.exception.reason, "EXERCISE_NOT_FOUND")
        grading.delete_exercise("life", missing_ok=True)

    def test_what_is_wrong_with_a_file_is_told_by_line(self):
        with self.assertRaises(faultline.InvalidArgument) as raised:
            grading.create_exercise("id: bad\ntitel: x\n")
        self.assertRegex(
            str(raised.exception), r"2:1: .*'titel'.* did you mean 'title'"
        )

    def test_one_with_attempts_is_not_deleted_by_mistake(self):
        grading.start_attempt(add("kept"), "ada")
        with self.assertRaises(faultline.PreconditionFailed) as raised:
            grading.delete_exercise("kept")
        self.assertEqual(raised.exception.reason, "EXERCISE_HAS_ATTEMPTS")
        grading.delete_exercise("kept", force=True)
        with self.assertRaises(faultline.NotFound):
            grading.exercise("kept")


class Questions(unittest.TestCase):
    def test_from_the_draw_to_the_grade(self):
        attempt = grading.start_attempt(add("walk"), "ada")
        self.assertEqual(attempt.student, "ada")
        self.assertEqual([q.id for q in attempt.questions], ["faults", "pages"])
        self.assertEqual(attempt.goals, ())
        self.assertIn("A brk\n\nThe heap grows by ", str(attempt))
        self.assertIn("b: brk $a+", str(attempt))
        self.assertIn("faults: How many minor faults? (1)", str(attempt))
        self.assertFalse(attempt.submitted)
        attempt.submit({"faults": 0, "pages": "3333"})
        self.assertTrue(attempt.submitted)
        again = grading.attempt(attempt.name)
        self.assertEqual(again.message, attempt.message)
        self.assertEqual(
            again.message,
            grading.attempt("walk/" + attempt.name.split("/")[-1]).message,
        )
        before = datetime.datetime.now(datetime.timezone.utc)
        grade = attempt.grade()
        self.assertTrue(attempt.graded)
        self.assertTrue(grade.gradable)
        self.assertEqual((grade.score, grade.score_max), (1, 3))
        self.assertEqual(grade.check("faults").status, v1.CHECK_STATUS_PASSED)
        self.assertEqual(grade.check("pages").actual, "3333")
        self.assertEqual(grade.check("pages").expected, "", "one is left")
        with self.assertRaises(KeyError):
            grade.check("nothing")
        self.assertIn("walk: 1 of 3 points\n  faults 1/1 passed", str(grade))
        self.assertIn("\n  pages 0/2 failed\n    yours: 3333", str(grade))
        self.assertLess(abs(grade.time - before), datetime.timedelta(minutes=5))
        with self.assertRaises(faultline.AttemptGraded):
            attempt.submit({"faults": 0})

    def test_each_attempt_counts(self):
        add("twice")
        first = grading.start_attempt("twice", "ada", request_id="one")
        same = grading.start_attempt("twice", "ada", request_id="one")
        self.assertEqual(first.name, same.name)
        with self.assertRaises(faultline.RequestIdReused):
            grading.start_attempt("twice", "bob", request_id="one")
        first.submit({})
        self.assertEqual(first.grade().check("pages").expected, "")
        second = grading.start_attempt("twice", "ada")
        self.assertNotEqual(first.name, second.name)
        self.assertEqual(second.message.number, 2)
        with self.assertRaises(faultline.AttemptsUsed):
            grading.start_attempt("twice", "ada")
        second.submit({"pages": 1})
        grade = second.grade(request_id="grade")
        self.assertNotEqual(grade.check("pages").expected, "", "the last one")
        self.assertEqual(second.grade(request_id="grade").name, grade.name)
        self.assertNotEqual(second.grade().name, grade.name)

    def test_nothing_is_sent_that_is_no_answer(self):
        attempt = grading.start_attempt(add("typed"), "ada")
        for answer in (True, 1.5, None, ["1"]):
            with self.assertRaisesRegex(TypeError, "faults must be a str or"):
                attempt.submit({"faults": answer})
        with self.assertRaises(ValueError):
            attempt.submit({"faults": 1}, revision=3)
        with self.assertRaisesRegex(ValueError, "no session"):
            attempt.open_session()
        with self.assertRaises(faultline.InvalidArgument):
            attempt.submit({"fualts": 1})
        with self.assertRaises(faultline.InvalidArgument):
            attempt.submit()
        with self.assertRaises(faultline.PreconditionFailed) as raised:
            attempt.grade()
        self.assertEqual(raised.exception.reason, "NOTHING_SUBMITTED")
        attempt.submit({})
        self.assertEqual(attempt.grade().score, 0)

    def test_the_seed_is_exact(self):
        attempt = grading.start_attempt(add("seed"), "ada")
        attempt.submit({})
        self.assertEqual(attempt.grade().report.seed, attempt.variant.seed)
        self.assertGreaterEqual(attempt.variant.seed, 0)


class Goals(unittest.TestCase):
    def start(self):
        text = (EXERCISES / "rss-against-vsz.yaml").read_text()
        grading.create_exercise(text, replace=True)
        return grading.start_attempt("rss-against-vsz", "ada" + self.id())

    def test_the_session_is_driven_and_graded(self):
        attempt = self.start()
        self.assertEqual([g.id for g in attempt.goals][:2], ["size", "rss"])
        with self.assertRaisesRegex(faultline.InvalidArgument, "session"):
            attempt.submit({"size": 1})
        lab = attempt.open_session()
        self.assertEqual(lab.revision, attempt.message.start_revision)
        page = lab.mmap(4096).check().value
        lab.store(page, 1)
        attempt.submit()
        self.assertEqual(attempt.message.submitted_revision, lab.revision)
        attempt.submit(revision=lab.revision - 1)
        self.assertEqual(attempt.message.submitted_revision, lab.revision - 1)
        with self.assertRaises(faultline.OutOfRange):
            attempt.submit(revision=lab.revision + 1)
        grade = attempt.grade()
        place = f"{lab.name}@{lab.revision - 1}"
        self.assertEqual(grade.report.submission, place)
        self.assertEqual(grade.score, 0)
        self.assertIn(lab.name + "@", "".join(c.evidence for c in grade.checks))


class Grades(unittest.TestCase):
    def test_all_of_them_or_those_of_one_student(self):
        add("list")
        for student, pages in (("ada", 1), ("bob", 2), ("ada", 3)):
            attempt = grading.start_attempt("list", student)
            attempt.submit({"faults": 0, "pages": pages})
            attempt.grade()
        every = list(grading.grades("list"))
        self.assertEqual([g.student for g in every], ["ada", "bob", "ada"])
        mine = list(grading.grades("exercises/list", student="ada"))
        self.assertEqual([g.name for g in mine], [every[0].name, every[2].name])
        self.assertRegex(repr(mine[0]), r"<Grade exercises/list/.*, \d of 3 p")
        self.assertEqual(list(grading.grades("list", student="eve")), [])
        with self.assertRaises(faultline.NotFound):
            list(grading.grades("nothing"))

    def test_hidden_checks_are_for_those_who_know_the_secret(self):
        hidden = YAML.replace("points: 2}}", "points: 2, hidden: true}}")
        attempt = grading.start_attempt(add("hidden", hidden), "ada")
        attempt.submit({"faults": 0})
        grade = attempt.grade()
        self.assertIsNone(grade.score)
        self.assertIsNone(grade.score_max)
        self.assertEqual([check.id for check in grade.checks], ["faults"])
        self.assertIn("the score is not shown", str(grade))
        whole = attempt.grade(secret="staff")
        self.assertEqual((whole.score, whole.score_max), (1, 3))
        listed = list(grading.grades("hidden", secret="staff"))
        self.assertEqual([g.score for g in listed], [1, 1])
        with self.assertRaises(faultline.PermissionDenied):
            attempt.grade(secret="guess")
        with self.assertRaises(faultline.PermissionDenied):
            list(grading.grades("hidden", secret="guess"))


class Lost(unittest.TestCase):
    """What is repeated when an answer gets lost."""

    def serve(self, **answers):
        self.requests = []

        def first_lost(response):
            def answer(request, context):
                self.requests.append(request)
                if len(self.requests) == 1:
                    faking.fail(context, Code.UNAVAILABLE)
                return response

            return answer

        server = faking.FakeServer(
            **{rpc: first_lost(response) for rpc, response in answers.items()}
        )
        self.addCleanup(server.close)
        other = faultline.connect(server.address)
        self.addCleanup(other.close)
        return other.grading

    def test_an_attempt_is_started_once(self):
        other = self.serve(StartAttempt=v1.StartAttemptResponse())
        other.start_attempt("cow", "ada")
        first, second = self.requests
        self.assertEqual(first, second)
        self.assertTrue(first.request_id)

    def test_a_grade_is_given_once(self):
        attempt = v1.Attempt(name="exercises/cow/attempts/a7f")
        other = self.serve(Grade=v1.GradeResponse())
        faultline.Attempt(other._connection, attempt).grade()
        first, second = self.requests
        self.assertEqual(first, second)
        self.assertTrue(first.request_id)

    def test_a_submission_is_sent_again(self):
        attempt = v1.Attempt(name="exercises/cow/attempts/a7f")
        other = self.serve(Submit=v1.SubmitResponse())
        faultline.Attempt(other._connection, attempt).submit({"a": 1})
        first, second = self.requests
        self.assertEqual(first, second)
        self.assertEqual(first.answers.answers["a"], "1")

    def test_an_exercise_is_not(self):
        other = self.serve(CreateExercise=v1.CreateExerciseResponse())
        with self.assertRaises(faultline.Unavailable):
            other.create_exercise("id: cow\n")
        self.assertEqual(len(self.requests), 1)

    def test_pages_are_one_list(self):
        def answer(request, _):
            first = not request.page_token
            return v1.ListGradesResponse(
                grades=[v1.Grade(name="a" if first else "b")],
                next_page_token="more" if first else "",
            )

        server = faking.FakeServer(ListGrades=answer)
        self.addCleanup(server.close)
        with faultline.connect(server.address) as other:
            names = [grade.name for grade in other.grading.grades("cow")]
        self.assertEqual(names, ["a", "b"])


if __name__ == "__main__":
    unittest.main()
