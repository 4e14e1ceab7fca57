// faultline attempt: an exercise of a server as a student has it, from the draw
// to the grade.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/cli/context.h"
#include "client/cli/terminal.h"
#include "client/cpp/client.h"
#include "server/codec/status_macros.h"
#include "server/commands/answer_sheet.h"
#include "server/commands/attempt_run.h"
#include "server/commands/attempt_text.h"
#include "server/commands/command.h"
#include "server/grading/grade.h"
#include "server/grading/variant.h"
#include "server/scenario/parser.h"
#include "server/scenario/report.h"

namespace faultline {
namespace {

constexpr char kFooter[] =
    "ATTEMPT is what `attempt start` prints: EXERCISE/ID, or all of the name.\n"
    "\n"
    "With questions, the submission is the answer sheet, filled in. With\n"
    "goals, it is the attempt's session: what was done in it by `attempt run`\n"
    "or any client, up to now or up to a revision.\n"
    "\n"
    "Examples:\n"
    "  faultline attempt start cow --student ada@x.edu\n"
    "  faultline attempt show cow/a7f --sheet > answers.yaml\n"
    "  faultline attempt submit cow/a7f answers.yaml\n"
    "  faultline attempt run goal/a2k mine.s\n"
    "  faultline attempt submit goal/a2k\n"
    "  faultline attempt grade cow/a7f\n"
    "  faultline attempt grade cow/a7f --format=gradescope > results.json\n"
    "\n"
    "Exit status of grade: 0 all points, of what is shown; 1 fewer; 2 it "
    "could\n"
    "not be graded; 3 wrong usage.";

struct Flags {
  std::string server;
  std::string exercise;
  std::string student;
  std::string request_id;
  std::string attempt;
  std::string file;
  std::string secret;
  std::string format;
  int64_t at = -1;  // -1: as it is
  bool sheet = false;
  bool program = false;
};

absl::StatusOr<client::Grading> Connect(const Flags& flags) {
  FL_ASSIGN_OR_RETURN(const client::Client client,
                      client::Client::Connect(flags.server));
  return client.grading();
}

absl::StatusOr<client::Session> OpenSession(const Flags& flags,
                                            const v1::Attempt& attempt) {
  FL_ASSIGN_OR_RETURN(client::Client client,
                      client::Client::Connect(flags.server));
  return client.OpenSession(attempt.session());
}

absl::StatusOr<v1::Attempt> Get(const Flags& flags) {
  FL_ASSIGN_OR_RETURN(const client::Grading grading, Connect(flags));
  return grading.GetAttempt(flags.attempt);
}

// --- start, show

int Start(const Flags& flags) {
  const auto grading = Connect(flags);
  if (!grading.ok()) return cli::Fail(grading.status());
  const auto attempt = grading->StartAttempt({.exercise = flags.exercise,
                                              .student = flags.student,
                                              .request_id = flags.request_id});
  if (!attempt.ok()) return cli::Fail(attempt.status());
  std::cout << ToText(*attempt);
  return cli::kExitOk;
}

int Show(const Flags& flags) {
  const auto attempt = Get(flags);
  if (!attempt.ok()) return cli::Fail(attempt.status());
  if (flags.sheet && !Predicts(*attempt)) {
    return cli::Fail(absl::FailedPreconditionError(absl::StrCat(
        attempt->name(), " has goals and no answer sheet: its session ",
        attempt->session(), " is handed in")));
  }
  if (flags.program && attempt->variant().setup().empty()) {
    return cli::Fail(absl::FailedPreconditionError(
        absl::StrCat(attempt->name(), " has no program that is shown")));
  }
  std::cout << (flags.sheet     ? SheetOf(*attempt)
                : flags.program ? grading::ToScenario(attempt->variant())
                                : ToText(*attempt));
  return cli::kExitOk;
}

// --- run

int RunScenario(const Flags& flags) {
  const auto attempt = Get(flags);
  if (!attempt.ok()) return cli::Fail(attempt.status());
  if (Predicts(*attempt)) {
    return cli::Fail(absl::FailedPreconditionError(
        absl::StrCat(attempt->name(),
                     " has questions and no machine: `faultline attempt "
                     "show ",
                     ShortName(*attempt),
                     " --program` prints the program for `faultline run`")));
  }
  const auto text = scenario::ReadFile(flags.file);
  if (!text.ok()) return cli::Fail(text.status());
  auto session = OpenSession(flags, *attempt);
  if (!session.ok()) return cli::Fail(session.status());
  const auto printer = scenario::MakeTextPrinter(
      std::cout, scenario::Style(cli::WantsColor(stdout)));
  const absl::Status status =
      RunInAttempt(*attempt, *std::move(session),
                   flags.file == "-" ? "<stdin>" : flags.file, *text, *printer);
  std::cout.flush();
  if (status.ok()) return cli::kExitOk;
  cli::Fail(status);
  return absl::IsAborted(status) ? cli::kExitFailed : cli::kExitCannot;
}

// --- submit

absl::Status CheckUsage(const Flags& flags, const v1::Attempt& attempt) {
  if (!Predicts(attempt)) {
    if (flags.file.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(attempt.name(),
                     " has goals: its session is handed in, and no file; "
                     "run it by `faultline attempt run ",
                     ShortName(attempt), " ", flags.file, "` first"));
  }
  if (flags.file.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(attempt.name(),
                     " has questions: give the file of the answer sheet, "
                     "which `faultline attempt show ",
                     ShortName(attempt), " --sheet` prints"));
  }
  if (flags.at < 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(attempt.name(), " has questions: --at is for goals"));
}

absl::StatusOr<v1::Attempt> HandIn(const client::Grading& grading,
                                   const Flags& flags,
                                   const v1::Attempt& attempt) {
  if (!Predicts(attempt)) {
    return grading.SubmitSession(
        attempt.name(),
        flags.at < 0 ? absl::nullopt : absl::optional<int64_t>(flags.at));
  }
  FL_ASSIGN_OR_RETURN(const auto answers, ReadSheet(flags.file, attempt));
  return grading.SubmitAnswers(attempt.name(), answers);
}

int Submit(const Flags& flags) {
  const auto grading = Connect(flags);
  if (!grading.ok()) return cli::Fail(grading.status());
  const auto attempt = grading->GetAttempt(flags.attempt);
  if (!attempt.ok()) return cli::Fail(attempt.status());
  const absl::Status usage = CheckUsage(flags, *attempt);
  if (!usage.ok()) return cli::FailUsage(usage);
  const auto submitted = HandIn(*grading, flags, *attempt);
  if (!submitted.ok()) return cli::Fail(submitted.status());
  std::cout << submitted->name() << "\n  handed in  " << HandedIn(*submitted)
            << "\n";
  return cli::kExitOk;
}

// --- grade

bool AllPassed(const v1::GradeReport& report) {
  if (!report.redacted()) return grading::IsFull(report);
  return report.status() == v1::REPORT_STATUS_GRADED &&
         std::all_of(report.checks().begin(), report.checks().end(),
                     [](const v1::GradedCheck& check) {
                       return check.status() == v1::CHECK_STATUS_PASSED;
                     });
}

int Grade(const Flags& flags) {
  const auto grading = Connect(flags);
  if (!grading.ok()) return cli::Fail(grading.status());
  const auto grade = grading->Grade({.attempt = flags.attempt,
                                     .secret = flags.secret,
                                     .request_id = flags.request_id});
  if (!grade.ok()) return cli::Fail(grade.status());
  std::cout << ToFormat(grade->report(), flags.format);
  return AllPassed(grade->report()) ? cli::kExitOk : cli::kExitFailed;
}

// --- The command line

CLI::App* AddVerb(CLI::App& attempt, const char* verb, const char* help,
                  const std::shared_ptr<Flags>& flags, int (*run)(const Flags&),
                  int* exit_code) {
  CLI::App* command = AddCommand(
      attempt, verb, help, [flags, run] { return run(*flags); }, exit_code);
  cli::AddServerOption(*command, &flags->server);
  return command;
}

CLI::App* AddVerbOfOne(CLI::App& attempt, const char* verb, const char* help,
                       const std::shared_ptr<Flags>& flags,
                       int (*run)(const Flags&), int* exit_code) {
  CLI::App* command = AddVerb(attempt, verb, help, flags, run, exit_code);
  command
      ->add_option("attempt", flags->attempt,
                   "The attempt, as `attempt start` prints it")
      ->required()
      ->type_name("ATTEMPT");
  return command;
}

void AddRequestId(CLI::App* command, Flags& flags, const char* gives) {
  command->add_option("--request-id", flags.request_id, gives)
      ->type_name("TEXT");
}

void AddStart(CLI::App& attempt, const std::shared_ptr<Flags>& flags,
              int* exit_code) {
  CLI::App* start = AddVerb(attempt, "start", "Draws a student's variant",
                            flags, Start, exit_code);
  start->add_option("exercise", flags->exercise, "The exercise, as listed")
      ->required()
      ->type_name("ID");
  start
      ->add_option("--student", flags->student,
                   "Whose it is, for example an address")
      ->required()
      ->type_name("WHO");
  AddRequestId(start, *flags,
               "A repetition with the same text gives the same attempt");
}

}  // namespace

