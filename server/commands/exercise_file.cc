#include "server/commands/exercise_file.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/codec/status_macros.h"
#include "server/grading/draw.h"
#include "server/scenario/parser.h"

namespace faultline {
namespace {

using grading::Drawn;
using grading::Exercise;

absl::StatusOr<Exercise> ReadExercise(const std::string& file) {
  FL_ASSIGN_OR_RETURN(const std::string yaml, scenario::ReadFile(file));
  return grading::ReadExercise(file, yaml);
}

absl::StatusOr<Drawn> DrawFor(const Exercise& exercise,
                              const ExerciseFile& file) {
  FL_RETURN_IF_ERROR(grading::CheckStudent(file.student));
  Drawn drawn;
  drawn.student = file.student;
  drawn.seed =
      file.seed ? *file.seed : grading::SeedOf(exercise.proto, file.student);
  FL_ASSIGN_OR_RETURN(drawn.values, grading::Draw(exercise.proto, drawn.seed));
  return drawn;
}

}  // namespace

void AddExerciseFile(CLI::App& command, ExerciseFile* file) {
  command.add_option("exercise", file->file, "The exercise's file")
      ->required()
      ->type_name("FILE");
  command
      .add_option("--student", file->student,
                  "Whose variant it is, for example an address")
      ->required()
      ->type_name("WHO");
  command
      .add_option_function<uint64_t>(
          "--seed", [file](const uint64_t& seed) { file->seed = seed; },
          "Draws from this number instead (0x… for hexadecimal)")
      ->type_name("N");
}

absl::StatusOr<Loaded> Load(const ExerciseFile& file) {
  FL_ASSIGN_OR_RETURN(Exercise exercise, ReadExercise(file.file));
  FL_ASSIGN_OR_RETURN(Drawn drawn, DrawFor(exercise, file));
  auto stage = grading::SetUp(exercise.proto, drawn.values);
  if (!stage.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(file.file, ": ", stage.status().message(),
                     "; `faultline exercise lint` finds such things"));
  }
  return Loaded{std::move(exercise), std::move(drawn), *std::move(stage)};
}

}  // namespace faultline
