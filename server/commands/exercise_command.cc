// faultline exercise: lint, show and solve need no server; the other verbs are
// in exercise_server.cc.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/cli/context.h"
#include "server/codec/status_macros.h"
#include "server/commands/command.h"
#include "server/commands/exercise_file.h"
#include "server/grading/export.h"
#include "server/grading/grade.h"
#include "server/grading/lint.h"
#include "server/grading/template.h"
#include "server/grading/variant.h"
#include "server/limits.h"
#include "server/scenario/parser.h"

namespace faultline {
namespace {

using grading::Exercise;

constexpr char kFooter[] =
    "An exercise is a YAML file; server/grading/README.md shows how to write\n"
    "one, server/grading/exercises has some.\n"
    "\n"
    "Examples:\n"
    "  faultline exercise lint cow.yaml\n"
    "  faultline exercise show cow.yaml --student ada@x.edu\n"
    "  faultline exercise show cow.yaml --student ada@x.edu --sheet > a.yaml\n"
    "  faultline exercise show cow.yaml --student ada@x.edu --program > p.s\n"
    "  faultline exercise solve cow.yaml --student ada@x.edu\n"
    "  faultline exercise add cow.yaml            to a server\n"
    "  faultline exercise list\n"
    "\n"
    "lint, show and solve need no server. On one, `faultline attempt` is the\n"
    "student's side and `faultline grades` the list of grades.";

struct Flags {
  std::vector<std::string> files;
  ExerciseFile exercise;
  int seeds = limits::kLintSeeds;
  bool program = false;
  bool sheet = false;
};

// --- lint

int LintOne(const std::string& file, const Flags& flags) {
  const auto yaml = scenario::ReadFile(file);
  if (!yaml.ok()) return cli::Fail(yaml.status());
  grading::Problems problems;
  const Exercise exercise = grading::ReadExercise(*yaml, &problems);
  if (!grading::HasErrors(problems)) {
    const auto more = grading::LintVariants(exercise, flags.seeds, {});
    problems.insert(problems.end(), more.begin(), more.end());
  }
  for (const grading::Problem& problem : problems) {
    std::cout << grading::ToText(file, problem) << "\n";
  }
  if (grading::HasErrors(problems)) return cli::kExitFailed;
  std::cout << file << ": " << exercise.proto.id() << " is good in "
            << flags.seeds << " variants\n";
  return cli::kExitOk;
}

int Lint(const Flags& flags) {
  int worst = cli::kExitOk;
  for (const std::string& file : flags.files) {
    worst = std::max(worst, LintOne(file, flags));
  }
  return worst;
}

// --- show, solve

int Show(const Flags& flags) {
  const absl::StatusOr<Loaded> loaded = Load(flags.exercise);
  if (!loaded.ok()) return cli::Fail(loaded.status());
  const auto variant =
      grading::ToVariant(loaded->exercise.proto, loaded->drawn, loaded->stage);
  if (!variant.ok()) return cli::Fail(variant.status());
  const std::string sheet =
      variant->questions_size() == 0 ? "" : grading::ToSheet(*variant, {});
  if (flags.program) {
    std::cout << grading::ToScenario(*variant);
  } else if (flags.sheet) {
    std::cout << sheet;
  } else {
    std::cout << grading::ToText(*variant);
    if (!sheet.empty()) std::cout << "\nAnswer sheet:\n\n" << sheet;
  }
  return cli::kExitOk;
}

absl::StatusOr<std::string> SolutionOf(const Flags& flags) {
  FL_ASSIGN_OR_RETURN(const Loaded loaded, Load(flags.exercise));
  const v1::Exercise& exercise = loaded.exercise.proto;
  if (!loaded.exercise.predicts()) {
    return grading::Fill(exercise.solution(),
                         grading::VariableScope(loaded.drawn.values));
  }
  FL_ASSIGN_OR_RETURN(const v1::Variant variant,
                      grading::ToVariant(exercise, loaded.drawn, loaded.stage));
  FL_ASSIGN_OR_RETURN(const grading::Answers answers,
                      grading::Solve(loaded.exercise, loaded.drawn.values,
                                     *loaded.stage.trial));
  return grading::ToSheet(variant, answers);
}

int Solve(const Flags& flags) {
  const absl::StatusOr<std::string> solution = SolutionOf(flags);
  if (!solution.ok()) return cli::Fail(solution.status());
  std::cout << *solution;
  return cli::kExitOk;
}

// --- The command line

CLI::App* AddOffline(CLI::App& app, const char* name, const char* help,
                     const std::shared_ptr<Flags>& flags,
                     int (*run)(const Flags&), int* exit_code) {
  return AddCommand(
      app, name, help, [flags, run] { return run(*flags); }, exit_code);
}

CLI::App* AddForStudent(CLI::App& app, const char* name, const char* help,
                        const std::shared_ptr<Flags>& flags,
                        int (*run)(const Flags&), int* exit_code) {
  CLI::App* command = AddOffline(app, name, help, flags, run, exit_code);
  AddExerciseFile(*command, &flags->exercise);
  return command;
}

}  // namespace

void AddExercise(CLI::App& app, int* exit_code) {
  CLI::App* exercise =
      app.add_subcommand("exercise", "Checks, shows and serves exercises");
  exercise->require_subcommand(1);
  exercise->footer(kFooter);

  auto flags = std::make_shared<Flags>();
  CLI::App* lint =
      AddOffline(*exercise, "lint", "Checks files: what they say, and variants",
                 flags, Lint, exit_code);
  lint->add_option("files", flags->files, "The exercises' files")
      ->required()
      ->type_name("FILE");
  lint->add_option("--variants", flags->seeds, "How many variants to try")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();

  CLI::App* show = AddForStudent(*exercise, "show",
                                 "Prints a student's variant and answer sheet",
                                 flags, Show, exit_code);
  show->add_flag("--program", flags->program,
                 "Prints the set-up alone, for `faultline run`");
  show->add_flag("--sheet", flags->sheet, "Prints the answer sheet alone");

  AddForStudent(*exercise, "solve", "Prints a submission that gets all points",
                flags, Solve, exit_code);
  AddServerVerbs(*exercise, exit_code);
}

}  // namespace faultline
