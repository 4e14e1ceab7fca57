// faultline repl: the scenario language, line by line.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "client/cli/completion.h"
#include "client/cli/line_editor.h"
#include "client/cli/subcommands.h"
#include "client/cli/terminal.h"
#include "client/cpp/error.h"
#include "server/scenario/op_table.h"
#include "server/scenario/parser.h"
#include "server/scenario/report.h"
#include "server/scenario/runner.h"
#include "server/scenario/suggest.h"

namespace faultline::cli {
namespace {

constexpr char kReplFooter[] =
    "Type operations as in a scenario (`faultline run --help`); `help` lists\n"
    "them, `help mmap` explains one, Tab completes, `quit` or Ctrl-D ends. "
    "The\n"
    "history is kept in $XDG_STATE_HOME/faultline/history.\n"
    "\n"
    "Examples:\n"
    "  faultline repl\n"
    "  faultline repl --session lab-1\n"
    "  echo 'a: mmap 0 1p rw- PRIVATE|ANON' | faultline repl";

class Repl {
 public:
  Repl(const Place& place, const Context& context)
      : style_(WantsColor(stdout)),
        printer_(scenario::MakeTextPrinter(std::cout, style_)),
        parser_(""),
        runner_(FactoryFor(place, context, &session_), *printer_, {}, "") {}

  int Run() {
    LineEditor editor(HistoryPath(), [this](const std::string& text) {
      return Complete(text, State());
    });
    if (editor.interactive()) {
      std::cout << "A simulated Linux machine. `help` lists what it can do.\n";
    }
    while (auto line = editor.Read(Prompt())) {
      const absl::string_view trimmed = absl::StripAsciiWhitespace(*line);
      if (trimmed == "quit") break;
      if (trimmed == "help" || absl::StartsWith(trimmed, "help ")) {
        Help(absl::StripAsciiWhitespace(absl::StripPrefix(trimmed, "help")));
        continue;
      }
      Take(*line);
      std::cout.flush();
    }
    if (editor.interactive()) std::cout << "\n";
    if (!session_.empty()) {
      absl::FPrintF(stderr, "recorded as %s\n", session_);
    }
    // A person has seen the errors; a program that pipes lines in has not.
    return editor.interactive() ? kExitOk : exit_code_;
  }

 private:
  std::string Prompt() const { return absl::StrCat("@", process_, "> "); }

  CompletionState State() const {
    CompletionState state;
    for (const auto& label : runner_.labels())
      state.labels.push_back(label.first);
    state.files = files_;
    state.processes = std::max(1, runner_.process_count());
    return state;
  }

  void Take(const std::string& line) {
    auto op = parser_.ParseLine(line);
    if (!op.ok()) return Complain(op.status());
    if (!*op) return;
    process_ = (*op)->process;
    absl::Status status = runner_.Execute(**op);
    if (!status.ok()) return Complain(status);
    if ((*op)->kind == scenario::OpKind::kFile) {
      files_.push_back(absl::StrCat((*op)->file.number));
    }
  }

  void Complain(const absl::Status& status) {
    std::cout.flush();
    absl::FPrintF(stderr, "%s\n", client::Explain(status));
    if (!absl::IsAborted(status)) {
      exit_code_ = kExitCannot;
    } else if (exit_code_ == kExitOk) {
      exit_code_ = kExitFailed;
    }
  }

  void Help(absl::string_view word) {
    if (word.empty()) {
      for (const scenario::OpSpec& spec : scenario::OpTable()) {
        std::cout << absl::StrFormat("  %-18s %s\n", spec.name, spec.help);
      }
      std::cout << "  help [OP]          Explains.\n"
                   "  quit               Ends; so does Ctrl-D.\n";
      return;
    }
    const scenario::OpSpec* spec = scenario::FindOp(word);
    if (spec == nullptr) {
      return Complain(absl::NotFoundError(
          absl::StrCat("no op '", word, "'",
                       scenario::DidYouMean(word, scenario::OpNames()))));
    }
    std::cout << spec->name << " " << spec->usage << "\n  " << spec->help
              << "\n";
  }

  Style style_;
  std::unique_ptr<scenario::Printer> printer_;
  std::string session_;
  scenario::Parser parser_;
  scenario::Runner runner_;
  std::vector<std::string> files_;
  int process_ = 0;
  int exit_code_ = kExitOk;
};

}  // namespace

void AddRepl(CLI::App& app, Context& context) {
  auto place = std::make_shared<Place>();
  CLI::App* repl = app.add_subcommand("repl", "Drives a machine line by line");
  repl->add_option("--server", place->server,
                   "A session on a server, host:port (default: a machine in "
                   "this process)")
      ->type_name("ADDR");
  repl->add_option("--session", place->session,
                   "This session of the server; made if there is none of "
                   "that name")
      ->type_name("ID");
  repl->footer(kReplFooter);
  repl->callback(
      [place, &context] { context.exit_code = Repl(*place, context).Run(); });
}

}  // namespace faultline::cli
