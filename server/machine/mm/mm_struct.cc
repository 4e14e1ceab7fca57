// Models mm/mmap.c (v2.6.32): vm_stat_account(); kernel/fork.c:
// added_exe_file_vma(), as sums over what is there.
#include "server/machine/mm/mm_struct.h"

#include <algorithm>

#include "server/machine/mm/oom_kill.h"
#include "server/machine/mm/pgtable.h"

namespace faultline {
namespace {

uint32_t HeightOf(const Kernel& k, Id<Vma> at) {
  if (!at) return 0;
  const VmaBranch& branch = k.vma_branches[at.value()];
  return 1 + std::max(HeightOf(k, branch.child(kLeft)),
                      HeightOf(k, branch.child(kRight)));
}

}  // namespace

VmaCounts CountVmas(const Kernel& k, const Mm& mm) {
  VmaCounts c;
  for (Id<Vma> at = mm.mmap; at; at = k.vmas[at].next) {
    const Vma& vma = k.vmas[at];
    if (vma.file) c.shared_vm += vma.pages().value();
    if (vma.Has(vm::kIo | vm::kPfnMap)) c.reserved_vm += vma.pages().value();
    if (vma.file && vma.file == mm.exe_file) c.num_exe_file_vmas++;
    if (vma.ops == VmOps::kSpecial && vma.name == "[vdso]") c.vdso = vma.start;
  }
  return c;
}

uint32_t OomDisableCount(const Kernel& k, const Mm& mm) {
  uint32_t count = 0;
  for (const auto& [pid, id] : k.pids) {
    const Task& task = k.tasks[id];
    count += task.mm == mm.id && task.oom_score_adj == kOomScoreAdjMin;
  }
  return count;
}

uint32_t DepositedTables(const Kernel& k, const Mm& mm) {
  uint32_t tables = 0;
  for (Id<Vma> at = mm.mmap; at; at = k.vmas[at].next) {
    const Vma& vma = k.vmas[at];
    if (!vma.anonymous() || vma.size() < kPmdSize) continue;
    VirtAddr a((vma.start.value() + kPmdSize - 1) & ~(kPmdSize - 1));
    for (; a < vma.end; a = a + kPmdSize) tables += FindLeaf(k, mm, a).huge;
  }
  return tables;
}

uint32_t VmaDepth(const Kernel& k, const Vma& vma) {
  uint32_t depth = 0;
  for (Id<Vma> up = vma.id; up; up = k.vma_nodes[up.value()].parent) depth++;
  return depth - 1;
}

VmaTreeShape ShapeOf(const Kernel& k, const Mm& mm) {
  VmaTreeShape shape{.height = HeightOf(k, mm.mm_rb), .black_height = 0};
  for (Id<Vma> at = mm.mm_rb; at;) {
    shape.black_height += k.vma_nodes[at.value()].color == RbColor::kBlack;
    at = k.vma_branches[at.value()].child(kLeft);
  }
  return shape;
}

}  // namespace faultline
