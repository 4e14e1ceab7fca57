// conformance [--seeds A-B] [--ops N] [--profile P] [--kinds] [--keep DIR]:
// random scenarios on the real kernel and on a simulated machine, which must
// agree in every return, errno, signal, fault and dump. Prints a line for each
// profile and for each difference, made short, with the command that shows it
// again. conformance --scoreboard [--only TEXT]: the rows of tests/conformance.
//
// Exit code 0: no difference; 1: some; 2: it cannot be asked here.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/scenario/parser.h"
#include "tests/conformance/rows.h"
#include "tests/native/affinity.h"
#include "tests/native/conformance.h"
#include "tests/native/real_kernel.h"
#include "tests/native/scoreboard.h"
#include "tests/native/script_generator.h"
#include "tests/native/shrink.h"

namespace faultline::native {
namespace {

constexpr int kExitDiffer = 1;
constexpr int kExitCannot = 2;
// A difference that is not short after this many runs is short enough.
constexpr int kShrinkTries = 400;

struct Flags {
  std::string seeds = "1-10";
  std::string profile = "all";
  std::string keep;
  std::string files;  // a directory of a disk
  int operations = 80;
  int dump_every = 40;
  int differences_max = 10;
  bool shrink = true;
  bool verify = false;
  bool kinds = false;
};

struct Count {
  uint64_t operations = 0;
  uint64_t differ = 0;
  uint64_t unrepeated = 0;  // differences that were gone the second time
  std::map<std::string, KindCount> kinds;

