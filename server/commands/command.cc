#include "server/commands/command.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <utility>

#include "client/cli/exit_code.h"
#include "server/grading/export.h"

namespace faultline {

void AddExerciseCommands(CLI::App& app, int* exit_code) {
  AddExercise(app, exit_code);
  AddAttempt(app, exit_code);
  AddGrade(app, exit_code);
  AddGrades(app, exit_code);
}

CLI::App* AddCommand(CLI::App& app, const char* name, const char* help,
                     std::function<int()> run, int* exit_code) {
  CLI::App* command = app.add_subcommand(name, help);
  command->callback([run = std::move(run), exit_code] {
    *exit_code = run();
    std::cout.flush();
    if (!std::cout.good()) *exit_code = cli::kExitCannot;
  });
  return command;
}

void AddFormatOption(CLI::App& command, std::string* format) {
  *format = "text";
  command
      .add_option("--format", *format,
                  "text, for people; results.json of Gradescope; JUnit XML")
      ->check(CLI::IsMember({"text", "gradescope", "junit"}))
      ->type_name("text|gradescope|junit");
}

std::string ToFormat(const v1::GradeReport& report, const std::string& format) {
  if (format == "gradescope") return grading::ToGradescope(report);
  if (format == "junit") return grading::ToJunit(report);
  return grading::ToText(report);
}

void AddSecretOption(CLI::App& command, std::string* secret) {
  command
      .add_option("--secret", *secret,
                  "The secret of the exercise: shows what graders see "
                  "(default: $FAULTLINE_SECRET)")
      ->envname("FAULTLINE_SECRET")
      ->type_name("TEXT");
}

}  // namespace faultline
