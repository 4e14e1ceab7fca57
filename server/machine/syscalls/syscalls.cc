#include "server/machine/syscalls/syscalls.h"

#include <algorithm>
#include <utility>

#include "server/machine/fs/char_dev.h"
#include "server/machine/fs/fallocate.h"
#include "server/machine/fs/memfd.h"
#include "server/machine/fs/module.h"
#include "server/machine/fs/open.h"
#include "server/machine/fs/read_write.h"
#include "server/machine/malloc/calls.h"
#include "server/machine/mm/bio.h"
#include "server/machine/mm/clear_refs.h"
#include "server/machine/mm/compaction.h"
#include "server/machine/mm/fremap.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/highmem.h"
#include "server/machine/mm/kcompactd.h"
#include "server/machine/mm/ksm.h"
#include "server/machine/mm/kswapd.h"
#include "server/machine/mm/madvise.h"
#include "server/machine/mm/mempolicy.h"
#include "server/machine/mm/mlock.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/mprotect.h"
#include "server/machine/mm/mremap.h"
#include "server/machine/mm/mseal.h"
#include "server/machine/mm/msync.h"
#include "server/machine/mm/oom_kill.h"
#include "server/machine/mm/pcp.h"
#include "server/machine/mm/replacement.h"
#include "server/machine/mm/slab_common.h"
#include "server/machine/mm/swapfile.h"
#include "server/machine/mm/vmalloc.h"
#include "server/machine/mm/watermark.h"
#include "server/machine/mm/writeback.h"
#include "server/machine/syscalls/access.h"
#include "server/machine/syscalls/kernel_access.h"
#include "server/machine/syscalls/page_calls.h"
#include "server/machine/syscalls/process_madvise.h"
#include "server/machine/task/cred.h"
#include "server/machine/task/exec.h"
#include "server/machine/task/exit.h"
#include "server/machine/task/fork.h"

namespace faultline {
namespace {

// A system call's result: a value, or an errno.
class Result {
 public:
  Result(Errno e) : error_(e) {}             // NOLINT: implicit by design
  Result(uint64_t value) : value_(value) {}  // NOLINT: implicit by design
  Result(VirtAddr a) : value_(a.value()) {}  // NOLINT: implicit by design
  template <class T>
  Result(const ErrnoOr<T>& r)  // NOLINT: implicit by design
      : Result(r.ok() ? Result(r.value()) : Result(r.error())) {}

  void Store(Outcome* out) const {
    out->error = error_;
    out->value = error_ == Errno::kOk ? static_cast<int64_t>(value_)
                                      : -static_cast<int64_t>(error_);
  }

 private:
  uint64_t value_ = 0;
  Errno error_ = Errno::kOk;
};

class Dispatch {
 public:
  Dispatch(Kernel& k, Outcome* out) : k_(k), out_(out) {}

