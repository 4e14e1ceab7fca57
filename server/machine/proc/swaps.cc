// /proc/swaps. Models mm/swapfile.c (v6.18): swap_show().
#include "server/machine/proc/proc_files.h"

namespace faultline {

std::string ProcSwaps(const Kernel& k) {
  SeqFile m;
  m << "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
  for (const SwapInfo& info : k.swap.infos) {
    if (!info.used) continue;
    const auto kb = [](uint64_t pages) {
      return static_cast<unsigned long long>(pages << (kPageShift - 10));
    };
    const unsigned long long size = kb(info.pages), used = kb(info.inuse_pages);
    constexpr size_t kNameWidth = 40;
    constexpr unsigned long long kWide = 10000000;  // then one tab is enough
    std::string name = info.path;
    if (name.size() < kNameWidth) name.resize(kNameWidth, ' ');
    m << name << (info.path.size() < kNameWidth ? "" : " ")
      << (info.partition ? "partition" : "file\t");
    m.Printf("\t%llu\t%s%llu\t%s%d\n", size, size < kWide ? "\t" : "", used,
             used < kWide ? "\t" : "", info.prio);
  }
  return m.Take();
}

}  // namespace faultline
