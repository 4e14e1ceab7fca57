#include "server/machine/machine.h"

#include <algorithm>
#include <utility>

#include "server/machine/hw/cost.h"
#include "server/machine/mm/bio.h"
#include "server/machine/mm/gfp.h"
#include "server/machine/mm/kcompactd.h"
#include "server/machine/mm/mlock.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/swapfile.h"
#include "server/machine/mm/watermark.h"
#include "server/machine/mm/writeback.h"
#include "server/machine/syscalls/syscalls.h"
#include "server/machine/task/exec.h"
#include "server/machine/task/exit.h"
#include "server/machine/verify.h"

namespace faultline {
namespace {

// What a saved machine begins with.
constexpr uint64_t kMagic = 0x4d4c46;  // "FLM"

// The hash of everything before it, which a saved machine ends with. It is
// over the bytes, so that a damaged one can be refused before it is read.
constexpr size_t kSealBytes = 8;

class Seal {
 public:
  void Add(std::string_view bytes) {
    if (!rest_.empty()) {
      const size_t part = std::min(bytes.size(), kWord - rest_.size());
      rest_.append(bytes.substr(0, part));
      bytes.remove_prefix(part);
      if (rest_.size() < kWord) return;
      hasher_.Raw(rest_.data(), kWord);
    }
    const size_t words = bytes.size() / kWord * kWord;
    hasher_.Raw(bytes.data(), words);
    rest_ = bytes.substr(words);
  }
  std::string Take() {
    hasher_.Raw(rest_.data(), rest_.size());
    std::string seal;
    for (size_t i = 0; i < kSealBytes; i++) {
      seal.push_back(static_cast<char>(hasher_.hash() >> (8 * i)));
    }
    return seal;
  }

