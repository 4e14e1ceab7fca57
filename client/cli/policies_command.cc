// faultline policies: what each replacement policy does with a reference
// string, or with what a session recorded.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "client/cli/reference_string.h"
#include "client/cli/session_recording.h"
#include "client/cli/subcommands.h"
#include "server/scenario/names.h"

namespace faultline::cli {
namespace {

constexpr char kFooter[] =
    "Each PAGE is a number from 0 to 9999, and a `w` behind it makes the "
    "access\n"
    "a store. A machine is booted for each policy; its process gets the "
    "frames\n"
    "and makes the accesses. With one policy and one number of frames the\n"
    "frames are shown after each access; else the faults of each.\n"
    "With --session the accesses are those of a recorded process: pages are\n"
    "numbered from 0 in the order of their addresses, and OPT knows what was\n"
    "accessed later.\n"
    "\n"
    "Policies: fifo lru clock second_chance lfu mru nru aging random opt.\n"
    "\n"
    "Examples:\n"
    "  faultline policies --frames 3 7 0 1 2 0 3 0 4 2 3 0 3 2\n"
    "  faultline policies --policy lru --frames 3 7 0 1 2 0 3 0 4\n"
    "  faultline policies --policy fifo --frames 1-5 1 2 3 4 1 2 5 1 2 3 4 5\n"
    "                                             Belady's anomaly\n"
    "  faultline policies --session lab-1 --pid 2 --frames 4-16";

constexpr uint64_t kPageSize = 4096;
constexpr uint64_t kFramesMax = 64;
constexpr uint64_t kSwapBytes = uint64_t{64} << 20;
constexpr char kAll[] = "all";

struct PoliciesFlags {
  std::string frames = "3";
  std::string policy = kAll;
  std::string server;
  std::string session;
  uint32_t pid = 1;
  std::vector<std::string> pages;
};

// What one access did.
struct Step {
  bool fault = false;
  std::vector<uint64_t> frames;  // the page in each; kFree: none
};
constexpr uint64_t kFree = ~uint64_t{0};

// "3" or "1-5".
absl::StatusOr<std::vector<uint32_t>> ParseFrames(const std::string& text) {
  const std::vector<std::string> ends = absl::StrSplit(text, '-');
  uint32_t first = 0, last = 0;
  const bool well = ends.size() <= 2 && absl::SimpleAtoi(ends[0], &first) &&
                    absl::SimpleAtoi(ends.back(), &last) && first >= 1 &&
                    first <= last && last <= kFramesMax;
  if (!well) {
    return absl::InvalidArgumentError(
        absl::StrCat("--frames ", text, ": write a number from 1 to ",
                     kFramesMax, ", or two of them, 1-5"));
  }
  std::vector<uint32_t> frames;
  for (uint32_t n = first; n <= last; ++n) frames.push_back(n);
  return frames;
}

absl::StatusOr<std::vector<std::string>> ParsePolicies(
    const std::string& text) {
  std::vector<std::string> known;
  for (const std::string& name : scenario::PolicyNames().Names()) {
    if (name != "none" && name != "client") known.push_back(name);
  }
  if (text == kAll) return known;
  if (std::find(known.begin(), known.end(), text) != known.end()) {
    return std::vector<std::string>{text};
  }
  return absl::InvalidArgumentError(
      absl::StrCat("there is no policy '", text, "': see --help"));
}

// A process with frames of its own, on a machine of its own.
class Governed {
 public:
  static absl::StatusOr<Governed> Boot(const scenario::TargetFactory& factory) {
    v1::MachineConfig config;
    config.set_swap_bytes(kSwapBytes);
    auto target = factory(config);
    if (!target.ok()) return target.status();
    Governed process(*std::move(target));
    v1::Command map = process.Call();
    map.mutable_mmap()->set_length(kPagesMax * kPageSize);
    map.mutable_mmap()->set_prot(3);      // PROT_READ|PROT_WRITE
    map.mutable_mmap()->set_flags(0x22);  // MAP_PRIVATE|MAP_ANONYMOUS
    map.mutable_mmap()->set_fd(-1);
    absl::StatusOr<v1::Outcome> mapped = process.Apply(map);
    if (!mapped.ok()) return mapped.status();
    process.base_ = static_cast<uint64_t>(mapped->value());
    return process;
  }