  // SYSCALL_DEFINE6(mmap) and ksys_mmap_pgoff().
  Result operator()(const Mmap& c) {
    if (c.offset & ~kPageMask) return Errno::kEINVAL;
    MmapArgs args{.file = {},
                  .addr = c.addr,
                  .length = c.length,
                  .prot = c.prot,
                  .flags = c.flags,
                  .pgoff = c.offset >> kPageShift};
    if (c.flags & mman::kAnonymous) {
      if (c.flags & mman::kHugeTlb) {
        args.huge_bytes = FL_TRY_VALUE(HugetlbPageBytes(c.flags));
        const uint64_t within = args.huge_bytes - 1;
        args.length = (args.length + within) & ~within;
      }
    } else {
      args.file = FileOf(k_, c.fd);
      if (!args.file || k_.open_files[args.file].path_only) {
        return Errno::kEBADF;
      }
      if (c.flags & mman::kHugeTlb) return Errno::kEINVAL;
    }
    return DoMmap(k_, mm(), args);
  }
  Result operator()(const Munmap& c) {
    return VmMunmap(k_, mm(), c.addr, c.length);
  }
  Result operator()(const Mprotect& c) {
    return DoMprotect(k_, mm(), c.addr, c.length, c.prot);
  }
  Result operator()(const Mremap& c) { return DoMremap(k_, mm(), c); }
  Result operator()(const Brk& c) { return DoBrk(k_, mm(), VirtAddr(c.addr)); }
  Result operator()(const Madvise& c) {
    return DoMadvise(k_, mm(), c.addr, c.length, c.advice);
  }
  Result operator()(const Mlock& c) {
    return DoMlock(k_, mm(), c.addr, c.length, c.flags);
  }
  Result operator()(const Munlock& c) {
    return DoMunlock(k_, mm(), c.addr, c.length);
  }
  Result operator()(const Mlockall& c) { return DoMlockall(k_, mm(), c.flags); }
  Result operator()(const Munlockall&) { return DoMunlockall(k_, mm()); }
  Result operator()(const Msync& c) {
    return DoMsync(k_, mm(), c.addr, c.length, c.flags);
  }
  Result operator()(const Mincore& c) {
    return DoMincore(k_, mm(), c.addr, c.length, &out_->data);
  }
  Result operator()(const Mseal& c) {
    return DoMseal(k_, mm(), c.addr, c.length, c.flags);
  }
  Result operator()(const RemapFilePages& c) {
    return DoRemapFilePages(k_, mm(), c);
  }
  Result operator()(const Mbind& c) { return DoMbind(k_, mm(), c); }
  Result operator()(const SetMempolicy& c) { return DoSetMempolicy(k_, c); }
  Result operator()(const GetMempolicy& c) {
    return DoGetMempolicy(k_, mm(), c, &out_->data);
  }
  Result operator()(const SetMempolicyHomeNode& c) {
    return DoSetMempolicyHomeNode(k_, mm(), c);
  }
  Result operator()(const ProcessMadvise& c) { return DoProcessMadvise(k_, c); }
  // userfaultfd_syscall_allowed(), new_userfaultfd() (fs/userfaultfd.c).
  Result operator()(const Userfaultfd& c) {
    constexpr uint32_t kUserModeOnly = 1, kCloexec = 02000000,
                       kNonblock = 04000;
    if (!(c.flags & kUserModeOnly) && !k_.Capable(Cap::kSysPtrace)) {
      return Errno::kEPERM;
    }
    if (c.flags & ~(kUserModeOnly | kCloexec | kNonblock))
      return Errno::kEINVAL;
    return Errno::kENOSYS;  // departure D10
  }
  Result operator()(const SetVmaName& c) {
    return SetAnonVmaName(k_, mm(), c.addr, c.length, c.name);
  }

  Result operator()(const Access& c) { return DoAccess(k_, c, out_); }
  Result operator()(const AccessMany& c) { return DoAccessMany(k_, c, out_); }

  Result operator()(const SetReplacement& c) {
    return DoSetReplacement(k_, mm(), c);
  }
  Result operator()(const EvictPage& c) {
    return DoEvictPage(k_, mm(), c.addr);
  }

  Result operator()(const Malloc& c) { return DoMalloc(k_, c, out_); }
  Result operator()(const Calloc& c) { return DoMalloc(k_, c, out_); }
  Result operator()(const Realloc& c) { return DoMalloc(k_, c, out_); }
  Result operator()(const struct Free& c) { return DoMalloc(k_, c, out_); }
  Result operator()(const Mallopt& c) { return DoMalloc(k_, c, out_); }

  Result operator()(const Fork&) {
    constexpr uint64_t kSigchld = 17;
    return DoClone(k_, kSigchld);
  }
  Result operator()(const Clone& c) { return DoClone(k_, c.flags); }
  Result operator()(const Execve& c) { return DoExecve(k_, c); }
  Result operator()(const Exit& c) {
    int32_t code = (c.status & 0xff) << 8;
    if (c.group) {
      DoGroupExit(k_, k_.Current(), code);
    } else {
      DoExit(k_, k_.Current(), code);
    }
    return Errno::kOk;
  }
  Result operator()(const Wait& c) { return DoWait(k_, c.pid, &out_->data); }
  Result operator()(const Kill& c) { return DoKill(k_, c.target, c.signal); }

