// Verifies the VMAs of each address space, and what is counted of them.
#include "server/machine/mm/vma_tree.h"
#include "server/machine/verify/verifier.h"

namespace faultline::verify {

// The VMAs of each address space, and what is counted of them.
void Verifier::CheckVmas() {
  uint64_t linked = 0, committed = 0;
  k_.mms.ForEach([&](Id<Mm> id, const Mm& mm) {
    if (!ok()) return;
    if (std::string wrong = VerifyVmaTree(k_, mm); !wrong.empty()) {
      return Fail("mm %u: %s", id.value(), wrong.c_str());
    }
    linked += mm.map_count;
    CheckAccounting(mm, &committed);
    CheckAreaCache(mm);
  });
  if (!ok()) return;
  Expect("VMAs that exist", "all address spaces; linked:", linked, linked,
         k_.vmas.count());
  k_.inodes.ForEach([&](Id<Inode>, const Inode& inode) {
    committed += inode.charges_pages() ? inode.nrpages + inode.nrswapped
                                       : inode.commit_charge;
  });
  Expect("vm_committed", "the machine; pages charged:", committed, committed,
         k_.vm_committed);
}

void Verifier::CheckAccounting(const Mm& mm, uint64_t* committed) {
  Mm sum;
  for (Id<Vma> at = mm.mmap; at; at = k_.vmas[at].next) {
    const Vma& vma = k_.vmas[at];
    const uint64_t pages = vma.pages().value();
    VmStatAccountOf(sum, vma.flags, pages);
    if (vma.Has(vm::kLocked)) sum.locked_vm += pages;
    if (vma.Has(vm::kAccount)) *committed += pages;
    if (vma.end.value() > mm.task_size) {
      Fail("mm %u: the VMA at %llx ends at %llx, above task_size %llx",
           mm.id.value(), ull{vma.start.value()}, ull{vma.end.value()},
           ull{mm.task_size});
    }
    if ((vma.ops == VmOps::kFile || vma.ops == VmOps::kShmem ||
         vma.ops == VmOps::kDevice) != static_cast<bool>(vma.file)) {
      Fail("mm %u: the VMA at %llx has %s file, but vm_ops %d", mm.id.value(),
           ull{vma.start.value()}, vma.file ? "a" : "no",
           static_cast<int>(vma.ops));
    }
  }
  const uint64_t id = mm.id.value();
  Expect("total_vm", "mm", id, sum.total_vm, mm.total_vm);
  Expect("data_vm", "mm", id, sum.data_vm, mm.data_vm);
  Expect("exec_vm", "mm", id, sum.exec_vm, mm.exec_vm);
  Expect("stack_vm", "mm", id, sum.stack_vm, mm.stack_vm);
  // mremap's MREMAP_DONTUNMAP leaves it too large, on Linux as well.
  if (mm.locked_vm < sum.locked_vm) {
    Expect("locked_vm", "mm", id, sum.locked_vm, mm.locked_vm);
  }
  if (mm.brk < mm.start_brk) {
    Fail("mm %llu: brk %llx lies below start_brk %llx", ull{id},
         ull{mm.brk.value()}, ull{mm.start_brk.value()});
  }
}

// Where the next search for free addresses may start, and what lies above it.
void Verifier::CheckAreaCache(const Mm& mm) {
  if (!(mm.flags & mmf::kTopdown) || mm.free_area_cache <= mm.mmap_base) return;
  Fail("mm %u: free_area_cache %llx lies above mmap_base %llx", mm.id.value(),
       ull{mm.free_area_cache.value()}, ull{mm.mmap_base.value()});
}

// The table of policies, and who refers to it.
void Verifier::CheckMempolicies() {
  const auto& all = k_.mempolicies;
  for (size_t i = 0; i < all.size(); i++) {
    const bool local = all[i].mode == mpol::kLocal;
    const bool flagged = all[i].flags != 0;
    if (all[i].mode == mpol::kDefault || (local && flagged) ||
        flagged == (all[i].user_nodes == Nodemask{})) {
      return Fail("memory policy %zu is none that mbind makes", i + 1);
    }
    for (size_t j = 0; j < i; j++) {
      if (all[j] == all[i]) {
        return Fail("memory policies %zu and %zu are the same", j + 1, i + 1);
      }
    }
  }
  auto known = [&](MempolicyId policy, const char* who, uint32_t id) {
    if (policy <= all.size()) return;
    Fail("%s %u has memory policy %u, and there are %zu", who, id, policy,
         all.size());
  };
  k_.vmas.ForEach([&](Id<Vma> id, const Vma& vma) {
    known(vma.policy, "VMA", id.value());
  });
  k_.tasks.ForEach([&](Id<Task>, const Task& task) {
    known(task.mempolicy, "pid", task.pid);
  });
  k_.inodes.ForEach([&](Id<Inode> id, const Inode& inode) {
    uint64_t end = 0;
    for (const SharedPolicy& range : inode.policies) {
      known(range.policy, "inode", id.value());
      if (!inode.shmem() || range.policy == 0 || range.start < end ||
          range.start >= range.end) {
        Fail("inode %u has a memory policy for pages %llx to %llx", id.value(),
             ull{range.start}, ull{range.end});
      }
      end = range.end;
    }
  });
}

// vm_stat_account(), once more and independently.
void Verifier::VmStatAccountOf(Mm& mm, uint64_t flags, uint64_t pages) {
  const bool write = flags & vm::kWrite, grows = flags & vm::kGrowsDown;
  mm.total_vm += pages;
  if ((flags & vm::kExec) && !write && !grows) {
    mm.exec_vm += pages;
  } else if (grows) {
    mm.stack_vm += pages;
  } else if (write && !(flags & vm::kShared)) {
    mm.data_vm += pages;
  }
}

}  // namespace faultline::verify