  absl::Status Set(const std::string& policy, uint32_t frames,
                   const std::vector<Reference>& string) {
    frames_.assign(frames, kFree);
    v1::Command set = Call();
    v1::SetReplacement& call = *set.mutable_set_replacement();
    call.set_policy(static_cast<v1::ReplacementPolicy>(
        *scenario::PolicyNames().Find(policy)));
    call.set_frames(frames);
    for (const Reference& one : string) call.add_future(AddrOf(one.page));
    return Apply(set).status();
  }

  absl::StatusOr<Step> Access(const Reference& one) {
    v1::Command access = Call();
    access.mutable_access()->set_kind(one.write ? v1::ACCESS_KIND_WRITE
                                                : v1::ACCESS_KIND_READ);
    access.mutable_access()->set_addr(AddrOf(one.page));
    absl::StatusOr<v1::Outcome> outcome = Apply(access);
    if (!outcome.ok()) return outcome.status();
    Step step;
    for (const v1::Event& event : outcome->events()) {
      if (!event.has_page_replaced()) continue;
      step.fault = true;
      Learn(event.page_replaced());
    }
    step.frames = frames_;
    return step;
  }

 private:
  explicit Governed(std::unique_ptr<scenario::Target> target)
      : target_(std::move(target)) {
    target_->set_event_level(v1::EVENT_LEVEL_FAULTS);
  }

  static v1::Command Call() {
    v1::Command command;
    command.set_pid(1);
    return command;
  }
  uint64_t AddrOf(uint64_t page) const { return base_ + page * kPageSize; }

  absl::StatusOr<v1::Outcome> Apply(const v1::Command& command) {
    absl::StatusOr<v1::Outcome> outcome = target_->Apply(command);
    if (!outcome.ok() || outcome->error() == v1::ERRNO_UNSPECIFIED) {
      return outcome;
    }
    return absl::InternalError(absl::StrCat("the machine refused: ",
                                            v1::Errno_Name(outcome->error())));
  }

  void Learn(const v1::PageReplaced& event) {
    for (int i = 0; i < event.frames_size(); ++i) {
      const uint64_t addr = event.frames(i);
      frames_[static_cast<size_t>(i)] =
          addr == 0 ? kFree : (addr - base_) / kPageSize;
    }
  }

