#include "server/scenario/commands.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/scenario/image.h"
#include "server/scenario/kernel_calls.h"
#include "server/scenario/memory_map.h"
#include "server/scenario/op_table.h"
#include "server/scenario/values.h"

namespace faultline::scenario {
namespace {

constexpr int kFirstDescriptor = 3;
constexpr uint64_t kPageSize = 4096;
constexpr int32_t kFAddSeals = 1033, kFGetSeals = 1034;
constexpr uint32_t kMfdAllowSealing = 2;
constexpr uint64_t kReadWrite = 2;           // O_RDWR
constexpr uint64_t kNoLimit = ~uint64_t{0};  // RLIM_INFINITY

void FillMmap(const Op& op, Values& values, v1::Mmap* mmap) {
  mmap->set_addr(values.Of(op.addr));
  mmap->set_length(values.Of(op.length));
  mmap->set_prot(op.prot);
  mmap->set_flags(op.flags);
  mmap->set_fd(op.fd ? DescriptorOf(static_cast<uint64_t>(*op.fd)) : -1);
  mmap->set_offset(values.Of(op.offset) * kPageSize);
}

void FillMremap(const Op& op, Values& values, v1::Mremap* mremap) {
  mremap->set_addr(values.Of(op.addr));
  mremap->set_old_length(values.Of(op.length));
  mremap->set_new_length(values.Of(op.new_length));
  mremap->set_flags(op.flags);
  mremap->set_new_addr(values.Of(op.new_addr));
}

void FillAccess(const Op& op, Values& values, v1::Access* access) {
  const bool read = op.kind == OpKind::kRead || op.kind == OpKind::kReadRange;
  access->set_kind(op.kind == OpKind::kFetch ? v1::ACCESS_KIND_FETCH
                   : read                    ? v1::ACCESS_KIND_READ
                                             : v1::ACCESS_KIND_WRITE);
  access->set_addr(values.Of(op.addr));
  access->set_count(values.Of(op.count, 1));
  access->set_stride(values.Of(op.stride, kPageSize));
  access->set_value(static_cast<uint32_t>(values.Of(op.byte, 1) & 0xff));
}

void FillAccessMany(const Op& op, Values& values, v1::AccessMany* many) {
  for (const Op& one : op.accesses) {
    v1::Access access;
    FillAccess(one, values, &access);
    many->add_kind(access.kind());
    many->add_addr(access.addr());
    many->add_count(access.count());
    many->add_stride(access.stride());
    many->mutable_value()->push_back(static_cast<char>(access.value()));
  }
}

template <typename Message>
void FillRange(const Op& op, Values& values, Message* message) {
  message->set_addr(values.Of(op.addr));
  message->set_length(values.Of(op.length));
}

// mmap and its relatives.
bool FillMemoryCall(const Op& op, Values& values, v1::Command* command) {
  switch (op.kind) {
    case OpKind::kMmap:
      FillMmap(op, values, command->mutable_mmap());
      return true;
    case OpKind::kMunmap:
      FillRange(op, values, command->mutable_munmap());
      return true;
    case OpKind::kMprotect:
      FillRange(op, values, command->mutable_mprotect());
      command->mutable_mprotect()->set_prot(op.prot);
      return true;
    case OpKind::kMremap:
      FillMremap(op, values, command->mutable_mremap());
      return true;
    case OpKind::kBrk:
      command->mutable_brk()->set_addr(values.Of(op.addr));
      return true;
    case OpKind::kMadvise:
      FillRange(op, values, command->mutable_madvise());
      command->mutable_madvise()->set_advice(static_cast<int32_t>(op.flags));
      return true;
    case OpKind::kMincore:
      FillRange(op, values, command->mutable_mincore());
      return true;
    case OpKind::kMsync:
      FillRange(op, values, command->mutable_msync());
      command->mutable_msync()->set_flags(op.flags);
      return true;
    default:
      return false;
  }
}

// How many nodes the words hold, and one more. An empty list has no mask.
uint64_t DefaultMaxnode(const std::vector<uint64_t>& words) {
  constexpr uint64_t kBits = 64;
  return words.empty() ? 0 : words.size() * kBits + 1;
}

template <typename Message>
void FillNodes(const Op& op, Values& values, Message* call) {
  call->set_mode(op.mode);
  for (const uint64_t word : op.nodes) call->add_nodes(word);
  call->set_maxnode(values.Of(op.count, DefaultMaxnode(op.nodes)));
}

bool FillPolicyCall(const Op& op, Values& values, v1::Command* command) {
  constexpr uint64_t kMaxNumnodes = 1024;
  switch (op.kind) {
    case OpKind::kMbind:
      FillRange(op, values, command->mutable_mbind());
      FillNodes(op, values, command->mutable_mbind());
      command->mutable_mbind()->set_flags(op.flags);
      return true;
    case OpKind::kSetMempolicy:
      FillNodes(op, values, command->mutable_set_mempolicy());
      return true;
    case OpKind::kGetMempolicy:
      command->mutable_get_mempolicy()->set_addr(values.Of(op.addr));
      command->mutable_get_mempolicy()->set_flags(op.flags);
      command->mutable_get_mempolicy()->set_maxnode(
          values.Of(op.count, kMaxNumnodes));
      return true;
    case OpKind::kSetMempolicyHomeNode: {
      auto* call = command->mutable_set_mempolicy_home_node();
      FillRange(op, values, call);
      call->set_home_node(values.Of(op.count));
      call->set_flags(op.flags);
      return true;
    }
    default:
      return false;
  }
}

// The calls that Linux has got since.
bool FillNewerMemoryCall(const Op& op, Values& values, v1::Command* command) {
  switch (op.kind) {
    case OpKind::kMseal:
      FillRange(op, values, command->mutable_mseal());
      command->mutable_mseal()->set_flags(op.flags);
      return true;
    case OpKind::kRemapFilePages:
      FillRange(op, values, command->mutable_remap_file_pages());
      command->mutable_remap_file_pages()->set_prot(op.prot);
      command->mutable_remap_file_pages()->set_pgoff(values.Of(op.offset));
      command->mutable_remap_file_pages()->set_flags(op.flags);
      return true;
    case OpKind::kProcessMadvise: {
      v1::ProcessMadvise* call = command->mutable_process_madvise();
      call->set_target(static_cast<uint32_t>(values.Of(op.count)));
      call->add_addr(values.Of(op.addr));
      call->add_length(values.Of(op.length));
      for (size_t i = 0; i + 1 < op.future.size(); i += 2) {
        call->add_addr(values.Of(op.future[i]));
        call->add_length(values.Of(op.future[i + 1]));
      }
      call->set_advice(static_cast<int32_t>(op.flags));
      call->set_flags(static_cast<uint32_t>(values.Of(op.stride)));
      return true;
    }
    case OpKind::kUserfaultfd:
      command->mutable_userfaultfd()->set_flags(
          static_cast<uint32_t>(op.flags));
      return true;
    case OpKind::kSetVmaName:
      FillRange(op, values, command->mutable_set_vma_name());
      command->mutable_set_vma_name()->set_name(op.name);
      return true;
    default:
      return false;
  }
}

bool FillTaskCall(const Op& op, Values& values, v1::Command* command) {
  constexpr uint64_t kVfork = 0x4000 | 0x100 | 17;  // with CLONE_VM, SIGCHLD
  switch (op.kind) {
    case OpKind::kVfork:
      command->mutable_clone()->set_flags(kVfork);
      return true;
    case OpKind::kClone:
      command->mutable_clone()->set_flags(op.flags);
      return true;
    case OpKind::kKill:
      command->mutable_kill()->set_target(
          static_cast<uint32_t>(values.Of(op.count)));
      command->mutable_kill()->set_signal(static_cast<int32_t>(op.flags));
      return true;
    case OpKind::kWait:
      command->mutable_wait();
      return true;
    case OpKind::kSetuid:
      command->mutable_setuid()->set_uid(
          static_cast<uint32_t>(values.Of(op.length)));
      return true;
    case OpKind::kPrctl:
      command->mutable_prctl()->set_option(static_cast<int32_t>(op.flags));
      command->mutable_prctl()->set_arg(values.Of(op.length));
      return true;
    case OpKind::kGetrlimit:
      command->mutable_getrlimit()->set_resource(
          static_cast<uint32_t>(op.flags));
      return true;
    default:
      return false;
  }
}

bool FillLockCall(const Op& op, Values& values, v1::Command* command) {
  switch (op.kind) {
    case OpKind::kMlock:
    case OpKind::kMlock2:
      FillRange(op, values, command->mutable_mlock());
      command->mutable_mlock()->set_flags(op.flags);
      return true;
    case OpKind::kMunlock:
      FillRange(op, values, command->mutable_munlock());
      return true;
    case OpKind::kMlockall:
      command->mutable_mlockall()->set_flags(op.flags);
      return true;
    case OpKind::kMunlockall:
      command->mutable_munlockall();
      return true;
    default:
      return false;
  }
}

bool FillAccessOrTask(const Op& op, Values& values, v1::Command* command) {
  switch (op.kind) {
    case OpKind::kRead:
    case OpKind::kWrite:
    case OpKind::kReadRange:
    case OpKind::kWriteRange:
    case OpKind::kGrow:
    case OpKind::kFetch:
      FillAccess(op, values, command->mutable_access());
      return true;
    case OpKind::kAccesses:
      FillAccessMany(op, values, command->mutable_access_many());
      return true;
    case OpKind::kClearRefs:
      command->mutable_clear_refs()->set_type(
          static_cast<uint32_t>(values.Of(op.count)));
      return true;
    case OpKind::kFork:
      command->mutable_fork();
      return true;
    case OpKind::kExit:
      command->mutable_exit();
      return true;
    case OpKind::kSetrlimit:
      command->mutable_setrlimit()->set_resource(
          static_cast<uint32_t>(op.flags));
      command->mutable_setrlimit()->set_soft(values.Of(op.length));
      command->mutable_setrlimit()->set_hard(
          values.Of(op.new_length, kNoLimit));
      return true;
    case OpKind::kExec:
      command->mutable_execve()->set_path(op.words.front());
      for (const std::string& word : op.words) {
        command->mutable_execve()->add_argv(word);
      }
      return true;
    default:
      return false;
  }
}

// M_* without its prefix; 0: no such parameter.
int32_t MalloptParam(const std::string& name) {
  static const struct {
    const char* name;
    int32_t param;
  } kTable[] = {{"MXFAST", 1},
                {"TRIM_THRESHOLD", -1},
                {"TOP_PAD", -2},
                {"MMAP_THRESHOLD", -3},
                {"MMAP_MAX", -4}};
  for (const auto& entry : kTable) {
    if (name == entry.name) return entry.param;
  }
  return 0;
}

bool FillLibraryCall(const Op& op, Values& values, v1::Command* command) {
  switch (op.kind) {
    case OpKind::kMalloc:
      command->mutable_malloc()->set_size(values.Of(op.length));
      return true;
    case OpKind::kCalloc:
      command->mutable_calloc()->set_count(values.Of(op.count));
      command->mutable_calloc()->set_size(values.Of(op.length));
      return true;
    case OpKind::kRealloc:
      command->mutable_realloc()->set_addr(values.Of(op.addr));
      command->mutable_realloc()->set_size(values.Of(op.length));
      return true;
    case OpKind::kFree:
      command->mutable_free()->set_addr(values.Of(op.addr));
      return true;
    case OpKind::kMallopt:
      command->mutable_mallopt()->set_param(MalloptParam(op.words.front()));
      command->mutable_mallopt()->set_value(
          static_cast<int32_t>(values.Of(op.length)));
      return true;
    default:
      return false;
  }
}

// r, w, rw (or nothing): O_RDONLY, O_WRONLY, O_RDWR.
uint64_t OpenFlags(const Op& op) {
  if (op.words.empty() || op.words.front() == "rw") return kReadWrite;
  return op.words.front() == "w" ? 1 : 0;
}

bool FillFileCall(const Op& op, Values& values, v1::Command* command) {
  const int fd = op.fd ? DescriptorOf(static_cast<uint64_t>(*op.fd)) : -1;
  switch (op.kind) {
    case OpKind::kOpen:
      command->mutable_open()->set_path(op.name);
      command->mutable_open()->set_flags(OpenFlags(op));
      command->mutable_open()->set_at(fd);
      return true;
    case OpKind::kClose:
      command->mutable_close()->set_fd(fd);
      return true;
    case OpKind::kFtruncate:
      command->mutable_truncate()->set_fd(fd);
      command->mutable_truncate()->set_size(
          static_cast<int64_t>(values.Of(op.length)));
      return true;
    case OpKind::kPwrite:
      command->mutable_write()->set_fd(fd);
      command->mutable_write()->set_offset(values.Of(op.offset));
      command->mutable_write()->set_data(
          std::string(1, static_cast<char>(values.Of(op.byte, 1))));
      return true;
    case OpKind::kPread:
      command->mutable_read()->set_fd(fd);
      command->mutable_read()->set_offset(values.Of(op.offset));
      command->mutable_read()->set_length(1);
      return true;
    case OpKind::kFsync:
    case OpKind::kFdatasync:
      command->mutable_fsync()->set_fd(fd);
      command->mutable_fsync()->set_data_only(op.kind == OpKind::kFdatasync);
      return true;
    case OpKind::kFadvise: {
      v1::Fadvise* call = command->mutable_fadvise();
      call->set_fd(fd);
      call->set_offset(static_cast<int64_t>(values.Of(op.offset)));
      call->set_length(static_cast<int64_t>(values.Of(op.length)));
      call->set_advice(static_cast<int32_t>(op.flags));
      return true;
    }
    case OpKind::kAddSeals:
      command->mutable_fcntl()->set_fd(fd);
      command->mutable_fcntl()->set_cmd(kFAddSeals);
      command->mutable_fcntl()->set_arg(op.flags);
      return true;
    case OpKind::kGetSeals:
      command->mutable_fcntl()->set_fd(fd);
      command->mutable_fcntl()->set_cmd(kFGetSeals);
      return true;
    case OpKind::kFallocate: {
      v1::Fallocate* call = command->mutable_fallocate();
      call->set_fd(fd);
      call->set_mode(static_cast<uint32_t>(op.flags));
      call->set_offset(static_cast<int64_t>(values.Of(op.offset)));
      call->set_length(static_cast<int64_t>(values.Of(op.length)));
      return true;
    }
    default:
      return false;
  }
}

// Of the knobs without a dot only these are not below /proc/sys/vm.
std::string SysctlPath(const std::string& name) {
  const bool whole = absl::StrContains(name, ".") ||
                     name == "fault_around_bytes" || name == "stack_guard_gap";
  return whole ? name : absl::StrCat("vm.", name);
}

// "2.6.32" is KERNEL_VERSION(2, 6, 32).
bool KernelVersion(const std::string& text, uint64_t* number) {
  uint64_t version = 0;
  int parts = 0;
  for (absl::string_view part : absl::StrSplit(text, '.')) {
    uint64_t n = 0;
    if (!absl::SimpleAtoi(part, &n) || n > 255 || ++parts > 3) return false;
    version = version << 8 | n;
  }
  *number = version;
  return parts == 3;
}

// slub_debug's letters: F checks, Z red zones, P poison, U tracks; - is none.
bool SlubDebug(const std::string& letters, uint64_t* flags) {
  *flags = 0;
  for (const char letter : letters) {
    switch (letter) {
      case 'F':
        *flags |= 0x100;
        break;
      case 'Z':
        *flags |= 0x400;
        break;
      case 'P':
        *flags |= 0x800;
        break;
      case 'U':
        *flags |= 0x10000;
        break;
      case '-':
        break;
      default:
        return false;
    }
  }
  return true;
}

absl::Status SetSysctl(const std::string& name, const std::string& value,
                       v1::Sysctl* sysctl) {
  uint64_t number = 0;
  if (name == "slub_debug") {
    if (!SlubDebug(value, &number)) {
      return absl::InvalidArgumentError(
          absl::StrCat("slub_debug is letters of FZPU, not '", value, "'"));
    }
    sysctl->set_name(name);
    sysctl->set_value(number);
    return absl::OkStatus();
  }
  sysctl->set_name(SysctlPath(name));
  if (KernelVersion(value, &number)) {
    sysctl->set_value(number);
    return absl::OkStatus();
  }
  // Several values of one sysctl have commas between them, or spaces.
  bool first = true;
  for (absl::string_view part :
       absl::StrSplit(value, absl::ByAnyChar(", \t"), absl::SkipEmpty())) {
    if (!absl::SimpleAtoi(part, &number)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the value of ", SysctlPath(name), " is a number, not '", part, "'"));
    }
    first ? sysctl->set_value(number) : sysctl->add_more(number);
    first = false;
  }
  if (!first) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(SysctlPath(name), " is given no value"));
}

absl::Status NotYet(absl::string_view what) {
  return absl::UnimplementedError(
      absl::StrCat(what,
                   " is part of the language, but the machines of this "
                   "version do not have it"));
}

const char* WordOf(OpKind kind) {
  for (const OpSpec& spec : OpTable()) {
    if (spec.kind == kind) return spec.name;
  }
  return "?";
}

absl::Status SetMemoryMap(const Boot& boot, v1::MachineConfig* config) {
  if (boot.e820_path.empty()) return absl::OkStatus();
  absl::StatusOr<std::vector<AddressRange>> map = ReadMemoryMap(boot.e820_path);
  if (!map.ok()) {
    return absl::Status(map.status().code(),
                        absl::StrCat("boot e820=", boot.e820_path, ": ",
                                     map.status().message()));
  }
  for (const AddressRange& range : *map) {
    v1::MemoryRange* proto = config->add_e820();
    proto->set_start(range.start);
    proto->set_end(range.end);
  }
  return absl::OkStatus();
}

void SetZonePages(const std::vector<std::pair<std::string, uint64_t>>& rows,
                  google::protobuf::RepeatedPtrField<v1::ZonePages>* proto) {
  for (const auto& [zone, pages] : rows) {
    v1::ZonePages* row = proto->Add();
    row->set_zone(zone);
    row->set_pages(pages);
  }
}

}  // namespace

