// Models arch/x86/mm/fault.c (v6.18): do_user_addr_fault(), access_error();
// mm/mmap_lock.c: lock_mm_and_find_vma().
#include "server/machine/mm/fault.h"

#include <algorithm>
#include <utility>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/kernel_tables.h"
#include "server/machine/mm/memory.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/oom_kill.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

constexpr int32_t kSigbus = 7, kSigsegv = 11;
constexpr int32_t kSegvMaperr = 1, kSegvAccerr = 2, kBusAdrerr = 2;
constexpr int32_t kSiKernel = 128;

SignalInfo Refuse(Kernel& k, VirtAddr addr, int32_t signal, int32_t code) {
  // A non-canonical address never reaches the fault handler: #GP has none.
  // Nor has force_sig().
  uint64_t si_addr = code == kSiKernel ? 0 : addr.value();
  k.Emit(EventLevel::kFaults, FaultRefused{addr.value(), signal, code});
  return {signal, code, si_addr};
}

bool Canonical(const Kernel& k, VirtAddr addr) {
  if (k.config.profile != Profile::kX86_64) return true;
  uint64_t top = addr.value() >> 47;
  return top == 0 || top == 0x1ffff;
}

// arch/x86/entry/vsyscall (v6.18, vsyscall=xonly): the page is not mapped; the
// kernel does itself what is called there, and nothing else begins there. 6.1
// (Debian's) is built without.
constexpr uint64_t kVsyscallAddr = 0xffffffffff600000;

bool InVsyscallPage(const Kernel& k, VirtAddr addr) {
  return k.config.profile == Profile::kX86_64 &&
         k.config.personality == Personality::kLinux618 &&
         addr.Floor().value() == kVsyscallAddr;
}

// addr_to_vsyscall_nr(): gettimeofday, time and getcpu, 1 KiB apart.
bool IsVsyscall(VirtAddr addr) {
  constexpr uint64_t kEntryBytes = 1024, kEntries = 3;
  return addr.offset() % kEntryBytes == 0 &&
         addr.offset() / kEntryBytes < kEntries;
}

// emulate_vsyscall(): the call returns at once; here it does nothing (D20).
UserAccess EmulateVsyscall(Kernel& k, VirtAddr addr) {
  k.clock_ns += cost::kFaultEntry;
  k.Emit(EventLevel::kFaults,
         PageFaultUser{addr.value(), kFaultUser | kFaultFetch});
  if (IsVsyscall(addr)) return {k.zero_page, {}};
  return {Pfn(), Refuse(k, addr, kSigsegv, kSiKernel)};
}

// What a walk of the tables finds above the process's half: what the kernel
// maps, above all the direct map, is present there, but not for user mode.
bool MappedByKernel(const Kernel& k, VirtAddr addr) {
  constexpr uint64_t kPageOffset = 0xffff888000000000;
  if (k.config.profile != Profile::kX86_64) return false;
  const uint64_t pfn = (addr.value() - kPageOffset) >> kPageShift;
  constexpr uint64_t kIsaEnd = 256;  // the first MiB is mapped throughout
  if (addr.value() >= kPageOffset && (pfn < kIsaEnd || PfnValid(k, pfn))) {
    return true;
  }
  return KernelAddrToPfn(k, addr.value()).valid();  // vmalloc, modules
}

// access_error()
bool AccessError(const Vma& vma, uint32_t code) {
  if (code & kFaultWrite) return !vma.Has(vm::kWrite);
  if (code & kFaultProtection) return true;
  return !VmaIsAccessible(vma);
}

// lock_mm_and_find_vma(): the VMA of the address, a stack grown to it.
Id<Vma> FindVmaForFault(Kernel& k, Mm& mm, VirtAddr addr) {
  Id<Vma> id = FindVma(k, mm, addr);
  if (!id || k.vmas[id].start <= addr) return id;
  Vma& vma = k.vmas[id];
  if (!vma.Has(vm::kGrowsDown)) return {};
  return ExpandDownwards(k, vma, addr) == Errno::kOk ? id : Id<Vma>();
}

