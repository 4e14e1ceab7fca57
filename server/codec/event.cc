#include "server/codec/event.h"

#include <utility>
#include <variant>

#include "server/codec/fields.h"

namespace faultline {
namespace {

// X(struct of event.h = message of event.proto, field of the oneof).
#define FL_EVENTS(X)                                                 \
  X(PageFaultUser, page_fault_user)                                  \
  X(FaultResolved, fault_resolved)                                   \
  X(FaultRefused, fault_refused)                                     \
  X(MmPageAlloc, mm_page_alloc)                                      \
  X(MmPageFree, mm_page_free)                                        \
  X(BuddySplit, buddy_split)                                         \
  X(BuddyMerge, buddy_merge)                                         \
  X(VmUnmappedArea, vm_unmapped_area)                                \
  X(VmaCreate, vma_create)                                           \
  X(VmaMerge, vma_merge)                                             \
  X(VmaSplit, vma_split)                                             \
  X(VmaChange, vma_change)                                           \
  X(VmaExpand, vma_expand)                                           \
  X(VmaRemove, vma_remove)                                           \
  X(VmaMove, vma_move)                                               \
  X(PageTableAlloc, page_table_alloc)                                \
  X(PageTableFree, page_table_free)                                  \
  X(TlbFlush, tlb_flush)                                             \
  X(MmFilemapAddToPageCache, mm_filemap_add_to_page_cache)           \
  X(MmFilemapDeleteFromPageCache, mm_filemap_delete_from_page_cache) \
  X(SchedProcessFork, sched_process_fork)                            \
  X(SchedProcessExec, sched_process_exec)                            \
  X(SchedProcessExit, sched_process_exit)                            \
  X(SignalGenerate, signal_generate)                                 \
  X(EventsLost, events_lost)                                         \
  X(MmPageAllocExtfrag, mm_page_alloc_extfrag)                       \
  X(Console, console)                                                \
  X(PageReplaced, page_replaced)                                     \
  X(PageCacheRa, page_cache_ra)                                      \
  X(WritebackDirtyFolio, writeback_dirty_folio)                      \
  X(WritebackSingleInode, writeback_single_inode)                    \
  X(BalanceDirtyPages, balance_dirty_pages)                          \
  X(BlockRqIssue, block_rq_issue)                                    \
  X(BlockRqComplete, block_rq_complete)                              \
  X(MmVmscanWakeupKswapd, mm_vmscan_wakeup_kswapd)                   \
  X(MmVmscanKswapdWake, mm_vmscan_kswapd_wake)                       \
  X(MmVmscanKswapdSleep, mm_vmscan_kswapd_sleep)                     \
  X(MmVmscanDirectReclaimBegin, mm_vmscan_direct_reclaim_begin)      \
  X(MmVmscanDirectReclaimEnd, mm_vmscan_direct_reclaim_end)          \
  X(MmVmscanLruIsolate, mm_vmscan_lru_isolate)                       \
  X(MmVmscanLruShrinkInactive, mm_vmscan_lru_shrink_inactive)        \
  X(MmVmscanLruShrinkActive, mm_vmscan_lru_shrink_active)            \
  X(SwapWrite, swap_write)                                           \
  X(SwapRead, swap_read)                                             \
  X(MarkVictim, mark_victim)                                         \
  X(MmShrinkSlabStart, mm_shrink_slab_start)                         \
  X(MmShrinkSlabEnd, mm_shrink_slab_end)                             \
  X(MmCompactionBegin, mm_compaction_begin)                          \
  X(MmCompactionEnd, mm_compaction_end)                              \
  X(MmCompactionWakeupKcompactd, mm_compaction_wakeup_kcompactd)     \
  X(MmCompactionKcompactdWake, mm_compaction_kcompactd_wake)         \
  X(MmCompactionKcompactdSleep, mm_compaction_kcompactd_sleep)

// --- The field lists, in the order of event.h.

#define FL_FIELDS(Type)                \
  template <class C, class S, class P> \
  void Fields(C& c, S& s, P& p, const Type*)

FL_FIELDS(PageFaultUser) {
  FL_FIELD(address);
  FL_FIELD(error_code);
}
FL_FIELDS(FaultResolved) {
  FL_FIELD(address);
  FL_ENUM(how, FaultResolution::kSwapIn, Unspecified::kRefused);
  FL_FIELD(pfn);
  FL_FIELD(major);
  FL_FIELD(pages);
  FL_FIELD(copied_pfn);
}
FL_FIELDS(FaultRefused) {
  FL_FIELD(address);
  FL_FIELD(signal);
  FL_FIELD(code);
}
FL_FIELDS(MmPageAlloc) {
  FL_FIELD(pfn);
  FL_FIELD(order);
  FL_FIELD(gfp_flags);
  FL_FIELD(migratetype);
  FL_FIELD(zone);
}
FL_FIELDS(MmPageAllocExtfrag) {
  FL_FIELD(pfn);
  FL_FIELD(alloc_order);
  FL_FIELD(fallback_order);
  FL_FIELD(alloc_migratetype);
  FL_FIELD(fallback_migratetype);
  FL_FIELD(change_ownership);
}
FL_FIELDS(Console) { FL_FIELD(msg); }
FL_FIELDS(PageReplaced) {
  FL_ENUM(policy, ReplacementPolicy::kClient);
  FL_FIELD(address);
  FL_FIELD(victim);
  FL_FIELD(faults);
  FL_NUMBERS(frames);
}
FL_FIELDS(PageCacheRa) {
  FL_FIELD(i_ino);
  FL_FIELD(start);
  FL_FIELD(size);
  FL_FIELD(async_size);
  FL_FIELD(ra_pages);
  FL_FIELD(order);
  FL_FIELD(mmap_miss);
}
FL_FIELDS(WritebackDirtyFolio) {
  FL_FIELD(ino);
  FL_FIELD(index);
}
FL_FIELDS(WritebackSingleInode) {
  FL_FIELD(ino);
  FL_FIELD(state);
  FL_FIELD(dirtied_when);
  FL_FIELD(writeback_index);
  FL_FIELD(nr_to_write);
  FL_FIELD(wrote);
}
FL_FIELDS(BalanceDirtyPages) {
  FL_FIELD(limit);
  FL_FIELD(setpoint);
  FL_FIELD(dirty);
  FL_FIELD(task_ratelimit);
  FL_FIELD(dirtied);
  FL_FIELD(pause);
}
FL_FIELDS(BlockRqIssue) {
  FL_FIELD(sector);
  FL_FIELD(nr_sector);
  FL_FIELD(write);
}
FL_FIELDS(BlockRqComplete) {
  FL_FIELD(sector);
  FL_FIELD(nr_sector);
  FL_FIELD(write);
  FL_FIELD(wait_ns);
}

FL_FIELDS(MmVmscanWakeupKswapd) {
  FL_FIELD(nid);
  FL_FIELD(zid);
  FL_FIELD(order);
  FL_FIELD(gfp_flags);
}
FL_FIELDS(MmVmscanKswapdWake) {
  FL_FIELD(nid);
  FL_FIELD(zid);
  FL_FIELD(order);
}
FL_FIELDS(MmVmscanKswapdSleep) { FL_FIELD(nid); }
FL_FIELDS(MmVmscanDirectReclaimBegin) {
  FL_FIELD(order);
  FL_FIELD(gfp_flags);
}
FL_FIELDS(MmVmscanDirectReclaimEnd) { FL_FIELD(nr_reclaimed); }
FL_FIELDS(MmVmscanLruIsolate) {
  FL_FIELD(highest_zoneidx);
  FL_FIELD(order);
  FL_FIELD(nr_requested);
  FL_FIELD(nr_scanned);
  FL_FIELD(nr_skipped);
  FL_FIELD(nr_taken);
  FL_FIELD(lru);
}
FL_FIELDS(MmVmscanLruShrinkInactive) {
  FL_FIELD(nid);
  FL_FIELD(nr_scanned);
  FL_FIELD(nr_reclaimed);
  FL_FIELD(nr_dirty);
  FL_FIELD(nr_writeback);
  FL_FIELD(nr_immediate);
  FL_FIELD(nr_activate0);
  FL_FIELD(nr_activate1);
  FL_FIELD(nr_ref_keep);
  FL_FIELD(nr_unmap_fail);
  FL_FIELD(priority);
  FL_FIELD(file);
}
FL_FIELDS(MmVmscanLruShrinkActive) {
  FL_FIELD(nid);
  FL_FIELD(nr_taken);
  FL_FIELD(nr_active);
  FL_FIELD(nr_deactivated);
  FL_FIELD(nr_referenced);
  FL_FIELD(priority);
  FL_FIELD(file);
}
FL_FIELDS(MmCompactionBegin) {
  FL_FIELD(zone_start);
  FL_FIELD(migrate_pfn);
  FL_FIELD(free_pfn);
  FL_FIELD(zone_end);
}
FL_FIELDS(MmCompactionEnd) {
  FL_FIELD(zone_start);
  FL_FIELD(migrate_pfn);
  FL_FIELD(free_pfn);
  FL_FIELD(zone_end);
  FL_FIELD(status);
}
FL_FIELDS(MmCompactionWakeupKcompactd) {
  FL_FIELD(nid);
  FL_FIELD(order);
  FL_FIELD(highest_zoneidx);
}
FL_FIELDS(MmCompactionKcompactdWake) {
  FL_FIELD(nid);
  FL_FIELD(order);
  FL_FIELD(highest_zoneidx);
}
FL_FIELDS(MmCompactionKcompactdSleep) { FL_FIELD(nid); }
FL_FIELDS(SwapWrite) {
  FL_FIELD(pfn);
  FL_FIELD(area);
  FL_FIELD(offset);
  FL_FIELD(zeros);
}
FL_FIELDS(SwapRead) {
  FL_FIELD(pfn);
  FL_FIELD(area);
  FL_FIELD(offset);
  FL_FIELD(pages);
}
FL_FIELDS(MarkVictim) {
  FL_FIELD(pid);
  FL_FIELD(comm);
  FL_FIELD(total_vm);
  FL_FIELD(anon_rss);
  FL_FIELD(file_rss);
  FL_FIELD(shmem_rss);
  FL_FIELD(uid);
  FL_FIELD(pgtables);
  FL_FIELD(oom_score_adj);
}
FL_FIELDS(MmShrinkSlabStart) {
  FL_FIELD(shrink);
  FL_FIELD(nid);
  FL_FIELD(nr_objects_to_shrink);
  FL_FIELD(gfp_flags);
  FL_FIELD(cache_items);
  FL_FIELD(delta);
  FL_FIELD(total_scan);
  FL_FIELD(priority);
}
FL_FIELDS(MmShrinkSlabEnd) {
  FL_FIELD(shrink);
  FL_FIELD(nid);
  FL_FIELD(unused_scan);
  FL_FIELD(new_scan);
  FL_FIELD(total_scan);
  FL_FIELD(retval);
}
FL_FIELDS(MmPageFree) {
  FL_FIELD(pfn);
  FL_FIELD(order);
}
FL_FIELDS(BuddySplit) {
  FL_FIELD(pfn);
  FL_FIELD(from_order);
  FL_FIELD(to_order);
}
FL_FIELDS(BuddyMerge) {
  FL_FIELD(pfn);
  FL_FIELD(from_order);
  FL_FIELD(to_order);
}
FL_FIELDS(VmUnmappedArea) {
  FL_FIELD(addr);
  FL_FIELD(err);
  FL_FIELD(length);
}
FL_FIELDS(VmaCreate) {
  FL_FIELD(start);
  FL_FIELD(end);
  FL_FIELD(flags);
}
FL_FIELDS(VmaMerge) {
  FL_FIELD(start);
  FL_FIELD(end);
  FL_FIELD(flags);
  FL_FIELD(absorbed);
}
FL_FIELDS(VmaSplit) {
  FL_FIELD(start);
  FL_FIELD(at);
  FL_FIELD(end);
}
FL_FIELDS(VmaChange) {
  FL_FIELD(start);
  FL_FIELD(end);
  FL_FIELD(old_flags);
  FL_FIELD(flags);
}
FL_FIELDS(VmaExpand) {
  FL_FIELD(start);
  FL_FIELD(end);
  FL_FIELD(old_start);
  FL_FIELD(old_end);
}
FL_FIELDS(VmaRemove) {
  FL_FIELD(start);
  FL_FIELD(end);
}
FL_FIELDS(VmaMove) {
  FL_FIELD(from);
  FL_FIELD(to);
  FL_FIELD(length);
}
FL_FIELDS(PageTableAlloc) {
  FL_FIELD(level);
  FL_FIELD(pfn);
  FL_FIELD(address);
}
FL_FIELDS(PageTableFree) {
  FL_FIELD(level);
  FL_FIELD(pfn);
}
FL_FIELDS(TlbFlush) {
  FL_FIELD(reason);
  FL_FIELD(pages);
}
FL_FIELDS(MmFilemapAddToPageCache) {
  FL_FIELD(i_ino);
  FL_FIELD(index);
  FL_FIELD(pfn);
}
FL_FIELDS(MmFilemapDeleteFromPageCache) {
  FL_FIELD(i_ino);
  FL_FIELD(index);
  FL_FIELD(pfn);
}
FL_FIELDS(SchedProcessFork) {
  FL_FIELD(parent_pid);
  FL_FIELD(child_pid);
}
FL_FIELDS(SchedProcessExec) {
  FL_FIELD(filename);
  FL_FIELD(pid);
}
FL_FIELDS(SchedProcessExit) {
  FL_FIELD(pid);
  FL_FIELD(status);
}
FL_FIELDS(SignalGenerate) {
  FL_FIELD(sig);
  FL_FIELD(code);
  FL_FIELD(pid);
}
FL_FIELDS(EventsLost) { FL_FIELD(count); }

#undef FL_FIELDS

#define FL_MUTABLE(Type, field) \
  v1::Type* Mutable(v1::Event& p, const Type*) { return p.mutable_##field(); }
FL_EVENTS(FL_MUTABLE)
#undef FL_MUTABLE

template <class S, class P>
void Decode(Decoder& c, const char* field, const P& p, Event& event) {
  c.EnterMessage(field);
  S& s = event.body.emplace<S>();
  Fields(c, s, p, &s);
}

}  // namespace

void EventToProto(const Event& event, v1::Event* proto) {
  Encoder c;
  proto->set_pid(event.pid);
  proto->set_text(ToUtf8(Say(event)));
  std::visit([&](const auto& s) { Fields(c, s, *Mutable(*proto, &s), &s); },
             event.body);
  // The one text in an event; a machine that no client drove may hold any path.
  if (!c.not_utf8().empty()) {
    auto* exec = proto->mutable_sched_process_exec();
    exec->set_filename(ToUtf8(exec->filename()));
  }
}

absl::optional<size_t> EventKindOf(absl::string_view name) {
#define FL_NAMED(Type, field) \
  if (name == #field) return EventBody(Type()).index();
  FL_EVENTS(FL_NAMED)
#undef FL_NAMED
  return absl::nullopt;
}

absl::StatusOr<Event> EventFromProto(const v1::Event& proto) {
  Decoder c(Decoder::Bounds::kCheck);
  Event event;
  event.pid = proto.pid();
  switch (proto.body_case()) {
#define FL_CASE(Type, field)                       \
  case v1::Event::k##Type:                         \
    Decode<Type>(c, #field, proto.field(), event); \
    break;
    FL_EVENTS(FL_CASE)
#undef FL_CASE
    case v1::Event::BODY_NOT_SET:
      c.Violate("body", "is of a kind that this version does not know", true);
  }
  if (!c.ok()) return c.status();
  return event;
}

}  // namespace faultline
