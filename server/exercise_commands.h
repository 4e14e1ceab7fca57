// faultline exercise and faultline grade: exercises and their grading without a
// server.
#ifndef FAULTLINE_SERVER_EXERCISE_COMMANDS_H_
#define FAULTLINE_SERVER_EXERCISE_COMMANDS_H_

namespace CLI {
class App;
}

namespace faultline {

// Declares both on `app`. What they did is put into *exit_code, one of
// client/cli/exit_code.h.
void AddExerciseCommands(CLI::App& app, int* exit_code);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_EXERCISE_COMMANDS_H_