void AddAttempt(CLI::App& app, int* exit_code) {
  auto flags = std::make_shared<Flags>();
  CLI::App* attempt = app.add_subcommand(
      "attempt", "Starts, runs, hands in and grades attempts on a server");
  attempt->require_subcommand(1);
  attempt->footer(kFooter);
  AddStart(*attempt, flags, exit_code);

  CLI::App* show = AddVerbOfOne(*attempt, "show", "Prints one again", flags,
                                Show, exit_code);
  show->add_flag("--program", flags->program,
                 "Prints the set-up alone, for `faultline run`");
  show->add_flag("--sheet", flags->sheet, "Prints the answer sheet alone");

  AddVerbOfOne(*attempt, "run", "Runs a scenario where the set-up ends", flags,
               RunScenario, exit_code)
      ->add_option("file", flags->file,
                   "The scenario, which may use the labels and processes of "
                   "the set-up; - is standard input")
      ->required()
      ->type_name("FILE");

  CLI::App* submit =
      AddVerbOfOne(*attempt, "submit", "Hands in a sheet, or the session",
                   flags, Submit, exit_code);
  submit
      ->add_option("sheet", flags->file,
                   "With questions: the answer sheet; - is standard input")
      ->type_name("FILE");
  submit
      ->add_option("--at", flags->at,
                   "With goals: up to this revision (default: the last)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("REVISION");

  CLI::App* grade = AddVerbOfOne(*attempt, "grade", "Grades what is handed in",
                                 flags, Grade, exit_code);
  AddFormatOption(*grade, &flags->format);
  AddSecretOption(*grade, &flags->secret);
  AddRequestId(grade, *flags,
               "A repetition with the same text gives the same grade");
}

}  // namespace faultline
