#include "client/cli/strace/calls.h"

#include <array>
#include <utility>

#include "client/cli/strace/constants.h"

namespace faultline::strace {
namespace {

// Takes arguments by index and remembers the first one that does not fit.
class ArgumentReader {
 public:
  explicit ArgumentReader(const std::vector<std::string_view>& slices)
      : slices_(slices) {}

  size_t size() const { return slices_.size(); }
  const std::vector<std::string_view>& slices() const { return slices_; }

  std::string_view Slice(size_t i) {
    if (i < slices_.size()) return slices_[i];
    if (error.empty()) {
      error = "argument " + std::to_string(i + 1) + " is missing";
    }
    return {};
  }

  uint64_t Number(size_t i) {
    const std::string_view slice = Slice(i);
    const std::optional<uint64_t> value = ParseNumber(slice);
    if (!value.has_value()) Fail(i, slice, "is not a number");
    return value.value_or(0);
  }

  uint64_t FlagBits(size_t i) {
    const std::string_view slice = Slice(i);
    return Take(i, slice, ParseFlags(slice));
  }

  uint64_t FlagsField(size_t i, std::string_view text) {
    return Take(i, text, ParseFlags(text));
  }

  Descriptor Fd(size_t i) {
    const std::string_view slice = Slice(i);
    std::optional<Descriptor> fd = ParseDescriptor(slice);
    if (!fd.has_value()) Fail(i, slice, "is not a file descriptor");
    return fd.value_or(Descriptor());
  }

  // A string, or the bare address that strace prints when it cannot read it.
  std::string String(size_t i) {
    const std::string_view slice = Slice(i);
    if (std::optional<Text> text = ParseText(slice)) {
      return std::move(text->bytes);
    }
    if (!ParseNumber(slice).has_value()) Fail(i, slice, "is not a string");
    return {};
  }

  void Fail(size_t i, std::string_view slice, std::string_view what) {
    if (!error.empty()) return;
    constexpr size_t kShown = 60;
    error = "argument " + std::to_string(i + 1) + " (" +
            std::string(slice.substr(0, kShown)) +
            (slice.size() > kShown ? "…" : "") + ") " + std::string(what);
  }

  std::string error;
  std::vector<std::string> unknown_names;

 private:
  uint64_t Take(size_t i, std::string_view slice, std::optional<Flags> flags) {
    if (!flags.has_value()) {
      Fail(i, slice, "is not a set of flags");
      return 0;
    }
    for (std::string& name : flags->unknown) {
      unknown_names.push_back(std::move(name));
    }
    return flags->bits;
  }