// do_user_addr_fault(). An empty result: the access may be tried again.
UserAccess HandleFault(Kernel& k, Mm& mm, VirtAddr addr, uint32_t code) {
  k.clock_ns += cost::kFaultEntry;
  k.Emit(EventLevel::kFaults, PageFaultUser{addr.value(), code});
  Id<Vma> id;
  if (addr.value() < mm.task_size) {
    MmapReadLock(mm);
    id = FindVmaForFault(k, mm, addr);
  }
  if (!id) return {Pfn(), Refuse(k, addr, kSigsegv, kSegvMaperr)};
  Vma& vma = k.vmas[id];
  if (AccessError(vma, code)) {
    return {Pfn(), Refuse(k, addr, kSigsegv, kSegvAccerr)};
  }
  FaultAccess access =
      code & kFaultWrite ? FaultAccess::kWrite : FaultAccess::kRead;
  uint32_t status = HandleMmFault(k, vma, addr, access);
  if (status & vm_fault::kOom) return {Pfn(), {}, true};
  if (status & vm_fault::kSigbus) {
    return {Pfn(), Refuse(k, addr, kSigbus, kBusAdrerr)};
  }
  if (status & vm_fault::kSigsegv) {
    return {Pfn(), Refuse(k, addr, kSigsegv, kSegvMaperr)};
  }
  return {};
}

}  // namespace

UserAccess AccessUser(Kernel& k, Mm& mm, VirtAddr addr, MmuAccess access) {
  if (!Canonical(k, addr)) {
    return {Pfn(), Refuse(k, addr, kSigsegv, kSiKernel)};
  }
  if (access == MmuAccess::kFetch && InVsyscallPage(k, addr)) {
    return EmulateVsyscall(k, addr);
  }
  const Cr3 cr3 = mm.cr3(k.paging);
  for (int tries = 0; tries < kMaxFaultRetries; tries++) {
    uint32_t code = FaultCode(k.paging, access);
    if (addr.value() < mm.task_size) {
      Translation t = k.mmu().Walk(cr3, addr, access);
      if (t.ok()) return {t.pfn, {}};
      code = t.error_code;
    } else if (MappedByKernel(std::as_const(k), addr)) {
      code |= kFaultProtection;
    }
    UserAccess failed = HandleFault(k, mm, addr, code);
    if (failed.signal.signal != 0 || failed.out_of_memory) return failed;
    // Who was chosen to die meanwhile does not come back to its program.
    if (CurrentIsOomVictim(k)) [[unlikely]]
      return {Pfn(), {}, true};
  }
  VM_BUG_ON(true && "a page fault that never ends");
  return {};
}

namespace {

// Calls f(bytes of the frame, offset, count) for each page of the range.
template <class F>
Errno WriteUser(Kernel& k, Mm& mm, VirtAddr addr, uint64_t length, F f) {
  while (length > 0) {
    Id<Vma> id = FindVmaForFault(k, mm, addr);
    if (!id || !k.vmas[id].Has(vm::kWrite)) return Errno::kEFAULT;
    const Cr3 cr3 = mm.cr3(k.paging);
    Translation t = k.mmu().Walk(cr3, addr, MmuAccess::kWrite);
    for (int tries = 0; !t.ok(); tries++) {
      VM_BUG_ON(tries == kMaxFaultRetries);
      MmapReadLock(mm);
      uint32_t status =
          HandleMmFault(k, k.vmas[id], addr.Floor(), FaultAccess::kWrite);
      if (status & vm_fault::kError) return Errno::kEFAULT;
      t = k.mmu().Walk(cr3, addr, MmuAccess::kWrite);
    }
    uint64_t n = std::min(length, kPageSize - addr.offset());
    f(k.frames[t.pfn], static_cast<uint32_t>(addr.offset()),
      static_cast<uint32_t>(n));
    addr = addr + n;
    length -= n;
  }
  return Errno::kOk;
}

}  // namespace

Errno CopyToUser(Kernel& k, Mm& mm, VirtAddr addr, std::string_view bytes) {
  return WriteUser(k, mm, addr, bytes.size(),
                   [&](PageBytes& page, uint32_t offset, uint32_t n) {
                     for (uint32_t i = 0; i < n; i++) {
                       page.Write(offset + i, static_cast<uint8_t>(bytes[i]));
                     }
                     bytes.remove_prefix(n);
                   });
}

Errno ClearUser(Kernel& k, Mm& mm, VirtAddr addr, uint64_t length) {
  return WriteUser(k, mm, addr, length,
                   [](PageBytes& page, uint32_t offset, uint32_t n) {
                     page.Zero(offset, n);
                   });
}

}  // namespace faultline