  void Add(const Count& other) {
    operations += other.operations;
    differ += other.differ;
    unrepeated += other.unrepeated;
    AddKinds(other.kinds);
  }
  void AddKinds(const std::map<std::string, KindCount>& more) {
    for (const auto& [kind, count] : more) {
      kinds[kind].operations += count.operations;
      kinds[kind].succeeded += count.succeeded;
    }
  }
};

void PrintKinds(const Count& count) {
  for (const auto& [kind, n] : count.kinds) {
    std::cout << "  " << kind << ": " << n.operations << ", " << n.succeeded
              << " succeeded\n";
  }
}

void Print(const std::string& name, const Count& count) {
  std::cout << name << ": ops=" << count.operations
            << " agree=" << count.operations - count.differ
            << " differ=" << count.differ;
  if (count.unrepeated != 0) {
    std::cout << " unrepeated=" << count.unrepeated;
  }
  std::cout << std::endl;
}

bool Repeats(const Conformance& a, const Conformance& b) {
  return a.difference && b.difference &&
         a.difference->Text() == b.difference->Text();
}

Conformance RunRepeatably(RealKernel& kernel, const ScriptOptions& script,
                          const std::vector<std::string>& lines,
                          const ConformanceOptions& options, Count* count) {
  Conformance last = RunBoth(kernel, lines, options);
  int in_a_row = 1;
  for (int i = 0; i < kRepeatTries && last.difference; ++i) {
    const Conformance next = RunBoth(kernel, lines, options);
    if (!next.problem.empty()) return next;
    if (Repeats(last, next)) {
      if (++in_a_row == kInARow) return next;
      continue;
    }
    in_a_row = 1;
    ++count->unrepeated;
    std::cout << "seed " << script.seed << " profile " << NameOf(script.profile)
              << ": did not repeat: " << last.difference->Text() << std::endl;
    last = next;
  }
  return last;
}

std::vector<std::string> Shortest(RealKernel& kernel,
                                  const std::vector<std::string>& lines,
                                  const Difference& found,
                                  const ConformanceOptions& options) {
  return Shrink(
      lines,
      [&](const std::vector<std::string>& fewer) {
        const Conformance again = RunBoth(kernel, fewer, options);
        return again.problem.empty() && again.difference &&
               again.difference->field == found.field;
      },
      kShrinkTries);
}

// Shows a difference and keeps its script where it can be run again.
void Report(RealKernel& kernel, const ScriptOptions& script,
            std::vector<std::string> lines, const Difference& found,
            const Flags& flags, const ConformanceOptions& options) {
  std::cout << "seed " << script.seed << " profile " << NameOf(script.profile)
            << ": " << found.Text() << "\n";
  if (flags.shrink) lines = Shortest(kernel, lines, found, options);
  const std::filesystem::path folder =
      flags.keep.empty() ? std::filesystem::temp_directory_path()
                         : std::filesystem::path(flags.keep);
  const std::filesystem::path path =
      folder / (std::string("differs-") + NameOf(script.profile) + "-" +
                std::to_string(script.seed) + ".s");
  std::ofstream file(path);
  for (const std::string& line : lines) file << line << "\n";
  const Conformance shown = RunBoth(kernel, lines, options);
  for (const std::string& line : lines) std::cout << "    " << line << "\n";
  if (shown.difference) std::cout << "  " << shown.difference->Text() << "\n";
  std::cout << "  again: conformance --script " << path.string() << std::endl;
}

bool ParseSeeds(const std::string& text, uint64_t* first, uint64_t* last) {
  const size_t dash = text.find('-');
  try {
    size_t end = 0;
    *first = std::stoull(text, &end);
    if (dash == std::string::npos) {
      *last = *first;
      return end == text.size();
    }
    *last = std::stoull(text.substr(dash + 1), &end);
    return end == text.size() - dash - 1 && *first <= *last;
  } catch (const std::exception&) {
    return false;
  }
}

Count RunProfile(RealKernel& kernel, ScriptProfile profile, uint64_t first,
                 uint64_t last, const Flags& flags) {
  const bool newest =
      kernel.facts().machine.personality == v1::PERSONALITY_LINUX_6_18;
  const ConformanceOptions options{.verify = flags.verify,
                                   .on_disk = kernel.facts().has_disk};
  Count count;
  for (uint64_t seed = first; seed <= last; ++seed) {
    const ScriptOptions script{.seed = seed,
                               .operations = flags.operations,
                               .profile = profile,
                               .dump_every = flags.dump_every,
                               .on_disk = options.on_disk,
                               .huge_files = newest,
                               .poisons = !kernel.facts().poisons};
    const std::vector<std::string> lines = GenerateScript(script);
    const Conformance result =
        RunRepeatably(kernel, script, lines, options, &count);
    if (!result.problem.empty()) {
      std::cerr << "conformance: " << result.problem << "\n";
      std::exit(kExitCannot);
    }
    count.operations += static_cast<uint64_t>(result.operations);
    count.AddKinds(result.kinds);
    if (!result.difference) continue;
    ++count.differ;
    if (count.differ <= static_cast<uint64_t>(flags.differences_max)) {
      Report(kernel, script, lines, *result.difference, flags, options);
    }
  }
  Print(NameOf(profile), count);
  return count;
}

int RunSeeds(RealKernel& kernel, const Flags& flags) {
  uint64_t first = 0;
  uint64_t last = 0;
  if (!ParseSeeds(flags.seeds, &first, &last)) {
    std::cerr << "conformance: --seeds wants A or A-B with A <= B, not '"
              << flags.seeds << "'\n";
    return kExitCannot;
  }
  std::vector<ScriptProfile> profiles = AllScriptProfiles();
  if (flags.profile != "all") {
    profiles = {*ScriptProfileOf(flags.profile)};
  } else if (kernel.facts().thp != "madvise") {
    std::cout << "huge: left out, as this kernel has huge pages "
              << kernel.facts().thp << ", not madvise\n";
    std::erase(profiles, ScriptProfile::kHuge);
  }
  Count total;
  for (const ScriptProfile profile : profiles) {
    total.Add(RunProfile(kernel, profile, first, last, flags));
  }
  if (profiles.size() > 1) Print("all", total);
  if (flags.kinds) PrintKinds(total);
  return total.differ == 0 ? 0 : kExitDiffer;
}

int RunFile(RealKernel& kernel, const std::string& path, const Flags& flags) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  const Conformance result =
      RunBoth(kernel, lines,
              {.verify = flags.verify, .on_disk = kernel.facts().has_disk});
  if (!result.problem.empty()) {
    std::cerr << "conformance: " << result.problem << "\n";
    return kExitCannot;
  }
  if (!result.difference) {
    std::cout << "same: " << result.operations << " operations\n";
    return 0;
  }
  std::cout << result.difference->Text() << "\n";
  return kExitDiffer;
}

absl::StatusOr<std::vector<conformance::Case>> ReadCases(
    const std::string& path) {
  const auto text = scenario::ReadFile(path);
  if (!text.ok()) return text.status();
  return conformance::ParseCases(*text);
}

int RunRows(const std::string& folder, const std::string& cases_path,
            ScoreboardOptions options) {
  const auto rows = conformance::ReadAllRows(folder);
  const auto cases = ReadCases(cases_path);
  if (!rows.ok() || !cases.ok()) {
    std::cerr << "conformance: "
              << (rows.ok() ? cases.status() : rows.status()).message() << "\n";
    return kExitCannot;
  }
  options.cases = *cases;
  return PrintScoreboard(*rows, options, std::cout) ? 0 : kExitDiffer;
}

// Null: it cannot be asked, and that was said.
std::unique_ptr<RealKernel> KernelFor(const std::string& folder,
                                      const std::string& files) {
  if (!folder.empty()) {
    auto kernel = KernelAt(folder);
    if (kernel.ok()) return *std::move(kernel);
    std::cerr << "conformance: " << kernel.status().message() << "\n";
    return nullptr;
  }
  if (geteuid() != 0) {
    std::cerr << "conformance: run as root: it reads page frame numbers and "
                 "mounts a ramfs\n";
    return nullptr;
  }
  PinToFirstCpu();
  return ThisKernel(files);
}

}  // namespace
}  // namespace faultline::native

