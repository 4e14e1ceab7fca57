// /proc/vmstat. Models mm/vmstat.c (v6.18): vmstat_start(), vmstat_show().
#include "server/machine/proc/proc_files.h"
#include "server/machine/proc/vmstat_items.h"

namespace faultline {

std::string ProcVmstat(const Kernel& k) {
  const LruCounts lru = SumOf(CountLru(k));
  SeqFile m;
  for (const auto& items :
       {ZoneStatItems(k, nullptr, lru), NodeStatItems(k, lru),
        WritebackStatItems(k), VmEventItems(k)}) {
    for (const VmstatItem& item : items) {
      (m << item.name << " ").Dec(item.value) << "\n";
    }
  }
  m << "nr_unstable 0\n";
  return m.Take();
}

}  // namespace faultline
