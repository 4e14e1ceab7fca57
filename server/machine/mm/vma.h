// Making, merging, splitting and removing VMAs.
#ifndef FAULTLINE_SERVER_MACHINE_MM_VMA_H_
#define FAULTLINE_SERVER_MACHINE_MM_VMA_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "server/machine/kernel.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {

// struct vma_merge_struct: a range that is to become, or is, part of the
// address space, and what its neighbours must match to absorb it.
struct MergeRange {
  Mm& mm;
  Id<Vma> prev;    // the VMA below the range (or below middle)
  Id<Vma> middle;  // the VMA that holds the range; none for a new range
  Id<Vma> next;    // the VMA above
  VirtAddr start;
  VirtAddr end;
  uint64_t flags = 0;
  Id<File> file;
  VmOps ops = VmOps::kNone;
  Id<AnonVma> anon_vma;
  Id<Vma> copied_from;  // mremap: the VMA whose pages will move here
  uint64_t pgoff = 0;
  std::string_view name;
  MempolicyId policy = 0;
  bool just_expand = false;  // brk: never merge with the VMA above
};

// vma_merge_new_range(): enlarges a neighbour over the free range. Returns the
// VMA that now covers it, or none.
Id<Vma> VmaMergeNewRange(Kernel& k, const MergeRange& range);

// vma_modify(): makes [start, end) of `vma` a VMA of its own that is ready to
// carry `flags` and `name`, by merging it into neighbours that already do or
// by splitting. ENOMEM at max_map_count; a split that succeeded stays.
ErrnoOr<Id<Vma>> VmaModify(Kernel& k, Vma& vma, VirtAddr start, VirtAddr end,
                           uint64_t flags, const std::string& name);
// vma_modify_policy(): the same for another memory policy.
ErrnoOr<Id<Vma>> VmaModifyPolicy(Kernel& k, Vma& vma, VirtAddr start,
                                 VirtAddr end, MempolicyId policy);
// Gives it the flags that VmaModify() prepared it for; what a merge brought
// stays.
inline void SetVmaFlags(Vma& vma, uint64_t flags) {
  vma.flags = flags | (vma.flags & vm::kSticky);
}

// A VMA of the mm that is not linked yet, alone in its range.
Vma& NewVma(Kernel& k, Mm& mm);
// Enters a finished VMA: tree, file's i_mmap, event.
void InsertVma(Kernel& k, Vma& vma);
void InsertVma(Kernel& k, Vma& vma, VmaPlace place);
// split_vma(): checks max_map_count; __split_vma() does not. The new VMA is
// the lower part when `new_below`.
ErrnoOr<Id<Vma>> SplitVma(Kernel& k, Vma& vma, VirtAddr at, bool new_below);
Id<Vma> SplitVmaUnchecked(Kernel& k, Vma& vma, VirtAddr at, bool new_below);
// Takes a VMA out of everything and frees it. Its pages are gone already.
void RemoveVma(Kernel& k, Vma& vma);

// do_vmi_align_munmap(): unmaps [start, end). ENOMEM when the middle of one
// VMA would have to be cut out at max_map_count, EPERM for a sealed one.
Errno DoMunmap(Kernel& k, Mm& mm, VirtAddr start, VirtAddr end);
// What lies in a range that is to be unmapped, after it was cut to size.
struct MunmapSpan {
  Id<Vma> first;  // none: nothing is mapped there
  Id<Vma> prev;
  Id<Vma> next;
  uint64_t nr_pages = 0;
  uint64_t nr_accounted = 0;
};
// vms_gather_munmap_vmas(): splits at both ends.
ErrnoOr<MunmapSpan> GatherMunmap(Kernel& k, Mm& mm, VirtAddr start,
                                 VirtAddr end);
// vms_complete_munmap_vmas(): zaps and removes what was gathered. Gives back
// the commit charge unless the caller took it over.
enum class Uncharge : uint8_t { kYes, kNo };
void CompleteMunmap(Kernel& k, Mm& mm, const MunmapSpan& span, VirtAddr start,
                    VirtAddr end, Uncharge uncharge);

// Duplicates dst <- src's anon_vma where dst has none. dup_anon_vma()
void DupAnonVma(Kernel& k, Vma& dst, const Vma& src);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_VMA_H_
