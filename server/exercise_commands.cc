#include "server/exercise_commands.h"

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
#include "absl/types/optional.h"
#include "client/cli/context.h"
#include "client/cli/exit_code.h"
#include "server/codec/status_macros.h"
#include "server/grading/draw.h"
#include "server/grading/export.h"
#include "server/grading/grade.h"
#include "server/grading/lint.h"
#include "server/grading/template.h"
#include "server/grading/variant.h"
#include "server/limits.h"
#include "server/scenario/parser.h"

namespace faultline {
namespace {

using grading::Drawn;
using grading::Exercise;

constexpr char kExerciseFooter[] =
    "An exercise is a YAML file; server/grading/README.md shows how to write\n"
    "one, server/grading/exercises has some.\n"
    "\n"
    "Examples:\n"
    "  faultline exercise lint cow.yaml\n"
    "  faultline exercise show cow.yaml --student ada@x.edu\n"
    "  faultline exercise show cow.yaml --student ada@x.edu --sheet > a.yaml\n"
    "  faultline exercise show cow.yaml --student ada@x.edu --program > p.s\n"
    "  faultline exercise solve cow.yaml --student ada@x.edu";

constexpr char kGradeFooter[] =
    "The submission is the answer sheet of `faultline exercise show`, filled\n"
    "in, or for an exercise with goals a scenario (`faultline run --help`),\n"
    "which goes on where the set-up ends and may use its labels.\n"
    "\n"
    "Examples:\n"
    "  faultline grade cow.yaml answers.yaml --student ada@x.edu\n"
    "  faultline grade cow.yaml answers.yaml --student ada@x.edu \\\n"
    "      --format=gradescope > /autograder/results/results.json\n"
    "  faultline grade goal.yaml mine.s --student ada@x.edu --format=junit\n"
    "\n"
    "Exit status: 0 all points; 1 fewer, or the submission cannot be read,\n"
    "which the result says; 2 it could not be graded: no such file, or the\n"
    "exercise is wrong; 3 wrong usage.";

struct Flags {
  std::vector<std::string> files;
  std::string exercise;
  std::string submission;
  std::string student;
  absl::optional<uint64_t> seed;
  std::string format = "text";
  int seeds = limits::kLintSeeds;
  bool program = false;
  bool sheet = false;
  bool staff = false;
  bool hide_answers = false;
};

absl::StatusOr<Exercise> Load(const std::string& file) {
  FL_ASSIGN_OR_RETURN(const std::string yaml, scenario::ReadFile(file));
  return grading::ReadExercise(file, yaml);
}

absl::StatusOr<Drawn> DrawFor(const Exercise& exercise, const Flags& flags) {
  FL_RETURN_IF_ERROR(grading::CheckStudent(flags.student));
  Drawn drawn;
  drawn.student = flags.student;
  drawn.seed =
      flags.seed ? *flags.seed : grading::SeedOf(exercise.proto, flags.student);
  FL_ASSIGN_OR_RETURN(drawn.values, grading::Draw(exercise.proto, drawn.seed));
  return drawn;
}

// An exercise as one student has it.
struct Loaded {
  Exercise exercise;
  Drawn drawn;
  grading::Stage stage;
};

absl::StatusOr<Loaded> LoadFor(const Flags& flags) {
  FL_ASSIGN_OR_RETURN(Exercise exercise, Load(flags.exercise));
  FL_ASSIGN_OR_RETURN(Drawn drawn, DrawFor(exercise, flags));
  auto stage = grading::SetUp(exercise.proto, drawn.values);
  if (!stage.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(flags.exercise, ": ", stage.status().message(),
                     "; `faultline exercise lint` finds such things"));
  }
  return Loaded{std::move(exercise), std::move(drawn), *std::move(stage)};
}

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
  const absl::StatusOr<Loaded> loaded = LoadFor(flags);
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
  FL_ASSIGN_OR_RETURN(const Loaded loaded, LoadFor(flags));
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

// --- grade

absl::StatusOr<v1::GradeReport> GradeSheet(const grading::Case& c,
                                           const Loaded& loaded,
                                           const std::string& text) {
  auto sheet =
      grading::ReadSubmission(c.submission, text, loaded.exercise.proto);
  if (!sheet.ok()) return grading::NotGradable(c, sheet.status().message());
  if (!sheet->student().empty() && sheet->student() != loaded.drawn.student) {
    return grading::NotGradable(
        c, absl::StrCat(c.submission, ": these are the answers of ",
                        sheet->student(), ", not of ", loaded.drawn.student));
  }
  const grading::Answers answers(sheet->answers().begin(),
                                 sheet->answers().end());
  return grading::GradeAnswers(c, *loaded.stage.trial, answers);
}

absl::StatusOr<v1::GradeReport> GradeScenario(const grading::Case& c,
                                              const Loaded& loaded,
                                              const std::string& text) {
  const absl::Status performed =
      grading::Perform(loaded.exercise.proto, c.submission, text, loaded.stage);
  if (absl::IsInvalidArgument(performed)) {
    return grading::NotGradable(c, performed.message());
  }
  return grading::GradeTrial(c, *loaded.stage.trial, performed.message());
}

absl::StatusOr<v1::GradeReport> GradeFile(const Flags& flags) {
  FL_ASSIGN_OR_RETURN(const Loaded loaded, LoadFor(flags));
  FL_ASSIGN_OR_RETURN(const std::string text,
                      scenario::ReadFile(flags.submission));
  const std::string name =
      flags.submission == "-" ? "<stdin>" : flags.submission;
  const grading::Case c{loaded.exercise, loaded.drawn, name,
                        grading::InFiles(flags.exercise, name)};
  return loaded.exercise.predicts() ? GradeSheet(c, loaded, text)
                                    : GradeScenario(c, loaded, text);
}

int Grade(const Flags& flags) {
  absl::StatusOr<v1::GradeReport> report = GradeFile(flags);
  if (!report.ok()) return cli::Fail(report.status());
  const bool full = grading::IsFull(*report);
  if (flags.hide_answers) grading::RedactAnswers(&*report);
  if (flags.format == "gradescope") {
    std::cout << grading::ToGradescope(*report);
  } else {
    if (!flags.staff) grading::RedactHidden(&*report);
    std::cout << (flags.format == "junit" ? grading::ToJunit(*report)
                                          : grading::ToText(*report));
  }
  return full ? cli::kExitOk : cli::kExitFailed;
}

// --- The command line

void AddStudent(CLI::App& command, const std::shared_ptr<Flags>& flags) {
  command
      .add_option("--student", flags->student,
                  "Whose variant it is, for example an address")
      ->required()
      ->type_name("WHO");
  command
      .add_option_function<uint64_t>(
          "--seed", [flags](const uint64_t& seed) { flags->seed = seed; },
          "Draws from this number instead (0x… for hexadecimal)")
      ->type_name("N");
}

CLI::App* AddCommand(CLI::App& app, const char* name, const char* help,
                     const std::shared_ptr<Flags>& flags,
                     int (*run)(const Flags&), int* exit_code) {
  CLI::App* command = app.add_subcommand(name, help);
  command->callback([flags, run, exit_code] {
    *exit_code = run(*flags);
    std::cout.flush();
    if (!std::cout.good()) *exit_code = cli::kExitCannot;
  });
  return command;
}

CLI::App* AddForStudent(CLI::App& app, const char* name, const char* help,
                        int (*run)(const Flags&), int* exit_code,
                        std::shared_ptr<Flags>* flags) {
  *flags = std::make_shared<Flags>();
  CLI::App* command = AddCommand(app, name, help, *flags, run, exit_code);
  command->add_option("exercise", (*flags)->exercise, "The exercise's file")
      ->required()
      ->type_name("FILE");
  AddStudent(*command, *flags);
  return command;
}

void AddExercise(CLI::App& app, int* exit_code) {
  CLI::App* exercise =
      app.add_subcommand("exercise", "Checks, shows and solves exercises");
  exercise->require_subcommand(1);
  exercise->footer(kExerciseFooter);

  auto flags = std::make_shared<Flags>();
  CLI::App* lint =
      AddCommand(*exercise, "lint", "Checks files: what they say, and variants",
                 flags, Lint, exit_code);
  lint->add_option("files", flags->files, "The exercises' files")
      ->required()
      ->type_name("FILE");
  lint->add_option("--variants", flags->seeds, "How many variants to try")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();

  CLI::App* show = AddForStudent(*exercise, "show",
                                 "Prints a student's variant and answer sheet",
                                 Show, exit_code, &flags);
  show->add_flag("--program", flags->program,
                 "Prints the set-up alone, for `faultline run`");
  show->add_flag("--sheet", flags->sheet, "Prints the answer sheet alone");

  AddForStudent(*exercise, "solve", "Prints a submission that gets all points",
                Solve, exit_code, &flags);
}

void AddGrade(CLI::App& app, int* exit_code) {
  std::shared_ptr<Flags> flags;
  CLI::App* grade = AddForStudent(app, "grade", "Grades a submission", Grade,
                                  exit_code, &flags);
  grade
      ->add_option("submission", flags->submission,
                   "The submission's file; - is standard input")
      ->required()
      ->type_name("FILE");
  grade
      ->add_option("--format", flags->format,
                   "text, for people; results.json of Gradescope; JUnit XML")
      ->check(CLI::IsMember({"text", "gradescope", "junit"}))
      ->type_name("text|gradescope|junit");
  grade->add_flag("--staff", flags->staff,
                  "Shows hidden checks, the total that they are part of, and "
                  "notes for graders");
  grade->add_flag("--hide-answers", flags->hide_answers,
                  "Leaves out what is right: for students who may try again");
  grade->footer(kGradeFooter);
}

}  // namespace

void AddExerciseCommands(CLI::App& app, int* exit_code) {
  AddExercise(app, exit_code);
  AddGrade(app, exit_code);
}

}  // namespace faultline
