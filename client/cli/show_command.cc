// faultline show and export: a session for people, and for other programs.

#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/export.h"
#include "client/cli/session_recording.h"
#include "client/cli/show.h"
#include "client/cli/subcommands.h"
#include "client/cli/terminal.h"

namespace faultline::cli {
namespace {

constexpr char kShowFooter[] =
    "Draws the address space of each process, high addresses on top: a box\n"
    "for each mapping with its line of /proc/PID/maps, in it a cell for each\n"
    "page (or an equal number of pages) with what is behind it, and a zigzag\n"
    "for what is not mapped. Then the timeline, a column for each revision\n"
    "(or an equal number of them), and the counters.\n"
    "\n"
    "Nothing is told by colour alone. Where the locale is not UTF-8 the\n"
    "glyphs are ASCII. Without --width a picture is as wide as the terminal;\n"
    "in a pipe $COLUMNS or 80; and 60 columns at least.\n"
    "\n"
    "Examples:\n"
    "  faultline show lab-1\n"
    "  faultline show lab-1 --at 12           as it was after revision 12\n"
    "  faultline show sessions/lab-1@12       the same, as a grade names it\n"
    "  faultline show lab-1 --pid 2 --width 120\n"
    "  faultline show lab-1 --color always | less -R";

constexpr char kExportFooter[] =
    "jsonl     one JSON object a revision; client/README.md has the fields\n"
    "perfetto  a trace for https://ui.perfetto.dev and trace_processor: calls\n"
    "          as slices, faults, counters, arrows from a fork to the child\n"
    "          and from a page to its copy\n"
    "chrome    nearly the same as JSON trace events, for other viewers\n"
    "\n"
    "The time of a trace is the machine's: equal sessions give equal bytes.\n"
    "A long session is written while it is read.\n"
    "\n"
    "Examples:\n"
    "  faultline export lab-1 > lab-1.jsonl\n"
    "  faultline export lab-1 | jq -c 'select(.outcome.error) | .command'\n"
    "  faultline export lab-1 --format=perfetto -o lab-1.pftrace\n"
    "  faultline export lab-1 --format=chrome --events=all -o lab-1.json";

struct ShowFlags {
  std::string server;
  std::string session;
  int64_t at = -1;
  uint32_t pid = 0;
  int width = 0;
  std::string color = "auto";
};

PictureStyle StyleOf(const ShowFlags& flags) {
  PictureStyle style;
  const int width = flags.width != 0 ? flags.width : WidthOf(stdout);
  style.width = std::clamp(width, kPictureWidthMin, kPictureWidthMax);
  style.unicode = IsUtf8Locale();
  style.color =
      flags.color == "always" || (flags.color == "auto" && WantsColor(stdout));
  return style;
}

int Show(const ShowFlags& flags) {
  const auto moment = MomentOf(flags.session, "--at", flags.at);
  if (!moment.ok()) return FailUsage(moment.status());
  auto recording = OpenRecording(flags.server, moment->session);
  if (!recording.ok()) return Fail(recording.status());
  ShowRequest request;
  if (moment->revision >= 0) request.at = moment->revision;
  if (flags.pid != 0) request.pid = flags.pid;
  request.style = StyleOf(flags);
  absl::StatusOr<std::string> text;
  {
    const int64_t revisions =
        request.at.value_or((*recording)->session().revision());
    Progress progress("reading", "commands", static_cast<uint64_t>(revisions));
    text = ShowSession(**recording, request, [&progress](int64_t done) {
      progress.Update(static_cast<uint64_t>(done));
    });
  }
  if (!text.ok()) return Fail(text.status());
  std::cout << *text << std::flush;
  return std::cout.good() ? kExitOk : kExitCannot;
}

struct ExportFlags {
  std::string server;
  std::string session;
  std::string format = "jsonl";
  std::string events = "faults";
  std::string file;
};

ExportRequest RequestOf(const ExportFlags& flags) {
  ExportRequest request;
  if (flags.format == "perfetto") request.format = ExportFormat::kPerfetto;
  if (flags.format == "chrome") request.format = ExportFormat::kChrome;
  if (flags.events == "none") request.level = v1::EVENT_LEVEL_NONE;
  if (flags.events == "all") request.level = v1::EVENT_LEVEL_ALL;
  return request;
}

// Where an export goes: a file, or standard output.
class Output {
 public:
  ~Output() {
    if (file_ != nullptr && file_ != stdout) std::fclose(file_);
  }

