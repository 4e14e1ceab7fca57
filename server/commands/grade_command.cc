// faultline grade: grading without a server.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/cli/context.h"
#include "server/codec/status_macros.h"
#include "server/commands/command.h"
#include "server/commands/exercise_file.h"
#include "server/grading/grade.h"
#include "server/scenario/parser.h"

namespace faultline {
namespace {

constexpr char kFooter[] =
    "The submission is the answer sheet of `faultline exercise show`, filled\n"
    "in, or for an exercise with goals a scenario (`faultline run --help`),\n"
    "which goes on where the set-up ends and may use its labels. What was\n"
    "handed in to a server, `faultline attempt grade` grades.\n"
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
  ExerciseFile exercise;
  std::string submission;
  std::string format;
  bool staff = false;
  bool hide_answers = false;
};

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
  FL_ASSIGN_OR_RETURN(const Loaded loaded, Load(flags.exercise));
  FL_ASSIGN_OR_RETURN(const std::string text,
                      scenario::ReadFile(flags.submission));
  const std::string name =
      flags.submission == "-" ? "<stdin>" : flags.submission;
  const grading::Case c{loaded.exercise, loaded.drawn, name,
                        grading::InFiles(flags.exercise.file, name)};
  return loaded.exercise.predicts() ? GradeSheet(c, loaded, text)
                                    : GradeScenario(c, loaded, text);
}

int Grade(const Flags& flags) {
  absl::StatusOr<v1::GradeReport> report = GradeFile(flags);
  if (!report.ok()) return cli::Fail(report.status());
  const bool full = grading::IsFull(*report);
  if (flags.hide_answers) grading::RedactAnswers(&*report);
  // Gradescope itself hides what is hidden.
  const bool all = flags.staff || flags.format == "gradescope";
  if (!all) grading::RedactHidden(&*report);
  std::cout << ToFormat(*report, flags.format);
  return full ? cli::kExitOk : cli::kExitFailed;
}

}  // namespace

void AddGrade(CLI::App& app, int* exit_code) {
  auto flags = std::make_shared<Flags>();
  CLI::App* grade = AddCommand(
      app, "grade", "Grades a submission", [flags] { return Grade(*flags); },
      exit_code);
  AddExerciseFile(*grade, &flags->exercise);
  grade
      ->add_option("submission", flags->submission,
                   "The submission's file; - is standard input")
      ->required()
      ->type_name("FILE");
  AddFormatOption(*grade, &flags->format);
  grade->add_flag("--staff", flags->staff,
                  "Shows hidden checks, the total that they are part of, and "
                  "notes for graders");
  grade->add_flag("--hide-answers", flags->hide_answers,
                  "Leaves out what is right: for students who may try again");
  grade->footer(kFooter);
}

}  // namespace faultline