int main(int argc, char** argv) {
  using namespace faultline::native;  // NOLINT(build/namespaces)
  CLI::App app{
      "Random scenarios on the real kernel and on a simulated machine: do they "
      "agree?"};
  Flags flags;
  std::string script;
  bool scoreboard = false;
  ScoreboardOptions rows;
  std::string folder = "tests/conformance/rows";
  std::string cases = "tests/conformance/cases.txt";
  std::string kernel_at;
  std::string serve;
  std::vector<std::string> profiles = {"all"};
  for (const ScriptProfile profile : AllScriptProfiles()) {
    profiles.emplace_back(NameOf(profile));
  }
  app.add_option("--seeds", flags.seeds, "A or A-B (default 1-10)");
  app.add_option("--ops", flags.operations, "Operations in a script")
      ->check(CLI::PositiveNumber);
  app.add_option("--profile", flags.profile, "What the scripts are about")
      ->check(CLI::IsMember(profiles));
  app.add_option("--dump-every", flags.dump_every,
                 "Compare maps, smaps, page tables and status after so many "
                 "operations")
      ->check(CLI::PositiveNumber);
  app.add_option("--keep", flags.keep, "Where scripts that differ are written")
      ->check(CLI::ExistingDirectory);
  app.add_option("--files", flags.files,
                 "The files of random scripts, and of rows that want it, are "
                 "on a disk: in this directory of ext4")
      ->check(CLI::ExistingDirectory);
  app.add_option("--show", flags.differences_max,
                 "Differences shown for a profile");
  app.add_flag("--shrink,!--no-shrink", flags.shrink,
               "Make what differs as short as it goes (default)");
  app.add_flag("--verify", flags.verify,
               "Check the machine's invariants after every command");
  app.add_flag("--kinds", flags.kinds,
               "Say how many operations of each kind there were");
  app.add_flag("--scoreboard", scoreboard,
               "Run the rows of tests/conformance and print each");
  app.add_option("--only", rows.only,
                 "Only rows whose FAMILY/NAME contains this");
  app.add_option("--rows", folder, "Where the files of rows are")
      ->check(CLI::ExistingDirectory);
  app.add_option("--cases", cases, "The file of cases");
  app.add_option("--kernel-at", kernel_at,
                 "Ask the kernel of the virtual machine that shares this "
                 "directory (tests/native/linux61/run.sh)")
      ->check(CLI::ExistingDirectory);
  app.add_option("--serve", serve,
                 "Be the other end of --kernel-at, in the virtual machine")
      ->check(CLI::ExistingDirectory);
  app.add_option("--script", script, "Run this script and nothing else")
      ->check(CLI::ExistingFile);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitCannot;
  }
  const auto kernel = KernelFor(kernel_at, flags.files);
  if (!kernel) return kExitCannot;
  if (!serve.empty()) {
    Serve(*kernel, serve);
    return 0;
  }
  rows.kernel = kernel.get();
  if (scoreboard) return RunRows(folder, cases, rows);
  return script.empty() ? RunSeeds(*kernel, flags)
                        : RunFile(*kernel, script, flags);
}
