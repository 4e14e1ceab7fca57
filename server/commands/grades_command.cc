// faultline grades: the gradebook of an exercise on a server.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/context.h"
#include "client/cpp/client.h"
#include "server/codec/status_macros.h"
#include "server/commands/command.h"
#include "server/commands/grade_list.h"

namespace faultline {
namespace {

constexpr char kFooter[] =
    "Every grade that was given is kept, and listed in that order. Without "
    "the\n"
    "secret hidden checks are left out, and with them the score.\n"
    "\n"
    "csv   a row a grade, with a column check.ID for the points of each "
    "check;\n"
    "      a text that a spreadsheet would compute gets a ' before it\n"
    "json  an array of the messages Grade of proto/faultline/v1/grading.proto\n"
    "\n"
    "Examples:\n"
    "  faultline grades cow\n"
    "  faultline grades cow --student ada@x.edu\n"
    "  faultline grades cow --per=student --format=csv > cow.csv\n"
    "  faultline grades cow --format=json | jq '.[].report.score'";

struct Flags {
  std::string server;
  std::string exercise;
  std::string student;
  std::string secret;
  std::string format = "text";
  std::string per = "grade";
};

absl::StatusOr<std::vector<v1::Grade>> Read(const Flags& flags) {
  FL_ASSIGN_OR_RETURN(const client::Client client,
                      client::Client::Connect(flags.server));
  return client.grading().ListGrades({.exercise = flags.exercise,
                                      .student = flags.student,
                                      .secret = flags.secret});
}

int Run(const Flags& flags) {
  const auto all = Read(flags);
  if (!all.ok()) return cli::Fail(all.status());
  const auto grades = Select(*all, flags.per == "student"   ? Per::kStudent
                                   : flags.per == "attempt" ? Per::kAttempt
                                                            : Per::kGrade);
  if (flags.format == "csv") {
    std::cout << ToCsv(grades);
  } else if (flags.format == "json") {
    std::cout << ToJson(grades);
  } else if (grades.empty()) {
    std::cout << "no grades of " << client::ExerciseName(flags.exercise)
              << (flags.student.empty() ? "" : " for " + flags.student)
              << "; `faultline attempt grade` gives one\n";
  } else {
    std::cout << ToTable(grades);
  }
  return cli::kExitOk;
}

}  // namespace

void AddGrades(CLI::App& app, int* exit_code) {
  auto flags = std::make_shared<Flags>();
  CLI::App* grades = AddCommand(
      app, "grades", "Lists the grades of an exercise on a server",
      [flags] { return Run(*flags); }, exit_code);
  cli::AddServerOption(*grades, &flags->server);
  grades->add_option("exercise", flags->exercise, "The exercise, as listed")
      ->required()
      ->type_name("ID");
  grades->add_option("--student", flags->student, "Of this student only")
      ->type_name("WHO");
  grades
      ->add_option("--per", flags->per,
                   "Each grade; the last of each attempt; of these the best "
                   "of each student")
      ->check(CLI::IsMember({"grade", "attempt", "student"}))
      ->type_name("grade|attempt|student");
  grades->add_option("--format", flags->format, "How to write them")
      ->check(CLI::IsMember({"text", "csv", "json"}))
      ->type_name("text|csv|json");
  AddSecretOption(*grades, &flags->secret);
  grades->footer(kFooter);
}

}  // namespace faultline
