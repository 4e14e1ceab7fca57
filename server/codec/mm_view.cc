#include "server/codec/mm_view.h"

#include <string>

#include "server/codec/utf8.h"
#include "server/machine/mm/mm_struct.h"
#include "server/machine/mm/unmapped_area_2632.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

uint64_t StartOf(const Kernel& k, Id<Vma> id) {
  return id ? k.vmas[id].start.value() : 0;
}

void PlacementToProto(const Kernel& k, const Mm& mm, v1::MmStruct* proto) {
  const bool topdown = mm.flags & mmf::kTopdown;
  proto->set_get_unmapped_area(topdown ? "arch_get_unmapped_area_topdown"
                                       : "arch_get_unmapped_area");
  proto->set_unmap_area(topdown ? "arch_unmap_area_topdown"
                                : "arch_unmap_area");
  proto->set_mmap_base(mm.mmap_base.value());
  proto->set_task_size(mm.task_size);
  proto->set_cached_hole_size(CachedHoleSize(k, mm));
  proto->set_free_area_cache(mm.free_area_cache.value());
}

void AccountingToProto(const Mm& mm, const VmaCounts& counts,
                       v1::MmStruct* proto) {
  proto->set_on_mmlist(mm.on_mmlist);
  proto->set_faultstamp(mm.faultstamp);
  proto->set_token_priority(mm.token_priority);
  proto->set_file_rss(mm.Rss(kRssFile) + mm.Rss(kRssShmem));
  proto->set_anon_rss(mm.Rss(kRssAnon));
  proto->set_swap_usage(mm.Rss(kRssSwap));
  proto->set_hiwater_rss(mm.hiwater_rss);
  proto->set_hiwater_vm(mm.hiwater_vm);
  proto->set_total_vm(mm.total_vm);
  proto->set_locked_vm(mm.locked_vm);
  proto->set_shared_vm(counts.shared_vm);
  proto->set_exec_vm(mm.exec_vm);
  proto->set_stack_vm(mm.stack_vm);
  proto->set_reserved_vm(counts.reserved_vm);
  proto->set_def_flags(mm.def_flags);
  proto->set_nr_ptes(mm.nr_ptes);
}

void LayoutToProto(const Mm& mm, v1::MmStruct* proto) {
  proto->set_start_code(mm.start_code.value());
  proto->set_end_code(mm.end_code.value());
  proto->set_start_data(mm.start_data.value());
  proto->set_end_data(mm.end_data.value());
  proto->set_start_brk(mm.start_brk.value());
  proto->set_brk(mm.brk.value());
  proto->set_start_stack(mm.start_stack.value());
  proto->set_arg_start(mm.arg_start.value());
  proto->set_arg_end(mm.arg_end.value());
  proto->set_env_start(mm.env_start.value());
  proto->set_env_end(mm.env_end.value());
  for (size_t i = 0; i + 1 < mm.saved_auxv.size(); i += 2) {
    v1::AuxvEntry* entry = proto->add_saved_auxv();
    entry->set_type(mm.saved_auxv[i]);
    entry->set_value(mm.saved_auxv[i + 1]);
  }
}

// mm->flags (include/linux/mm_types.h: MMF_*) with what the machine keeps
// beside it.
uint64_t MmFlags(const Mm& mm) {
  constexpr int kVmMergeable = 16, kDisableThp = 24, kHasMdwe = 28,
                kVmMergeAny = 30;
  constexpr uint64_t kDumpable = 3;
  uint64_t flags = mm.flags & ~kDumpable;
  flags |= uint64_t{mm.dumpable};
  flags |= uint64_t{bool(mm.ksm_slot)} << kVmMergeable;
  flags |= uint64_t{mm.thp_disabled} << kDisableThp;
  flags |= uint64_t{mm.mdwe} << kHasMdwe;  // and MMF_HAS_MDWE_NO_INHERIT
  flags |= uint64_t{mm.ksm_merge_any} << kVmMergeAny;
  return flags;
}

