// What the gradebook does about exercises.

#include <utility>

#include "server/codec/errors.h"
#include "server/codec/grading_errors.h"
#include "server/codec/status_macros.h"
#include "server/gradebook/gradebook.h"
#include "server/gradebook/gradebook_record.h"
#include "server/gradebook/guard.h"
#include "server/grading/lint.h"
#include "server/session/record.h"
#include "server/session/wait_for.h"
#include "storage/reason.h"

namespace faultline {
namespace {

// Each with its line and column.
absl::Status YamlError(const grading::Problems& problems) {
  std::vector<FieldViolation> violations;
  for (const grading::Problem& problem : problems) {
    if (problem.warning) continue;
    violations.push_back({"yaml", grading::ToText("", problem)});
  }
  return errors::InvalidFields(violations);
}

// Reads the file and tries variants of it. Its warnings, in the order of the
// file.
absl::StatusOr<std::vector<std::string>> Lint(const std::string& yaml,
                                              int variants,
                                              const Gradebook::KeepOn& keep_on,
                                              grading::Exercise* exercise) {
  grading::Problems problems;
  *exercise = grading::ReadExercise(yaml, &problems);
  if (grading::HasErrors(problems)) return YamlError(problems);
  bool wanted = true;
  const grading::Problems more =
      grading::LintVariants(*exercise, variants, [&] {
        wanted = !keep_on || keep_on();
        return wanted;
      });
  if (!wanted) return errors::Cancelled();
  problems.insert(problems.end(), more.begin(), more.end());
  if (grading::HasErrors(problems)) return YamlError(problems);
  std::vector<std::string> warnings;
  for (const grading::Problem& problem : problems) {
    warnings.push_back(grading::ToText("", problem));
  }
  return warnings;
}

}  // namespace

Gradebook::Gradebook(storage::Store& store, SessionTable& table)
    : Gradebook(store, table, Options()) {}

Gradebook::Gradebook(storage::Store& store, SessionTable& table,
                     Options options)
    : store_(store), table_(table), options_(options) {}

absl::StatusOr<storage::ExerciseRecord> Gradebook::ReadExercise(
    const std::string& exercise) {
  absl::StatusOr<storage::ExerciseRecord> record = store_.GetExercise(exercise);
  if (!record.ok()) return GradebookError({exercise, ""}, record.status());
  return record;
}

absl::StatusOr<Gradebook::Created> Gradebook::CreateExercise(
    const std::string& yaml, Replace replace, const KeepOn& keep_on) {
  grading::Exercise exercise;
  Created created;
  FL_ASSIGN_OR_RETURN(created.warnings, Guard("this exercise", [&] {
                        return Lint(yaml, options_.lint_variants, keep_on,
                                    &exercise);
                      }));
  storage::ExerciseRecord record;
  record.id = exercise.proto.id();
  record.create_time = NowAsStored();
  record.update_time = record.create_time;
  record.summary = SummaryOf(exercise).SerializeAsString();
  record.body = yaml;
  const absl::Status written = WaitForWrite([&](storage::Done done) {
    return store_.CreateExercise(record, replace, options_.exercises_max,
                                 std::move(done));
  });
  if (ReasonOf(written) == "EXERCISES_LIMIT") {
    return errors::ExercisesLimit(options_.exercises_max);
  }
  if (!written.ok()) return GradebookError({record.id, ""}, written);
  FL_ASSIGN_OR_RETURN(created.exercise, GetExercise(record.id));
  return created;
}

absl::StatusOr<v1::ExerciseSummary> Gradebook::GetExercise(
    const std::string& exercise) {
  FL_ASSIGN_OR_RETURN(const storage::ExerciseRecord record,
                      ReadExercise(exercise));
  return SummaryOf(record);
}

absl::StatusOr<std::vector<v1::ExerciseSummary>> Gradebook::ListExercises(
    const std::string& after_id, int64_t limit) {
  const auto records = store_.ListExercises(after_id, limit);
  if (!records.ok()) return GradebookError({after_id, ""}, records.status());
  std::vector<v1::ExerciseSummary> exercises;
  for (const storage::ExerciseRecord& record : *records) {
    FL_ASSIGN_OR_RETURN(v1::ExerciseSummary summary, SummaryOf(record));
    exercises.push_back(std::move(summary));
  }
  return exercises;
}

absl::Status Gradebook::DeleteExercise(const std::string& exercise,
                                       Force force) {
  const absl::Status deleted = WaitForWrite([&](storage::Done done) {
    return store_.DeleteExercise(exercise, force, std::move(done));
  });
  if (!deleted.ok()) return GradebookError({exercise, ""}, deleted);
  absl::MutexLock lock(&mutex_);
  attempts_.reset();
  return absl::OkStatus();
}

}  // namespace faultline
