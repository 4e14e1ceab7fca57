#include "server/machine/verify.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <map>
#include <utility>
#include <vector>

#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/rmap.h"
#include "server/machine/mm/vma_tree.h"

namespace faultline {
namespace {

using ull = unsigned long long;

// One look at a whole machine. Each Check… stops at the first problem; later
// ones rely on what earlier ones have proved.
class Verifier {
 public:
  explicit Verifier(const Kernel& k) : k_(k) {}

  std::string Run() {
    for (auto check : {&Verifier::CheckTasks, &Verifier::CheckFiles,
                       &Verifier::CheckVmas, &Verifier::CheckAnonVmas,
                       &Verifier::CheckInodes, &Verifier::CheckPageTables,
                       &Verifier::CheckFrames, &Verifier::CheckZones,
                       &Verifier::CheckStatistics, &Verifier::CheckTlb}) {
      (this->*check)();
      if (!problem_.empty()) return problem_;
    }
    return "";
  }

 private:
  bool ok() const { return problem_.empty(); }
  [[gnu::format(printf, 2, 3)]] void Fail(const char* format, ...) {
    if (!ok()) return;
    char text[512];
    va_list args;
    va_start(args, format);
    std::vsnprintf(text, sizeof text, format, args);
    va_end(args);
    problem_ = text;
  }
  // "of what (which): expected …, found …"
  void Expect(const char* what, const char* which, uint64_t id,
              uint64_t expected, uint64_t found) {
    if (expected == found) return;
    Fail("%s of %s %llu: expected %llu, found %llu", what, which, ull{id},
         ull{expected}, ull{found});
  }