int DescriptorOf(uint64_t file_number) {
  return kFirstDescriptor + static_cast<int>(file_number);
}

std::string PathOf(uint64_t file_number) {
  return absl::StrCat("/f", file_number);
}

absl::StatusOr<v1::MachineConfig> ConfigOf(const Boot& boot) {
  v1::MachineConfig config;
  if (boot.profile == "i386") config.set_profile(v1::PROFILE_I386_PAE);
  if (boot.profile == "i386-nopae") config.set_profile(v1::PROFILE_I386);
  if (boot.profile == "x86_64") config.set_profile(v1::PROFILE_X86_64);
  if (boot.personality == "linux-6.18") {
    config.set_personality(v1::PERSONALITY_LINUX_6_18);
  }
  if (boot.personality == "linux-6.1") {
    config.set_personality(v1::PERSONALITY_LINUX_6_1);
  }
  if (boot.ram_bytes) config.set_ram_bytes(*boot.ram_bytes);
  if (boot.swap_bytes) config.set_swap_bytes(*boot.swap_bytes);
  if (boot.cpus) config.set_cpus(static_cast<uint32_t>(*boot.cpus));
  if (boot.seed) config.set_seed(*boot.seed);
  if (boot.thp == "always") config.set_thp(v1::THP_MODE_ALWAYS);
  if (boot.thp == "madvise") config.set_thp(v1::THP_MODE_MADVISE);
  if (boot.thp == "never") config.set_thp(v1::THP_MODE_NEVER);
  for (const auto& [name, value] : boot.sysctls) {
    absl::Status set = SetSysctl(name, value, config.add_sysctls());
    if (!set.ok()) return set;
  }
  absl::Status map = SetMemoryMap(boot, &config);
  if (!map.ok()) return map;
  SetZonePages(boot.reserved_pages, config.mutable_reserved());
  SetZonePages(boot.initmem_pages, config.mutable_initmem());
  if (boot.lowmem_bytes) config.set_lowmem_bytes(*boot.lowmem_bytes);
  config.set_kernelcore(boot.kernelcore);
  config.set_movablecore(boot.movablecore);
  return config;
}

