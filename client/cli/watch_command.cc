// faultline watch: what the commands of a session do, past and future.

#include <google/protobuf/util/json_util.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "client/cli/subcommands.h"
#include "client/cli/terminal.h"
#include "server/scenario/names.h"

namespace faultline::cli {
namespace {

constexpr char kFooter[] =
    "Without --from it begins with the next command, and without --to it goes\n"
    "on until the session is closed; Ctrl-C ends it. A connection that breaks\n"
    "is made anew, and nothing is missed. --kind names fields of Event in\n"
    "event.proto, of every level.\n"
    "\n"
    "Examples:\n"
    "  faultline watch lab-1                     what happens from now on\n"
    "  faultline watch lab-1 --from 1 --commands all that has happened, too\n"
    "  faultline watch lab-1 --from 10 --to 20 --pid 2\n"
    "  faultline watch lab-1 --kind fault_refused --format=jsonl";

struct WatchFlags {
  std::string server;
  std::string session;
  int64_t from = 0;  // 0: the next command
  int64_t to = 0;    // 0: without end
  std::string level = "faults";
  std::string format = "text";
  client::WatchOptions options;
};

std::string ErrorOf(const v1::Outcome& outcome) {
  const char* name =
      scenario::ErrnoNames().NameOf(static_cast<uint64_t>(outcome.error()));
  return name != nullptr ? name : absl::StrCat("errno ", outcome.error());
}

std::string ResultOf(const v1::Change& change) {
  if (!change.has_outcome()) return "it broke the simulator";
  const v1::Outcome& outcome = change.outcome();
  if (outcome.no_process()) return "no such process";
  if (outcome.has_signal()) {
    const int32_t signal = outcome.signal().signal();
    const char* name =
        scenario::SignalNames().NameOf(static_cast<uint64_t>(signal));
    return absl::StrFormat(
        "%s at 0x%x", name != nullptr ? name : absl::StrCat("signal ", signal),
        outcome.signal().addr());
  }
  if (outcome.error() != v1::ERRNO_UNSPECIFIED) {
    return absl::StrCat("-1 ", ErrorOf(outcome));
  }
  return outcome.value() < 10 ? absl::StrCat(outcome.value())
                              : absl::StrFormat("0x%x", outcome.value());
}

void PrintCommand(const v1::Change& change, const Style& style) {
  std::string command = change.command().ShortDebugString();
  std::cout << "  " << style.Bold(command) << "  = " << ResultOf(change);
  if (!change.sender().empty()) {
    std::cout << style.Dim(absl::StrCat("  by ", change.sender()));
  }
}

// A revision, what was called if that was asked for, and a line for each event.
void PrintText(const v1::Change& change, const Style& style) {
  std::cout << absl::StrFormat("%6d", change.revision());
  if (change.has_command()) {
    PrintCommand(change, style);
    std::cout << "\n";
  }
  bool indent = change.has_command();
  for (const v1::Event& event : change.events()) {
    std::cout << (indent ? "        " : "  ") << event.text();
    if (event.pid() != 0) {
      std::cout << style.Dim(absl::StrCat("  pid ", event.pid()));
    }
    std::cout << "\n";
    indent = true;
  }
}

void PrintJson(const v1::Change& change) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string line;
  if (google::protobuf::util::MessageToJsonString(change, &line, options)
          .ok()) {
    std::cout << line << "\n";
  }
}

v1::EventLevel LevelOf(const WatchFlags& flags) {
  if (!flags.options.kinds.empty() || flags.level == "all") {
    return v1::EVENT_LEVEL_ALL;
  }
  return flags.level == "none" ? v1::EVENT_LEVEL_NONE : v1::EVENT_LEVEL_FAULTS;
}

int Watch(const WatchFlags& flags) {
  auto client = client::Client::Connect(flags.server);
  if (!client.ok()) return Fail(client.status());
  auto session = client->OpenSession(flags.session);
  if (!session.ok()) return Fail(session.status());
  client::WatchOptions options = flags.options;
  if (flags.from > 0) options.start_revision = flags.from;
  if (flags.to > 0) options.end_revision = flags.to;
  options.event_level = LevelOf(flags);
  const Style style(WantsColor(stdout));
  const bool json = flags.format == "jsonl";
  client::Cancellation cancellation;
  const absl::Status status = session->Watch(
      options,
      [&](const v1::WatchEventsResponse& response) {
        for (const v1::Change& change : response.changes()) {
          json ? PrintJson(change) : PrintText(change, style);
        }
        // Whoever reads this has gone.
        if (!std::cout.flush()) cancellation.Cancel();
      },
      &cancellation);
  if (!std::cout.good()) return kExitCannot;
  return status.ok() ? kExitOk : Fail(status);
}

}  // namespace

void AddWatch(CLI::App& app, Context& context) {
  auto flags = std::make_shared<WatchFlags>();
  CLI::App* watch = app.add_subcommand(
      "watch", "Tells what the commands of a session do, as they are recorded");
  AddServerOption(*watch, &flags->server);
  watch->add_option("session,--session", flags->session, "The session")
      ->required()
      ->type_name("ID");
  watch
      ->add_option("--from", flags->from,
                   "The first revision (default: the next)")
      ->check(CLI::PositiveNumber)
      ->type_name("REVISION");
  watch->add_option("--to", flags->to, "The last revision (default: none)")
      ->check(CLI::PositiveNumber)
      ->type_name("REVISION");
  watch
      ->add_option("--pid", flags->options.pids,
                   "Only of this process; may be repeated")
      ->type_name("PID");
  watch
      ->add_option("--kind", flags->options.kinds,
                   "Only events of this kind; may be repeated")
      ->type_name("KIND");
  watch
      ->add_option("--level", flags->level,
                   "How many events: none, faults (default) or all")
      ->check(CLI::IsMember({"none", "faults", "all"}))
      ->type_name("LEVEL");
  watch->add_flag("--commands", flags->options.include_commands,
                  "Also what was called, by whom, and what it gave");
  watch->add_option("--format", flags->format, "text (default) or jsonl")
      ->check(CLI::IsMember({"text", "jsonl"}))
      ->type_name("FORMAT");
  watch->footer(kFooter);
  watch->callback([flags, &context] { context.exit_code = Watch(*flags); });
}

}  // namespace faultline::cli