  Result operator()(const CreateFile& c) { return DoCreateFile(k_, c); }
  Result operator()(const Open& c) { return DoOpen(k_, c); }
  Result operator()(const Close& c) { return DoClose(k_, c.fd); }
  Result operator()(const Read& c) { return DoRead(k_, c, &out_->data); }
  Result operator()(const Write& c) { return DoWrite(k_, c); }
  Result operator()(const Truncate& c) { return DoTruncate(k_, c); }
  Result operator()(const Fsync& c) { return DoFsync(k_, c); }
  Result operator()(const Fadvise& c) { return DoFadvise(k_, c); }
  Result operator()(const Sync&) {
    SyncAll(k_);
    return Errno::kOk;
  }
  Result operator()(const DropCaches& c) { return DoDropCaches(k_, c); }
  Result operator()(const Fallocate& c) { return DoFallocate(k_, c); }
  Result operator()(const Fcntl& c) { return DoFcntl(k_, c); }
  Result operator()(const MemfdCreate& c) { return DoMemfdCreate(k_, c); }
  Result operator()(const Getrlimit& c) {
    if (c.resource >= kRlimitCount) return Errno::kEINVAL;
    const Rlimit& limit = k_.Current().rlim[c.resource];
    for (uint64_t value : {limit.soft, limit.hard}) {
      for (int i = 0; i < 8; i++) {
        out_->data.push_back(static_cast<char>(value >> (8 * i)));
      }
    }
    return limit.soft;
  }
  Result operator()(const Setuid& c) { return DoSetuid(k_, c.uid); }
  Result operator()(const Prctl& c) { return DoPrctl(k_, c.option, c.arg); }
  Result operator()(const Setrlimit& c) {
    Task& task = k_.Current();
    if (c.resource >= kRlimitCount || c.soft > c.hard) return Errno::kEINVAL;
    Rlimit& limit = task.rlim[c.resource];
    constexpr uint64_t kNrOpen = uint64_t{1} << 20;  // fs.nr_open
    if (c.resource == kRlimitNofile && c.hard > kNrOpen) return Errno::kEPERM;
    if (c.hard > limit.hard && !k_.Capable(Cap::kSysResource))
      return Errno::kEPERM;
    limit = {c.soft, c.hard};
    return Errno::kOk;
  }

