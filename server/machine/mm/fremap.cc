// Models mm/mmap.c (v6.18): sys_remap_file_pages(), which emulates what
// mm/fremap.c did until 4.0.
#include "server/machine/mm/fremap.h"

#include "server/machine/mm/filemap.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

// May the range go over several VMAs? They must be alike, without a hole.
bool AlikeUpTo(const Kernel& k, const Vma& first, VirtAddr end) {
  const Vma* last = &first;
  while (last->end < end) {
    if (!last->next) return false;
    const Vma& next = k.vmas[last->next];
    if (next.start != last->end || next.file != first.file ||
        next.flags != first.flags) {
      return false;
    }
    last = &next;
  }
  return true;
}

}  // namespace

Errno DoRemapFilePages(Kernel& k, Mm& mm, const RemapFilePages& call) {
  if (call.prot != 0) return Errno::kEINVAL;
  const uint64_t addr = call.addr & kPageMask, size = call.length & kPageMask;
  if (addr + size <= addr) return Errno::kEINVAL;
  if (call.pgoff + (size >> kPageShift) < call.pgoff) return Errno::kEINVAL;
  const VirtAddr start(addr), end(addr + size);
  const Id<Vma> id = FindVma(k, mm, start);
  if (!id || k.vmas[id].start > start) return Errno::kEINVAL;
  const Vma& vma = k.vmas[id];
  if (!vma.Has(vm::kShared)) return Errno::kEINVAL;
  if (!AlikeUpTo(k, vma, end)) return Errno::kEINVAL;
  uint64_t flags = (call.flags & mman::kNonblock) | mman::kShared |
                   mman::kFixed | mman::kPopulate;
  if (vma.Has(vm::kLocked)) flags |= mman::kLocked;
  // The mapping may be the last that holds the file.
  const Id<File> file = vma.file;
  k.open_files[file].f_count++;
  const auto mapped = DoMmap(k, mm,
                             {.file = file,
                              .addr = addr,
                              .length = size,
                              .prot = vma.flags & vm::kAccessFlags,
                              .flags = flags,
                              .pgoff = call.pgoff});
  PutFile(k, file);
  return mapped.ok() ? Errno::kOk : mapped.error();
}

}  // namespace faultline
