// faultline import: real programs on simulated machines.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/import_strace.h"
#include "client/cli/subcommands.h"
#include "client/cli/terminal.h"
#include "server/scenario/report.h"

namespace faultline::cli {
namespace {

constexpr char kFooter[] =
    "Record with address randomisation off, and with the names of "
    "descriptors:\n"
    "\n"
    "  setarch -R strace -f -y -o ls.strace -e trace=%memory,%process ls -l\n"
    "  faultline import strace ls.strace --session ls\n"
    "\n"
    "(Add %file,close,dup,dup2 to the traced calls to have modes of opening\n"
    "too.) Each call is made on the simulated machine and its result compared\n"
    "with the recorded one; what differs is told by line, and exit status 1\n"
    "says that something did. Of each program only the head of its file is\n"
    "read; it becomes part of the session, so that a replay needs no file.\n"
    "Loads and stores are not in such a recording.\n"
    "\n"
    "With --maps-dir, a directory of real /proc/PID/maps, these are compared\n"
    "too: N.execK.maps just after the K-th execve of task N, N.exitK.maps at\n"
    "the end of that image. With --heads, a directory of heads of "
    "executables,\n"
    "the recorded system's files are not needed. FILE may be a directory that\n"
    "has strace.txt, snap/ with maps and snap/elf/ with heads.";

constexpr size_t kShownMax = 50;

struct ImportFlags {
  std::string file;
  std::string fs = "detect";
  std::string kernel;  // "6.18" or "6.1"; empty: the recording says
  bool show_maps = false;
  bool explain = false;
  Place place;
  ImportOptions options;
};

v1::FsType FsTypeOf(const std::string& name) {
  if (name == "ext4") return v1::FS_TYPE_EXT4;
  if (name == "tmpfs") return v1::FS_TYPE_TMPFS;
  if (name == "ramfs") return v1::FS_TYPE_RAMFS;
  return v1::FS_TYPE_UNSPECIFIED;
}

template <typename Items, typename Print>
void PrintSome(const Items& items, const char* what, Print print) {
  for (size_t i = 0; i < std::min(items.size(), kShownMax); ++i) {
    print(items[i]);
  }
  if (items.size() > kShownMax) {
    std::cout << "  … and " << items.size() - kShownMax << " more " << what
              << "\n";
  }
}

void PrintLineDifferences(const MapsComparison& maps, const Style& style) {
  const auto has = [](const std::vector<std::string>& lines,
                      const std::string& line) {
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  };
  for (const std::string& line : maps.theirs) {
    if (!has(maps.ours, line)) {
      std::cout << style.Bad("    real only: ") << line << "\n";
    }
  }
  for (const std::string& line : maps.ours) {
    if (!has(maps.theirs, line)) {
      std::cout << style.Bad("    ours only: ") << line << "\n";
    }
  }
}

void PrintMaps(const ImportReport& report, const Style& style) {
  size_t equal = 0;
  for (const MapsComparison& maps : report.maps) {
    if (maps.equal()) {
      ++equal;
      continue;
    }
    std::cout << style.Bad("maps differ: ") << maps.name << "\n";
    PrintLineDifferences(maps, style);
  }
  if (!report.maps.empty()) {
    std::cout << absl::StrFormat("maps: %d of %d equal to the real ones\n",
                                 equal, report.maps.size());
  }
}

void PrintFaults(const ImportReport& report) {
  std::cout << "faults: " << report.minor_faults << " minor, "
            << report.major_faults << " major\n";
  for (const auto& [resolution, count] : report.resolutions) {
    std::cout << absl::StrFormat("  %6d x %s\n", count,
                                 scenario::ResolutionText(resolution));
  }
}

void PrintReading(const strace::Diagnostics& diagnostics) {
  const strace::Totals& totals = diagnostics.totals();
  for (const strace::Diagnostic& d : diagnostics.kept()) {
    const bool skipped = d.kind == strace::Diagnostic::Kind::kSkipped;
    std::cout << "line " << d.line << (skipped ? " skipped: " : ": ")
              << d.reason;
    if (!d.excerpt.empty()) std::cout << ": " << d.excerpt;
    std::cout << "\n";
  }
  std::cout << Count(static_cast<uint64_t>(totals.lines), "line") << ", "
            << totals.skipped << " of no use\n";
}

void PrintReport(const ImportReport& report, const ImportFlags& flags,
                 const strace::Diagnostics& diagnostics) {
  const Style style(WantsColor(stdout));
  PrintReading(diagnostics);
  PrintSome(report.notes, "notes",
            [](const std::string& note) { std::cout << note << "\n"; });
  PrintSome(report.differences, "differences", [&](const Difference& d) {
    std::cout << style.Bad(absl::StrCat("line ", d.line)) << ": " << d.text
              << "\n";
  });
  if (report.realigned > 0) {
    std::cout << Count(static_cast<uint64_t>(report.realigned), "large mapping")
              << " lay elsewhere because the recorded addresses were "
                 "randomised: moved\n";
  }
  for (const auto& [name, count] : report.not_reenacted) {
    std::cout << "not re-enacted: " << name << ", "
              << Count(static_cast<uint64_t>(count), "time") << "\n";
  }
  if (flags.show_maps) {
    for (const auto& [name, maps] : report.final_maps) {
      std::cout << style.Bold(absl::StrCat("simulated maps of ", name)) << "\n"
                << maps;
    }
  }
  PrintMaps(report, style);
  PrintFaults(report);
  const std::string verdict =
      absl::StrCat(Count(report.differences.size(), "difference"));
  std::cout << absl::StrFormat(
      "re-enacted %d calls of %s, compared %d results: %s\n", report.calls,
      Count(static_cast<uint64_t>(report.tasks), "task"), report.compared,
      report.agrees() ? style.Good(verdict) : style.Bad(verdict));
}

// The kernel a recording was made on, from its about.txt ("kernel: Linux
// 6.1.0-18-amd64 x86_64"); what is older than 6.7 behaves as 6.1 does.
std::string KernelOf(const std::filesystem::path& about) {
  std::ifstream in(about);
  std::string line;
  while (std::getline(in, line)) {
    int major = 0, minor = 0;
    if (std::sscanf(line.c_str(), "kernel: Linux %d.%d", &major, &minor) == 2) {
      return major < 6 || (major == 6 && minor < 7) ? "6.1" : "6.18";
    }
  }
  return "6.18";
}

v1::MachineConfig ConfigOf(const ImportFlags& flags) {
  v1::MachineConfig config;
  config.set_personality(flags.kernel == "6.1" ? v1::PERSONALITY_LINUX_6_1
                                               : v1::PERSONALITY_LINUX_6_18);
  return config;
}

// A directory with a whole recording names its parts itself.
void TakeDirectory(ImportFlags* flags) {
  namespace fs = std::filesystem;
  std::error_code error;
  ImportOptions& options = flags->options;
  if (fs::is_directory(flags->file, error)) {
    const fs::path directory = flags->file;
    flags->file = directory / "strace.txt";
    if (flags->kernel.empty()) {
      flags->kernel = KernelOf(directory / "about.txt");
    }
    if (options.maps_dir.empty() &&
        fs::is_directory(directory / "snap", error)) {
      options.maps_dir = directory / "snap";
    }
  }
  const fs::path heads = fs::path(options.maps_dir) / "elf";
  if (options.heads.empty() && fs::exists(heads / "index.tsv", error)) {
    options.heads = heads;
  }
}

int Import(ImportFlags flags, const Context& context) {
  TakeDirectory(&flags);
  std::ifstream file;
  if (flags.file != "-") {
    file.open(flags.file);
    if (!file) {
      return Fail(absl::NotFoundError(absl::StrCat("cannot read the recording ",
                                                   flags.file, ": ",
                                                   std::strerror(errno))));
    }
  }
  ImportOptions options = flags.options;
  options.fs = FsTypeOf(flags.fs);
  if (!options.maps_dir.empty() &&
      !std::filesystem::is_directory(options.maps_dir)) {
    return Fail(absl::NotFoundError(
        absl::StrCat("--maps-dir ", options.maps_dir, " is not a directory")));
  }
  if (flags.explain) {
    options.tell = [](const std::string& text) { std::cout << text << "\n"; };
  }
  flags.place.fresh = true;
  std::string session;
  auto target = FactoryFor(flags.place, context, &session)(ConfigOf(flags));
  if (!target.ok()) return Fail(target.status());
  (*target)->set_event_level(v1::EVENT_LEVEL_FAULTS);
  strace::Reader reader(flags.file == "-" ? std::cin : file);
  Reenactor reenactor(**target, options);
  absl::StatusOr<ImportReport> report;
  {
    Progress progress("importing", "lines", 0);
    report = reenactor.Run(reader, [&progress](int64_t line) {
      progress.Update(static_cast<uint64_t>(line));
    });
  }
  if (!session.empty()) absl::FPrintF(stderr, "recorded as %s\n", session);
  if (!report.ok()) {
    return Fail(absl::Status(
        report.status().code(),
        absl::StrCat(flags.file, ": ", report.status().message())));
  }
  PrintReport(*report, flags, reader.diagnostics());
  return report->agrees() ? kExitOk : kExitFailed;
}

}  // namespace

void AddImport(CLI::App& app, Context& context) {
  auto flags = std::make_shared<ImportFlags>();
  CLI::App* import =
      app.add_subcommand("import", "Re-enacts recordings of real programs");
  import->require_subcommand(1);
  CLI::App* strace = import->add_subcommand(
      "strace", "Re-enacts what strace -f recorded of a program");
  strace->add_option("file", flags->file, "What strace -o wrote; - is stdin")
      ->required()
      ->type_name("FILE");
  strace
      ->add_option("--root", flags->options.root,
                   "Has the recorded system's files (default: this system)")
      ->type_name("DIR");
  strace
      ->add_option("--heads", flags->options.heads,
                   "Has index.tsv and the heads of the executables")
      ->type_name("DIR");
  strace
      ->add_option("--maps-dir", flags->options.maps_dir,
                   "Has real /proc/PID/maps to compare with")
      ->type_name("DIR");
  strace->add_flag("--show-maps", flags->show_maps,
                   "Prints the simulated maps of each process at its end");
  strace->add_flag("--explain", flags->explain,
                   "Tells every fault and event, call by call");
  strace
      ->add_option("--fs", flags->fs,
                   "Which file system the recorded files were on")
      ->check(CLI::IsMember({"detect", "ext4", "ramfs", "tmpfs"}))
      ->type_name("detect|ext4|ramfs|tmpfs");
  strace
      ->add_option("--kernel", flags->kernel,
                   "Whose behaviour the machine has (default: that of the "
                   "recording's about.txt, else 6.18)")
      ->check(CLI::IsMember({"6.18", "6.1"}))
      ->type_name("6.18|6.1");
  strace
      ->add_option("--server", flags->place.server,
                   "Runs on a server, host:port (default: in this process)")
      ->type_name("ADDR");
  strace
      ->add_option("--session", flags->place.session,
                   "The name of the new session on the server")
      ->type_name("ID");
  strace->footer(kFooter);
  strace->callback(
      [flags, &context] { context.exit_code = Import(*flags, context); });
}

}  // namespace faultline::cli
