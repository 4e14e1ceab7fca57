// faultline run: executes a scenario.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <iostream>

#include "absl/strings/str_format.h"
#include "client/cli/progress_target.h"
#include "client/cli/subcommands.h"
#include "client/cli/terminal.h"
#include "server/scenario/parser.h"
#include "server/scenario/report.h"
#include "server/scenario/runner.h"

namespace faultline::cli {
namespace {

constexpr char kRunFooter[] =
    "A scenario has one operation per line; $name is what the line labelled\n"
    "name: returned, @1 is the second process, 4p is four pages:\n"
    "\n"
    "  boot ram=64m                    # optional, first\n"
    "  a: mmap 0 4p rw- PRIVATE|ANON\n"
    "  write $a 7\n"
    "  fork                            # makes process 1\n"
    "  @1 write $a 8                   # copies the page\n"
    "  expect min == 1\n"
    "  @0 read $a\n"
    "  expect val == 7\n"
    "  munmap $a 4p\n"
    "  read $a\n"
    "  expect sig SIGSEGV\n"
    "  cat /proc/self/maps\n"
    "\n"
    "`expect SUBJECT [CMP] VALUE` ends the run with exit status 1 unless it\n"
    "holds; CMP is == (default) != < <= > >=. Subjects of the operation "
    "before:\n"
    "ok ret err val sig code addr min maj child exited died skip fetchfault;\n"
    "of the process: vmas, status.FIELD; of the machine: meminfo.FIELD,\n"
    "vmstat.FIELD; of the VMA at an address: smaps.FIELD@ADDR, and `expect\n"
    "flags@ADDR contains|lacks FLAG`; of a page, its bits in pagemap: `expect\n"
    "page@ADDR contains|lacks LETTERS` (P present, S swapped, F file or\n"
    "shared, E exclusive, D soft-dirty, G guard); and `expect cat PATH\n"
    "contains|lacks TEXT`. Errnos, signals and si_codes may be named: expect\n"
    "err ENOMEM.\n"
    "\n"
    "Examples:\n"
    "  faultline run lesson.s\n"
    "  faultline run lesson.s --format=jsonl > ours.jsonl\n"
    "  faultline run - < lesson.s\n"
    "  faultline run lesson.s --session lab-1 --server localhost:50051";

struct RunFlags {
  std::string file;
  std::string format = "text";
  std::string events;
  bool maps_each = false;
  Place place;
};

v1::EventLevel EventLevelOf(const RunFlags& flags) {
  if (flags.events == "all") return v1::EVENT_LEVEL_ALL;
  if (flags.events == "none") return v1::EVENT_LEVEL_NONE;
  if (flags.events == "faults") return v1::EVENT_LEVEL_FAULTS;
  return flags.format == "text" ? v1::EVENT_LEVEL_FAULTS : v1::EVENT_LEVEL_NONE;
}

int Run(const RunFlags& flags, const Context& context) {
  absl::StatusOr<scenario::Script> script = scenario::ReadScript(flags.file);
  if (!script.ok()) return Fail(script.status());
  const auto printer =
      flags.format == "text"
          ? scenario::MakeTextPrinter(std::cout, Style(WantsColor(stdout)))
          : scenario::MakeJsonPrinter(std::cout);
  scenario::RunOptions options;
  options.maps_each = flags.maps_each;
  options.event_level = EventLevelOf(flags);
  std::string session;
  Progress progress("running", "operations", script->ops.size());
  scenario::Runner runner(
      WithProgress(FactoryFor(flags.place, context, &session), progress),
      *printer, options, script->file_name);
  const absl::Status status = runner.Run(*script);
  std::cout.flush();
  if (!session.empty()) {
    absl::FPrintF(stderr, "recorded as %s\n", session);
  }
  if (status.ok()) return std::cout.good() ? kExitOk : kExitCannot;
  Fail(status);
  return absl::IsAborted(status) ? kExitFailed : kExitCannot;
}

}  // namespace

void AddRun(CLI::App& app, Context& context) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* run = app.add_subcommand("run", "Executes a scenario");
  run->add_option("file", flags->file, "The scenario; - is standard input")
      ->required()
      ->type_name("FILE");
  run->add_option("--format", flags->format,
                  "text, for people, or jsonl, one JSON object per operation")
      ->check(CLI::IsMember({"text", "jsonl"}))
      ->type_name("text|jsonl");
  run->add_option("--events", flags->events,
                  "Which events to tell (default: faults; none with jsonl)")
      ->check(CLI::IsMember({"none", "faults", "all"}))
      ->type_name("none|faults|all");
  run->add_flag("--maps-each", flags->maps_each,
                "Dumps the maps of every process after each operation, in "
                "place of the scenario's own dumps");
  run->add_option("--server", flags->place.server,
                  "Runs on a server, host:port (default: in this process)")
      ->type_name("ADDR");
  run->add_option("--session", flags->place.session,
                  "Runs in this session of the server; makes it if there is "
                  "none of that name")
      ->type_name("ID");
  run->footer(kRunFooter);
  run->callback(
      [flags, &context] { context.exit_code = Run(*flags, context); });
}

}  // namespace faultline::cli
