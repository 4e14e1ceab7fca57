#include "server/codec/view.h"

#include <string>

#include "server/codec/utf8.h"
#include "server/machine/base/units.h"
#include "server/machine/hw/paging.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/proc/proc_files.h"

namespace faultline {
namespace {

// The third column of /proc/PID/maps.
std::string Permissions(const Vma& vma) {
  return {vma.Has(vm::kRead) ? 'r' : '-', vma.Has(vm::kWrite) ? 'w' : '-',
          vma.Has(vm::kExec) ? 'x' : '-', vma.Has(vm::kMayShare) ? 's' : 'p'};
}

}  // namespace

const Mm* FindMm(const Kernel& k, Pid pid) {
  const auto at = k.pids.find(pid);
  return at == k.pids.end() ? nullptr : MmOf(k, k.tasks[at->second]);
}

void VmaToProto(const Kernel& k, const Vma& vma, v1::Vma* proto) {
  proto->set_start(vma.start.value());
  proto->set_end(vma.end.value());
  proto->set_flags(vma.flags);
  proto->set_permissions(Permissions(vma));
  if (vma.file) {
    proto->set_offset(vma.pgoff << kPageShift);
    proto->set_inode(k.inodes[k.open_files[vma.file].inode].ino);
  }
  proto->set_name(ToUtf8(VmaName(k, vma)));
}

void WalkToProto(const Kernel& k, const Mm& mm, uint64_t address,
                 v1::WalkPageTableResponse* proto) {
  Pfn table = mm.pgd;
  const PagingMode paging = k.paging;
  for (int level = paging.levels(); level > 0; --level) {
    const int index = paging.IndexAt(VirtAddr(address), level);
    const Pte entry = ReadPte(k, {table, index});
    v1::PageTableStep* step = proto->add_steps();
    step->set_level(static_cast<uint32_t>(level));
    step->set_table_pfn(table.value());
    step->set_index(static_cast<uint32_t>(index));
    step->set_entry(paging.narrow() ? entry.Narrow() : entry.value());
    if (!entry.hw_present()) return;
    table = entry.pfn();
    if (level == 2 && entry.huge()) {
      const auto page =
          static_cast<uint64_t>(paging.PteIndex(VirtAddr(address)));
      table = table + PageCount(page);
      break;
    }
  }
  proto->set_present(true);
  proto->set_pfn(table.value());
}

}  // namespace faultline
