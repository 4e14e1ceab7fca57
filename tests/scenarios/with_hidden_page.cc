#include "tests/scenarios/with_hidden_page.h"

#include <sys/mman.h>
#include <sys/resource.h>

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

v1::Command MapAt(uint64_t page, int prot) {
  v1::Command map;
  map.set_pid(1);
  map.mutable_mmap()->set_addr(page);
  map.mutable_mmap()->set_length(kPageBytes);
  map.mutable_mmap()->set_prot(prot);
  map.mutable_mmap()->set_flags(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
  return map;
}

v1::Command Touch(uint64_t page, v1::AccessKind kind) {
  v1::Command touch;
  touch.set_pid(1);
  touch.mutable_access()->set_kind(kind);
  touch.mutable_access()->set_addr(page);
  return touch;
}

v1::Command Protect(uint64_t page, int prot) {
  v1::Command protect;
  protect.set_pid(1);
  protect.mutable_mprotect()->set_addr(page);
  protect.mutable_mprotect()->set_length(kPageBytes);
  protect.mutable_mprotect()->set_prot(prot);
  return protect;
}

v1::Command Unmap(uint64_t page) {
  v1::Command unmap;
  unmap.set_pid(1);
  unmap.mutable_munmap()->set_addr(page);
  unmap.mutable_munmap()->set_length(kPageBytes);
  return unmap;
}

v1::Command SetLimit(uint64_t soft, uint64_t hard) {
  v1::Command limit;
  limit.mutable_setrlimit()->set_resource(RLIMIT_AS);
  limit.mutable_setrlimit()->set_soft(soft);
  limit.mutable_setrlimit()->set_hard(hard);
  return limit;
}

void Complete(const KernelFacts& kernel, v1::MachineConfig* config) {
  if (config->personality() == v1::PERSONALITY_UNSPECIFIED) {
    config->set_personality(kernel.personality);
  }
  // The last of a name counts: the script's.
  const auto said = config->sysctls();
  config->clear_sysctls();
  for (const auto& [name, value] : kernel.sysctls) {
    v1::Sysctl* sysctl = config->add_sysctls();
    sysctl->set_name(name);
    sysctl->set_value(value);
  }
  for (const v1::Sysctl& sysctl : said) *config->add_sysctls() = sysctl;
}

}  // namespace

absl::StatusOr<std::unique_ptr<WithHiddenPage>> WithHiddenPage::Make(
    std::unique_ptr<scenario::Target> target, uint64_t page,
    Mlockall mlockall) {
  for (const v1::Command& command : {
           MapAt(page, PROT_READ | PROT_WRITE),
           Touch(page, v1::ACCESS_KIND_WRITE),
           Protect(page, PROT_READ | PROT_EXEC),
       }) {
    FL_RETURN_IF_ERROR(target->Apply(command).status());
  }
  return std::unique_ptr<WithHiddenPage>(
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
  const bool wants_memory =
      command.has_mincore() || command.has_get_mempolicy();
  if (wants_memory && tells_rss_) FL_RETURN_IF_ERROR(TellRss(command.pid()));
  return outcome;
}

absl::Status WithHiddenPage::TellRssAsTheRunner() {
  tells_rss_ = true;
  return TellRss(1);
}

absl::Status WithHiddenPage::TellRss(uint32_t pid) {
  v1::Command limit;
  limit.mutable_getrlimit()->set_resource(RLIMIT_AS);
  limit.set_pid(pid);
  FL_ASSIGN_OR_RETURN(const v1::Outcome old, target_->Apply(limit));
  rlimit as = {RLIM_INFINITY, RLIM_INFINITY};
  if (old.data().size() == sizeof(as))
    old.data().copy(reinterpret_cast<char*>(&as), sizeof(as));
  const uint64_t below = page_ - kPageBytes;
  for (v1::Command command :
       {SetLimit(as.rlim_max, as.rlim_max), MapAt(below, PROT_READ),
        Touch(below, v1::ACCESS_KIND_READ), Unmap(below),
        SetLimit(as.rlim_cur, as.rlim_max)}) {
    command.set_pid(pid);
    FL_RETURN_IF_ERROR(target_->Apply(command).status());
  }
  return absl::OkStatus();
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
                                   uint64_t page, const KernelFacts& kernel,
                                   Verification verification,
                                   std::ostream& out) {
  const auto printer = scenario::MakeJsonPrinter(out);
  scenario::Runner runner(
      [&](v1::MachineConfig config)
          -> absl::StatusOr<std::unique_ptr<scenario::Target>> {
        Complete(kernel, &config);
        FL_ASSIGN_OR_RETURN(std::unique_ptr<scenario::Target> machine,
                            MakeMachine(config, verification));
        FL_ASSIGN_OR_RETURN(
            auto hiding,
            WithHiddenPage::Make(std::move(machine), page,
                                 WithHiddenPage::Mlockall::kLeavesIt));
        if (config.personality() == v1::PERSONALITY_LINUX_6_1) {
          FL_RETURN_IF_ERROR(hiding->TellRssAsTheRunner());
        }
        return hiding;
      },
      *printer, {.event_level = v1::EVENT_LEVEL_NONE}, script.file_name);
  const absl::Status status = runner.Run(script);
  return status.ok() ? "" : std::string(status.message());
}

}  // namespace faultline::scenarios
