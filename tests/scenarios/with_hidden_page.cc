#include "tests/scenarios/with_hidden_page.h"

#include <sys/mman.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "server/codec/status_macros.h"
#include "server/scenario/report.h"
#include "server/scenario/runner.h"

namespace faultline::scenarios {
namespace {

constexpr uint64_t kPageBytes = 4096;

}  // namespace

absl::StatusOr<std::unique_ptr<scenario::Target>> WithHiddenPage::Make(
    std::unique_ptr<scenario::Target> target, uint64_t page,
    Mlockall mlockall) {
  v1::Command map;
  map.set_pid(1);
  map.mutable_mmap()->set_addr(page);
  map.mutable_mmap()->set_length(kPageBytes);
  map.mutable_mmap()->set_prot(PROT_READ | PROT_WRITE);
  map.mutable_mmap()->set_flags(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
  v1::Command store;
  store.set_pid(1);
  store.mutable_access()->set_kind(v1::ACCESS_KIND_WRITE);
  store.mutable_access()->set_addr(page);
  v1::Command protect;
  protect.set_pid(1);
  protect.mutable_mprotect()->set_addr(page);
  protect.mutable_mprotect()->set_length(kPageBytes);
  protect.mutable_mprotect()->set_prot(PROT_READ | PROT_EXEC);
  for (const v1::Command& command : {map, store, protect}) {
    FL_RETURN_IF_ERROR(target->Apply(command).status());
  }
  return std::unique_ptr<scenario::Target>(
      new WithHiddenPage(std::move(target), page, mlockall));
}

WithHiddenPage::WithHiddenPage(std::unique_ptr<scenario::Target> target,
                               uint64_t page, Mlockall mlockall)
    : target_(std::move(target)), page_(page), mlockall_(mlockall) {}

absl::StatusOr<v1::Outcome> WithHiddenPage::Apply(const v1::Command& command) {
  auto outcome = target_->Apply(command);
  if (command.has_mlockall() && outcome.ok() &&
      mlockall_ == Mlockall::kLeavesIt) {
    v1::Command unlock;
    unlock.set_pid(command.pid());
    unlock.mutable_munlock()->set_addr(page_);
    unlock.mutable_munlock()->set_length(kPageBytes);
    FL_RETURN_IF_ERROR(target_->Apply(unlock).status());
  }
  return outcome;
}

absl::StatusOr<std::string> WithHiddenPage::ReadProc(const std::string& path) {
  FL_ASSIGN_OR_RETURN(std::string text, target_->ReadProc(path));
  if (absl::EndsWith(path, "/maps") || absl::EndsWith(path, "/smaps")) {
    RemoveArea(text);
  }
  return text;
}

absl::StatusOr<std::string> WithHiddenPage::ReadProcAt(const std::string& path,
                                                       uint64_t offset,
                                                       uint64_t length) {
  return target_->ReadProcAt(path, offset, length);
}

void WithHiddenPage::set_event_level(v1::EventLevel level) {
  target_->set_event_level(level);
}

std::string WithHiddenPage::Describe() const { return target_->Describe(); }

// Its line and, in smaps, the lines of its counts, which no hexadecimal digit
// of an address begins.
void WithHiddenPage::RemoveArea(std::string& text) const {
  const size_t at = text.find(absl::StrFormat("%x-", page_));
  if (at == std::string::npos) return;
  size_t end = text.find('\n', at) + 1;
  while (end < text.size() && absl::ascii_isupper(text[end])) {
    end = text.find('\n', end) + 1;
  }
  text.erase(at, end - at);
}

std::string SimulateWithHiddenPage(const scenario::Script& script,
                                   uint64_t page, const Sysctls& sysctls,
                                   Verification verification,
                                   std::ostream& out) {
  const auto printer = scenario::MakeJsonPrinter(out);
  scenario::Runner runner(
      [&](v1::MachineConfig config)
          -> absl::StatusOr<std::unique_ptr<scenario::Target>> {
        for (const auto& [name, value] : sysctls) {
          v1::Sysctl* sysctl = config.add_sysctls();
          sysctl->set_name(name);
          sysctl->set_value(value);
        }
        FL_ASSIGN_OR_RETURN(std::unique_ptr<scenario::Target> machine,
                            MakeMachine(config, verification));
        return WithHiddenPage::Make(std::move(machine), page,
                                    WithHiddenPage::Mlockall::kLeavesIt);
      },
      *printer, {.event_level = v1::EVENT_LEVEL_NONE}, script.file_name);
  const absl::Status status = runner.Run(script);
  return status.ok() ? "" : std::string(status.message());
}

}  // namespace faultline::scenarios