  // Processes, threads and what they share.
  void CheckTasks() {
    std::map<uint32_t, uint32_t> mm_users, files_users;
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
      const bool running = task.state == TaskState::kRunning;
      if (running != static_cast<bool>(task.mm) ||
          running != static_cast<bool>(task.files)) {
        return Fail("pid %u is %s, but it has %s address space and %s files",
                    pid, running ? "running" : "a zombie",
                    task.mm ? "an" : "no", task.files ? "" : "no");
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

  // References to open files, and of those to inodes.
  void CheckFiles() {
    std::map<uint32_t, uint32_t> references, opens;
    auto refer = [&](Id<File> file, const char* who, uint32_t id) {
      if (!file) return;
      if (!k_.open_files.Has(file)) {
        return Fail("%s %u refers to open file %u, which does not exist", who,
                    id, file.value());
      }
      references[file.value()]++;
    };
    k_.files.ForEach([&](Id<Files> id, const Files& files) {
      for (Id<File> file : files.fds) refer(file, "files_struct", id.value());
    });
    k_.mms.ForEach([&](Id<Mm> id, const Mm& mm) {
      refer(mm.exe_file, "exe_file of mm", id.value());
    });
    k_.vmas.ForEach([&](Id<Vma> id, const Vma& vma) {
      refer(vma.file, "VMA", id.value());
    });
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

  // The VMAs of each address space, and what is counted of them.
  void CheckVmas() {
    uint64_t linked = 0, committed = 0;
    k_.mms.ForEach([&](Id<Mm> id, const Mm& mm) {
      if (!ok()) return;
      if (std::string wrong = VerifyVmaTree(k_, mm); !wrong.empty()) {
        return Fail("mm %u: %s", id.value(), wrong.c_str());
      }
      linked += mm.map_count;
      CheckAccounting(mm, &committed);
    });
    if (!ok()) return;
    Expect("VMAs that exist", "all address spaces; linked:", linked, linked,
           k_.vmas.count());
    k_.inodes.ForEach([&](Id<Inode>, const Inode& inode) {
      committed += inode.commit_charge;
    });
    Expect("vm_committed", "the machine; pages charged:", committed, committed,
           k_.vm_committed);
  }

  void CheckAccounting(const Mm& mm, uint64_t* committed) {
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
      if ((vma.ops == VmOps::kFile || vma.ops == VmOps::kShmem) !=
          static_cast<bool>(vma.file)) {
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

  // vm_stat_account(), once more and independently.
  static void VmStatAccountOf(Mm& mm, uint64_t flags, uint64_t pages) {
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

  // anon_vmas and the chains that join them with VMAs, from both sides.
  void CheckAnonVmas() {
    uint64_t from_vmas = 0, from_anon_vmas = 0;
    std::map<uint32_t, uint32_t> active;
    k_.vmas.ForEach([&](Id<Vma> id, const Vma& vma) {
      if (!ok()) return;
      const uint64_t chains = CheckChainsOfVma(id, vma);
      from_vmas += chains;
      if (vma.anon_vma) active[vma.anon_vma.value()]++;
    });
    std::map<uint32_t, uint32_t> children, references;
    k_.anon_vmas.ForEach([&](Id<AnonVma> id, const AnonVma& av) {
      if (!ok()) return;
      if (!k_.anon_vmas.Has(av.root)) {
        return Fail("anon_vma %u has root %u, which does not exist", id.value(),
                    av.root.value());
      }
      const uint32_t chains = CheckChainsOfAnonVma(id, av);
      from_anon_vmas += chains;
      references[id.value()] += chains;
      if (av.root != id) references[av.root.value()]++;
      if (av.chains) children[av.parent.value()]++;
    });
    if (!ok()) return;
    k_.anon_vmas.ForEach([&](Id<AnonVma> id, const AnonVma& av) {
      const uint32_t n = id.value();
      Expect("num_active_vmas", "anon_vma", n, active[n], av.num_active_vmas);
      Expect("num_children", "anon_vma", n, children[n], av.num_children);
      Expect("refcount", "anon_vma", n, references[n], av.refcount);
    });
    Expect("chains on VMAs", "all chains, which on anon_vmas are",
           from_anon_vmas, from_anon_vmas, from_vmas);
    Expect("chains that exist", "all chains, which on VMAs are", from_vmas,
           from_vmas, k_.anon_chains.count());
  }

  uint64_t CheckChainsOfVma(Id<Vma> id, const Vma& vma) {
    uint64_t chains = 0;
    bool own = !vma.anon_vma;
    Id<AnonVmaChain> prev;
    for (Id<AnonVmaChain> at = vma.anon_chain; at; chains++) {
      if (!k_.anon_chains.Has(at) || chains > k_.anon_chains.count()) {
        Fail("the anon_vma_chain of VMA %u breaks at %u", id.value(),
             at.value());
        return 0;
      }
      const AnonVmaChain& c = k_.anon_chains[at];
      if (c.vma != id || c.same_vma_prev != prev ||
          !k_.anon_vmas.Has(c.anon_vma)) {
        Fail("chain %u of VMA %u points to VMA %u and anon_vma %u", at.value(),
             id.value(), c.vma.value(), c.anon_vma.value());
        return 0;
      }
      own |= c.anon_vma == vma.anon_vma;
      prev = at;
      at = c.same_vma_next;
    }
    if (!own) {
      Fail("VMA %u has anon_vma %u, but no chain to it", id.value(),
           vma.anon_vma.value());
    }
    if (!vma.anon_vma && chains > 0) {
      Fail("VMA %u has %llu chains, but no anon_vma", id.value(), ull{chains});
    }
    return chains;
  }

  uint32_t CheckChainsOfAnonVma(Id<AnonVma> id, const AnonVma& av) {
    uint32_t chains = 0;
    Id<AnonVmaChain> prev;
    for (Id<AnonVmaChain> at = av.chains; at; chains++) {
      if (!k_.anon_chains.Has(at) || chains > k_.anon_chains.count()) {
        Fail("the chains of anon_vma %u break at %u", id.value(), at.value());
        return 0;
      }
      const AnonVmaChain& c = k_.anon_chains[at];
      if (c.anon_vma != id || c.same_anon_prev != prev || !k_.vmas.Has(c.vma)) {
        Fail("chain %u of anon_vma %u points to anon_vma %u and VMA %u",
             at.value(), id.value(), c.anon_vma.value(), c.vma.value());
        return 0;
      }
      prev = at;
      at = c.same_anon_next;
    }
    return chains;
  }

  // Page caches, and the VMAs that map files.
  void CheckInodes() {
    std::map<uint32_t, std::pair<uint64_t, uint64_t>> mappings;
    k_.vmas.ForEach([&](Id<Vma>, const Vma& vma) {
      if (!vma.file) return;
      auto& [all, writable] = mappings[k_.open_files[vma.file].inode.value()];
      all++;
      if (vma.Has(vm::kShared) && vma.Has(vm::kMayWrite)) writable++;
    });
    k_.inodes.ForEach([&](Id<Inode> id, const Inode& inode) {
      if (!ok()) return;
      const auto [all, writable] = mappings[id.value()];
      Expect("i_mmap", "inode", id.value(), all, CountMappings(id, inode));
      Expect("i_mmap_writable", "inode", id.value(), writable,
             inode.i_mmap_writable);
      CheckPageCache(id, inode);
    });
  }

  uint64_t CountMappings(Id<Inode> id, const Inode& inode) {
    uint64_t n = 0;
    Id<Vma> prev;
    for (Id<Vma> at = inode.i_mmap; at && n <= k_.vmas.count(); n++) {
      if (!k_.vmas.Has(at)) {
        Fail("i_mmap of inode %u holds VMA %u, which does not exist",
             id.value(), at.value());
        return n;
      }
      const Vma& vma = k_.vmas[at];
      if (!vma.file || k_.open_files[vma.file].inode != id ||
          vma.shared_prev != prev) {
        Fail("i_mmap of inode %u holds VMA %u, which does not map it",
             id.value(), at.value());
        return n;
      }
      prev = at;
      at = vma.shared_next;
    }
    return n;
  }

  void CheckPageCache(Id<Inode> id, const Inode& inode) {
    uint64_t cached = 0;
    const uint64_t size_pages = PagesOf(PageAlign(inode.size)).value();
    inode.i_pages.ForEach([&](size_t index, Pfn pfn) {
      if (!pfn.valid() || !ok()) return;
      cached++;
      const Page& page = k_.page(pfn);
      if (page.refcount <= 0 || page.mapping != id.value() ||
          page.index != index ||
          page.Is(page_flag::kAnon | page_flag::kTable | page_flag::kBuddy)) {
        return Fail(
            "page %zu of inode %u is frame %u, which has refcount %d, "
            "mapping %u, index %llu and flags %x",
            index, id.value(), pfn.value(), page.refcount, page.mapping,
            ull{page.index}, page.flags);
      }
      if (index >= size_pages) {
        return Fail(
            "page %zu of inode %u is cached, but the file ends at "
            "page %llu",
            index, id.value(), ull{size_pages});
      }
      if (page.Is(page_flag::kSwapBacked) != inode.shmem()) {
        return Fail("frame %u of inode %u: PG_swapbacked is %d, shmem is %d",
                    pfn.value(), id.value(), page.Is(page_flag::kSwapBacked),
                    inode.shmem());
      }
      Own(pfn, Owner::kCache);
      if (inode.fs == FsType::kExt4 && page.Is(page_flag::kDirty)) dirty_++;
    });
    Expect("nrpages", "inode", id.value(), cached, inode.nrpages);
    file_pages_ += cached;
    if (inode.shmem()) shmem_ += cached;
  }

  // Page tables: every table and every PTE of every address space.
  void CheckPageTables() {
    k_.mms.ForEach([&](Id<Mm>, const Mm& mm) {
      if (!ok()) return;
      rss_ = {};
      uint64_t tables = 0;
      vma_ = mm.mmap;
      WalkTable(mm, mm.pgd, k_.pgtable_levels, 0, &tables);
      if (!ok()) return;
      const uint64_t id = mm.id.value();
      Expect("pgtables_bytes", "mm", id, (tables - 1) * kPageSize,
             mm.pgtables_bytes);
      Expect("MM_FILEPAGES", "mm", id, rss_[kRssFile], mm.Rss(kRssFile));
      Expect("MM_ANONPAGES", "mm", id, rss_[kRssAnon], mm.Rss(kRssAnon));
      Expect("MM_SHMEMPAGES", "mm", id, rss_[kRssShmem], mm.Rss(kRssShmem));
      Expect("MM_SWAPENTS", "mm", id, rss_[kRssSwap], mm.Rss(kRssSwap));
    });
  }

  void WalkTable(const Mm& mm, Pfn table, int level, uint64_t base,
                 uint64_t* tables) {
    const Page& page = k_.page(table);
    if (!PfnValid(k_, table.value()) || !page.Is(page_flag::kTable) ||
        page.index != mm.id.value() || page.refcount != 1) {
      return Fail(
          "mm %u: the level-%d table for %llx is frame %u, which is no "
          "table of it (flags %x, refcount %d, mm %llu)",
          mm.id.value(), level, ull{base}, table.value(), page.flags,
          page.refcount, ull{page.index});
    }
    ++*tables;
    Own(table, Owner::kTable);
    const uint64_t* entries = k_.frames.Table(table);
    if (entries == nullptr) return;
    for (int i = 0; i < kPtrsPerTable && ok(); i++) {
      if (entries[i] == 0) continue;
      const uint64_t addr =
          base + (static_cast<uint64_t>(i) << LevelShift(level));
      const Pte entry(entries[i]);
      if (level == 1) {
        CheckPte(mm, VirtAddr(addr), entry);
      } else if (!entry.hw_present() || !entry.writable()) {
        Fail("mm %u: the level-%d entry for %llx is %llx, which is no table",
             mm.id.value(), level, ull{addr}, ull{entry.value()});
      } else {
        WalkTable(mm, entry.pfn(), level - 1, addr, tables);
      }
    }
  }

  void CheckPte(const Mm& mm, VirtAddr addr, Pte pte) {
    // Addresses only rise during the walk, and so do the VMAs.
    while (vma_ && k_.vmas[vma_].end <= addr) vma_ = k_.vmas[vma_].next;
    auto fail = [&](const char* why) {
      Fail("mm %u: the PTE of %llx is %llx: %s", mm.id.value(),
           ull{addr.value()}, ull{pte.value()}, why);
    };
    if (!vma_ || k_.vmas[vma_].start > addr) return fail("no VMA is there");
    const Vma& vma = k_.vmas[vma_];
    if (pte.guard()) {
      if (!vma.Has(vm::kMaybeGuard)) fail("the VMA knows of no guard");
      return;
    }
    if (!pte.present()) return fail("it is neither none nor present");
    if (pte.writable() && !vma.Has(vm::kWrite)) {
      return fail("it is writable, but the VMA is not");
    }
    if (pte.hw_present() && !vma.Has(vm::kAccessFlags)) {
      return fail("it is accessible, but the VMA is not");
    }
    if (!PfnValid(k_, pte.pfn().value())) return fail("there is no such frame");
    const Page& page = k_.page(pte.pfn());
    if (pte.special()) {
      if (pte.writable()) return fail("a special page is writable");
      if (!page.Is(page_flag::kReserved)) {
        return fail("a special page is not reserved");
      }
      return;
    }
    if (!page.Is(page_flag::kAnon)) {
      CheckFilePte(vma, addr, page, fail);
    } else {
      CheckAnonPte(vma, addr, page, pte, fail);
    }
    mapped_.push_back(pte.pfn());
    rss_[RssKindOf(page)]++;
  }

  template <class F>
  void CheckAnonPte(const Vma& vma, VirtAddr addr, const Page& page, Pte pte,
                    F fail) {
    if (pte.writable() && !page.Is(page_flag::kAnonExclusive)) {
      return fail("it is writable, but the page is not exclusive");
    }
    if (page.index != vma.PageIndex(addr)) {
      return fail("the page has another index");
    }
    // The reverse mapping must lead from the page to this VMA.
    for (Id<AnonVmaChain> c = vma.anon_chain; c;
         c = k_.anon_chains[c].same_vma_next) {
      if (k_.anon_chains[c].anon_vma.value() == page.mapping) return;
    }
    fail("the page's anon_vma does not lead to the VMA");
  }

  template <class F>
  void CheckFilePte(const Vma& vma, VirtAddr addr, const Page& page, F fail) {
    if (vma.ops == VmOps::kSpecial) {
      if (!page.Is(page_flag::kReserved)) fail("a vdso page is not reserved");
      return;
    }
    if (!vma.file) return fail("a file page in an anonymous VMA");
    if (page.mapping != k_.open_files[vma.file].inode.value() ||
        page.index != vma.PageIndex(addr)) {
      fail("the page is not the file's at this offset");
    }
  }

  // Who owns each frame: at most one of them.
  enum class Owner : uint8_t { kCache, kTable };
  void Own(Pfn pfn, Owner owner) { owned_.push_back({pfn, owner}); }

  void CheckFrames() {
    std::sort(owned_.begin(), owned_.end());
    std::sort(mapped_.begin(), mapped_.end());
    for (size_t i = 1; i < owned_.size(); i++) {
      if (owned_[i].first == owned_[i - 1].first) {
        return Fail("frame %u has two owners", owned_[i].first.value());
      }
    }
    size_t owned = 0, mapped = 0;
    k_.mem_map.ForEach([&](size_t number, const Page& page) {
      if (!ok()) return;
      const Pfn pfn(static_cast<uint32_t>(number));
      for (; owned < owned_.size() && owned_[owned].first < pfn; owned++) {
      }
      const bool has_owner =
          owned < owned_.size() && owned_[owned].first == pfn;
      int32_t ptes = 0;
      for (; mapped < mapped_.size() && mapped_[mapped] == pfn; mapped++) {
        ptes++;
      }
      if (ptes != page.mapcount) {
        return Fail(
            "mapcount of frame %u: expected %d (PTEs that map it), "
            "found %d",
            pfn.value(), ptes, page.mapcount);
      }
      const bool cached = has_owner && owned_[owned].second == Owner::kCache;
      const bool table = has_owner && owned_[owned].second == Owner::kTable;
      CheckPage(pfn, page, cached, table);
    });
  }

  void CheckPage(Pfn pfn, const Page& page, bool cached, bool table) {
    const bool anon = page.Is(page_flag::kAnon);
    if (page.mapcount > 0) {
      (anon ? anon_mapped_ : file_mapped_)++;
    }
    if (page.refcount == 0) {
      if (page.mapcount != 0 || (page.flags & ~page_flag::kBuddy) != 0) {
        Fail("frame %u has no references, but mapcount %d and flags %x",
             pfn.value(), page.mapcount, page.flags);
      }
      return;
    }
    allocated_.push_back(pfn);
    if (page.Is(page_flag::kBuddy)) {
      return Fail("frame %u is free, but has refcount %d", pfn.value(),
                  page.refcount);
    }
    // What holds a reference besides the PTEs.
    int32_t held = 0;
    const char* use = nullptr;
    auto used_as = [&](const char* name, int32_t references) {
      if (use != nullptr) {
        Fail("frame %u is used twice: as %s and as %s", pfn.value(), use, name);
      }
      use = name;
      held = references;
    };
    if (page.Is(page_flag::kReserved)) used_as("a page kept by boot", 1);
    if (cached) used_as("page cache", 1);
    if (table) used_as("a page table", 1);
    if (page.Is(page_flag::kKernel)) used_as("kernel memory", 1);
    if (anon) used_as("an anonymous page", 0);
    if (use == nullptr) {
      return Fail("frame %u has refcount %d, but nobody owns it: it leaked",
                  pfn.value(), page.refcount);
    }
    if (page.refcount != held + page.mapcount) {
      Fail("refcount of frame %u (%s): expected %d, found %d", pfn.value(), use,
           held + page.mapcount, page.refcount);
    }
    if (anon && page.Is(page_flag::kAnonExclusive) && page.mapcount != 1) {
      Fail("frame %u is PG_anon_exclusive, but mapped %d times", pfn.value(),
           page.mapcount);
    }
    if (anon && !k_.anon_vmas.Has(Id<AnonVma>(page.mapping))) {
      Fail("frame %u has anon_vma %u, which does not exist", pfn.value(),
           page.mapping);
    }
  }

  // Free memory and allocated memory make up the whole of each zone.
  void CheckZones() {
    if (std::string wrong = VerifyFreeAreas(k_); !wrong.empty()) {
      return Fail("%s", wrong.c_str());
    }
    std::array<uint64_t, kMaxNrZones> pages{};
    for (Pfn pfn : allocated_) {
      const Page& page = k_.page(pfn);
      // Boot's pages are counted one by one.
      bool block = page.Is(page_flag::kHead) && !page.Is(page_flag::kReserved);
      pages[static_cast<int>(ZoneOf(k_, pfn))] +=
          block ? uint64_t{1} << page.order : 1;
    }
    uint64_t managed = 0;
    for (const Zone& zone : k_.zones) {
      const uint64_t used = pages[static_cast<int>(zone.type)];
      if (zone.nr_free_pages + used != zone.managed.value()) {
        Fail(
            "zone %s: %llu free and %llu allocated pages are not the %llu "
            "managed",
            ZoneName(zone.type), ull{zone.nr_free_pages}, ull{used},
            ull{zone.managed.value()});
      }
      managed += zone.managed.value();
    }
    Expect("totalram_pages", "the machine; managed pages:", managed, managed,
           k_.totalram_pages);
    CheckAllocatedNotFree();
  }

  // No allocated frame lies inside a free block.
  void CheckAllocatedNotFree() {
    std::vector<std::pair<uint32_t, uint32_t>> free;
    for (const Zone& zone : k_.zones) {
      for (int order = 0; order <= kMaxPageOrder; order++) {
        for (Pfn p = zone.free_area[order].head; p.valid();
             p = k_.page(p).next) {
          free.push_back({p.value(), p.value() + (uint32_t{1} << order)});
        }
      }
      for (const PfnRange& range : zone.pristine) {
        free.push_back({range.begin.value(), range.end.value()});
      }
    }
    std::sort(free.begin(), free.end());
    for (size_t i = 1; i < free.size(); i++) {
      if (free[i].first < free[i - 1].second) {
        return Fail("frame %u is in two free blocks", free[i].first);
      }
    }
    size_t at = 0;
    for (Pfn pfn : allocated_) {
      for (; at < free.size() && free[at].second <= pfn.value(); at++) {
      }
      if (at < free.size() && free[at].first <= pfn.value()) {
        return Fail("frame %u is allocated, but lies in the free block at %u",
                    pfn.value(), free[at].first);
      }
    }
  }

  void CheckStatistics() {
    uint64_t tables = 0;
    for (const auto& [pfn, owner] : owned_) tables += owner == Owner::kTable;
    const std::pair<NodeStat, std::pair<const char*, uint64_t>> rows[] = {
        {kNrAnonMapped, {"nr_anon_pages", anon_mapped_}},
        {kNrFileMapped, {"nr_mapped", file_mapped_}},
        {kNrFilePages, {"nr_file_pages", file_pages_}},
        {kNrShmem, {"nr_shmem", shmem_}},
        {kNrFileDirty, {"nr_dirty", dirty_}},
        {kNrPageTables, {"nr_page_table_pages", tables}},
    };
    for (const auto& [item, row] : rows) {
      const int64_t found = k_.vmstat.node[item];
      if (found != static_cast<int64_t>(row.second)) {
        return Fail("%s: expected %llu, found %lld", row.first, ull{row.second},
                    static_cast<long long>(found));
      }
    }
  }

  // The TLB may know less than the page tables, but nothing else.
  void CheckTlb() {
    std::map<Asid, const Mm*> by_asid;
    k_.mms.ForEach([&](Id<Mm>, const Mm& mm) { by_asid[mm.asid] = &mm; });
    for (const auto& set : k_.tlb.sets()) {
      for (const TlbEntry& e : set) {
        if (!e.valid) continue;
        auto mm = by_asid.find(e.asid);
        if (mm == by_asid.end()) {
          return Fail(
              "the TLB knows page %llx of address space %u, which is "
              "gone",
              ull{e.vpn}, e.asid);
        }
        PteRef ref = FindPte(k_, *mm->second, VirtAddr(e.vpn << kPageShift));
        const Pte pte = ref.ok() ? ReadPte(k_, ref) : Pte();
        const bool stale =
            !pte.hw_present() || pte.pfn() != e.pfn ||
            ((e.flags & TlbEntry::kWrite) && !pte.writable()) ||
            ((e.flags & TlbEntry::kDirty) && !pte.dirty()) ||
            (!(e.flags & TlbEntry::kNoExec) && (pte.value() & Pte::kNoExec));
        if (!stale) continue;
        return Fail(
            "the TLB maps page %llx of mm %u to frame %u with flags "
            "%x, but its PTE is %llx: it was not flushed",
            ull{e.vpn}, mm->second->id.value(), e.pfn.value(), e.flags,
            ull{pte.value()});
      }
    }
  }

  const Kernel& k_;
  std::string problem_;
  Id<Vma> vma_;  // of the walk in progress
  std::array<uint64_t, 4> rss_{};
  std::vector<Pfn> mapped_;  // one item for each PTE
  std::vector<Pfn> allocated_;
  std::vector<std::pair<Pfn, Owner>> owned_;
  uint64_t anon_mapped_ = 0, file_mapped_ = 0;
  uint64_t file_pages_ = 0, shmem_ = 0, dirty_ = 0;
};

}  // namespace

std::string VerifyKernel(const Kernel& k) { return Verifier(k).Run(); }

}  // namespace faultline