  const std::vector<std::string_view>& slices_;
};

// Strings of `["a", "b", ...]`. Answers whether all of it was shown.
bool ReadStrings(std::string_view text, std::vector<std::string>& strings) {
  const auto elements = ListElements(text);
  if (!elements.has_value()) return Trim(text) == "NULL";
  bool complete = true;
  for (const std::string_view element : *elements) {
    std::optional<Text> string = ParseText(element);
    if (!string.has_value() || string->cut) complete = false;
    if (string.has_value()) strings.push_back(std::move(string->bytes));
  }
  return complete;
}

// `0x7ffd… /* 37 vars */`, `["A=B", …]` (strace -v) or NULL.
void ReadEnvironment(std::string_view text, Execve& call) {
  if (const auto elements = ListElements(text)) {
    ReadStrings(text, call.env);
    if (elements->empty() || elements->back() != "...") {
      call.env_count = static_cast<uint32_t>(elements->size());
    }
    return;
  }
  if (text == "NULL") call.env_count = 0;
  const size_t comment = text.find("/*");
  if (comment == std::string_view::npos) return;
  const std::string_view words = Trim(text.substr(comment + 2));
  const auto count = ParseInteger(words.substr(0, words.find(' ')));
  if (count.has_value()) call.env_count = static_cast<uint32_t>(*count);
}

Execve ExecveAt(ArgumentReader& in, size_t first) {
  Execve call;
  call.path = in.String(first);
  call.argv_cut = !ReadStrings(in.Slice(first + 1), call.argv);
  ReadEnvironment(in.Slice(first + 2), call);
  return call;
}

Call ReadExecve(ArgumentReader& in) { return ExecveAt(in, 0); }

Call ReadExecveat(ArgumentReader& in) {
  const Descriptor directory = in.Fd(0);
  Execve call = ExecveAt(in, 1);
  call.directory = directory;
  call.flags = in.FlagBits(4);
  return call;
}

Call ReadBrk(ArgumentReader& in) { return Brk{in.Number(0)}; }

Call ReadMmap(ArgumentReader& in) {
  Mmap call;
  call.address = in.Number(0);
  call.length = in.Number(1);
  call.prot = in.FlagBits(2);
  call.flags = in.FlagBits(3);
  call.fd = in.Fd(4);
  call.offset = in.Number(5);
  return call;
}

Call ReadMunmap(ArgumentReader& in) {
  return Munmap{in.Number(0), in.Number(1)};
}

Call ReadMprotect(ArgumentReader& in) {
  Mprotect call{in.Number(0), in.Number(1), in.FlagBits(2), std::nullopt};
  if (in.size() > 3) call.pkey = static_cast<int>(in.Number(3));
  return call;
}

Call ReadMremap(ArgumentReader& in) {
  Mremap call{in.Number(0), in.Number(1), in.Number(2), in.FlagBits(3),
              std::nullopt};
  if (in.size() > 4) call.new_address = in.Number(4);
  return call;
}

Call ReadMadvise(ArgumentReader& in) {
  return Madvise{in.Number(0), in.Number(1), in.FlagBits(2)};
}

Call ReadMlock(ArgumentReader& in) {
  return Mlock{in.Number(0), in.Number(1), in.size() > 2 ? in.FlagBits(2) : 0};
}

Call ReadMunlock(ArgumentReader& in) {
  return Munlock{in.Number(0), in.Number(1)};
}

Call ReadMlockall(ArgumentReader& in) { return Mlockall{in.FlagBits(0)}; }

Call ReadMunlockall(ArgumentReader&) { return Munlockall{}; }

Call ReadMsync(ArgumentReader& in) {
  return Msync{in.Number(0), in.Number(1), in.FlagBits(2)};
}

Call ReadMincore(ArgumentReader& in) {
  return Mincore{in.Number(0), in.Number(1)};
}

Call ReadRemapFilePages(ArgumentReader& in) {
  return RemapFilePages{in.Number(0), in.Number(1), in.FlagBits(2),
                        in.Number(3), in.FlagBits(4)};
}

Call ReadMseal(ArgumentReader& in) {
  return Mseal{in.Number(0), in.Number(1), in.FlagBits(2)};
}

Call ReadProcessMadvise(ArgumentReader& in) {
  ProcessMadvise call;
  call.process = in.Fd(0);
  const std::string_view vector = in.Slice(1);
  for (const auto element :
       ListElements(vector).value_or(std::vector<std::string_view>())) {
    const auto base = FieldOf(element, "iov_base");
    const auto length = FieldOf(element, "iov_len");
    const auto address = ParseNumber(base.value_or(""));
    const auto bytes = ParseNumber(length.value_or(""));
    if (!address.has_value() || !bytes.has_value()) {
      in.Fail(1, vector, "is not a list of ranges");
      break;
    }
    call.ranges.emplace_back(*address, *bytes);
  }
  call.advice = in.FlagBits(3);
  call.flags = in.FlagBits(4);
  return call;
}

// `[0x1, 0000000000000000]`, NULL, or the address alone.
NodeMask ReadNodes(ArgumentReader& in, size_t mask, size_t maxnode) {
  NodeMask nodes;
  nodes.maxnode = in.Number(maxnode);
  const std::string_view text = in.Slice(mask);
  const auto elements = ListElements(text);
  if (!elements.has_value()) {
    nodes.shown = text == "NULL";
    return nodes;
  }
  for (const std::string_view element : *elements) {
    const auto word = ParseNumber(element);
    if (!word.has_value()) in.Fail(mask, text, "is not a mask of nodes");
    nodes.words.push_back(word.value_or(0));
  }
  return nodes;
}

Call ReadMbind(ArgumentReader& in) {
  return Mbind{in.Number(0), in.Number(1), in.FlagBits(2), ReadNodes(in, 3, 4),
               in.FlagBits(5)};
}

Call ReadSetMempolicy(ArgumentReader& in) {
  return SetMempolicy{in.FlagBits(0), ReadNodes(in, 1, 2)};
}

Call ReadSetMempolicyHomeNode(ArgumentReader& in) {
  return SetMempolicyHomeNode{in.Number(0), in.Number(1), in.Number(2),
                              in.Number(3)};
}

constexpr int kSigchld = 17;

Call ReadFork(ArgumentReader&) {
  Clone call;
  call.exit_signal = kSigchld;
  return call;
}

Call ReadVfork(ArgumentReader&) {
  Clone call;
  call.flags = kCloneVm | kCloneVfork;
  call.exit_signal = kSigchld;
  return call;
}

// clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, …). The low byte
// of the flags is the exit signal.
Call ReadClone(ArgumentReader& in) {
  constexpr uint64_t kSignalMask = 0xff;
  Clone call;
  const auto flags = FieldAmong(in.slices(), "flags");
  const uint64_t bits =
      flags.has_value() ? in.FlagsField(1, *flags) : in.FlagBits(1);
  call.flags = bits & ~kSignalMask;
  call.exit_signal = static_cast<int>(bits & kSignalMask);
  const auto number = [&](std::string_view name) {
    const auto field = FieldAmong(in.slices(), name);
    return field.has_value() ? ParseNumber(*field).value_or(0) : 0;
  };
  call.stack = number("child_stack");
  call.tls = number("tls");
  return call;
}

Call ReadClone3(ArgumentReader& in) {
  Clone call;
  const std::string_view arguments = in.Slice(0);
  const auto flags = FieldOf(arguments, "flags");
  if (!flags.has_value()) {
    // strace could not read the struct: the kernel answers EFAULT.
    in.Number(0);
    return call;
  }
  call.flags = in.FlagsField(0, *flags);
  const auto number = [&](std::string_view name) {
    const auto field = FieldOf(arguments, name);
    return field.has_value() ? ParseNumber(*field).value_or(0) : 0;
  };
  call.stack = number("stack");
  call.stack_size = number("stack_size");
  call.tls = number("tls");
  if (const auto signal = FieldOf(arguments, "exit_signal")) {
    const auto known = SignalNumber(*signal);
    call.exit_signal =
        known.value_or(static_cast<int>(ParseNumber(*signal).value_or(0)));
  }
  return call;
}

Call ReadExit(ArgumentReader& in) {
  return Exit{static_cast<int>(in.Number(0)), false};
}

Call ReadExitGroup(ArgumentReader& in) {
  return Exit{static_cast<int>(in.Number(0)), true};
}

// The word after `label` in `[{WIFEXITED(s) && WEXITSTATUS(s) == 3}]`.
std::optional<std::string_view> WordAfter(std::string_view text,
                                          std::string_view label) {
  const size_t at = text.find(label);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + label.size());
  return text.substr(0, text.find_first_of(" }],)"));
}

void ReadStatus(std::string_view text, Wait& call) {
  if (const auto word = WordAfter(text, "WEXITSTATUS(s) == ")) {
    if (const auto status = ParseInteger(*word)) {
      call.exit_status = static_cast<int>(*status);
    }
  }
  if (const auto word = WordAfter(text, "WTERMSIG(s) == ")) {
    call.term_signal = SignalNumber(*word);
  }
}

Call ReadWait4(ArgumentReader& in) {
  Wait call;
  call.target = static_cast<int32_t>(in.Number(0));
  ReadStatus(in.Slice(1), call);
  call.options = in.FlagBits(2);
  return call;
}

Call ReadWaitid(ArgumentReader& in) {
  Wait call;
  constexpr uint64_t kEveryone = 0;  // P_ALL
  if (in.Number(0) != kEveryone) {
    call.target = in.Fd(1).number;  // a pid, or a pidfd with its path
  }
  call.options = in.FlagBits(3);
  const std::string_view info = in.Slice(2);
  const auto code = FieldOf(info, "si_code");
  const auto status = FieldOf(info, "si_status");
  if (!code.has_value() || !status.has_value()) return call;
  if (*code == "CLD_EXITED") {
    if (const auto number = ParseNumber(*status)) {
      call.exit_status = static_cast<int>(*number);
    }
  } else if (*code == "CLD_KILLED" || *code == "CLD_DUMPED") {
    call.term_signal = SignalNumber(*status);
  }
  return call;
}

Call ReadArchPrctl(ArgumentReader& in) {
  const uint64_t code = in.FlagBits(0);
  // The second argument of ARCH_GET_… is shown as [value].
  const std::string_view value = in.Slice(1);
  const auto inner = ListElements(value);
  const bool one = inner.has_value() && inner->size() == 1;
  return ArchPrctl{code, ParseNumber(one ? inner->front() : value).value_or(0)};
}

Call ReadPrctl(ArgumentReader& in) {
  constexpr uint64_t kSetVma = 0x53564d41;
  const uint64_t option = in.FlagBits(0);
  if (option == kSetVma && in.size() >= 5 && in.FlagBits(1) == 0) {
    SetVmaName call{in.Number(2), in.Number(3), std::nullopt};
    if (auto name = ParseText(in.Slice(4))) call.name = std::move(name->bytes);
    return call;
  }
  Prctl call{option, {}};
  for (size_t i = 1; i < in.size(); ++i) {
    call.arguments.push_back(ParseNumber(in.slices()[i]));
  }
  return call;
}

Call ReadSetTidAddress(ArgumentReader& in) {
  return SetTidAddress{in.Number(0)};
}

std::optional<LimitPair> ReadLimit(std::string_view text) {
  const auto soft = FieldOf(text, "rlim_cur");
  const auto hard = FieldOf(text, "rlim_max");
  if (!soft.has_value() || !hard.has_value()) return std::nullopt;
  const auto soft_value = ParseNumber(*soft);
  const auto hard_value = ParseNumber(*hard);
  if (!soft_value.has_value() || !hard_value.has_value()) return std::nullopt;
  return LimitPair{*soft_value, *hard_value};
}

Call ReadPrlimit(ArgumentReader& in) {
  return Rlimit{static_cast<int32_t>(in.Number(0)), in.FlagBits(1),
                ReadLimit(in.Slice(2)), ReadLimit(in.Slice(3))};
}

Call ReadSetrlimit(ArgumentReader& in) {
  return Rlimit{0, in.FlagBits(0), ReadLimit(in.Slice(1)), std::nullopt};
}

Call ReadGetrlimit(ArgumentReader& in) {
  return Rlimit{0, in.FlagBits(0), std::nullopt, ReadLimit(in.Slice(1))};
}

Call ReadPersonality(ArgumentReader& in) { return Personality{in.FlagBits(0)}; }

constexpr int64_t kAtFdcwd = -100;

Call ReadOpen(ArgumentReader& in) {
  return Open{Descriptor{kAtFdcwd, "", false}, in.String(0), in.FlagBits(1)};
}

Call ReadOpenat(ArgumentReader& in) {
  return Open{in.Fd(0), in.String(1), in.FlagBits(2)};
}

Call ReadCreat(ArgumentReader& in) {
  constexpr uint64_t kCreateWriteTruncate = 0100 | 01 | 01000;
  return Open{Descriptor{kAtFdcwd, "", false}, in.String(0),
              kCreateWriteTruncate};
}

Call ReadClose(ArgumentReader& in) { return Close{in.Fd(0)}; }

Call ReadDup(ArgumentReader& in) {
  Dup call{in.Fd(0), std::nullopt, 0};
  if (in.size() > 1) call.wanted = in.Fd(1).number;
  if (in.size() > 2) call.flags = in.FlagBits(2);
  return call;
}

Call ReadFcntl(ArgumentReader& in) {
  constexpr uint64_t kDupFd = 0;
  constexpr uint64_t kDupFdCloexec = 1030;
  constexpr uint64_t kCloexec = 02000000;
  const auto command = ParseNumber(in.Slice(1));
  if (command != kDupFd && command != kDupFdCloexec) return std::monostate();
  return Dup{in.Fd(0), std::nullopt, command == kDupFd ? 0 : kCloexec};
}

Call ReadFtruncate(ArgumentReader& in) {
  return Ftruncate{in.Fd(0), in.Number(1)};
}

Call ReadFallocate(ArgumentReader& in) {
  return Fallocate{in.Fd(0), in.FlagBits(1), in.Number(2), in.Number(3)};
}

Call ReadShmget(ArgumentReader& in) {
  return Shmget{in.Number(0), in.Number(1), in.FlagBits(2)};
}

Call ReadShmat(ArgumentReader& in) {
  return Shmat{static_cast<int64_t>(in.Number(0)), in.Number(1),
               in.FlagBits(2)};
}

Call ReadShmdt(ArgumentReader& in) { return Shmdt{in.Number(0)}; }

Call ReadMemfdCreate(ArgumentReader& in) {
  return MemfdCreate{in.String(0), in.FlagBits(1)};
}

struct KnownCall {
  std::string_view name;
  Call (*read)(ArgumentReader&);
};

constexpr KnownCall kKnownCalls[] = {
    {"mmap", ReadMmap},
    {"munmap", ReadMunmap},
    {"mprotect", ReadMprotect},
    {"brk", ReadBrk},
    {"mremap", ReadMremap},
    {"madvise", ReadMadvise},
    {"close", ReadClose},
    {"openat", ReadOpenat},
    {"fcntl", ReadFcntl},
    {"fcntl64", ReadFcntl},
    {"execve", ReadExecve},
    {"execveat", ReadExecveat},
    {"mmap2", ReadMmap},
    {"pkey_mprotect", ReadMprotect},
    {"mlock", ReadMlock},
    {"mlock2", ReadMlock},
    {"munlock", ReadMunlock},
    {"mlockall", ReadMlockall},
    {"munlockall", ReadMunlockall},
    {"msync", ReadMsync},
    {"mincore", ReadMincore},
    {"remap_file_pages", ReadRemapFilePages},
    {"fork", ReadFork},
    {"vfork", ReadVfork},
    {"clone", ReadClone},
    {"clone3", ReadClone3},
    {"exit", ReadExit},
    {"exit_group", ReadExitGroup},
    {"wait4", ReadWait4},
    {"waitid", ReadWaitid},
    {"arch_prctl", ReadArchPrctl},
    {"prctl", ReadPrctl},
    {"set_tid_address", ReadSetTidAddress},
    {"prlimit64", ReadPrlimit},
    {"setrlimit", ReadSetrlimit},
    {"getrlimit", ReadGetrlimit},
    {"ugetrlimit", ReadGetrlimit},
    {"personality", ReadPersonality},
    {"open", ReadOpen},
    {"creat", ReadCreat},
    {"dup", ReadDup},
    {"dup2", ReadDup},
    {"dup3", ReadDup},
    {"ftruncate", ReadFtruncate},
    {"ftruncate64", ReadFtruncate},
    {"shmget", ReadShmget},
    {"shmat", ReadShmat},
    {"shmdt", ReadShmdt},
    {"memfd_create", ReadMemfdCreate},
    {"fallocate", ReadFallocate},
    {"process_madvise", ReadProcessMadvise},
    {"mseal", ReadMseal},
    {"mbind", ReadMbind},
    {"set_mempolicy", ReadSetMempolicy},
    {"set_mempolicy_home_node", ReadSetMempolicyHomeNode},
    // As strace before 6.9 names it.
    {"syscall_0x1ce", ReadMseal},
};

}  // namespace

ParsedCall ParseCall(std::string_view name,
                     const std::vector<std::string_view>& arguments) {
  ParsedCall parsed;
  for (const KnownCall& known : kKnownCalls) {
    if (known.name != name) continue;
    ArgumentReader reader(arguments);
    parsed.call = known.read(reader);
    parsed.error = std::move(reader.error);
    parsed.unknown_names = std::move(reader.unknown_names);
    if (!parsed.error.empty()) parsed.call = std::monostate();
    break;
  }
  return parsed;
}

bool CreatesTask(std::string_view name) {
  return name == "clone" || name == "clone3" || name == "fork" ||
         name == "vfork";
}

}  // namespace faultline::strace
