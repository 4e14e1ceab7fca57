// The commands about exercises and grades, and what they share.
#ifndef FAULTLINE_SERVER_COMMANDS_COMMAND_H_
#define FAULTLINE_SERVER_COMMANDS_COMMAND_H_

#include <functional>
#include <string>

#include "faultline/v1/grade.pb.h"

namespace CLI {
class App;
}

namespace faultline {

// Declares all of them on `app`. What they did is put into *exit_code, one of
// client/cli/exit_code.h.
void AddExerciseCommands(CLI::App& app, int* exit_code);

// faultline exercise lint, show, solve, and what AddServerVerbs adds.
void AddExercise(CLI::App& app, int* exit_code);
// faultline exercise add, list, delete: the exercises of a server.
void AddServerVerbs(CLI::App& exercise, int* exit_code);
// faultline grade: without a server.
void AddGrade(CLI::App& app, int* exit_code);
// faultline attempt start, show, run, submit, grade: on a server.
void AddAttempt(CLI::App& app, int* exit_code);
// faultline grades: on a server.
void AddGrades(CLI::App& app, int* exit_code);

// A subcommand whose exit status is what `run` gives, or that of a command that
// cannot be done when its output could not be written.
CLI::App* AddCommand(CLI::App& app, const char* name, const char* help,
                     std::function<int()> run, int* exit_code);

// --format of a report: text, gradescope, junit.
void AddFormatOption(CLI::App& command, std::string* format);
std::string ToFormat(const v1::GradeReport& report, const std::string& format);

// --secret of an exercise; the environment variable FAULTLINE_SECRET is its
// default, because others on the computer see command lines.
void AddSecretOption(CLI::App& command, std::string* secret);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_COMMANDS_COMMAND_H_