 private:
  static constexpr size_t kWord = 8;  // what the hash takes at a time
  Hasher hasher_;
  std::string rest_;
};

[[noreturn]] void ThrowDamaged() {
  throw ArchiveError("the saved machine is damaged or cut short");
}

void CheckHead(Reader& r) {
  if (r.Number() != kMagic) throw ArchiveError("this is no saved machine");
  const uint64_t version = r.Number();
  if (version == kStateVersion) return;
  throw ArchiveError("the saved machine has version " +
                     std::to_string(version) + "; this program reads " +
                     std::to_string(kStateVersion));
}

void SaveTo(const ByteSink& sink, const Kernel& k) {
  Seal seal;
  Writer w([&](std::string_view piece) {
    seal.Add(piece);
    sink(piece);
  });
  w.Number(kMagic);
  w.Number(kStateVersion);
  w(k);
  w.Flush();
  sink(seal.Take());
}

// Calls that need no process: the machine's administration.
bool IsAdministration(const Operation& op) {
  return std::holds_alternative<Kill>(op) ||
         std::visit(
             [](const auto& call) {
               return !kNeedsProcess<std::decay_t<decltype(call)>>;
             },
             op);
}

// Does it run in the program until it needs the kernel?
bool IsLibraryCall(const Operation& op) {
  return std::holds_alternative<Malloc>(op) ||
         std::holds_alternative<Calloc>(op) ||
         std::holds_alternative<Realloc>(op) ||
         std::holds_alternative<Free>(op) ||
         std::holds_alternative<Mallopt>(op);
}

// Is it a system call? A program's loads and stores and the passing of time are
// none.
bool EntersKernel(const Operation& op) {
  return !IsLibraryCall(op) && !std::holds_alternative<Access>(op) &&
         !std::holds_alternative<AccessMany>(op) &&
         !std::holds_alternative<Tick>(op);
}

// The page tables of a profile.
PagingMode PagingOf(Profile profile) {
  switch (profile) {
    case Profile::kX86_64:
      return PagingMode(4);
    case Profile::kI386Pae:
      return PagingMode(3);
    case Profile::kI386:
      return PagingMode(2);
  }
  return PagingMode();
}

// What the entries of the profile's tables have no place for.
void CheckPaging(const Kernel& k) {
  if (k.sysctl.mem_soft_dirty != 0 && k.paging.levels() != 4) {
    throw ConfigError(
        "config.mem_soft_dirty cannot be 1: only an x86_64 kernel has it");
  }
  if (k.sysctl.thp_enabled != 0 && k.paging.narrow()) {
    throw ConfigError(
        "thp must be never: profile i386-nopae has no huge pages of 2 MiB");
  }
}

// Frames that boot keeps for itself.
Pfn BootPages(Kernel& k, int order) {
  Pfn first = AllocPages(k, gfp::kKernel, order);
  if (!first.valid()) throw ConfigError("ram is too small to boot");
  for (uint64_t i = 0; i < Order(order).pages().value(); i++) {
    Page& page = k.page(first + PageCount(i));
    page.flags |= page_flag::kReserved;
    page.refcount = 1;
  }
  return first;
}

Id<Task> FindTask(const Kernel& k, Pid pid) {
  auto it = k.pids.find(pid);
  if (it == k.pids.end()) return {};
  return k.tasks[it->second].state == TaskState::kRunning ? it->second
                                                          : Id<Task>();
}

}  // namespace

Machine::Machine(const MachineConfig& config) {
  k_.config = config;
  k_.quirks = QuirksOf(config.personality);
  if (config.personality == Personality::kLinux61) {
    k_.sysctl.mmap_min_addr = 65536;  // Debian's
    k_.sysctl.mem_soft_dirty = config.profile == Profile::kX86_64;
  }
  k_.prng = Prng(config.seed);
  k_.paging = PagingOf(config.profile);
  k_.sysctl.thp_enabled = static_cast<uint64_t>(config.thp);
  BootMemory(k_);
  const SysctlTable booted = k_.sysctl;
  for (const Sysctl& s : config.sysctls) {
    if (s.name == kLowmemReserveRatio) {
      SetLowmemReserveRatio(k_, s);
      continue;
    }
    uint64_t* value = FindSysctl(k_.sysctl, s.name);
    if (value == nullptr) throw ConfigError("unknown sysctl " + s.name);
    if (!s.more.empty()) throw ConfigError(s.name + " has one value");
    if (!SysctlAccepts(k_.sysctl, value, s.value)) {
      throw ConfigError(s.name + " cannot be " + std::to_string(s.value));
    }
    *value = s.value;
  }
  CheckPaging(k_);
  if (k_.sysctl.min_free_kbytes != booted.min_free_kbytes) {
    k_.sysctl.user_min_free_kbytes = k_.sysctl.min_free_kbytes;
    SetupPerZoneWmarks(k_);
  }
  if (k_.sysctl.watermark_scale_factor != booted.watermark_scale_factor ||
      k_.sysctl.percpu_pagelist_high_fraction != 0) {
    SetupPerZoneWmarks(k_);
  }
  k_.zero_page = BootPages(k_, 0);
  constexpr int kSpecialOrder = 3;  // vdso, vvar, vvar_vclock: 8 pages
  k_.vdso_pages = BootPages(k_, kSpecialOrder);
  if (config.swap_bytes > 0) SwapOnAtBoot(k_, config.swap_bytes >> kPageShift);
  BootInit(k_);
  k_.clock_ns = 0;
}

Outcome Machine::Apply(const Command& command, EventLevel level) {
  Outcome out;
  k_.current = FindTask(std::as_const(k_), command.pid);
  if (!k_.current && !IsAdministration(command.op)) {
    out.no_process = true;
    return out;
  }
  const uint64_t started = k_.clock_ns;
  const Id<Task> self = k_.current;
  uint64_t min_flt = 0, maj_flt = 0;
  if (self) {
    min_flt = k_.Current().min_flt;
    maj_flt = k_.Current().maj_flt;
  }
  k_.trace.Begin(level);
  RunDisk(k_);
  if (EntersKernel(command.op)) k_.clock_ns += cost::kSyscall;
  DoSyscall(k_, command.op, &out);
  if (FlusherWoken(k_)) RunFlusher(k_);
  if (KcompactdWoken(k_)) RunKcompactd(k_);
  MlockDrain(k_);
  if (KillOomVictims(k_, command.pid) && out.signal.signal == 0) {
    out.signal = kOomKilled;
  }
  out.events = k_.trace.End();
  if (self) {
    bool gone = !k_.tasks.Has(self);
    if (!gone) {
      const Task& task = std::as_const(k_.tasks)[self];
      gone = task.state != TaskState::kRunning;
      if (!gone) k_.active_mm = task.mm;
      out.min_flt = task.min_flt - min_flt;
      out.maj_flt = task.maj_flt - maj_flt;
    }
    out.exited = gone;
  }
  out.cost_ns = k_.clock_ns - started;
  k_.current = Id<Task>();
  return out;
}

std::string Machine::Verify() const { return VerifyKernel(k_); }

std::string SaveKernel(const Kernel& k) {
  std::string bytes;
  SaveTo([&bytes](std::string_view piece) { bytes.append(piece); }, k);
  return bytes;
}

void Machine::Save(const ByteSink& sink) const { SaveTo(sink, k_); }

std::string Machine::Save() const { return SaveKernel(k_); }

Machine Machine::Load(std::string_view bytes) {
  Reader head(bytes);
  CheckHead(head);
  if (bytes.size() < kSealBytes) ThrowDamaged();
  Seal seal;
  seal.Add(bytes.substr(0, bytes.size() - kSealBytes));
  if (bytes.substr(bytes.size() - kSealBytes) != seal.Take()) ThrowDamaged();
  return Load(bytes.size(),
              [&bytes] { return std::exchange(bytes, std::string_view()); });
}

Machine Machine::Load(uint64_t bytes, const ByteSource& source) {
  if (bytes < kSealBytes) ThrowDamaged();
  uint64_t left = bytes - kSealBytes;
  Seal seal;
  std::string tail;  // the seal that was saved
  Reader r(left, [&]() -> std::string_view {
    std::string_view piece = source();
    const size_t part = std::min<uint64_t>(piece.size(), left);
    tail.append(piece.substr(part));
    piece = piece.substr(0, part);
    left -= part;
    seal.Add(piece);
    return piece;
  });
  CheckHead(r);
  Machine m;
  r(m.k_);
  if (!r.AtEnd()) ThrowDamaged();
  while (tail.size() < kSealBytes) {
    const std::string_view piece = source();
    if (piece.empty()) ThrowDamaged();
    tail.append(piece);
  }
  if (tail != seal.Take()) ThrowDamaged();
  return m;
}

uint64_t Machine::Fingerprint() const { return HashOf(k_); }

std::vector<Machine::SubsystemFingerprint> Machine::Fingerprints() const {
  auto hash = [](const auto&... parts) {
    Hasher h;
    h(parts...);
    return h.hash();
  };
  return {
      {"config", hash(k_.config, k_.quirks, k_.sysctl)},
      {"clock", hash(k_.clock_ns, k_.prng)},
      {"frames", hash(k_.frames)},
      {"tlb", hash(k_.tlb)},
      {"mem_map", hash(k_.mem_map)},
      {"zones", hash(k_.zones, k_.page_blocks)},
      {"reclaim", hash(k_.lruvec, k_.kswapd, k_.shrinkers)},
      {"swap", hash(k_.swap)},
      {"vmstat", hash(k_.vmstat, k_.vm_committed)},
      {"slab", hash(k_.slub)},
      {"vmalloc", hash(k_.kernel_maps)},
      {"mm", hash(k_.mms)},
      {"vma", hash(k_.vmas, k_.vma_branches, k_.vma_nodes, k_.mempolicies)},
      {"rmap", hash(k_.anon_vmas, k_.anon_chains, k_.folios)},
      {"files", hash(k_.inodes, k_.open_files, k_.files, k_.names, k_.devices)},
      {"writeback", hash(k_.xa_nodes, k_.bdi, k_.disk)},
      {"heaps", hash(k_.heaps)},
      {"replacement", hash(k_.replacements)},
      {"ksm", hash(k_.ksm)},
      {"tasks", hash(k_.tasks, k_.pids, k_.last_pid, k_.active_mm)},
  };
}

uint64_t Outcome::Digest() const {
  Hasher h;
  h(value, error, signal, exited, no_process, min_flt, maj_flt, accesses,
    cost_ns, data);
  // Only where there are any: the digests of old journals stay what they are.
  if (!faulted.empty()) h(faulted);
  if (tlb_misses != 0) h(tlb_misses, table_loads);
  if (!victim_wanted.frames.empty()) h(victim_wanted);
  return h.hash();
}

std::vector<uint64_t>* VictimsOf(Command& command) {
  if (auto* access = std::get_if<Access>(&command.op)) return &access->victims;
  if (auto* many = std::get_if<AccessMany>(&command.op)) return &many->victims;
  return nullptr;
}

const char* OperationName(const Operation& op) {
  constexpr const char* kNames[] = {"mmap",
                                    "munmap",
                                    "mprotect",
                                    "mremap",
                                    "brk",
                                    "madvise",
                                    "mlock",
                                    "munlock",
                                    "mlockall",
                                    "munlockall",
                                    "msync",
                                    "mincore",
                                    "set_vma_name",
                                    "access",
                                    "fork",
                                    "clone",
                                    "execve",
                                    "exit",
                                    "wait",
                                    "kill",
                                    "create_file",
                                    "open",
                                    "close",
                                    "read",
                                    "write",
                                    "truncate",
                                    "fsync",
                                    "setrlimit",
                                    "alloc_pages",
                                    "free_pages",
                                    "sysctl",
                                    "tick",
                                    "access_many",
                                    "mseal",
                                    "remap_file_pages",
                                    "memfd_create",
                                    "fallocate",
                                    "process_madvise",
                                    "getrlimit",
                                    "setuid",
                                    "prctl",
                                    "userfaultfd",
                                    "clear_refs",
                                    "malloc",
                                    "calloc",
                                    "realloc",
                                    "free",
                                    "mallopt",
                                    "fcntl",
                                    "get_free_pages",
                                    "get_zeroed_page",
                                    "page_address",
                                    "free_address",
                                    "kmalloc",
                                    "kfree",
                                    "kmem_cache_create",
                                    "kmem_cache_alloc",
                                    "kmem_cache_free",
                                    "kmem_cache_shrink",
                                    "kmem_cache_destroy",
                                    "vmalloc",
                                    "vfree",
                                    "kmap",
                                    "kunmap",
                                    "kmap_local",
                                    "kunmap_local",
                                    "kernel_access",
                                    "drop_caches",
                                    "sync",
                                    "fadvise",
                                    "swapon",
                                    "swapoff",
                                    "set_oom_score_adj",
                                    "insert_module",
                                    "remove_module",
                                    "mknod",
                                    "set_replacement",
                                    "evict_page",
                                    "mbind",
                                    "set_mempolicy",
                                    "get_mempolicy",
                                    "set_mempolicy_home_node"};
  static_assert(std::size(kNames) == std::variant_size_v<Operation>);
  return kNames[op.index()];
}

}  // namespace faultline