  Result operator()(const struct AllocPages& c) {
    return DoAllocPages(k_, c.gfp, c.order);
  }
  Result operator()(const struct FreePages& c) {
    return DoFreePages(k_, c.pfn, c.order);
  }
  Result operator()(const GetFreePages& c) {
    return DoGetFreePages(k_, c.gfp, c.order);
  }
  Result operator()(const GetZeroedPage& c) {
    return DoGetFreePages(k_, c.gfp | gfp::kZero, 0);
  }
  Result operator()(const PageAddress& c) { return DoPageAddress(k_, c.pfn); }
  Result operator()(const FreeAddress& c) {
    return DoFreeAddress(k_, c.addr, c.order);
  }
  Result operator()(const Kmalloc& c) { return DoKmalloc(k_, c.size, c.gfp); }
  Result operator()(const Kfree& c) { return DoKfree(k_, c.addr); }
  Result operator()(const KmemCacheCreate& c) {
    return DoKmemCacheCreate(k_, c);
  }
  Result operator()(const KmemCacheAlloc& c) {
    return DoKmemCacheAlloc(k_, c.name, c.gfp);
  }
  Result operator()(const KmemCacheFree& c) {
    return DoKmemCacheFree(k_, c.name, c.addr);
  }
  Result operator()(const KmemCacheShrink& c) {
    return DoKmemCacheShrink(k_, c.name);
  }
  Result operator()(const KmemCacheDestroy& c) {
    return DoKmemCacheDestroy(k_, c.name);
  }
  Result operator()(const Vmalloc& c) { return DoVmalloc(k_, c.size, c.gfp); }
  Result operator()(const Vfree& c) { return DoVfree(k_, c.addr); }
  Result operator()(const Kmap& c) { return DoKmap(k_, c.pfn); }
  Result operator()(const Kunmap& c) { return DoKunmap(k_, c.pfn); }
  Result operator()(const KmapLocal& c) { return DoKmapLocal(k_, c.pfn); }
  Result operator()(const KunmapLocal& c) { return DoKunmapLocal(k_, c.addr); }
  Result operator()(const KernelAccess& c) {
    return DoKernelAccess(k_, c, out_);
  }
  Result operator()(const InsertModule& c) { return DoInsertModule(k_, c); }
  Result operator()(const RemoveModule& c) { return DoRemoveModule(k_, c); }
  Result operator()(const Mknod& c) { return DoMknod(k_, c); }
  Result operator()(const Swapon& c) {
    return DoSwapon(k_, c.path, c.size, c.flags);
  }
  Result operator()(const Swapoff& c) { return DoSwapoff(k_, c.path, c.area); }
  // __set_oom_adj(): of all threads, and of who shares the memory.
  Result operator()(const SetOomScoreAdj& c) {
    if (c.value < kOomScoreAdjMin || c.value > kOomScoreAdjMax) {
      return Errno::kEINVAL;
    }
    Task& task = k_.Current();
    if (c.value < task.oom_score_adj_min && !k_.Capable(Cap::kSysResource)) {
      return Errno::kEACCES;
    }
    const bool lowers_floor = k_.Capable(Cap::kSysResource);
    for (const auto& [pid, id] : std::as_const(k_).pids) {
      const Task& other = std::as_const(k_).tasks[id];
      if (other.tgid != task.tgid && (!task.mm || other.mm != task.mm)) {
        continue;
      }
      k_.tasks[id].oom_score_adj = c.value;
      if (lowers_floor) k_.tasks[id].oom_score_adj_min = c.value;
    }
    return Errno::kOk;
  }
  Result operator()(const Sysctl& c) {
    if (!c.more.empty() && c.name != kLowmemReserveRatio) {
      return Errno::kEINVAL;
    }
    if (c.name == "vm.compact_memory") {
      if (c.value != 1) return Errno::kEINVAL;
      CompactMemory(k_);
      return Errno::kOk;
    }
    if (c.name == "vm.drop_caches") {
      return DoDropCaches(
          k_, {static_cast<uint32_t>(std::min<uint64_t>(c.value, UINT32_MAX))});
    }
    if (c.name == kLowmemReserveRatio) {
      SetLowmemReserveRatio(k_, c);
      return Errno::kOk;
    }
    uint64_t* value = FindSysctl(k_.sysctl, c.name);
    // What was decided at build or boot time has no file to write to.
    if (value == nullptr || value == &k_.sysctl.stack_guard_gap ||
        value == &k_.sysctl.mem_soft_dirty || value == &k_.sysctl.cap_bound ||
        value == &k_.sysctl.slub_debug) {
      return Errno::kENOENT;
    }
    // hugepage_init(): /sys/kernel/mm/transparent_hugepage is not there.
    if (k_.paging.narrow() && (value == &k_.sysctl.thp_enabled ||
                               value == &k_.sysctl.thp_use_zero_page)) {
      return Errno::kENOENT;
    }
    if (value == &k_.sysctl.ksm.smart_scan && !k_.quirks.ksm_smart_scan) {
      return Errno::kENOENT;
    }
    if (!c.more.empty() || !SysctlAccepts(k_.sysctl, value, c.value)) {
      return Errno::kEINVAL;
    }
    if (value == &k_.sysctl.ksm.run) return KsmStoreRun(k_, c.value);
    if (value == &k_.sysctl.ksm.max_page_sharing) {
      return KsmStoreMaxPageSharing(k_, c.value);
    }
    *value = c.value;
    if (value == &k_.sysctl.min_free_kbytes) {
      k_.sysctl.user_min_free_kbytes = c.value;
      SetupPerZoneWmarks(k_);
    }
    if (value == &k_.sysctl.watermark_scale_factor) SetupPerZoneWmarks(k_);
    if (value == &k_.sysctl.percpu_pagelist_high_fraction) {
      for (Zone& zone : k_.zones) SetPcpHighAndBatch(k_, zone);
    }
    NoteDirtyKnob(k_, value);
    if (value == &k_.sysctl.thp_enabled) SetRecommendedMinFreeKbytes(k_);
    if (value == &k_.sysctl.compaction_proactiveness) NoteProactiveness(k_);
    return Errno::kOk;
  }
  Result operator()(const ClearRefs& c) {
    return DoClearRefs(k_, mm(), c.type);
  }
  Result operator()(const Tick& c) {
    constexpr uint64_t kSecond = 1'000'000'000, kSettled = 64;
    // ktime_t has 63 bits.
    constexpr uint64_t kKtimeMax = INT64_MAX;
    if (k_.clock_ns > kKtimeMax || c.nanoseconds > kKtimeMax - k_.clock_ns) {
      return Errno::kEINVAL;
    }
    const uint64_t before = k_.clock_ns / kSecond;
    const uint64_t until = k_.clock_ns + c.nanoseconds;
    for (uint64_t at = NextFlusherWakeup(k_); at != 0 && at <= until;
         at = NextFlusherWakeup(k_)) {
      RunKsmd(k_, at);
      RunPeriodicFlusher(k_, at);
    }
    RunKsmd(k_, until);
    SleepUntil(k_, until);
    // vmstat's worker runs each second; after so many it finds nothing to do.
    const uint64_t seconds = k_.clock_ns / kSecond - before;
    for (uint64_t i = 0; i < std::min(seconds, kSettled); i++) DecayPcpHigh(k_);
    RunKswapd(k_);
    constexpr uint64_t kTickNs = kSecond / 250;  // CONFIG_HZ
    ReplacementTick(k_, c.nanoseconds / kTickNs);
    return Errno::kOk;
  }

 private:
  Mm& mm() { return k_.mms[k_.Current().mm]; }

  Kernel& k_;
  Outcome* out_;
};

}  // namespace

void DoSyscall(Kernel& k, const Operation& op, Outcome* out) {
  std::visit(Dispatch(k, out), op).Store(out);
}

}  // namespace faultline
