// Models kernel/sys.c (v6.18): sys_setuid(), prctl_set_mdwe(),
// prctl_set_thp_disable(); kernel/cred.c:
// commit_creds(); kernel/ptrace.c: __ptrace_may_access(); kernel/fork.c:
// mm_access().
// Departure: D61 (PR_SET_THP_DISABLE has no flags).
#include "server/machine/task/cred.h"

#include "server/machine/mm/ksm.h"
#include "server/machine/mm/mmap_lock.h"

namespace faultline {
namespace {

constexpr int32_t kGetDumpable = 3, kSetDumpable = 4;
constexpr int32_t kSetThpDisable = 41, kGetThpDisable = 42;
constexpr int32_t kSetMdwe = 65, kGetMdwe = 66;
constexpr int32_t kSetMemoryMerge = 67, kGetMemoryMerge = 68;

ErrnoOr<uint64_t> SetMdwe(Mm& mm, uint64_t bits) {
  if (bits & ~(mdwe::kRefuseExecGain | mdwe::kNoInherit)) return Errno::kEINVAL;
  if (bits == mdwe::kNoInherit) return Errno::kEINVAL;
  // What is denied stays denied.
  if (mm.mdwe != 0 && mm.mdwe != bits) return Errno::kEPERM;
  mm.mdwe = static_cast<uint8_t>(bits);
  return uint64_t{0};
}

}  // namespace

Errno DoSetuid(Kernel& k, uint32_t uid) {
  constexpr uint32_t kInvalidUid = ~uint32_t{0};
  Task& task = k.Current();
  if (uid == kInvalidUid) return Errno::kEINVAL;
  if (!k.Capable(Cap::kSetuid) && uid != task.uid) return Errno::kEPERM;
  // commit_creds(): who was more than he is now is not to be looked into.
  if (uid != task.uid) k.mms[task.mm].dumpable = false;
  task.uid = uid;
  return Errno::kOk;
}

ErrnoOr<Id<Mm>> MmAccess(const Kernel& k, const Task& target) {
  if (!target.mm) return Errno::kESRCH;
  const Task& current = k.tasks[k.current];
  if (target.mm == current.mm || k.Capable(Cap::kSysPtrace)) return target.mm;
  if (target.uid != current.uid || !k.mms[target.mm].dumpable) {
    return Errno::kEACCES;
  }
  return target.mm;
}

ErrnoOr<uint64_t> DoPrctl(Kernel& k, int32_t option, uint64_t arg) {
  Mm& mm = k.mms[k.Current().mm];
  switch (option) {
    case kGetDumpable:
      return uint64_t{mm.dumpable};
    case kSetDumpable:
      if (arg > 1) return Errno::kEINVAL;
      mm.dumpable = arg == 1;
      return uint64_t{0};
    case kSetThpDisable:
      MmapWriteLock(mm);
      mm.thp_disabled = arg != 0;
      return uint64_t{0};
    case kGetThpDisable:
      if (arg != 0) return Errno::kEINVAL;
      return uint64_t{mm.thp_disabled};
    case kSetMdwe:
      if (!k.quirks.mdwe) return Errno::kEINVAL;
      return SetMdwe(mm, arg);
    case kGetMdwe:
      if (!k.quirks.mdwe || arg != 0) return Errno::kEINVAL;
      return uint64_t{mm.mdwe};
    case kSetMemoryMerge:
      if (!k.quirks.ksm_merge_any) return Errno::kEINVAL;
      MmapWriteLock(mm);
      FL_TRY(arg != 0 ? KsmEnableMergeAny(k, mm) : KsmDisableMergeAny(k, mm));
      return uint64_t{0};
    case kGetMemoryMerge:
      if (!k.quirks.ksm_merge_any || arg != 0) return Errno::kEINVAL;
      return uint64_t{mm.ksm_merge_any};
    default:
      return Errno::kEINVAL;
  }
}

}  // namespace faultline
