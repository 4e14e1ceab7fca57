// faultline exercise add, list, delete: the exercises of a server.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "client/cli/context.h"
#include "client/cpp/client.h"
#include "client/cpp/error.h"
#include "server/codec/status_macros.h"
#include "server/commands/command.h"
#include "server/grading/exercise.h"
#include "server/grading/grade.h"
#include "server/grading/problem.h"
#include "server/scenario/parser.h"

namespace faultline {
namespace {

struct Flags {
  std::string server;
  std::vector<std::string> files;
  std::string exercise;
  bool replace = false;
  bool force = false;
};

absl::StatusOr<client::Grading> Connect(const Flags& flags) {
  FL_ASSIGN_OR_RETURN(const client::Client client,
                      client::Client::Connect(flags.server));
  return client.grading();
}

// --- add

// What is wrong with the file itself, without a server: it tells the first few
// problems only.
bool Reads(const std::string& file, const std::string& yaml) {
  grading::Problems problems;
  grading::ReadExercise(yaml, &problems);
  if (!grading::HasErrors(problems)) return true;
  for (const grading::Problem& problem : problems) {
    std::cerr << grading::ToText(file, problem) << "\n";
  }
  return false;
}

// What the server found in its variants, as `exercise lint` tells it.
void TellProblems(const std::string& file, const absl::Status& status) {
  const auto details = client::DetailsOf(status);
  if (!details || details->violations.empty()) {
    cli::Fail(absl::Status(status.code(),
                           absl::StrCat(file, ": ", client::Explain(status))));
    return;
  }
  for (const client::FieldViolation& violation : details->violations) {
    std::cerr << file << ":" << violation.description << "\n";
  }
}

int AddOne(const client::Grading& grading, const std::string& file,
           client::Existing existing) {
  const auto yaml = scenario::ReadFile(file);
  if (!yaml.ok()) return cli::Fail(yaml.status());
  if (!Reads(file, *yaml)) return cli::kExitCannot;
  const auto added = grading.CreateExercise(*yaml, existing);
  if (absl::IsInvalidArgument(added.status())) {
    TellProblems(file, added.status());
    return cli::kExitCannot;
  }
  if (absl::IsAlreadyExists(added.status())) {
    std::cerr << "faultline: " << file << ": "
              << client::Explain(added.status()) << " (here --replace)\n";
    return cli::kExitCannot;
  }
  if (!added.ok()) return cli::Fail(added.status());
  for (const std::string& warning : added->warnings()) {
    std::cout << file << ":" << warning << "\n";
  }
  const v1::ExerciseSummary& exercise = added->exercise();
  const bool is_new =
      exercise.create_time().seconds() == exercise.update_time().seconds() &&
      exercise.create_time().nanos() == exercise.update_time().nanos();
  std::cout << exercise.name() << " is " << (is_new ? "added" : "replaced")
            << "\n";
  return cli::kExitOk;
}

int Add(const Flags& flags) {
  const auto grading = Connect(flags);
  if (!grading.ok()) return cli::Fail(grading.status());
  int worst = cli::kExitOk;
  for (const std::string& file : flags.files) {
    worst =
        std::max(worst, AddOne(*grading, file,
                               flags.replace ? client::Existing::kIsReplaced
                                             : client::Existing::kIsAnError));
  }
  return worst;
}

// --- list, delete

const char* KindName(v1::ExerciseKind kind) {
  return kind == v1::EXERCISE_KIND_ACHIEVE ? "goals" : "questions";
}

std::string Plural(int64_t count, const char* noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

int List(const Flags& flags) {
  const auto grading = Connect(flags);
  if (!grading.ok()) return cli::Fail(grading.status());
  const auto exercises = grading->ListExercises();
  if (!exercises.ok()) return cli::Fail(exercises.status());
  if (exercises->empty()) {
    std::cout << "no exercises; `faultline exercise add` adds one\n";
  }
  for (const v1::ExerciseSummary& one : *exercises) {
    std::cout << absl::StrFormat(
        "%-24s %-9s %5s points  %-12s %s  %s\n",
        absl::StripPrefix(one.name(), "exercises/"), KindName(one.kind()),
        grading::PointsText(one.points()), Plural(one.attempts(), "attempt"),
        cli::TimeText(one.update_time()), one.title());
  }
  return cli::kExitOk;
}

int Delete(const Flags& flags) {
  const auto grading = Connect(flags);
  if (!grading.ok()) return cli::Fail(grading.status());
  const absl::Status status =
      grading->DeleteExercise(flags.exercise, {.force = flags.force});
  if (absl::IsFailedPrecondition(status)) {
    std::cerr << "faultline: " << client::Explain(status)
              << " (here --force)\n";
    return cli::kExitCannot;
  }
  if (!status.ok()) return cli::Fail(status);
  std::cout << client::ExerciseName(flags.exercise) << " is deleted\n";
  return cli::kExitOk;
}

CLI::App* AddVerb(CLI::App& exercise, const char* verb, const char* help,
                  const std::shared_ptr<Flags>& flags, int (*run)(const Flags&),
                  int* exit_code) {
  CLI::App* command = AddCommand(
      exercise, verb, help, [flags, run] { return run(*flags); }, exit_code);
  cli::AddServerOption(*command, &flags->server);
  return command;
}

}  // namespace

void AddServerVerbs(CLI::App& exercise, int* exit_code) {
  auto flags = std::make_shared<Flags>();
  CLI::App* add = AddVerb(exercise, "add", "Adds files to a server, checked",
                          flags, Add, exit_code);
  add->add_option("files", flags->files, "The exercises' files")
      ->required()
      ->type_name("FILE");
  add->add_flag("--replace", flags->replace,
                "Also one that is there: its attempts are graded by the new");
  AddVerb(exercise, "list", "Lists the exercises of a server", flags, List,
          exit_code);
  CLI::App* remove = AddVerb(exercise, "delete", "Deletes one from a server",
                             flags, Delete, exit_code);
  remove->add_option("exercise", flags->exercise, "The exercise, as listed")
      ->required()
      ->type_name("ID");
  remove->add_flag("--force", flags->force,
                   "Also one with attempts: they and their grades are lost");
}

}  // namespace faultline
