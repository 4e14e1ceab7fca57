// /proc/PID/numa_maps. Models fs/proc/task_mmu.c (v6.18): show_numa_map(),
// gather_stats(), can_gather_numa_stats().
#include <algorithm>

#include "server/machine/mm/folio.h"
#include "server/machine/mm/mempolicy.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/proc/proc_files.h"

namespace faultline {
namespace {

// struct numa_maps, pages.
struct NumaMaps {
  uint64_t pages = 0, anon = 0, dirty = 0, active = 0;
  uint64_t writeback = 0, swapcache = 0;
  int32_t mapcount_max = 0;
};

void GatherStats(const Kernel& k, Pte pte, NumaMaps& md) {
  const Page& folio = FolioOf(k, pte.pfn());
  md.pages++;
  md.dirty += pte.dirty() || folio.Is(page_flag::kDirty);
  md.swapcache += folio.Is(page_flag::kSwapCache);
  md.active += folio.Is(page_flag::kActive | page_flag::kUnevictable);
  md.writeback += folio.Is(page_flag::kWriteback);
  md.anon += folio.Is(page_flag::kAnon);
  md.mapcount_max = std::max(md.mapcount_max, PageMapcount(k, pte.pfn()));
}

NumaMaps Gather(const Kernel& k, const Mm& mm, const Vma& vma) {
  NumaMaps md;
  ForEachPte(k, mm, vma.start, vma.end, [&](VirtAddr, Pte pte) {
    if (!pte.present() || pte.special()) return;
    if (k.page(pte.pfn()).Is(page_flag::kReserved)) return;
    GatherStats(k, pte, md);
  });
  return md;
}

void ShowStats(SeqFile& m, const NumaMaps& md) {
  auto show = [&m](std::string_view label, uint64_t n) { (m << label).Dec(n); };
  if (md.anon > 0) show(" anon=", md.anon);
  if (md.dirty > 0) show(" dirty=", md.dirty);
  if (md.pages != md.anon && md.pages != md.dirty) show(" mapped=", md.pages);
  if (md.mapcount_max > 1) {
    show(" mapmax=", static_cast<uint64_t>(md.mapcount_max));
  }
  if (md.swapcache > 0) show(" swapcache=", md.swapcache);
  if (md.active < md.pages) show(" active=", md.active);
  if (md.writeback > 0) show(" writeback=", md.writeback);
  show(" N0=", md.pages);
  show(" kernelpagesize_kB=", kPageSize >> 10);
}

}  // namespace

ErrnoOr<std::string> ProcPidNumaMaps(const Kernel& k, const Task& task) {
  if (!Is64Bit(k)) return Errno::kENOENT;  // without CONFIG_NUMA
  const Mm* mm = MmOf(k, task);
  if (mm == nullptr) return std::string();
  SeqFile m;
  for (Id<Vma> at = mm->mmap; at; at = k.vmas[at].next) {
    const Vma& vma = k.vmas[at];
    MempolicyId policy = VmaPolicyAt(k, vma, vma.start);
    if (policy == 0) policy = task.mempolicy;
    m.Hex(vma.start.value(), 8) << " " << MempolicyText(k, policy);
    if (vma.file) {
      const Inode& inode = k.inodes[k.open_files[vma.file].inode];
      m << " file=" << PathText(inode, "\n\t= ");
    } else if (IsInitialHeap(k, *mm, vma)) {
      m << " heap";
    } else if (IsInitialStack(*mm, vma)) {
      m << " stack";
    }
    const NumaMaps md = Gather(k, *mm, vma);
    if (md.pages > 0) ShowStats(m, md);
    m << "\n";
  }
  return m.Take();
}

}  // namespace faultline
