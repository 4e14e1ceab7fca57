#include "client/cli/main.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "client/cli/subcommands.h"
#include "server/scenario/suggest.h"

namespace faultline::cli {
namespace {

constexpr char kAbout[] =
    "Faultline: simulated Linux machines whose memory management can be\n"
    "driven, watched, recorded and replayed.";

constexpr char kFooter[] =
    "Examples:\n"
    "  faultline run lesson.s                    a scenario, in this process\n"
    "  faultline serve --data ~/faultline &      a server that records\n"
    "  faultline run lesson.s --session lab-1    the same, on the server\n"
    "  faultline cat /proc/1/maps --session lab-1\n"
    "  faultline show lab-1                      draws what happened in it\n"
    "  faultline snapshot create lab-1 before    keeps its machine as it is\n"
    "  faultline policies --frames 3 1 2 3 4 1 2 5 1 2 3 4 5\n"
    "  faultline verify lab-1                    replays what was recorded\n"
    "  faultline watch lab-1                     what happens in it, live\n"
    "  faultline import strace ls.strace         re-enacts a real program\n"
    "  faultline grade cow.yaml answers.yaml --student ada@x.edu\n"
    "  faultline exercise add cow.yaml           to a server, for a class:\n"
    "  faultline attempt start cow --student ada@x.edu\n"
    "\n"
    "Exit status: 0 done; 1 it ran, and an expectation, a comparison or a\n"
    "verification failed; 2 it could not be done; 3 wrong usage.\n"
    "`faultline SUBCOMMAND --help` has flags and examples.";

// The parser of the innermost subcommand that the command line named.
const CLI::App* Innermost(const CLI::App* app) {
  while (!app->get_subcommands().empty()) {
    app = app->get_subcommands().front();
  }
  return app;
}

std::vector<std::string> KnownFlags(const CLI::App* app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app->get_options()) {
    for (const std::string& name : option->get_lnames()) {
      flags.push_back(absl::StrCat("--", name));
    }
  }
  return flags;
}

std::vector<std::string> KnownSubcommands(const CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::App* sub :
       app->get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(sub->get_name());
  }
  return names;
}

// "--fromat" of "--fromat=text".
std::string FlagOf(absl::string_view argument) {
  return std::string(argument.substr(0, argument.find('=')));
}

// What to say of a command line that the parser refused.
std::string UsageMessage(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* inner = Innermost(&app);
  const std::vector<std::string> extra = app.remaining(true);
  if (extra.empty()) return error.what();
  const std::string word = FlagOf(extra.front());
  if (absl::StartsWith(word, "-")) {
    return absl::StrCat("unknown flag '", word, "'",
                        scenario::DidYouMean(word, KnownFlags(inner)));
  }
  const std::vector<std::string> subcommands = KnownSubcommands(inner);
  if (subcommands.empty()) {
    return absl::StrCat("'", word, "' is one argument too many");
  }
  return absl::StrCat("unknown subcommand '", word, "'",
                      scenario::DidYouMean(word, subcommands));
}

// The names of the parsers around `app`: "faultline session".
std::string Above(const CLI::App* app) {
  std::string names;
  for (const CLI::App* up = app->get_parent(); up != nullptr;
       up = up->get_parent()) {
    names = names.empty() ? up->get_name()
                          : absl::StrCat(up->get_name(), " ", names);
  }
  return names;
}

std::string FullName(const CLI::App* app) {
  const std::string above = Above(app);
  return above.empty() ? app->get_name()
                       : absl::StrCat(above, " ", app->get_name());
}

int Usage(const CLI::App& app, const CLI::ParseError& error) {
  std::string message = UsageMessage(app, error);
  while (!message.empty() && message.back() == '\n') message.pop_back();
  absl::FPrintF(stderr, "faultline: %s\nTry `%s --help`.\n", message,
                FullName(Innermost(&app)));
  return kExitUsage;
}

}  // namespace

int Main(int argc, char** argv, const Hooks& hooks) {
  // A reader that goes away (| head) ends us by an error, not by a signal.
  std::signal(SIGPIPE, SIG_IGN);
  Context context;
  context.hooks = &hooks;
  CLI::App app(kAbout, "faultline");
  app.set_version_flag("--version", "faultline 0.1.0");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  if (hooks.serve) {
    CLI::App* serve = app.add_subcommand("serve", "Runs a server");
    std::function<int()> run = hooks.serve(*serve);
    serve->callback([&context, run] { context.exit_code = run(); });
  }
  AddRun(app, context);
  AddRepl(app, context);
  AddImport(app, context);
  AddSession(app, context);
  AddSnapshot(app, context);
  AddCat(app, context);
  AddShow(app, context);
  AddExport(app, context);
  AddMm(app, context);
  AddCache(app, context);
  AddSlabs(app, context);
  AddLru(app, context);
  AddSwaps(app, context);
  AddPolicies(app, context);
  AddReplay(app, context);
  AddVerify(app, context);
  AddWatch(app, context);
  if (hooks.more) hooks.more(app, &context.exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    const CLI::App* inner = Innermost(&app);
    std::cout << inner->help(Above(inner));
  } catch (const CLI::CallForVersion& version) {
    std::cout << version.what() << "\n";
  } catch (const CLI::ParseError& error) {
    return Usage(app, error);
  }
  std::cout.flush();
  return context.exit_code;
}

}  // namespace faultline::cli