std::vector<v1::Command> MemfdCommands(const FileDeclaration& file) {
  const int fd = DescriptorOf(file.number);
  std::vector<v1::Command> commands(2);
  commands[0].mutable_memfd_create()->set_name(absl::StrCat("f", file.number));
  commands[0].mutable_memfd_create()->set_at(fd);
  commands[0].mutable_memfd_create()->set_flags(kMfdAllowSealing);
  commands[1].mutable_truncate()->set_fd(fd);
  commands[1].mutable_truncate()->set_size(
      static_cast<int64_t>(file.size_bytes));
  if (file.hole) return commands;
  for (uint64_t at = 0; at < file.size_bytes; at += kPageSize) {
    v1::Write* write = commands.emplace_back().mutable_write();
    write->set_fd(fd);
    write->set_offset(at);
    write->set_data(std::string(
        std::min(kPageSize, file.size_bytes - at),
        static_cast<char>(file.number * 37 + at / kPageSize * 7 + 1)));
  }
  return commands;
}

v1::Command CreateCommand(const FileDeclaration& file) {
  v1::Command command;
  v1::CreateFile* create = command.mutable_create_file();
  create->set_path(PathOf(file.number));
  create->set_size(file.size_bytes);
  create->set_content(file.hole ? v1::FILE_CONTENT_HOLE
                                : v1::FILE_CONTENT_PATTERN);
  create->set_seed(file.number);
  create->set_cached(!file.cold && !file.hole);
  create->set_fs(file.disk ? v1::FS_TYPE_EXT4 : v1::FS_TYPE_RAMFS);
  return command;
}