  absl::Status Open(const std::string& name) {
    name_ = name.empty() ? "standard output" : name;
    file_ = name.empty() ? stdout : std::fopen(name.c_str(), "wb");
    return file_ != nullptr ? absl::OkStatus() : Failed("cannot be written");
  }

  absl::Status Write(const std::string& bytes) {
    const size_t written = std::fwrite(bytes.data(), 1, bytes.size(), file_);
    return written == bytes.size() ? absl::OkStatus() : Failed("is incomplete");
  }

  absl::Status Close() {
    const bool flushed = std::fflush(file_) == 0;
    const bool closed = file_ == stdout || std::fclose(file_) == 0;
    file_ = nullptr;
    return flushed && closed ? absl::OkStatus() : Failed("is incomplete");
  }

 private:
  // CANCELLED: the reader of a pipe has seen enough.
  absl::Status Failed(const char* what) const {
    const std::string message =
        absl::StrCat(name_, " ", what, ": ", std::strerror(errno));
    return errno == EPIPE ? absl::CancelledError(message)
                          : absl::UnavailableError(message);
  }

  std::FILE* file_ = nullptr;
  std::string name_;
};

absl::Status WriteExport(Recording& recording, const ExportFlags& flags) {
  Output output;
  absl::Status status = output.Open(flags.file);
  if (!status.ok()) return status;
  Progress progress("exporting", "commands",
                    static_cast<uint64_t>(recording.session().revision()));
  status = ExportSession(
      recording, RequestOf(flags),
      [&output](const std::string& bytes) { return output.Write(bytes); },
      [&progress](int64_t done) {
        progress.Update(static_cast<uint64_t>(done));
      });
  return status.ok() ? output.Close() : status;
}

int Export(const ExportFlags& flags) {
  const bool to_terminal = flags.file.empty() && isatty(STDOUT_FILENO) == 1;
  if (flags.format == "perfetto" && to_terminal) {
    absl::FPrintF(stderr,
                  "faultline: a Perfetto trace is binary and this is a "
                  "terminal: give -o FILE or a pipe\n");
    return kExitUsage;
  }
  auto recording = OpenRecording(flags.server, flags.session);
  if (!recording.ok()) return Fail(recording.status());
  absl::Status status = WriteExport(**recording, flags);
  if (status.ok()) return kExitOk;
  return absl::IsCancelled(status) ? kExitCannot : Fail(status);
}

}  // namespace

void AddShow(CLI::App& app, Context& context) {
  auto flags = std::make_shared<ShowFlags>();
  CLI::App* show = app.add_subcommand(
      "show", "Draws a session: address spaces, timeline, counters");
  AddServerOption(*show, &flags->server);
  show->add_option("session,--session", flags->session, "The session")
      ->required()
      ->type_name("ID");
  show->add_option("--at", flags->at,
                   "As it was after this revision (default: the last)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("REVISION");
  show->add_option("--pid", flags->pid, "This process only")
      ->check(CLI::PositiveNumber)
      ->type_name("PID");
  show->add_option("--width", flags->width, "Columns of the picture")
      ->check(CLI::Range(kPictureWidthMin, kPictureWidthMax))
      ->type_name("N");
  show->add_option("--color", flags->color,
                   "auto: on a terminal, unless NO_COLOR is set")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->type_name("auto|always|never");
  show->footer(kShowFooter);
  show->callback([flags, &context] { context.exit_code = Show(*flags); });
}

void AddExport(CLI::App& app, Context& context) {
  auto flags = std::make_shared<ExportFlags>();
  CLI::App* command = app.add_subcommand(
      "export", "Writes a session as JSON lines or as a trace");
  AddServerOption(*command, &flags->server);
  command->add_option("session,--session", flags->session, "The session")
      ->required()
      ->type_name("ID");
  command->add_option("--format", flags->format, "What to write")
      ->check(CLI::IsMember({"jsonl", "perfetto", "chrome"}))
      ->type_name("jsonl|perfetto|chrome");
  command
      ->add_option("--events", flags->events,
                   "Which events to write (default: faults)")
      ->check(CLI::IsMember({"none", "faults", "all"}))
      ->type_name("none|faults|all");
  command
      ->add_option("-o,--output", flags->file,
                   "The file to write (default: standard output)")
      ->type_name("FILE");
  command->footer(kExportFooter);
  command->callback([flags, &context] { context.exit_code = Export(*flags); });
}

}  // namespace faultline::cli
