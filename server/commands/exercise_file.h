// An exercise in a file, as one student has it: for what needs no server.
#ifndef FAULTLINE_SERVER_COMMANDS_EXERCISE_FILE_H_
#define FAULTLINE_SERVER_COMMANDS_EXERCISE_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "server/grading/exercise.h"
#include "server/grading/variant.h"

namespace CLI {
class App;
}

namespace faultline {

// Which file, and whose variant of it.
struct ExerciseFile {
  std::string file;
  std::string student;
  absl::optional<uint64_t> seed;  // absent: the student's
};

// Declares the file, --student and --seed.
void AddExerciseFile(CLI::App& command, ExerciseFile* file);

// The exercise, what was drawn, and the machine after the set-up.
struct Loaded {
  grading::Exercise exercise;
  grading::Drawn drawn;
  grading::Stage stage;
};
absl::StatusOr<Loaded> Load(const ExerciseFile& file);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_COMMANDS_EXERCISE_FILE_H_
