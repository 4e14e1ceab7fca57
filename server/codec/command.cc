#include "server/codec/command.h"

#include <type_traits>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "server/codec/access_many.h"
#include "server/codec/fields.h"
#include "server/limits.h"

namespace faultline {
namespace {

using limits::kDataBytesMax;
using limits::kManyEntriesMax;
using limits::kNameBytesMax;
using limits::kPathBytesMax;
using limits::kVictimsMax;

// --- The field lists, in the order of command.h. The last parameter says which
// one is meant.

#define FL_FIELDS(Type)                \
  template <class C, class S, class P> \
  void Fields(C& c, S& s, P& p, const Type*)
#define FL_NO_FIELDS(Type)             \
  template <class C, class S, class P> \
  void Fields(C&, S&, P&, const Type*) {}

FL_FIELDS(Mmap) {
  FL_FIELD(addr);
  FL_FIELD(length);
  FL_FIELD(prot);
  FL_FIELD(flags);
  FL_FIELD(fd);
  FL_FIELD(offset);
}
FL_FIELDS(Munmap) {
  FL_FIELD(addr);
  FL_FIELD(length);
}
FL_FIELDS(Mprotect) {
  FL_FIELD(addr);
  FL_FIELD(length);
  FL_FIELD(prot);
}
FL_FIELDS(Mremap) {
  FL_FIELD(addr);
  FL_FIELD(old_length);
  FL_FIELD(new_length);
  FL_FIELD(flags);
  FL_FIELD(new_addr);
}
FL_FIELDS(Brk) { FL_FIELD(addr); }
FL_FIELDS(Madvise) {
  FL_FIELD(addr);
  FL_FIELD(length);
  FL_FIELD(advice);
}
FL_FIELDS(Mlock) {
  FL_FIELD(addr);
  FL_FIELD(length);
  FL_FIELD(flags);
}
FL_FIELDS(Munlock) {
  FL_FIELD(addr);
  FL_FIELD(length);
}
FL_FIELDS(Mlockall) { FL_FIELD(flags); }
FL_NO_FIELDS(Munlockall)
FL_FIELDS(Msync) {
  FL_FIELD(addr);
  FL_FIELD(length);
  FL_FIELD(flags);
}
// One byte per page comes back. Linux itself refuses what is longer than the
// address space, before it makes any.
struct MincoreLength {
  std::string operator()(uint64_t length) const {
    if (length <= limits::kMincoreBytesMax || length > limits::kUserBytesMax) {
      return "";
    }
    return absl::StrCat(length, " is too much: at most ",
                        limits::kMincoreBytesMax,
                        "; ask for one part after the other");
  }
};
FL_FIELDS(Mincore) {
  FL_FIELD(addr);
  FL_FIELD(length, MincoreLength{});
}
FL_FIELDS(SetVmaName) {
  FL_FIELD(addr);
  FL_FIELD(length);
  FL_FIELD(name, MaxBytes{kNameBytesMax});
}
FL_FIELDS(Access) {
  FL_ENUM(kind, AccessKind::kFetch, Unspecified::kRefused);
  FL_FIELD(addr);
  FL_FIELD(count, AtMost{limits::kAccessCountMax});
  FL_FIELD(stride);
  FL_FIELD(value, AtMost{limits::kByteMax});
  FL_NUMBERS(victims);
}
FL_FIELDS(AccessMany) {
  FL_FIELD(base);
  FL_NUMBERS(addr);
  FL_ENUMS(kind, AccessKind::kFetch);
  FL_NUMBERS(count);
  FL_NUMBERS(stride);
  FL_FIELD(value, RawBytes{{kManyEntriesMax}});
  FL_FIELD(data);
  FL_NUMBERS(victims);
}
FL_NO_FIELDS(Fork)
FL_FIELDS(Clone) { FL_FIELD(flags); }
FL_FIELDS(Execve) {
  FL_FIELD(path, MaxBytes{kPathBytesMax, 1});
  FL_STRINGS(argv);
  FL_STRINGS(envp);
}
FL_FIELDS(Exit) {
  FL_FIELD(status);
  FL_FIELD(group);
}
FL_FIELDS(Wait) {
  FL_FIELD(pid);
  FL_FIELD(nohang);
}
FL_FIELDS(Kill) {
  FL_FIELD(target);
  FL_FIELD(signal);
}
FL_FIELDS(CreateFile) {
  FL_FIELD(path, MaxBytes{kPathBytesMax, 1});
  FL_FIELD(size);
  FL_ENUM(content, FileContent::kPattern);
  FL_FIELD(seed);
  FL_FIELD(data, RawBytes{{kDataBytesMax}});
  FL_FIELD(cached);
  FL_ENUM(fs, FsType::kExt4);
  FL_FIELD(mode, AtMost{limits::kFileModeMax});
  FL_FIELD(dev_major, AtMost{limits::kDevMajorMax});
  FL_FIELD(dev_minor, AtMost{limits::kDevMinorMax});
  FL_FIELD(inode);
}
FL_FIELDS(Open) {
  FL_FIELD(path, MaxBytes{kPathBytesMax, 1});
  FL_FIELD(flags);
  FL_FIELD(at);
}
FL_FIELDS(Close) { FL_FIELD(fd); }
FL_FIELDS(Read) {
  FL_FIELD(fd);
  FL_FIELD(offset);
  FL_FIELD(length, AtMost{kDataBytesMax});
}
FL_FIELDS(Write) {
  FL_FIELD(fd);
  FL_FIELD(offset);
  FL_FIELD(data, RawBytes{{kDataBytesMax}});
}
FL_FIELDS(Truncate) {
  FL_FIELD(fd);
  FL_FIELD(size);
}
FL_FIELDS(Fsync) {
  FL_FIELD(fd);
  FL_FIELD(data_only);
}
FL_FIELDS(Setrlimit) {
  FL_FIELD(resource);
  FL_FIELD(soft);
  FL_FIELD(hard);
}
FL_FIELDS(AllocPages) {
  FL_FIELD(gfp);
  FL_FIELD(order);
}
FL_FIELDS(FreePages) {
  FL_FIELD(pfn);
  FL_FIELD(order);
}
FL_FIELDS(GetFreePages) {
  FL_FIELD(gfp);
  FL_FIELD(order);
}
FL_FIELDS(GetZeroedPage) { FL_FIELD(gfp); }
FL_FIELDS(PageAddress) { FL_FIELD(pfn); }
FL_FIELDS(FreeAddress) {
  FL_FIELD(addr);
  FL_FIELD(order);
}
FL_FIELDS(Sysctl) {
  FL_FIELD(name, MaxBytes{kNameBytesMax, 1});
  FL_FIELD(value);
  FL_NUMBERS(more);
}
FL_FIELDS(ClearRefs) { FL_FIELD(type); }
FL_FIELDS(Malloc) { FL_FIELD(size); }
FL_FIELDS(Calloc) {
  FL_FIELD(count);
  FL_FIELD(size);
}
FL_FIELDS(Realloc) {
  FL_FIELD(addr);
  FL_FIELD(size);
}
FL_FIELDS(Free) { FL_FIELD(addr); }
FL_FIELDS(Mallopt) {
  FL_FIELD(param);
  FL_FIELD(value);
}
FL_FIELDS(Tick) { FL_FIELD(nanoseconds); }
FL_FIELDS(Mseal) {
  FL_FIELD(addr);
  FL_FIELD(length);
  FL_FIELD(flags);
}
FL_FIELDS(RemapFilePages) {
  FL_FIELD(addr);
  FL_FIELD(length);
  FL_FIELD(prot);
  FL_FIELD(pgoff);
  FL_FIELD(flags);
}
FL_FIELDS(MemfdCreate) {
  FL_FIELD(name, MaxBytes{kNameBytesMax});
  FL_FIELD(flags);
  FL_FIELD(at);
}
FL_FIELDS(Fallocate) {
  FL_FIELD(fd);
  FL_FIELD(mode);
  FL_FIELD(offset);
  FL_FIELD(length);
}
FL_FIELDS(Fcntl) {
  FL_FIELD(fd);
  FL_FIELD(cmd);
  FL_FIELD(arg);
}
FL_FIELDS(ProcessMadvise) {
  FL_FIELD(target);
  FL_NUMBERS(addr);
  FL_NUMBERS(length);
  FL_FIELD(advice);
  FL_FIELD(flags);
}
FL_FIELDS(Mbind) {
  FL_FIELD(addr);
  FL_FIELD(length);
  FL_FIELD(mode);
  FL_NUMBERS(nodes);
  FL_FIELD(maxnode);
  FL_FIELD(flags);
}
FL_FIELDS(SetMempolicy) {
  FL_FIELD(mode);
  FL_NUMBERS(nodes);
  FL_FIELD(maxnode);
}
FL_FIELDS(GetMempolicy) {
  FL_FIELD(addr);
  FL_FIELD(flags);
  FL_FIELD(maxnode);
}
FL_FIELDS(SetMempolicyHomeNode) {
  FL_FIELD(addr);
  FL_FIELD(length);
  FL_FIELD(home_node);
  FL_FIELD(flags);
}
FL_FIELDS(Getrlimit) { FL_FIELD(resource); }
FL_FIELDS(Setuid) { FL_FIELD(uid); }
FL_FIELDS(Prctl) {
  FL_FIELD(option);
  FL_FIELD(arg);
}
FL_FIELDS(Userfaultfd) { FL_FIELD(flags); }

FL_FIELDS(Kmalloc) {
  FL_FIELD(size);
  FL_FIELD(gfp);
}
FL_FIELDS(Kfree) { FL_FIELD(addr); }
FL_FIELDS(KmemCacheCreate) {
  FL_FIELD(name, MaxBytes{kNameBytesMax, 1});
  FL_FIELD(size);
  FL_FIELD(align);
  FL_FIELD(flags);
}
FL_FIELDS(KmemCacheAlloc) {
  FL_FIELD(name, MaxBytes{kNameBytesMax, 1});
  FL_FIELD(gfp);
}
FL_FIELDS(KmemCacheFree) {
  FL_FIELD(name, MaxBytes{kNameBytesMax, 1});
  FL_FIELD(addr);
}
FL_FIELDS(KmemCacheShrink) { FL_FIELD(name, MaxBytes{kNameBytesMax, 1}); }
FL_FIELDS(KmemCacheDestroy) { FL_FIELD(name, MaxBytes{kNameBytesMax, 1}); }
FL_FIELDS(Vmalloc) {
  FL_FIELD(size);
  FL_FIELD(gfp);
}
FL_FIELDS(Vfree) { FL_FIELD(addr); }
FL_FIELDS(Kmap) { FL_FIELD(pfn); }
FL_FIELDS(Kunmap) { FL_FIELD(pfn); }
FL_FIELDS(KmapLocal) { FL_FIELD(pfn); }
FL_FIELDS(KunmapLocal) { FL_FIELD(addr); }
FL_FIELDS(KernelAccess) {
  FL_ENUM(kind, AccessKind::kFetch, Unspecified::kRefused);
  FL_FIELD(addr);
  FL_FIELD(count, AtMost{limits::kAccessCountMax});
  FL_FIELD(stride);
  FL_FIELD(value, AtMost{limits::kByteMax});
}
FL_FIELDS(DropCaches) { FL_FIELD(mode); }
FL_NO_FIELDS(Sync)
FL_FIELDS(Fadvise) {
  FL_FIELD(fd);
  FL_FIELD(offset);
  FL_FIELD(length);
  FL_FIELD(advice);
}
FL_FIELDS(Swapon) {
  FL_FIELD(path, MaxBytes{kPathBytesMax});
  FL_FIELD(size);
  FL_FIELD(flags);
}
FL_FIELDS(Swapoff) {
  FL_FIELD(path, MaxBytes{kPathBytesMax});
  FL_FIELD(area);
}
FL_FIELDS(SetOomScoreAdj) { FL_FIELD(value); }
FL_FIELDS(InsertModule) {
  FL_FIELD(name, MaxBytes{kNameBytesMax, 1});
  FL_FIELD(size);
  FL_FIELD(params, MaxBytes{kNameBytesMax});
}
FL_FIELDS(RemoveModule) {
  FL_FIELD(name, MaxBytes{kNameBytesMax, 1});
  FL_FIELD(flags);
}
FL_FIELDS(Mknod) {
  FL_FIELD(path, MaxBytes{kPathBytesMax, 1});
  FL_FIELD(mode);
  FL_FIELD(major);
  FL_FIELD(minor);
}
FL_FIELDS(SetReplacement) {
  FL_ENUM(policy, ReplacementPolicy::kClient);
  FL_FIELD(frames);
  FL_NUMBERS(future);
}
FL_FIELDS(EvictPage) { FL_FIELD(addr); }

#undef FL_FIELDS
#undef FL_NO_FIELDS

// --- What a field list cannot say.

template <class S, class P>
void Complete(Decoder&, S&, const P&) {}

void Complete(Decoder& c, Execve& s, const v1::Execve&) {
  if (!c.checks()) return;
  size_t bytes = 0;
  for (const std::string& text : s.argv) bytes += text.size() + 1;
  for (const std::string& text : s.envp) bytes += text.size() + 1;
  const size_t strings = s.argv.size() + s.envp.size();
  if (strings <= limits::kExecStringsMax && bytes <= limits::kExecBytesMax) {
    return;
  }
  c.Violate("argv",
            absl::StrCat("and envp have ", strings, " texts and ", bytes,
                         " bytes: at most ", limits::kExecStringsMax, " and ",
                         limits::kExecBytesMax));
}

// A column has one value for all entries or one for each. The machine relies on
// it, wherever the command comes from.
void CheckColumn(Decoder& c, const char* name, size_t size, size_t entries) {
  if (size <= 1 || size == entries) return;
  c.Violate(name, absl::StrCat("has ", size, " values and addr ", entries,
                               ": give one for all or one for each"));
}

void CheckMost(Decoder& c, const char* name, size_t size, size_t most) {
  if (size <= most) return;
  c.Violate(name, absl::StrCat("has ", size, " values: at most ", most));
}

void Complete(Decoder& c, Access& s, const v1::Access&) {
  if (c.checks()) CheckMost(c, "victims", s.victims.size(), kVictimsMax);
}

void Complete(Decoder& c, SetReplacement& s, const v1::SetReplacement&) {
  if (!c.checks()) return;
  CheckMost(c, "future", s.future.size(), limits::kFutureMax);
}

void Complete(Decoder& c, Sysctl& s, const v1::Sysctl&) {
  if (c.checks()) CheckMost(c, "more", s.more.size(), limits::kSysctlMoreMax);
}

void Complete(Decoder& c, Mbind& s, const v1::Mbind&) {
  if (c.checks()) CheckMost(c, "nodes", s.nodes.size(), limits::kNodeWordsMax);
}

void Complete(Decoder& c, SetMempolicy& s, const v1::SetMempolicy&) {
  if (c.checks()) CheckMost(c, "nodes", s.nodes.size(), limits::kNodeWordsMax);
}

void CheckAccesses(Decoder& c, const AccessMany& s) {
  const uint64_t most = s.data ? kDataBytesMax : limits::kAccessCountMax;
  if (AccessesOf(s) <= most) return;
  c.Violate("count",
            absl::StrCat("makes more than ", most, " accesses together",
                         s.data ? ", which is the most with data" : "",
                         ": send several commands"));
}

void Complete(Decoder& c, AccessMany& s, const v1::AccessMany&) {
  const size_t entries = s.addr.size();
  CheckColumn(c, "kind", s.kind.size(), entries);
  CheckColumn(c, "count", s.count.size(), entries);
  CheckColumn(c, "stride", s.stride.size(), entries);
  CheckColumn(c, "value", s.value.size(), entries);
  if (!c.checks()) return;
  CheckMost(c, "victims", s.victims.size(), kVictimsMax);
  if (s.kind.empty()) {
    c.Violate("kind", "is required: one for all entries, or one for each",
              true);
  }
  if (entries == 0) {
    c.Violate("addr", "is required: the address of each entry", true);
  } else if (entries > kManyEntriesMax) {
    c.Violate("addr", absl::StrCat("has ", entries, " entries: at most ",
                                   kManyEntriesMax, "; send several commands"));
  }
  CheckAccesses(c, s);
}

// As in AccessMany, the machine relies on it.
void Complete(Decoder& c, ProcessMadvise& s, const v1::ProcessMadvise&) {
  if (s.addr.size() != s.length.size()) {
    c.Violate("length",
              absl::StrCat("has ", s.length.size(), " values and addr ",
                           s.addr.size(), ": give one for each"));
  }
  if (c.checks() && s.addr.size() > limits::kMadviseRangesMax) {
    c.Violate("addr", absl::StrCat("has ", s.addr.size(), " ranges: at most ",
                                   limits::kMadviseRangesMax));
  }
}

void Complete(Decoder&, CreateFile& s, const v1::CreateFile& p) {
  if (p.content() == v1::FILE_CONTENT_UNSPECIFIED && !s.data.empty()) {
    s.content = FileContent::kBytes;
  }
  if (s.size < s.data.size()) s.size = s.data.size();
}

// --- One operation.

template <class S>
void CheckPid(Decoder& c, uint32_t pid) {
  c.EnterMessage("");
  if (kNeedsProcess<S> && pid == 0 && c.checks()) {
    c.Violate("pid", "is required: the calling process; the first is 1", true);
  }
}

template <class S, class P>
void Decode(Decoder& c, const char* field, const P& p, Command& command) {
  CheckPid<S>(c, command.pid);
  c.EnterMessage(field);
  S& s = command.op.emplace<S>();
  Fields(c, s, p, &s);
  Complete(c, s, p);
}

void Decode(Decoder& c, const v1::Command& p, Command& command) {
  command.pid = p.pid();
  switch (p.op_case()) {
#define FL_CASE(Type, field)                     \
  case v1::Command::k##Type:                     \
    Decode<Type>(c, #field, p.field(), command); \
    break;
    FAULTLINE_OPERATIONS(FL_CASE)
#undef FL_CASE
    case v1::Command::OP_NOT_SET:
      c.EnterMessage("");
      c.Violate("op",
                "is required: set one call, for example mmap or access; a call "
                "that this server does not know counts as none",
                true);
  }
}

void DecodeBytes(Decoder& c, absl::string_view bytes, Command& command) {
  if (AccessManyFromBytes(bytes, command)) {
    CheckPid<AccessMany>(c, command.pid);
    c.EnterMessage("access_many");
    Complete(c, std::get<AccessMany>(command.op),
             v1::AccessMany::default_instance());
    return;
  }
  v1::Command message;
  if (message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    Decode(c, message, command);
  } else {
    c.EnterMessage("");
    c.Violate("", "is no message of type Command");
  }
}

#define FL_MUTABLE(Type, field) \
  v1::Type* Mutable(v1::Command& p, const Type*) { return p.mutable_##field(); }
FAULTLINE_OPERATIONS(FL_MUTABLE)
#undef FL_MUTABLE

template <class S, class P>
absl::StatusOr<Command> FromArguments(uint32_t pid, const char* field,
                                      const P* proto) {
  Decoder c(Decoder::Bounds::kCheck);
  Command command;
  command.pid = pid;
  if (proto == nullptr && !std::is_empty_v<S>) {
    c.Violate(field, "is required: the arguments of the call", true);
    return c.status();
  }
  Decode<S>(c, field, proto == nullptr ? P::default_instance() : *proto,
            command);
  if (!c.ok()) return c.status();
  return command;
}

absl::StatusOr<Command> FromProto(Decoder c, const v1::Command& proto) {
  Command command;
  Decode(c, proto, command);
  if (!c.ok()) return c.status();
  return command;
}

}  // namespace

absl::StatusOr<Command> CommandFromProto(const v1::Command& proto) {
  return FromProto(Decoder(Decoder::Bounds::kCheck), proto);
}

absl::StatusOr<Command> CommandFromJournal(const v1::Command& proto) {
  return FromProto(Decoder(Decoder::Bounds::kTrust), proto);
}

absl::StatusOr<std::vector<Command>> CommandsFromBytes(
    const std::vector<absl::string_view>& batch) {
  if (batch.empty()) {
    return errors::MissingField(
        "commands",
        absl::StrCat("is required: 1 to ", limits::kBatchCommandsMax));
  }
  if (batch.size() > size_t{limits::kBatchCommandsMax}) {
    return errors::InvalidField(
        "commands", absl::StrCat("has ", batch.size(), " commands: at most ",
                                 limits::kBatchCommandsMax, " in a batch"));
  }
  Decoder c(Decoder::Bounds::kCheck);
  std::vector<Command> commands(batch.size());
  for (size_t i = 0; i < batch.size(); ++i) {
    c.EnterCommand(static_cast<int>(i));
    DecodeBytes(c, batch[i], commands[i]);
  }
  if (!c.ok()) return c.status();
  return commands;
}

absl::Status CommandToProto(const Command& command, v1::Command* proto) {
  Encoder c;
  proto->Clear();
  proto->set_pid(command.pid);
  std::visit([&](const auto& s) { Fields(c, s, *Mutable(*proto, &s), &s); },
             command.op);
  if (c.not_utf8().empty()) return absl::OkStatus();
  return errors::InvalidField(
      absl::StrCat(OperationName(command.op), ".", c.not_utf8()),
      "is not UTF-8: write bytes above 0x7f as \\xNN or leave them out");
}

#define FL_FROM_ARGUMENTS(Type, field)                                  \
  absl::StatusOr<Command> CommandFromArguments(uint32_t pid,            \
                                               const v1::Type* proto) { \
    return FromArguments<Type>(pid, #field, proto);                     \
  }
FAULTLINE_OPERATIONS(FL_FROM_ARGUMENTS)
#undef FL_FROM_ARGUMENTS

}  // namespace faultline