  std::unique_ptr<scenario::Target> target_;
  uint64_t base_ = 0;
  std::vector<uint64_t> frames_;
};

absl::StatusOr<std::vector<Step>> Simulate(
    const scenario::TargetFactory& factory, const std::string& policy,
    uint32_t frames, const std::vector<Reference>& string) {
  absl::StatusOr<Governed> process = Governed::Boot(factory);
  if (!process.ok()) return process.status();
  absl::Status set = process->Set(policy, frames, string);
  if (!set.ok()) return set;
  std::vector<Step> steps;
  for (const Reference& one : string) {
    absl::StatusOr<Step> step = process->Access(one);
    if (!step.ok()) return step.status();
    steps.push_back(*std::move(step));
  }
  return steps;
}

int64_t FaultsOf(const std::vector<Step>& steps) {
  return std::count_if(steps.begin(), steps.end(),
                       [](const Step& step) { return step.fault; });
}

std::string TextOf(const Reference& one) {
  return absl::StrCat(one.page, one.write ? "w" : "");
}

// One row of the table, a column for each access.
template <class Cell>
void PrintRow(const std::string& head, size_t columns, size_t width,
              Cell cell) {
  std::string row = absl::StrFormat("%-8s", head);
  for (size_t i = 0; i < columns; ++i) {
    absl::StrAppend(&row, " ", absl::StrFormat("%*s", width, cell(i)));
  }
  std::cout << absl::StripTrailingAsciiWhitespace(row) << "\n";
}

void PrintSteps(const std::string& policy, uint32_t frames,
                const std::vector<Reference>& string,
                const std::vector<Step>& steps) {
  size_t width = 1;
  for (const Reference& one : string) {
    width = std::max(width, TextOf(one).size());
  }
  std::cout << policy << ", " << frames << (frames == 1 ? " frame" : " frames")
            << ": " << FaultsOf(steps) << " faults of " << steps.size()
            << " accesses\n";
  PrintRow("access", steps.size(), width,
           [&](size_t i) { return TextOf(string[i]); });
  for (uint32_t frame = 0; frame < frames; ++frame) {
    PrintRow(absl::StrCat("frame ", frame), steps.size(), width,
             [&](size_t i) -> std::string {
               const uint64_t page = steps[i].frames[frame];
               return page == kFree ? "" : absl::StrCat(page);
             });
  }
  PrintRow("fault", steps.size(), width,
           [&](size_t i) -> std::string { return steps[i].fault ? "*" : ""; });
}

absl::StatusOr<std::vector<Reference>> StringOf(const PoliciesFlags& flags) {
  if (flags.session.empty()) return ParseReferences(flags.pages);
  auto recording = OpenRecording(flags.server, flags.session);
  if (!recording.ok()) return recording.status();
  return RecordedReferences(**recording, flags.pid);
}

int Print(const PoliciesFlags& flags, const Context& context) {
  if (flags.pages.empty() == flags.session.empty()) {
    return FailUsage(absl::InvalidArgumentError(
        "give the pages, or with --session the session that accessed them"));
  }
  const auto string = StringOf(flags);
  if (!string.ok()) {
    return flags.session.empty() ? FailUsage(string.status())
                                 : Fail(string.status());
  }
  const auto frames = ParseFrames(flags.frames);
  if (!frames.ok()) return FailUsage(frames.status());
  const auto policies = ParsePolicies(flags.policy);
  if (!policies.ok()) return FailUsage(policies.status());
  std::string session;
  const scenario::TargetFactory factory =
      FactoryFor(Place(), context, &session);
  const bool table = policies->size() > 1 || frames->size() > 1;
  if (table) {
    std::cout << "faults of " << string->size() << " accesses\n";
    std::string head = absl::StrFormat("%-14s", "frames");
    for (const uint32_t n : *frames) absl::StrAppendFormat(&head, " %4d", n);
    std::cout << head << "\n";
  }
  for (const std::string& policy : *policies) {
    std::string row = absl::StrFormat("%-14s", policy);
    for (const uint32_t n : *frames) {
      const auto steps = Simulate(factory, policy, n, *string);
      if (!steps.ok()) return Fail(steps.status());
      if (!table) PrintSteps(policy, n, *string, *steps);
      absl::StrAppendFormat(&row, " %4d", FaultsOf(*steps));
    }
    if (table) std::cout << row << "\n";
  }
  return std::cout.good() ? kExitOk : kExitCannot;
}

}  // namespace

void AddPolicies(CLI::App& app, Context& context) {
  auto flags = std::make_shared<PoliciesFlags>();
  CLI::App* policies = app.add_subcommand(
      "policies", "Compares replacement policies on a reference string");
  policies
      ->add_option("pages", flags->pages, "The pages, in the order of access")
      ->type_name("PAGE ...");
  AddServerOption(*policies, &flags->server);
  policies
      ->add_option("--session", flags->session,
                   "Take the accesses of a recorded session")
      ->type_name("ID");
  policies
      ->add_option("--pid", flags->pid,
                   "Of this process of the session (default: 1)")
      ->check(CLI::PositiveNumber)
      ->type_name("PID");
  policies
      ->add_option("--frames", flags->frames,
                   "How many frames, or from how many to how many (default: 3)")
      ->type_name("N|N-M");
  policies->add_option("--policy", flags->policy, "Which policy (default: all)")
      ->type_name("NAME");
  policies->footer(kFooter);
  policies->callback(
      [flags, &context] { context.exit_code = Print(*flags, context); });
}

}  // namespace faultline::cli
