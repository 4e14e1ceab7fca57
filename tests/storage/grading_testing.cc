#include "tests/storage/grading_testing.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/storage/storage_testing.h"

namespace faultline::storage {
namespace {

const absl::Time kNoon = absl::FromUnixMicros(1'700'000'000'123'456);

}  // namespace

ExerciseRecord MakeExercise(const std::string& id, const std::string& text) {
  return {.id = id,
          .create_time = kNoon,
          .update_time = kNoon,
          .summary = absl::StrCat("summary of ", id, text),
          .body = absl::StrCat("body of ", id, text)};
}

AttemptRecord MakeAttempt(const std::string& exercise,
                          const std::string& student, int64_t number) {
  AttemptRecord attempt;
  attempt.exercise = exercise;
  attempt.id = absl::StrCat(student, "-", number);
  attempt.student = student;
  attempt.number = number;
  attempt.create_time = kNoon + absl::Seconds(number);
  attempt.drawn = absl::StrCat("drawn for ", student);
  attempt.session = absl::StrCat("session-of-", student);
  attempt.start_revision = 40 + number;
  return attempt;
}

GradeRecord MakeGrade(const std::string& exercise, const std::string& attempt,
                      const std::string& id) {
  GradeRecord grade;
  grade.exercise = exercise;
  grade.attempt = attempt;
  grade.id = id;
  grade.student = attempt.substr(0, attempt.find('-'));
  grade.create_time = kNoon + absl::Hours(1);
  grade.report = MakeReport(absl::StrCat("report ", id, " of ", attempt, ". "));
  return grade;
}

std::string MakeReport(const std::string& text) {
  std::string report;
  while (report.size() < 2000) report += text;
  return report;
}

absl::Status Put(Store& store, const ExerciseRecord& exercise, Replace replace,
                 int64_t count_max) {
  return Wait([&](Done done) {
    return store.CreateExercise(exercise, replace, count_max, std::move(done));
  });
}

absl::Status RemoveExercise(Store& store, const std::string& id, Force force) {
  return Wait([&](Done done) {
    return store.DeleteExercise(id, force, std::move(done));
  });
}

absl::Status Start(Store& store, const AttemptRecord& attempt,
                   int64_t attempts_max) {
  return Wait([&](Done done) {
    return store.StartAttempt(attempt, attempts_max, std::move(done));
  });
}

absl::Status HandIn(Store& store, const std::string& exercise,
                    const std::string& attempt, const std::string& submission) {
  return Wait([&](Done done) {
    return store.SubmitAttempt(exercise, attempt, submission, std::move(done));
  });
}

absl::Status Give(Store& store, const GradeRecord& grade, int64_t of_submission,
                  int64_t grades_max) {
  return Wait([&](Done done) {
    return store.GiveGrade(grade, of_submission, grades_max, std::move(done));
  });
}

}  // namespace faultline::storage
