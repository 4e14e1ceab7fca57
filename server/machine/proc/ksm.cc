// What KSM says of itself. Models mm/ksm.c (v6.18): the files of
// /sys/kernel/mm/ksm, ksm_process_profit(); fs/proc/base.c: ksm_stat,
// ksm_merging_pages. The scan-time advisor is off, and has no files.
#include <algorithm>
#include <iterator>

#include "server/machine/proc/proc_files.h"

namespace faultline {
namespace {

// sizeof(struct ksm_rmap_item)
int64_t RmapItemBytes(const Kernel& k) { return Is64Bit(k) ? 64 : 36; }

int64_t Profit(const Kernel& k, uint64_t pages, int64_t zero_pages,
               uint64_t items) {
  return (static_cast<int64_t>(pages) + zero_pages) *
             static_cast<int64_t>(kPageSize) -
         static_cast<int64_t>(items) * RmapItemBytes(k);
}

// pages_volatile: what changes too often to be in the unstable tree.
int64_t VolatilePages(const Ksm& ksm) {
  const uint64_t known =
      ksm.pages_shared + ksm.pages_sharing + ksm.pages_unshared;
  return std::max<int64_t>(static_cast<int64_t>(ksm.rmap_items.count()) -
                               static_cast<int64_t>(known),
                           0);
}

// ksm_process_mergeable()
bool ProcessMergeable(const Kernel& k, const Mm& mm) {
  for (Id<Vma> at = mm.mmap; at; at = k.vmas[at].next) {
    if (k.vmas[at].Has(vm::kMergeable)) return true;
  }
  return false;
}

struct SysFile {
  std::string_view name;
  int64_t (*value)(const Kernel&);
  bool since_61 = true;  // or 6.18 only
};
template <uint64_t Ksm::*kField>
int64_t Counter(const Kernel& k) {
  return static_cast<int64_t>(k.ksm.*kField);
}
template <uint64_t KsmKnobs::*kField>
int64_t Knob(const Kernel& k) {
  return static_cast<int64_t>(k.sysctl.ksm.*kField);
}

constexpr SysFile kSysFiles[] = {
    {"run", Knob<&KsmKnobs::run>},
    {"pages_to_scan", Knob<&KsmKnobs::pages_to_scan>},
    {"sleep_millisecs", Knob<&KsmKnobs::sleep_millisecs>},
    {"max_page_sharing", Knob<&KsmKnobs::max_page_sharing>},
    {"use_zero_pages", Knob<&KsmKnobs::use_zero_pages>},
    {"smart_scan", Knob<&KsmKnobs::smart_scan>, false},
    {"stable_node_chains_prune_millisecs",
     Knob<&KsmKnobs::chains_prune_millisecs>},
    {"pages_shared", Counter<&Ksm::pages_shared>},
    {"pages_sharing", Counter<&Ksm::pages_sharing>},
    {"pages_unshared", Counter<&Ksm::pages_unshared>},
    {"pages_volatile", [](const Kernel& k) { return VolatilePages(k.ksm); }},
    {"full_scans", Counter<&Ksm::seqnr>},
    {"pages_scanned", Counter<&Ksm::pages_scanned>, false},
    {"pages_skipped", Counter<&Ksm::pages_skipped>, false},
    {"stable_node_chains", Counter<&Ksm::stable_node_chains>},
    {"stable_node_dups", Counter<&Ksm::stable_node_dups>},
    {"ksm_zero_pages", [](const Kernel& k) { return k.ksm.zero_pages; }, false},
    {"general_profit",
     [](const Kernel& k) {
       return Profit(k, k.ksm.pages_sharing, k.ksm.zero_pages,
                     k.ksm.rmap_items.count());
     },
     false},
};

}  // namespace

ErrnoOr<std::string> SysKsm(const Kernel& k, std::string_view name) {
  const auto* file = std::find_if(
      std::begin(kSysFiles), std::end(kSysFiles), [&](const SysFile& f) {
        return f.name == name && (f.since_61 || Is618(k));
      });
  if (file == std::end(kSysFiles)) return Errno::kENOENT;
  return std::to_string(file->value(k)) + "\n";
}

ErrnoOr<std::string> ProcPidKsmStat(const Kernel& k, const Task& task) {
  const Mm* mm = MmOf(k, task);
  SeqFile m;
  if (mm == nullptr) return std::string();
  m << "ksm_rmap_items " << std::to_string(mm->ksm_rmap_items) << "\n";
  if (!Is618(k)) return m.Take();
  const int64_t profit =
      Profit(k, mm->ksm_merging_pages, mm->ksm_zero_pages, mm->ksm_rmap_items);
  m << "ksm_zero_pages " << std::to_string(mm->ksm_zero_pages) << "\n"
    << "ksm_merging_pages " << std::to_string(mm->ksm_merging_pages) << "\n"
    << "ksm_process_profit " << std::to_string(profit) << "\n"
    << "ksm_merge_any: " << (mm->ksm_merge_any ? "yes" : "no") << "\n"
    << "ksm_mergeable: " << (ProcessMergeable(k, *mm) ? "yes" : "no") << "\n";
  return m.Take();
}

ErrnoOr<std::string> ProcPidKsmMergingPages(const Kernel& k, const Task& task) {
  const Mm* mm = MmOf(k, task);
  if (mm == nullptr) return std::string();
  return std::to_string(mm->ksm_merging_pages) + "\n";
}

}  // namespace faultline
