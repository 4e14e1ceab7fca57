// Verify finds what is broken: one field of a healthy machine is damaged, and
// the message must name it.
#include "server/machine/verify.h"

#include <gmock/gmock.h>

#include <functional>
#include <string>
#include <utility>

#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/kernel_tables.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/slab_common.h"
#include "server/machine/mm/slub.h"
#include "server/machine/mm/vma_tree.h"
#include "server/machine/mm/vmalloc.h"
#include "tests/machine/proc/machine_testing.h"

namespace faultline {
namespace {

constexpr uint64_t kAnon = 0x10000000, kPrivateFile = 0x20000000,
                   kShared = 0x30000000, kSharedFile = 0x40000000;

// Memory of every kind in two processes.
Kernel Healthy() {
  Driver d;
  CreateFile file;
  file.path = "/disk";
  file.size = 16 * kPageSize;
  file.content = FileContent::kPattern;
  file.fs = FsType::kExt4;
  d.Do(file);
  int64_t fd = d.OpenFile("/disk", 2);
  d.MapAnon(kAnon, 8);
  d.WriteTo(kAnon, 3);
  d.ReadFrom(kAnon + 5 * kPageSize);
  d.MapFile(kPrivateFile, 8, 3, kMapPrivate, fd);
  d.ReadFrom(kPrivateFile);
  d.WriteTo(kPrivateFile + kPageSize);
  d.MapAnon(kShared, 4, 3, kMapShared);
  d.WriteTo(kShared, 2);
  d.MapFile(kSharedFile, 4, 3, kMapShared, fd);
  d.WriteTo(kSharedFile);
  d.Do(Mlock{kAnon, kPageSize, 0});
  d.Do(Fork{});
  d.WriteTo(kAnon, 1, 2);
  struct AllocPages call;
  call.gfp = 0xcc0;
  call.order = 1;
  d.Do(call);
  return d.kernel();
}

Mm& MmOfPid(Kernel& k, Pid pid) { return k.mms[k.tasks[k.pids.at(pid)].mm]; }
Vma& VmaAt(Kernel& k, uint64_t addr, Pid pid = 1) {
  return k.vmas[LookupVma(std::as_const(k), MmOfPid(k, pid), VirtAddr(addr))];
}
PteRef PteAt(Kernel& k, uint64_t addr, Pid pid = 1) {
  return FindPte(std::as_const(k), MmOfPid(k, pid), VirtAddr(addr));
}
Pfn PfnAt(Kernel& k, uint64_t addr, Pid pid = 1) {
  return ReadPte(std::as_const(k), PteAt(k, addr, pid)).pfn();
}
Page& PageAt(Kernel& k, uint64_t addr, Pid pid = 1) {
  return k.page(PfnAt(k, addr, pid));
}
void EditPte(Kernel& k, uint64_t addr, uint64_t set, uint64_t clear = 0) {
  PteRef ref = PteAt(k, addr);
  Pte pte = ReadPte(std::as_const(k), ref);
  SetPte(k, ref, pte.With(set).Without(clear));
}
// A cache of which two objects are in use.
Id<KmemCache> CacheWithObjects(Kernel& k) {
  (void)DoKmalloc(k, 64, gfp::kKernel);
  (void)DoKmalloc(k, 64, gfp::kKernel);
  return FindCache(std::as_const(k).slub, "kmalloc-64");
}
// A slab that was the CPU's before it was full.
Id<Slab> FullSlab(Kernel& k) {
  const Id<Slab> first =
      std::as_const(k).slub.caches[CacheWithObjects(k)].cpu_slab;
  for (int i = 0; i < 63; i++) (void)DoKmalloc(k, 64, gfp::kKernel);
  return first;
}
// Three pages of vmalloc.
uint64_t MapSome(Kernel& k) { return DoVmalloc(k, 3 * kPageSize, 0).value(); }
Inode& InodeOf(Kernel& k, uint64_t addr) {
  return k.inodes[k.open_files[VmaAt(k, addr).file].inode];
}

TEST(Verify, AcceptsAHealthyMachine) { EXPECT_EQ(VerifyKernel(Healthy()), ""); }

struct Damage {
  const char* name;
  const char* message;  // a regular expression
  std::function<void(Kernel&)> damage;
};
class VerifyFinds : public testing::TestWithParam<Damage> {};
TEST_P(VerifyFinds, Damage) {
  Kernel k = Healthy();
  GetParam().damage(k);
  EXPECT_THAT(VerifyKernel(k), testing::ContainsRegex(GetParam().message));
}

const Damage kDamages[] = {
    // Tasks and files.
    {"PidOfAnother", "pid 2 names a task that thinks it is pid 7",
     [](Kernel& k) { k.tasks[k.pids.at(2)].pid = 7; }},
    {"ForgottenTask", "tasks of the pid table",
     [](Kernel& k) { k.pids.erase(2); }},
    {"ZombieWithMemory", "pid 2 is a zombie, but it has an address space",
     [](Kernel& k) { k.tasks[k.pids.at(2)].state = TaskState::kZombie; }},
    {"MmUsers", "mm_users of mm 1: expected 1, found 2",
     [](Kernel& k) { MmOfPid(k, 1).mm_users++; }},
    {"FileCount", "f_count of open file 1: expected",
     [](Kernel& k) { k.open_files[Id<File>(1)].f_count++; }},
    {"Opens", "opens of inode 1: expected 1, found 0",
     [](Kernel& k) { k.inodes[Id<Inode>(1)].opens = 0; }},
    {"Name", "the name /other leads to inode 1, which has it not",
     [](Kernel& k) { k.names["/other"] = Id<Inode>(1); }},
    // VMAs and what is counted of them.
    {"VmaOrder", "mm 1: two VMAs overlap",
     [](Kernel& k) { VmaAt(k, kAnon + kPageSize).start = VirtAddr(kAnon); }},
    {"MapCount", "mm 1: map_count is not the length of the list",
     [](Kernel& k) { MmOfPid(k, 1).map_count++; }},
    {"StrayVma", "VMAs that exist of all address spaces",
     [](Kernel& k) { k.vmas.New(); }},
    {"TotalVm", "total_vm of mm 1: expected 57, found 58",
     [](Kernel& k) { MmOfPid(k, 1).total_vm++; }},
    {"DataVm", "data_vm of mm 2", [](Kernel& k) { MmOfPid(k, 2).data_vm--; }},
    {"ExecVm", "exec_vm of mm 1: expected 0, found 1",
     [](Kernel& k) { MmOfPid(k, 1).exec_vm++; }},
    {"StackVm", "stack_vm of mm 1: expected 33, found 34",
     [](Kernel& k) { MmOfPid(k, 1).stack_vm++; }},
    {"LockedVm", "locked_vm of mm 1: expected 1, found 0",
     [](Kernel& k) { MmOfPid(k, 1).locked_vm--; }},
    {"Committed", "vm_committed of the machine",
     [](Kernel& k) { k.vm_committed++; }},
    {"BrkBelowItsStart", "mm 1: brk 555555554fff lies below start_brk",
     [](Kernel& k) { MmOfPid(k, 1).brk = MmOfPid(k, 1).start_brk - 1; }},
    {"PolicyOfAVma", "VMA [0-9]+ has memory policy 3, and there are 0",
     [](Kernel& k) { VmaAt(k, kAnon).policy = 3; }},
    {"PolicyOfATask", "pid 2 has memory policy 1, and there are 0",
     [](Kernel& k) { k.tasks[k.pids.at(2)].mempolicy = 1; }},
    {"PolicyTwice", "memory policies 1 and 2 are the same",
     [](Kernel& k) { k.mempolicies.resize(2, {.mode = mpol::kBind}); }},
    {"PolicyOfNoKind", "memory policy 1 is none that mbind makes",
     [](Kernel& k) { k.mempolicies.resize(1); }},
    {"PolicyOfAFile", "inode [0-9]+ has a memory policy for pages 3 to 3",
     [](Kernel& k) {
       k.mempolicies.resize(1, {.mode = mpol::kBind});
       k.inodes[k.open_files[VmaAt(k, kShared).file].inode].policies = {
           {3, 3, 1}};
     }},
    // Reverse mapping.
    {"ActiveVmas", "num_active_vmas of anon_vma",
     [](Kernel& k) {
       k.anon_vmas[VmaAt(k, kAnon).anon_vma].num_active_vmas++;
     }},
    {"Children", "num_children of anon_vma",
     [](Kernel& k) { k.anon_vmas[VmaAt(k, kAnon).anon_vma].num_children++; }},
    {"AnonVmaRefcount", "refcount of anon_vma",
     [](Kernel& k) { k.anon_vmas[VmaAt(k, kAnon).anon_vma].refcount++; }},
    {"ChainOfAnother", "chain [0-9]+ of VMA [0-9]+ points to VMA",
     [](Kernel& k) {
       k.anon_chains[VmaAt(k, kAnon).anon_chain].vma = VmaAt(k, kShared).id;
     }},
    {"LostAnonVma", "VMA [0-9]+ has anon_vma [0-9]+, but no chain to it",
     [](Kernel& k) {
       VmaAt(k, kAnon).anon_vma = VmaAt(k, kPrivateFile).anon_vma;
     }},
    {"StrayChain", "chains that exist", [](Kernel& k) { k.anon_chains.New(); }},
    {"AnonPageUnreachable", "the page's anon_vma does not lead to the VMA",
     [](Kernel& k) {
       PageAt(k, kAnon + kPageSize).mapping =
           VmaAt(k, kPrivateFile).anon_vma.value();
     }},
    {"AnonPageIndex", "the PTE of 10001000 is .*: the page has another index",
     [](Kernel& k) { PageAt(k, kAnon + kPageSize).index++; }},
    // Page caches.
    {"MmapList", "i_mmap of inode 1: expected 4, found [0-3]",
     [](Kernel& k) {
       Inode& inode = InodeOf(k, kSharedFile);
       inode.i_mmap = k.vmas[inode.i_mmap].shared_next;
       k.vmas[inode.i_mmap].shared_prev = Id<Vma>();
     }},
    {"MmapWritable", "i_mmap_writable of inode 1: expected 2, found 3",
     [](Kernel& k) { InodeOf(k, kSharedFile).i_mmap_writable++; }},
    {"NrPages", "nrpages of inode 1: expected 16, found 15",
     [](Kernel& k) { InodeOf(k, kSharedFile).nrpages--; }},
    {"CachedPageOfAnother", "page 1 of inode 1 is frame",
     [](Kernel& k) {
       Inode& inode = InodeOf(k, kSharedFile);
       XaStore(k.xa_nodes, inode.i_pages, 1,
               XaLoad(k.xa_nodes, inode.i_pages, 2));
     }},
    {"CachedBeyondTheEnd", "the file ends at page 4",
     [](Kernel& k) { InodeOf(k, kSharedFile).size = 4 * kPageSize; }},
    {"CacheFolio", "page 3 is of a folio of order 1, but page 2 is not",
     [](Kernel& k) {
       k.page(FilemapLookup(k, InodeOf(k, kSharedFile), 3)).order = 1;
     }},
    // The trees of cached pages, and what waits to be written.
    {"MarkOfACleanPage", "page 0 of inode 1 has marks 0 and flags",
     [](Kernel& k) {
       XaClearMark(k.xa_nodes, InodeOf(k, kSharedFile).i_pages, 0,
                   XaMark::kDirty);
     }},
    {"XaNodeCount", "count of xa_node .: expected 16, found 17",
     [](Kernel& k) {
       k.xa_nodes[InodeOf(k, kSharedFile).i_pages.root].count++;
     }},
    {"XaNodeParent", "xa_node .: parent 7 and offset 0, expected 0 and 0",
     [](Kernel& k) {
       k.xa_nodes[InodeOf(k, kSharedFile).i_pages.root].parent = Id<XaNode>(7);
     }},
    {"XaMarksOfTheHead", "an xarray has other marks than its root",
     [](Kernel& k) { InodeOf(k, kSharedFile).i_pages.marks = 0; }},
    {"XaNodeHost", "host of xa_node .: expected 1, found 9",
     [](Kernel& k) {
       k.xa_nodes[InodeOf(k, kSharedFile).i_pages.root].host = 9;
     }},
    {"XaNodeOfValuesOffTheList",
     "0 values in 16 slots: is it to be on the list",
     [](Kernel& k) {
       k.xa_nodes[InodeOf(k, kSharedFile).i_pages.root].shadow.listed = true;
     }},
    {"NameOfNoList",
     "the list of unused names holds 1, which does not belong there",
     [](Kernel& k) { InodeOf(k, kSharedFile).d_lru = {}; }},
    {"InodeDroppedInUse", "inode 1 is in use, but was dropped",
     [](Kernel& k) { InodeOf(k, kSharedFile).in_core = false; }},
    {"StrayXaNode", "xa_nodes of the machine",
     [](Kernel& k) { k.xa_nodes.New(); }},
    {"Reclaimable", "WB_RECLAIMABLE of the disk 0: expected 1, found 2",
     [](Kernel& k) { k.bdi.reclaimable++; }},
    {"DirtyInodeOfNoList", "inode 1 has dirty pages that nobody will write",
     [](Kernel& k) {
       k.bdi.b_dirty.clear();
       InodeOf(k, kSharedFile).wb_list = WbList::kNone;
     }},
    {"ListOfAnother", "inode 1 is on no list of the disk, but thinks so",
     [](Kernel& k) { k.bdi.b_dirty.clear(); }},
    {"WritebackOfNoRequest", "pages on the disk's queue .*expected 1, found 0",
     [](Kernel& k) {
       Inode& inode = InodeOf(k, kSharedFile);
       k.page(FilemapLookup(k, inode, 5)).flags |= page_flag::kWriteback;
       XaSetMark(k.xa_nodes, inode.i_pages, 5, XaMark::kWriteback);
       k.bdi.writeback++;
     }},
    // Page tables.
    {"PteOutsideVmas", "the PTE of 10008000 is .*: no VMA is there",
     [](Kernel& k) {
       PteRef to = PteAt(k, kAnon + 8 * kPageSize);
       SetPte(k, to, ReadPte(std::as_const(k), PteAt(k, kAnon)));
     }},
    {"WritablePteOfReadOnlyVma", "it is writable, but the VMA is not",
     [](Kernel& k) { VmaAt(k, kShared).flags &= ~vm::kWrite; }},
    {"WritableSharedAnonPage", "it is writable, but the page is not exclusive",
     [](Kernel& k) { EditPte(k, kAnon + kPageSize, Pte::kWrite); }},
    {"WritableZeroPage", "a special page is writable",
     [](Kernel& k) { EditPte(k, kAnon + 5 * kPageSize, Pte::kWrite); }},
    {"FilePageOfAnotherOffset", "the page is not the file's at this offset",
     [](Kernel& k) {
       SetPte(k, PteAt(k, kPrivateFile + 2 * kPageSize),
              ReadPte(std::as_const(k), PteAt(k, kPrivateFile)));
     }},
    {"TableOfAnother", "mm 1: the level-1 table for 10000000 is frame",
     [](Kernel& k) { k.page(PteAt(k, kAnon).table).index = 2; }},
    {"PgtablesBytes", "pgtables_bytes of mm 1: expected",
     [](Kernel& k) { MmOfPid(k, 1).pgtables_bytes += kPageSize; }},
    {"RssAnon", "MM_ANONPAGES of mm 1",
     [](Kernel& k) { MmOfPid(k, 1).rss[kRssAnon].exact++; }},
    {"RssFile", "MM_FILEPAGES of mm 2",
     [](Kernel& k) { MmOfPid(k, 2).rss[kRssFile].exact--; }},
    {"RssShmem", "MM_SHMEMPAGES of mm 1: expected 2, found 3",
     [](Kernel& k) { MmOfPid(k, 1).rss[kRssShmem].exact++; }},
    // Frames.
    {"Mapcount", "mapcount of frame [0-9]+: expected 2 .*found 3",
     [](Kernel& k) { PageAt(k, kAnon + kPageSize).mapcount++; }},
    {"Refcount",
     "refcount of frame [0-9]+ .an anonymous page.: expected 2, "
     "found 3",
     [](Kernel& k) { PageAt(k, kAnon + kPageSize).refcount++; }},
    {"CacheRefcount", "refcount of frame [0-9]+ .page cache.: expected",
     [](Kernel& k) { PageAt(k, kPrivateFile).refcount++; }},
    {"ExclusiveTwice", "is PG_anon_exclusive, but mapped 2 times",
     [](Kernel& k) {
       PageAt(k, kAnon + kPageSize).flags |= page_flag::kAnonExclusive;
     }},
    {"Leak", "nobody owns it: it leaked",
     [](Kernel& k) { AllocPages(k, 0xcc0, 0); }},
    {"UsedTwice", "is used twice: as a page table and as kernel memory",
     [](Kernel& k) {
       k.page(PteAt(k, kAnon).table).flags |= page_flag::kKernel;
     }},
    {"FlagsOfAFreePage", "has no references, but mapcount 0 and flags",
     [](Kernel& k) {
       Pfn pfn = AllocPages(k, 0xcc0, 0);
       FreePages(k, pfn, 0);
       k.page(pfn).flags |= page_flag::kDirty;
     }},
    // Zones and statistics.
    {"FreeCount", "nr_free",
     [](Kernel& k) { k.zone(ZoneType::kDma32).free_area[0].nr_free++; }},
    {"FreePages", "nr_free_pages",
     [](Kernel& k) { k.zone(ZoneType::kDma32).nr_free_pages++; }},
    {"Managed",
     "zone DMA32: [0-9]+ free, [0-9]+ per-CPU and [0-9]+ allocated pages",
     [](Kernel& k) { k.zone(ZoneType::kDma32).managed += PageCount(1); }},
    {"Totalram", "totalram_pages", [](Kernel& k) { k.totalram_pages--; }},
    {"AnonMapped", "nr_anon_pages: expected",
     [](Kernel& k) { k.vmstat.node[kNrAnonMapped]++; }},
    {"FileMapped", "nr_mapped: expected",
     [](Kernel& k) { k.vmstat.node[kNrFileMapped]++; }},
    {"FilePages", "nr_file_pages: expected 18, found 19",
     [](Kernel& k) { k.vmstat.node[kNrFilePages]++; }},
    {"Shmem", "nr_shmem: expected 2, found 1",
     [](Kernel& k) { k.vmstat.node[kNrShmem]--; }},
    {"Dirty", "nr_dirty: expected 1, found 2",
     [](Kernel& k) { k.vmstat.node[kNrFileDirty]++; }},
    {"Writeback", "nr_writeback: expected 0, found 1",
     [](Kernel& k) { k.vmstat.node[kNrWriteback]++; }},
    {"PageTables", "nr_page_table_pages: expected",
     [](Kernel& k) { k.vmstat.node[kNrPageTables]--; }},
    // The TLB.
    {"StaleTlbFrame", "the TLB maps page 10000 of mm 2 to frame",
     [](Kernel& k) {
       Mm& mm = MmOfPid(k, 2);
       k.tlb.Insert(mm.asid, kAnon >> kPageShift, Pfn(77), 0);
     }},
    {"StaleTlbWrite", "the TLB maps page 10001 of mm 1 .*it was not flushed",
     [](Kernel& k) {
       k.tlb.Insert(MmOfPid(k, 1).asid, (kAnon >> kPageShift) + 1,
                    PfnAt(k, kAnon + kPageSize),
                    TlbEntry::kWrite | TlbEntry::kNoExec);
     }},
    {"TlbOfTheDead", "the TLB knows page 10000 of address space 9",
     [](Kernel& k) { k.tlb.Insert(9, kAnon >> kPageShift, Pfn(77), 0); }},
    {"SlabInuse", "slab 1 .*inuse is not what the free objects leave",
     [](Kernel& k) { k.slub.slabs[FullSlab(k)].inuse--; }},
    {"SlabChain", "slab 1 of kmalloc-64: the chain has 0 of 62 free objects",
     [](Kernel& k) {
       const Id<KmemCache> id = CacheWithObjects(k);
       k.slub.caches[id].cpu_freelist = 0;
     }},
    {"SlabPointer", "slab 1 of kmalloc-64: the chain has 1 of 62 free objects",
     [](Kernel& k) {
       const KmemCache& s = k.slub.caches[CacheWithObjects(k)];
       SetFreePointer(k, s, s.cpu_freelist, 0x41);
     }},
    {"SlabPage", "slab 1 .*one of its pages does not say so",
     [](Kernel& k) {
       const Id<KmemCache> id = CacheWithObjects(k);
       const Pfn pfn = k.slub.slabs[k.slub.caches[id].cpu_slab].pfn;
       k.page(pfn).mapping = 9;
     }},
    {"SlabCount", "nr_slabs of kmalloc-64 .*expected 1, found 2",
     [](Kernel& k) { k.slub.caches[CacheWithObjects(k)].nr_slabs++; }},
    {"SlabList", "nr_partial of kmalloc-64 .*expected 0, found 1",
     [](Kernel& k) { k.slub.caches[CacheWithObjects(k)].nr_partial++; }},
    {"SlabStatistic", "nr_slab_unreclaimable .*expected 1, found 2",
     [](Kernel& k) {
       CacheWithObjects(k);
       k.vmstat.node[kNrSlabUnreclaimable]++;
     }},
    {"VmapAreaMax", "the tree of vmap areas is wrong",
     [](Kernel& k) {
       MapSome(k);
       k.kernel_maps.areas[Id<VmapArea>(k.kernel_maps.free_root)].subtree_max--;
     }},
    {"VmapAreaLost", "two vmap areas meet at",
     [](Kernel& k) {
       MapSome(k);
       VmapArea& area =
           k.kernel_maps.areas[Id<VmapArea>(k.kernel_maps.busy_root)];
       area.end += kPageSize;
     }},
    {"VmallocPage", "there is no area",
     [](Kernel& k) {
       const uint64_t addr = MapSome(k);
       k.page(KernelAddrToPfn(std::as_const(k), addr)).flags &=
           ~page_flag::kVmalloc;
     }},
    {"VmallocCount", "nr_vmalloc_pages of the kernel 0: expected 3, found 4",
     [](Kernel& k) {
       MapSome(k);
       k.kernel_maps.nr_vmalloc_pages++;
     }},
    {"DirectMap", "the direct map has frame",
     [](Kernel& k) {
       const VirtAddr addr(VirtOf(k, Pfn(1024)));
       PopulateDirectMap(k, addr);
       const WalkStep step =
           WalkPageTable(std::as_const(k).frames, KernelCr3(k), addr);
       k.frames.MutTable(step.table)[step.index] += kPmdSize;
     }},
    {"KernelTable", "the kernel's level-1 table .*is no table",
     [](Kernel& k) {
       const uint64_t addr = MapSome(k);
       const Pfn table = FindKernelPte(std::as_const(k), VirtAddr(addr)).table;
       k.page(table).flags &= ~page_flag::kTable;
     }},
    {"KernelTlb", "the TLB maps the kernel's page",
     [](Kernel& k) {
       const uint64_t addr = MapSome(k);
       k.tlb.Insert(kKernelAsid, addr >> kPageShift, Pfn(77), 0);
     }},
    {"ModuleUsers", "refcnt of map_driver 0: expected 0, found 1",
     [](Kernel& k) {
       k.devices.modules.push_back({.name = "map_driver", .refcnt = 1});
     }},
};
INSTANTIATE_TEST_SUITE_P(Machine, VerifyFinds, testing::ValuesIn(kDamages),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace faultline
