#include "server/codec/view.h"

#include <string>

#include "server/codec/utf8.h"
#include "server/machine/base/units.h"
#include "server/machine/hw/mmu.h"
#include "server/machine/hw/paging.h"
#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/kernel_tables.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/proc/proc_files.h"

namespace faultline {
namespace {

// The third column of /proc/PID/maps.
std::string Permissions(const Vma& vma) {
  return {vma.Has(vm::kRead) ? 'r' : '-', vma.Has(vm::kWrite) ? 'w' : '-',
          vma.Has(vm::kExec) ? 'x' : '-', vma.Has(vm::kMayShare) ? 's' : 'p'};
}

// One of the kernel's half, which is the same for all processes.
bool IsKernelAddress(const Kernel& k, uint64_t address) {
  constexpr uint64_t kUpperHalf = 0xffff800000000000;
  return address >= (k.paging.levels() == 4 ? kUpperHalf : PageOffset(k));
}

bool KernelWalkEnds(const Kernel& k, uint64_t address) {
  return k.kernel_maps.pgd.valid() &&
         WalkPageTable(k.frames, KernelCr3(k), VirtAddr(address))
             .entry.hw_present();
}

// The steps from the table `root` on.
void StepsToProto(const Kernel& k, Pfn root, uint64_t address,
                  v1::WalkPageTableResponse* proto) {
  Pfn table = root;
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
  if (!IsKernelAddress(k, address)) {
    return StepsToProto(k, mm.pgd, address, proto);
  }
  if (KernelWalkEnds(k, address)) {
    return StepsToProto(k, k.kernel_maps.pgd, address, proto);
  }
  // The direct map is made where somebody looks: here nobody has yet.
  Kernel seen = k;
  PopulateDirectMap(seen, VirtAddr(address));
  const Pfn root = seen.kernel_maps.pgd;
  StepsToProto(seen, root.valid() ? root : mm.pgd, address, proto);
}

}  // namespace faultline
