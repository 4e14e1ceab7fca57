// faultline cat, replay and verify: looking at a session of a server.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>

#include "absl/strings/str_format.h"
#include "client/cli/subcommands.h"
#include "client/cli/terminal.h"

namespace faultline::cli {
namespace {

struct HistoryFlags {
  std::string server;
  std::string session;
  std::string path;
  // -1: as it is, all
  int64_t revision = -1;
};

absl::StatusOr<client::Session> Open(const HistoryFlags& flags,
                                     const std::string& session) {
  auto client = client::Client::Connect(flags.server);
  if (!client.ok()) return client.status();
  return client->OpenSession(session);
}

// Reports progress of a stream through one Progress line.
client::ProgressCallback Show(Progress& progress) {
  return [&progress](int64_t done, int64_t total) {
    progress.SetTotal(static_cast<uint64_t>(total));
    progress.Update(static_cast<uint64_t>(done));
  };
}

int Cat(const HistoryFlags& flags) {
  const auto moment = MomentOf(flags.session, "--at", flags.revision);
  if (!moment.ok()) return FailUsage(moment.status());
  auto session = Open(flags, moment->session);
  if (!session.ok()) return Fail(session.status());
  auto text = moment->revision < 0
                  ? session->ReadProc(flags.path)
                  : session->At(moment->revision).ReadProc(flags.path);
  if (!text.ok()) return Fail(text.status());
  std::cout << *text << std::flush;
  return std::cout.good() ? kExitOk : kExitCannot;
}

void PrintDivergence(const v1::Divergence& divergence) {
  std::cout << absl::StrFormat(
      "first difference at revision %d: recorded digest %016x, replayed "
      "%016x\n",
      divergence.revision(), divergence.recorded_digest(),
      divergence.outcome().digest());
  std::cout << "  command: " << divergence.command().ShortDebugString() << "\n"
            << "  outcome: " << divergence.outcome().ShortDebugString() << "\n";
}

int Replay(const HistoryFlags& flags) {
  const auto moment = MomentOf(flags.session, "--to", flags.revision);
  if (!moment.ok()) return FailUsage(moment.status());
  if (moment->revision == 0) {
    return FailUsage(absl::InvalidArgumentError(
        "nothing comes before revision 1: replay to 1 or later"));
  }
  auto session = Open(flags, moment->session);
  if (!session.ok()) return Fail(session.status());
  absl::StatusOr<v1::ReplayReport> report;
  {
    Progress progress("replaying", "commands", 0);
    report =
        session->Replay(std::max<int64_t>(moment->revision, 0), Show(progress));
  }
  if (!report.ok()) return Fail(report.status());
  std::cout << absl::StrFormat(
      "replayed %d of %d commands, fingerprint %016x\n", report->equal(),
      report->commands(), report->fingerprint());
  if (!report->has_first_divergence()) return kExitOk;
  PrintDivergence(report->first_divergence());
  return kExitFailed;
}

int Verify(const HistoryFlags& flags) {
  auto session = Open(flags, flags.session);
  if (!session.ok()) return Fail(session.status());
  absl::StatusOr<v1::VerifyReport> report;
  {
    Progress progress("verifying", "commands", 0);
    report = session->Verify(Show(progress));
  }
  if (!report.ok()) return Fail(report.status());
  const Style style(WantsColor(stdout));
  for (const v1::Check& check : report->checks()) {
    std::cout << absl::StrFormat(
        "  %s %-11s %s\n",
        check.ok() ? style.Good("ok    ") : style.Bad("FAILED"), check.name(),
        check.text());
  }
  if (report->replay().has_first_divergence()) {
    PrintDivergence(report->replay().first_divergence());
  }
  std::cout << absl::StrFormat("verified %d of %d commands of %s\n",
                               report->replay().equal(),
                               report->replay().commands(), session->name());
  return report->ok() ? kExitOk : kExitFailed;
}

CLI::App* Add(CLI::App& app, Context& context,
              const std::shared_ptr<HistoryFlags>& flags, const char* name,
              const char* help, int (*run)(const HistoryFlags&)) {
  CLI::App* command = app.add_subcommand(name, help);
  AddServerOption(*command, &flags->server);
  command->callback(
      [flags, run, &context] { context.exit_code = run(*flags); });
  return command;
}

}  // namespace

void AddCat(CLI::App& app, Context& context) {
  auto flags = std::make_shared<HistoryFlags>();
  CLI::App* cat = Add(app, context, flags, "cat",
                      "Prints a /proc file of a session's machine", Cat);
  cat->add_option("path", flags->path, "/proc/1/maps, /proc/meminfo …")
      ->required()
      ->type_name("PATH");
  cat->add_option("--session", flags->session, "The session")
      ->required()
      ->type_name("ID");
  cat->add_option("--at", flags->revision,
                  "As it was after this revision, also of a closed session "
                  "(default: as it is)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("REVISION");
  cat->footer(
      "Examples:\n"
      "  faultline cat /proc/1/maps --session lab-1\n"
      "  faultline cat /proc/1/maps --session lab-1 --at 12\n"
      "  faultline cat /proc/1/maps --session lab-1@12      the same\n"
      "  faultline cat /proc/buddyinfo --session lab-1\n"
      "The first process has pid 1. The text is in Linux's own format.");
}

void AddReplay(CLI::App& app, Context& context) {
  auto flags = std::make_shared<HistoryFlags>();
  CLI::App* replay =
      Add(app, context, flags, "replay",
          "Executes a session's commands again and compares", Replay);
  replay->add_option("session,--session", flags->session, "The session")
      ->required()
      ->type_name("ID");
  replay
      ->add_option("--to", flags->revision,
                   "Up to this revision (default: all)")
      ->check(CLI::PositiveNumber)
      ->type_name("REVISION");
  replay->footer(
      "The commands run on a fresh machine on the server; the outcome of each\n"
      "must have the digest that was recorded. Exit status 1 tells of a\n"
      "difference, and the first one is shown.\n"
      "\n"
      "Examples:\n"
      "  faultline replay lab-1\n"
      "  faultline replay lab-1 --to 100\n"
      "  faultline replay lab-1@100                 the same");
}

void AddVerify(CLI::App& app, Context& context) {
  auto flags = std::make_shared<HistoryFlags>();
  CLI::App* verify = Add(app, context, flags, "verify",
                         "Checks all that is recorded of a session", Verify);
  verify->add_option("session,--session", flags->session, "The session")
      ->required()
      ->type_name("ID");
  verify->footer(
      "Checks the journal's chain of hashes, replays every command, checks "
      "the\n"
      "invariants of the machine that it ends in and compares it with the "
      "live\n"
      "one. Exit status 1 tells that a check failed.\n"
      "\n"
      "Example:\n"
      "  faultline verify lab-1");
}

}  // namespace faultline::cli