v1::Command CreateCommand(const ImageDeclaration& image) {
  v1::Command command;
  const ImageFile file = BuildImage(image);
  v1::CreateFile* create = command.mutable_create_file();
  create->set_path(image.path);
  create->set_size(file.size_bytes);
  create->set_content(v1::FILE_CONTENT_BYTES);
  create->set_data(file.head);
  create->set_fs(v1::FS_TYPE_RAMFS);
  create->set_mode(0755);
  create->set_dev_major(8);
  create->set_dev_minor(1);
  return command;
}

v1::Command OpenCommand(const ImageDeclaration& image) {
  v1::Command command;
  command.mutable_open()->set_path(image.path);
  command.mutable_open()->set_at(DescriptorOf(image.number.value_or(0)));
  return command;
}

v1::Command OpenCommand(const FileDeclaration& file) {
  v1::Command command;
  v1::Open* open = command.mutable_open();
  open->set_path(PathOf(file.number));
  open->set_at(DescriptorOf(file.number));
  switch (file.mode) {
    case FileDeclaration::Mode::kReadWrite:
      open->set_flags(kReadWrite);
      break;
    case FileDeclaration::Mode::kReadOnly:
      open->set_flags(0);
      break;
    case FileDeclaration::Mode::kWriteOnly:
      open->set_flags(1);
      break;
  }
  return command;
}

