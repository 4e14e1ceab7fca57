// The calls that map, unmap and change memory.

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "client/cli/import_strace.h"

namespace faultline::cli {
namespace {

// x86-64's numbers: a recording means the same wherever it is read.
constexpr uint64_t kMapFixed = 0x10;
constexpr uint64_t kMapFixedNoReplace = 0x100000;
constexpr uint64_t kMapAnonymous = 0x20;
constexpr uint64_t kRemapMayMove = 1;
constexpr uint64_t kRemapFixed = 2;
constexpr uint64_t kPrGetDumpable = 3;
constexpr uint64_t kPrSetDumpable = 4;
constexpr uint64_t kPrSetMdwe = 65;
constexpr uint64_t kPrGetMdwe = 66;
constexpr uint64_t kPrSetMemoryMerge = 67;
constexpr uint64_t kPrGetMemoryMerge = 68;
constexpr uint64_t kHugePage = uint64_t{2} << 20;

bool IsFixed(uint64_t flags) {
  return (flags & (kMapFixed | kMapFixedNoReplace)) != 0;
}

// What strace did not read, the kernel could not read either, or it had no
// reason to.
template <typename Message>
bool SetNodes(const strace::NodeMask& nodes, Message* message) {
  message->set_maxnode(nodes.maxnode);
  for (const uint64_t word : nodes.words) message->add_nodes(word);
  if (nodes.shown) return true;
  message->add_nodes(0);
  return nodes.maxnode <= 1;
}

}  // namespace

// mm/huge_memory.c: thp_get_unmapped_area() rounds an absolute address, so its
// distance from the others is not that of an address space that lies elsewhere.
bool Reenactor::IsRealigned(uint64_t length, const v1::Outcome& outcome) const {
  return task_->space->layout.randomised() && length >= kHugePage &&
         call_->result.ok() && outcome.error() == v1::ERRNO_UNSPECIFIED &&
         call_->result.value % kHugePage == 0 &&
         static_cast<uint64_t>(outcome.value()) % kHugePage == 0;
}

absl::Status Reenactor::On(const strace::Brk& call) {
  const strace::Result& real = call_->result;
  if (!real.ok()) return absl::OkStatus();
  Space& space = *task_->space;
  v1::Command command;
  command.mutable_brk()->set_addr(ToOurs(call.address));
  if (!space.break_known && call.address == 0) {
    absl::StatusOr<v1::Outcome> outcome = Apply(command);
    if (!outcome.ok()) return outcome.status();
    ++report_.calls;
    ++report_.compared;
    space.break_known = true;
    space.layout.LearnBreak(real.value,
                            static_cast<uint64_t>(outcome->value()));
    if (!Agrees(*outcome, Answer::kAddress)) Differ(*outcome);
    return absl::OkStatus();
  }
  absl::StatusOr<v1::Outcome> outcome = Compare(command, Answer::kAddress);
  if (!outcome.ok()) return outcome.status();
  space.layout.SetBreak(real.value);
  if (Agrees(*outcome, Answer::kAddress)) return absl::OkStatus();
  command.mutable_brk()->set_addr(space.layout.ToOurs(real.value));
  return Apply(command).status();
}

absl::Status Reenactor::On(const strace::Mmap& call) {
  if (call_->result.kind == strace::Result::Kind::kUnknown) {
    return absl::OkStatus();
  }
  v1::Command command;
  v1::Mmap* mmap = command.mutable_mmap();
  mmap->set_addr(ToOurs(call.address));
  mmap->set_length(call.length);
  mmap->set_prot(call.prot);
  mmap->set_flags(call.flags);
  mmap->set_offset(call.offset);
  mmap->set_fd(-1);
  if ((call.flags & kMapAnonymous) == 0) {
    absl::StatusOr<int32_t> fd = Descriptor(call);
    if (!fd.ok()) return fd.status();
    mmap->set_fd(*fd);
  }
  absl::StatusOr<v1::Outcome> outcome = Apply(command);
  if (!outcome.ok()) return outcome.status();
  ++report_.calls;
  ++report_.compared;
  Layout& layout = task_->space->layout;
  if (call_->result.ok() && outcome->error() == v1::ERRNO_UNSPECIFIED &&
      call.address == 0 && !IsFixed(call.flags)) {
    layout.LearnMapping(call_->result.value,
                        static_cast<uint64_t>(outcome->value()));
  }
  if (Agrees(*outcome, Answer::kAddress)) return absl::OkStatus();
  if (call.address == 0 && IsRealigned(call.length, *outcome)) {
    ++report_.realigned;
  } else {
    Differ(*outcome);
  }
  return RepairMmap(call, *outcome);
}

// Puts the mapping where the real kernel had it, so that one difference does
// not make many.
absl::Status Reenactor::RepairMmap(const strace::Mmap& call,
                                   const v1::Outcome& outcome) {
  if (outcome.error() == v1::ERRNO_UNSPECIFIED) {
    v1::Command undo;
    undo.mutable_munmap()->set_addr(static_cast<uint64_t>(outcome.value()));
    undo.mutable_munmap()->set_length(call.length);
    absl::Status undone = Apply(undo).status();
    if (!undone.ok()) return undone;
  }
  if (!call_->result.ok()) return absl::OkStatus();
  v1::Command again;
  v1::Mmap* mmap = again.mutable_mmap();
  mmap->set_addr(task_->space->layout.ToOurs(call_->result.value));
  mmap->set_length(call.length);
  mmap->set_prot(call.prot);
  mmap->set_flags(call.flags | kMapFixed);
  mmap->set_offset(call.offset);
  mmap->set_fd((call.flags & kMapAnonymous) != 0
                   ? -1
                   : static_cast<int32_t>(call.fd.number));
  return Apply(again).status();
}

absl::Status Reenactor::On(const strace::Munmap& call) {
  v1::Command command;
  command.mutable_munmap()->set_addr(ToOurs(call.address));
  command.mutable_munmap()->set_length(call.length);
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Mprotect& call) {
  if (call.pkey && *call.pkey > 0) {
    NotReenacted();
    return absl::OkStatus();
  }
  v1::Command command;
  command.mutable_mprotect()->set_addr(ToOurs(call.address));
  command.mutable_mprotect()->set_length(call.length);
  command.mutable_mprotect()->set_prot(call.prot);
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Mremap& call) {
  if (call_->result.kind == strace::Result::Kind::kUnknown) {
    return absl::OkStatus();
  }
  v1::Command command;
  v1::Mremap* mremap = command.mutable_mremap();
  mremap->set_addr(ToOurs(call.address));
  mremap->set_old_length(call.old_length);
  mremap->set_new_length(call.new_length);
  mremap->set_flags(call.flags);
  mremap->set_new_addr(ToOurs(call.new_address.value_or(0)));
  absl::StatusOr<v1::Outcome> outcome = Apply(command);
  if (!outcome.ok()) return outcome.status();
  ++report_.calls;
  ++report_.compared;
  if (Agrees(*outcome, Answer::kAddress)) return absl::OkStatus();
  if (IsRealigned(call.new_length, *outcome)) {
    ++report_.realigned;
  } else {
    Differ(*outcome);
  }
  return RepairMremap(call, *outcome);
}

absl::Status Reenactor::RepairMremap(const strace::Mremap& call,
                                     const v1::Outcome& outcome) {
  if (!call_->result.ok() || outcome.error() != v1::ERRNO_UNSPECIFIED) {
    return absl::OkStatus();
  }
  v1::Command again;
  v1::Mremap* mremap = again.mutable_mremap();
  mremap->set_addr(static_cast<uint64_t>(outcome.value()));
  mremap->set_old_length(call.new_length);
  mremap->set_new_length(call.new_length);
  mremap->set_flags(kRemapMayMove | kRemapFixed);
  mremap->set_new_addr(task_->space->layout.ToOurs(call_->result.value));
  return Apply(again).status();
}

absl::Status Reenactor::On(const strace::Madvise& call) {
  v1::Command command;
  command.mutable_madvise()->set_addr(ToOurs(call.address));
  command.mutable_madvise()->set_length(call.length);
  command.mutable_madvise()->set_advice(static_cast<int32_t>(call.advice));
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Mlock& call) {
  v1::Command command;
  command.mutable_mlock()->set_addr(ToOurs(call.address));
  command.mutable_mlock()->set_length(call.length);
  command.mutable_mlock()->set_flags(call.flags);
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Munlock& call) {
  v1::Command command;
  command.mutable_munlock()->set_addr(ToOurs(call.address));
  command.mutable_munlock()->set_length(call.length);
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Mlockall& call) {
  v1::Command command;
  command.mutable_mlockall()->set_flags(call.flags);
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Munlockall&) {
  v1::Command command;
  command.mutable_munlockall();
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Msync& call) {
  v1::Command command;
  command.mutable_msync()->set_addr(ToOurs(call.address));
  command.mutable_msync()->set_length(call.length);
  command.mutable_msync()->set_flags(call.flags);
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Mincore& call) {
  v1::Command command;
  command.mutable_mincore()->set_addr(ToOurs(call.address));
  command.mutable_mincore()->set_length(call.length);
  return Plain(command);
}

absl::Status Reenactor::On(const strace::RemapFilePages& call) {
  v1::Command command;
  v1::RemapFilePages* remap = command.mutable_remap_file_pages();
  remap->set_addr(ToOurs(call.address));
  remap->set_length(call.length);
  remap->set_prot(call.prot);
  remap->set_pgoff(call.page_offset);
  remap->set_flags(call.flags);
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Mseal& call) {
  v1::Command command;
  command.mutable_mseal()->set_addr(ToOurs(call.address));
  command.mutable_mseal()->set_length(call.length);
  command.mutable_mseal()->set_flags(call.flags);
  return Plain(command);
}

absl::Status Reenactor::On(const strace::Mbind& call) {
  v1::Command command;
  v1::Mbind* mbind = command.mutable_mbind();
  mbind->set_addr(ToOurs(call.address));
  mbind->set_length(call.length);
  mbind->set_mode(call.mode);
  mbind->set_flags(call.flags);
  if (SetNodes(call.nodes, mbind)) return Plain(command);
  NotReenacted();
  return absl::OkStatus();
}

absl::Status Reenactor::On(const strace::SetMempolicy& call) {
  v1::Command command;
  command.mutable_set_mempolicy()->set_mode(call.mode);
  if (SetNodes(call.nodes, command.mutable_set_mempolicy())) {
    return Plain(command);
  }
  NotReenacted();
  return absl::OkStatus();
}

absl::Status Reenactor::On(const strace::SetMempolicyHomeNode& call) {
  v1::Command command;
  v1::SetMempolicyHomeNode* home = command.mutable_set_mempolicy_home_node();
  home->set_addr(ToOurs(call.address));
  home->set_length(call.length);
  home->set_home_node(call.home_node);
  home->set_flags(call.flags);
  return Plain(command);
}

// The pidfd is known by what strace -yy says of it, the caller's own by -y.
absl::Status Reenactor::On(const strace::ProcessMadvise& call) {
  absl::string_view name = call.process.path;
  strace::Pid pid = 0;
  const bool known = absl::ConsumePrefix(&name, "pid:") &&
                     absl::SimpleAtoi(name, &pid) && tasks_.count(pid) > 0;
  if (!known) {
    NotReenacted();
    return absl::OkStatus();
  }
  Task* const caller = task_;
  v1::Command command;
  v1::ProcessMadvise* advise = command.mutable_process_madvise();
  advise->set_target(tasks_[pid].pid);
  task_ = &tasks_[pid];  // its address space
  for (const auto& [address, length] : call.ranges) {
    advise->add_addr(ToOurs(address));
    advise->add_length(length);
  }
  task_ = caller;
  advise->set_advice(static_cast<int32_t>(call.advice));
  advise->set_flags(static_cast<uint32_t>(call.flags));
  return Plain(command);
}

// Of the options those that concern memory.
absl::Status Reenactor::On(const strace::Prctl& call) {
  switch (call.option) {
    case kPrGetDumpable:
    case kPrSetDumpable:
    case kPrSetMdwe:
    case kPrGetMdwe:
    case kPrSetMemoryMerge:
    case kPrGetMemoryMerge:
      break;
    default:
      return absl::OkStatus();
  }
  v1::Command command;
  command.mutable_prctl()->set_option(static_cast<int32_t>(call.option));
  if (!call.arguments.empty()) {
    command.mutable_prctl()->set_arg(call.arguments[0].value_or(0));
  }
  return Plain(command);
}

absl::Status Reenactor::On(const strace::SetVmaName& call) {
  v1::Command command;
  command.mutable_set_vma_name()->set_addr(ToOurs(call.address));
  command.mutable_set_vma_name()->set_length(call.length);
  command.mutable_set_vma_name()->set_name(call.name.value_or(""));
  return Plain(command);
}

}  // namespace faultline::cli
