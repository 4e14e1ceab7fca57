// Verifies processes, what they share, and open files.
#include <map>
#include <set>
#include <utility>

#include "server/machine/verify/verifier.h"

namespace faultline::verify {

// Processes, threads and what they share.
void Verifier::CheckTasks() {
  std::map<uint32_t, uint32_t> mm_users, files_users;
  std::set<std::pair<Pid, uint64_t>> siblings;
  for (const auto& [pid, id] : k_.pids) {
    if (!k_.tasks.Has(id)) {
      return Fail("pid %u names task %u, which does not exist", pid,
                  id.value());
    }
    const Task& task = k_.tasks[id];
    if (task.pid != pid) {
      return Fail("pid %u names a task that thinks it is pid %u", pid,
                  task.pid);
    }
    const bool alone = siblings.emplace(task.ppid, task.sibling).second;
    if (!alone && task.ppid != 0 && task.pid == task.tgid) {
      return Fail("pid %u has the place of a sibling: %llu", pid,
                  ull{task.sibling});
    }
    const bool running = task.state == TaskState::kRunning;
    if (running != static_cast<bool>(task.mm) ||
        running != static_cast<bool>(task.files)) {
      return Fail("pid %u is %s, but it has %s address space and %s files", pid,
                  running ? "running" : "a zombie", task.mm ? "an" : "no",
                  task.files ? "" : "no");
    }
    if (!running) continue;
    if (!k_.mms.Has(task.mm) || !k_.files.Has(task.files)) {
      return Fail("pid %u refers to mm %u and files %u: not both exist", pid,
                  task.mm.value(), task.files.value());
    }
    mm_users[task.mm.value()]++;
    files_users[task.files.value()]++;
  }
  Expect("tasks", "the pid table of", k_.pids.size(), k_.pids.size(),
         k_.tasks.count());
  k_.mms.ForEach([&](Id<Mm> id, const Mm& mm) {
    Expect("mm_users", "mm", id.value(), mm_users[id.value()], mm.mm_users);
    if (mm.id != id)
      Fail("mm %u thinks it is mm %u", id.value(), mm.id.value());
  });
  k_.files.ForEach([&](Id<Files> id, const Files& files) {
    Expect("users", "files_struct", id.value(), files_users[id.value()],
           files.users);
  });
}

// Who owns each address space, and which one the CPU has loaded.
void Verifier::CheckOwners() {
  uint32_t heaps = 0, replacements = 0;
  k_.mms.ForEach([&](Id<Mm> id, const Mm& mm) {
    Expect("mm_count", "mm", id.value(), 1, mm.mm_count);
    if (mm.heap && k_.heaps.Has(mm.heap)) heaps++;
    if (mm.replacement && k_.replacements.Has(mm.replacement)) replacements++;
    if (!k_.tasks.Has(mm.owner) || k_.tasks[mm.owner].mm != id) {
      Fail("the owner of mm %u is task %u, which does not have it", id.value(),
           mm.owner.value());
    }
  });
  Expect("heaps that exist", "all address spaces; theirs:", heaps, heaps,
         k_.heaps.count());
  Expect("policies that exist", "all address spaces; theirs:", replacements,
         replacements, k_.replacements.count());
  if (k_.active_mm && !k_.mms.Has(k_.active_mm)) {
    Fail("the CPU has loaded mm %u, which does not exist",
         k_.active_mm.value());
  }
}

// References to open files, and of those to inodes.
void Verifier::CheckFiles() {
  std::map<uint32_t, uint32_t> references, opens;
  auto refer = [&](Id<File> file, const char* who, uint32_t id) {
    if (!file) return;
    if (!k_.open_files.Has(file)) {
      return Fail("%s %u refers to open file %u, which does not exist", who, id,
                  file.value());
    }
    references[file.value()]++;
  };
  k_.files.ForEach([&](Id<Files> id, const Files& files) {
    for (Id<File> file : files.fds) refer(file, "files_struct", id.value());
  });
  k_.mms.ForEach([&](Id<Mm> id, const Mm& mm) {
    refer(mm.exe_file, "exe_file of mm", id.value());
  });
  k_.vmas.ForEach(
      [&](Id<Vma> id, const Vma& vma) { refer(vma.file, "VMA", id.value()); });
  for (uint32_t type = 0; type < k_.swap.infos.size(); type++) {
    refer(k_.swap.infos[type].file, "swap area", type);
  }
  k_.open_files.ForEach([&](Id<File> id, const File& file) {
    Expect("f_count", "open file", id.value(), references[id.value()],
           file.f_count);
    if (!k_.inodes.Has(file.inode)) {
      return Fail("open file %u refers to inode %u, which does not exist",
                  id.value(), file.inode.value());
    }
    opens[file.inode.value()]++;
  });
  k_.inodes.ForEach([&](Id<Inode> id, const Inode& inode) {
    Expect("opens", "inode", id.value(), opens[id.value()], inode.opens);
    if (!inode.linked && inode.opens == 0) {
      Fail("inode %u is neither linked nor open, but it exists", id.value());
    }
  });
  for (const auto& [name, id] : k_.names) {
    if (!k_.inodes.Has(id) || !k_.inodes[id].linked ||
        k_.inodes[id].path != name) {
      return Fail("the name %s leads to inode %u, which has it not",
                  name.c_str(), id.value());
    }
  }
}

}  // namespace faultline::verify
