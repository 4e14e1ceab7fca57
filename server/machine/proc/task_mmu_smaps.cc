// /proc/PID/smaps and smaps_rollup. Models fs/proc/task_mmu.c (v6.18):
// smaps_account(), smaps_page_accumulate(), __show_smap(), show_smap(),
// show_smap_vma_flags(), show_smaps_rollup().
#include <algorithm>

#include "server/machine/mm/changes.h"
#include "server/machine/mm/huge_memory.h"
#include "server/machine/mm/shmem.h"
#include "server/machine/mm/swapfile.h"
#include "server/machine/proc/proc_files.h"

namespace faultline {
namespace {

// Proportional sizes carry 12 more bits than bytes do.
constexpr int kPssShift = 12;

// struct mem_size_stats, bytes.
struct MemSizeStats {
  uint64_t resident = 0;
  uint64_t shared_clean = 0, shared_dirty = 0;
  uint64_t private_clean = 0, private_dirty = 0;
  uint64_t referenced = 0, anonymous = 0, lazyfree = 0;
  uint64_t anonymous_thp = 0, shmem_thp = 0;
  uint64_t ksm = 0, swap = 0, swap_pss = 0;
  uint64_t pss = 0, pss_anon = 0, pss_file = 0, pss_shmem = 0;
  uint64_t pss_locked = 0, pss_dirty = 0;
};

void SmapsAccount(const Kernel& k, Pte pte, bool locked, MemSizeStats& s) {
  const Page& page = FolioOf(k, pte.pfn());
  const int32_t mapcount = PageMapcount(k, pte.pfn());
  const bool anon = page.Is(page_flag::kAnon);
  const bool swap_backed = page.Is(page_flag::kSwapBacked);
  const bool dirty = pte.dirty() || page.Is(page_flag::kDirty);
  const bool shared = mapcount >= 2;
  uint64_t pss = kPageSize << kPssShift;
  if (shared) pss /= static_cast<uint64_t>(mapcount);
  s.resident += kPageSize;
  if (anon) s.anonymous += kPageSize;
  if (page.Is(page_flag::kKsm)) s.ksm += kPageSize;
  if (anon && !swap_backed && !dirty) s.lazyfree += kPageSize;
  if (pte.young() || page.Is(page_flag::kReferenced)) {
    s.referenced += kPageSize;
  }
  s.pss += pss;
  (anon ? s.pss_anon : swap_backed ? s.pss_shmem : s.pss_file) += pss;
  if (locked) s.pss_locked += pss;
  if (dirty) {
    s.pss_dirty += pss;
    (shared ? s.shared_dirty : s.private_dirty) += kPageSize;
  } else {
    (shared ? s.shared_clean : s.private_clean) += kPageSize;
  }
}

// smaps_pte_entry(), of a swap entry: shared by all that have its slot.
void SmapsSwap(const Kernel& k, Pte pte, MemSizeStats& s) {
  const uint32_t count = SlotOf(k, SwpEntry::Of(pte)).count;
  s.swap += kPageSize;
  s.swap_pss += (kPageSize << kPssShift) / std::max(count, 1u);
}

// Until 6.6 a huge page behind PROT_NONE was not seen.
bool SeesHuge(const Kernel& k, const Vma& vma) {
  return vma.Has(vm::kAccessFlags) || changes::SmapsSeesHugeProtNone(k);
}

// smaps_pmd_entry()
void GatherHugePages(const Kernel& k, const Mm& mm, const Vma& vma,
                     MemSizeStats& s) {
  const bool huge = vma.anonymous() || vma.ops == VmOps::kShmem;
  if (!huge || vma.size() < kPmdSize || !SeesHuge(k, vma)) return;
  VirtAddr at((vma.start.value() + kPmdSize - 1) & ~(kPmdSize - 1));
  for (; at < vma.end && vma.end - at >= kPmdSize; at = at + kPmdSize) {
    const Leaf leaf = FindLeaf(k, mm, at);
    if (!leaf.huge || ReadPte(k, leaf.at).special()) continue;
    (vma.anonymous() ? s.anonymous_thp : s.shmem_thp) += kPmdSize;
  }
}

// shmem_swap_usage(), and of a private mapping what it has not copied.
void GatherShmemSwap(const Kernel& k, const Mm& mm, const Vma& vma,
                     MemSizeStats& s) {
  if (!vma.file) return;
  const Inode& inode = k.inodes[k.open_files[vma.file].inode];
  if (inode.nrswapped == 0) return;
  const bool copies = !vma.Has(vm::kShared) && vma.Has(vm::kWrite);
  for (VirtAddr a = vma.start; a < vma.end; a = a + kPageSize) {
    if (!ShmemIsSwapped(k, inode, vma.PageIndex(a))) continue;
    if (copies && !LookAtPte(k, mm, a).none()) continue;
    s.swap += kPageSize;
  }
}

void SmapGatherStats(const Kernel& k, const Mm& mm, const Vma& vma,
                     MemSizeStats& s) {
  GatherShmemSwap(k, mm, vma, s);
  const bool locked = vma.Has(vm::kLocked);
  const bool sees_huge = SeesHuge(k, vma);
  ForEachPte(k, mm, vma.start, vma.end, [&](VirtAddr addr, Pte pte) {
    if (!sees_huge && FindLeaf(k, mm, addr).huge) return;
    if (pte.swapped()) return SmapsSwap(k, pte, s);
    // vm_normal_page(): special entries have no struct page.
    if (!pte.present() || pte.special()) return;
    SmapsAccount(k, pte, locked, s);
  });
  GatherHugePages(k, mm, vma, s);
}

enum class Rollup : uint8_t { kNo, kYes };

void ShowSizes(const Kernel& k, SeqFile& m, const MemSizeStats& s,
               Rollup rollup) {
  auto bytes = [&](std::string_view label, uint64_t n) {
    m.Kilobytes(label, n >> 10);
  };
  auto pss = [&](std::string_view label, uint64_t n) {
    m.Kilobytes(label, n >> (10 + kPssShift));
  };
  bytes("Rss:            ", s.resident);
  pss("Pss:            ", s.pss);
  pss("Pss_Dirty:      ", s.pss_dirty);
  if (rollup == Rollup::kYes) {
    pss("Pss_Anon:       ", s.pss_anon);
    pss("Pss_File:       ", s.pss_file);
    pss("Pss_Shmem:      ", s.pss_shmem);
  }
  bytes("Shared_Clean:   ", s.shared_clean);
  bytes("Shared_Dirty:   ", s.shared_dirty);
  bytes("Private_Clean:  ", s.private_clean);
  bytes("Private_Dirty:  ", s.private_dirty);
  bytes("Referenced:     ", s.referenced);
  bytes("Anonymous:      ", s.anonymous);
  if (Is618(k)) bytes("KSM:            ", s.ksm);
  bytes("LazyFree:       ", s.lazyfree);
  bytes("AnonHugePages:  ", s.anonymous_thp);
  bytes("ShmemPmdMapped: ", s.shmem_thp);
  bytes("FilePmdMapped:  ", 0);
  bytes("Shared_Hugetlb: ", 0);
  m.Kilobytes("Private_Hugetlb: ", 0, 7);
  bytes("Swap:           ", s.swap);
  pss("SwapPss:        ", s.swap_pss);
  pss("Locked:         ", s.pss_locked);
}

// The two letters of each bit of vm_flags that smaps shows.
void ShowVmFlags(const Kernel& k, SeqFile& m, uint64_t flags) {
  struct Mnemonic {
    uint64_t flag;
    std::string_view letters;
  };
  static constexpr Mnemonic kMnemonics[] = {
      {vm::kRead, "rd"},       {vm::kWrite, "wr"},
      {vm::kExec, "ex"},       {vm::kShared, "sh"},
      {vm::kMayRead, "mr"},    {vm::kMayWrite, "mw"},
      {vm::kMayExec, "me"},    {vm::kMayShare, "ms"},
      {vm::kGrowsDown, "gd"},  {vm::kPfnMap, "pf"},
      {vm::kMaybeGuard, "gu"}, {vm::kLocked, "lo"},
      {vm::kIo, "io"},         {vm::kSeqRead, "sr"},
      {vm::kRandRead, "rr"},   {vm::kDontCopy, "dc"},
      {vm::kDontExpand, "de"}, {vm::kLockOnFault, "lf"},
      {vm::kAccount, "ac"},    {vm::kNoReserve, "nr"},
      {vm::kHugeTlb, "ht"},    {vm::kSync, "sf"},
      {vm::kWipeOnFork, "wf"}, {vm::kDontDump, "dd"},
      {vm::kSoftDirty, "sd"},  {vm::kMixedMap, "mm"},
      {vm::kHugePage, "hg"},   {vm::kNoHugePage, "nh"},
      {vm::kMergeable, "mg"},  {vm::kDroppable, "dp"},
      {vm::kSealed, "sl"},
  };
  m << "VmFlags: ";
  for (const Mnemonic& row : kMnemonics) {
    if (!(flags & row.flag)) continue;
    // 6.1 has no letters for VM_LOCKONFAULT.
    bool unknown = row.flag == vm::kLockOnFault && !Is618(k);
    m << (unknown ? "??" : row.letters) << " ";
  }
  m << "\n";
}

void ShowSmap(const Kernel& k, SeqFile& m, uint64_t size, uint64_t flags,
              bool thp_eligible, const MemSizeStats& s) {
  m.Kilobytes("Size:           ", size >> 10);
  m.Kilobytes("KernelPageSize: ", kPageSize >> 10);
  m.Kilobytes("MMUPageSize:    ", kPageSize >> 10);
  ShowSizes(k, m, s, Rollup::kNo);
  if (Is618(k)) {
    m << "THPeligible:           " << (thp_eligible ? "1" : "0") << "\n";
  } else {
    m << "THPeligible:    " << (thp_eligible ? "1" : "0") << "\n";
    // The recorded 6.1 machine has protection keys.
    if (Is64Bit(k)) m << "ProtectionKey:         0\n";
  }
  ShowVmFlags(k, m, flags);
}

}  // namespace

ErrnoOr<std::string> ProcPidSmaps(const Kernel& k, const Task& task) {
  const Mm* mm = MmOf(k, task);
  if (mm == nullptr) return std::string();
  SeqFile m;
  for (Id<Vma> at = mm->mmap; at; at = k.vmas[at].next) {
    const Vma& vma = k.vmas[at];
    MemSizeStats stats;
    SmapGatherStats(k, *mm, vma, stats);
    ShowMapVma(k, m, vma);
    ShowSmap(k, m, vma.size(), vma.flags, ThpAllowable(k, vma, ThpFor::kSmaps),
             stats);
  }
  if (HasGateVma(k, *mm)) {
    ShowGateVma(k, m);
    ShowSmap(k, m, kPageSize, vm::kExec, false, {});
  }
  return m.Take();
}

ErrnoOr<std::string> ProcPidSmapsRollup(const Kernel& k, const Task& task) {
  const Mm* mm = MmOf(k, task);
  if (mm == nullptr) return Errno::kESRCH;
  MemSizeStats stats;
  MapColumns columns;
  for (Id<Vma> at = mm->mmap; at; at = k.vmas[at].next) {
    const Vma& vma = k.vmas[at];
    if (at == mm->mmap) columns.start = vma.start.value();
    columns.end = vma.end.value();
    SmapGatherStats(k, *mm, vma, stats);
  }
  SeqFile m;
  ShowMapColumns(k, m, columns);
  m.Pad();
  m << "[rollup]\n";
  ShowSizes(k, m, stats, Rollup::kYes);
  return m.Take();
}

}  // namespace faultline
