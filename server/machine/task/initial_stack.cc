// Models fs/binfmt_elf.c (v6.18): create_elf_tables().
#include "server/machine/task/initial_stack.h"

#include <algorithm>

#include "server/machine/mm/fault.h"

namespace faultline {
namespace {

enum AuxType : uint64_t {
  kAtNull = 0,
  kAtPhdr = 3,
  kAtPhent = 4,
  kAtPhnum = 5,
  kAtPagesz = 6,
  kAtBase = 7,
  kAtFlags = 8,
  kAtEntry = 9,
  kAtUid = 11,
  kAtEuid = 12,
  kAtGid = 13,
  kAtEgid = 14,
  kAtPlatform = 15,
  kAtHwcap = 16,
  kAtClktck = 17,
  kAtSecure = 23,
  kAtRandom = 25,
  kAtHwcap2 = 26,
  kAtRseqFeatureSize = 27,
  kAtRseqAlign = 28,
  kAtExecfn = 31,
  kAtSysinfoEhdr = 33,
  kAtMinsigstksz = 51,
};
// What the simulated processor says of itself: CPUID 1.EDX of an x86-64 with
// SSE2, the room that a signal frame with AVX state needs, FSGSBASE.
constexpr uint64_t kHwcap = 0x178bfbff, kMinsigstksz = 3376, kHwcap2 = 2;
constexpr uint64_t kClockTicks = 100;
// struct rseq of 6.3 and later.
constexpr uint64_t kRseqFeatureSize = 28, kRseqAlign = 32;
constexpr uint64_t kPhdrBytes = 56;
constexpr uint64_t kWord = 8;
constexpr uint64_t kRandomBytes = 16;
const char kPlatform[] = "x86_64";

bool HasRseqEntries(const Kernel& k) {
  return k.config.personality == Personality::kLinux618;
}

void AppendWord(std::string* out, uint64_t word) {
  for (uint64_t i = 0; i < kWord; i++) {
    out->push_back(static_cast<char>(word >> (8 * i)));
  }
}

}  // namespace

InitialStack::InitialStack(const Kernel& k, const Mm& mm, const Execve& call)
    : p_(mm.start_stack.value() - kWord) {
  exec_path_ = Push(call.path);
  env_end_ = p_;
  for (auto it = call.envp.rbegin(); it != call.envp.rend(); ++it) {
    envp_.push_back(Push(*it));
  }
  env_start_ = p_;
  for (auto it = call.argv.rbegin(); it != call.argv.rend(); ++it) {
    argv_.push_back(Push(*it));
  }
  arg_start_ = p_;
  std::reverse(envp_.begin(), envp_.end());
  std::reverse(argv_.begin(), argv_.end());
  platform_ = (p_ & ~uint64_t{15}) - sizeof kPlatform;
  random_ = platform_ - kRandomBytes;
  const uint64_t aux_words = Auxv(k, {}).size();
  const uint64_t items = argv_.size() + 1 + envp_.size() + 1 + 1;
  sp_ = (random_ - (items + aux_words) * kWord) & ~uint64_t{15};
}

uint64_t InitialStack::Push(const std::string& text) {
  p_ -= text.size() + 1;
  strings_.emplace_back(p_, text);
  return p_;
}

std::vector<uint64_t> InitialStack::Auxv(const Kernel& k,
                                         const LoadedImages& images) const {
  const uint64_t uid = k.current ? k.tasks[k.current].uid : 0;
  std::vector<uint64_t> v = {
      kAtSysinfoEhdr, images.vdso,  kAtMinsigstksz, kMinsigstksz,
      kAtHwcap,       kHwcap,       kAtPagesz,      kPageSize,
      kAtClktck,      kClockTicks,  kAtPhdr,        images.phdr,
      kAtPhent,       kPhdrBytes,   kAtPhnum,       images.phdr_count,
      kAtBase,        images.base,  kAtFlags,       0,
      kAtEntry,       images.entry, kAtUid,         uid,
      kAtEuid,        uid,          kAtGid,         uid,
      kAtEgid,        uid,          kAtSecure,      0,
      kAtRandom,      random_,      kAtHwcap2,      kHwcap2,
      kAtExecfn,      exec_path_,   kAtPlatform,    platform_,
  };
  if (HasRseqEntries(k)) {
    v.insert(v.end(),
             {kAtRseqFeatureSize, kRseqFeatureSize, kAtRseqAlign, kRseqAlign});
  }
  v.insert(v.end(), {kAtNull, 0});
  return v;
}

Errno InitialStack::Write(Kernel& k, Mm& mm, const LoadedImages& images) const {
  mm.arg_start = VirtAddr(arg_start_);
  mm.arg_end = mm.env_start = VirtAddr(env_start_);
  mm.env_end = VirtAddr(env_end_);
  mm.start_stack = VirtAddr(sp_);
  mm.saved_auxv = Auxv(k, images);
  for (const auto& [addr, text] : strings_) {
    FL_TRY(CopyToUser(k, mm, VirtAddr(addr), text + '\0'));
  }
  FL_TRY(CopyToUser(k, mm, VirtAddr(platform_),
                    std::string_view(kPlatform, sizeof kPlatform)));
  std::string table;
  AppendWord(&table, argv_.size());
  for (uint64_t at : argv_) AppendWord(&table, at);
  AppendWord(&table, 0);
  for (uint64_t at : envp_) AppendWord(&table, at);
  AppendWord(&table, 0);
  for (uint64_t word : mm.saved_auxv) AppendWord(&table, word);
  return CopyToUser(k, mm, VirtAddr(sp_), table);
}

}  // namespace faultline