void OwnersToProto(const Kernel& k, const Mm& mm, v1::MmStruct* proto) {
  proto->set_mm_users(mm.mm_users);
  proto->set_mm_count(mm.mm_count);
  if (mm.owner) proto->set_owner_pid(k.tasks[mm.owner].pid);
  proto->set_pmd_huge_pte(DepositedTables(k, mm));
  proto->set_oom_disable_count(OomDisableCount(k, mm));
  if (k.active_mm == mm.id) proto->set_cpu_vm_mask(1);
  if (!mm.exe_file) return;
  proto->set_exe_file(ToUtf8(k.inodes[k.open_files[mm.exe_file].inode].path));
  proto->set_binfmt("elf");
}

}  // namespace

void MmToProto(const Kernel& k, const Mm& mm, v1::MmStruct* proto) {
  const VmaCounts counts = CountVmas(k, mm);
  proto->set_mmap(StartOf(k, mm.mmap));
  proto->set_mm_rb(StartOf(k, mm.mm_rb));
  proto->set_mmap_cache(StartOf(k, mm.mmap_cache));
  proto->set_mmap_cache_hits(mm.cache_hits);
  proto->set_mmap_cache_misses(mm.cache_misses);
  proto->set_pgd_pfn(mm.pgd.value());
  proto->set_map_count(mm.map_count);
  proto->set_mmap_sem_reads(mm.mmap_sem_reads);
  proto->set_mmap_sem_writes(mm.mmap_sem_writes);
  proto->set_page_table_locks(mm.page_table_locks);
  proto->set_context_asid(mm.asid);
  proto->set_context_vdso(counts.vdso.value());
  proto->set_flags(MmFlags(mm));
  proto->set_num_exe_file_vmas(counts.num_exe_file_vmas);
  PlacementToProto(k, mm, proto);
  AccountingToProto(mm, counts, proto);
  LayoutToProto(mm, proto);
  OwnersToProto(k, mm, proto);
}

void VmaTreeToProto(const Kernel& k, const Mm& mm, v1::VmaTree* proto) {
  const VmaTreeShape shape = ShapeOf(k, mm);
  proto->set_root(StartOf(k, mm.mm_rb));
  proto->set_nodes(mm.map_count);
  proto->set_height(shape.height);
  proto->set_black_height(shape.black_height);
  proto->set_last_lookup(mm.last_lookup.value());
  proto->set_last_lookup_nodes(mm.last_lookup_nodes);
  proto->set_nodes_visited(mm.nodes_visited);
}

void VmaNodeToProto(const Kernel& k, const Vma& vma, v1::VmaNode* proto) {
  proto->set_start(vma.start.value());
  proto->set_end(vma.end.value());
  proto->set_next(StartOf(k, vma.next));
  proto->set_prev(StartOf(k, vma.prev));
  const VmaNode& node = k.vma_nodes[vma.id.value()];
  const VmaBranch& branch = k.vma_branches[vma.id.value()];
  proto->set_color(node.color == RbColor::kRed ? v1::RB_COLOR_RED
                                               : v1::RB_COLOR_BLACK);
  proto->set_parent(StartOf(k, node.parent));
  proto->set_left(StartOf(k, branch.child(kLeft)));
  proto->set_right(StartOf(k, branch.child(kRight)));
  proto->set_depth(VmaDepth(k, vma));
  proto->set_subtree_gap(VmaSubtreeGap(k, vma.id));
}

void HeapToProto(const Kernel& k, const Mm& mm, v1::Heap* proto) {
  const MallocState& heap = k.heaps[mm.heap];
  proto->set_initialized(heap.initialized);
  proto->set_sbrk_base(heap.sbrk_base);
  if (heap.system_mem > 0) proto->set_top(heap.words[0]);
  proto->set_system_mem(heap.system_mem);
  proto->set_max_system_mem(heap.max_system_mem);
  proto->set_mmap_threshold(heap.mmap_threshold);
  proto->set_trim_threshold(heap.trim_threshold);
  proto->set_top_pad(heap.top_pad);
  proto->set_n_mmaps(heap.n_mmaps);
  proto->set_mmapped_mem(heap.mmapped_mem);
  proto->set_tcache(heap.tcache);
}

void ChunkToProto(const ChunkView& chunk, v1::Chunk* proto) {
  proto->set_addr(chunk.mem);
  proto->set_size(chunk.size);
  proto->set_state(static_cast<v1::ChunkState>(chunk.state));
  proto->set_bin(chunk.bin);
}

}  // namespace faultline