absl::StatusOr<v1::Command> CommandOf(const Op& op,
                                      const SymbolLookup& lookup) {
  v1::Command command;
  Values values(lookup);
  if (op.kind == OpKind::kSysctl) {
    if (op.words.size() < 2) return NotYet("sysctl without a value");
    absl::Status set =
        SetSysctl(op.words[0], op.words[1], command.mutable_sysctl());
    if (!set.ok()) return set;
    return command;
  }
  if (!FillMemoryCall(op, values, &command) &&
      !FillNewerMemoryCall(op, values, &command) &&
      !FillPolicyCall(op, values, &command) &&
      !FillTaskCall(op, values, &command) &&
      !FillLockCall(op, values, &command) &&
      !FillAccessOrTask(op, values, &command) &&
      !FillLibraryCall(op, values, &command) &&
      !FillFileCall(op, values, &command) &&
      !FillKernelCall(op, values, &command) &&
      !FillAdministration(op, values, &command)) {
    return NotYet(WordOf(op.kind));
  }
  if (op.kind == OpKind::kMallopt && command.mallopt().param() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "mallopt has no parameter '", op.words.front(),
        "': there are MXFAST, TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD and "
        "MMAP_MAX"));
  }
  if (!values.status().ok()) return values.status();
  return command;
}

}  // namespace faultline::scenario
