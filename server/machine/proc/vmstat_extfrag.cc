// /sys/kernel/debug/extfrag. Models mm/vmstat.c (v6.18): extfrag_show_print(),
// unusable_show_print().
#include "server/machine/mm/extfrag.h"
#include "server/machine/proc/proc_files.h"

namespace faultline {
namespace {

std::string Show(const Kernel& k, const char* format,
                 int (*index)(const Zone&, int)) {
  SeqFile m;
  for (const Zone& zone : k.zones) {
    if (!zone.populated()) continue;
    m.Printf("Node %d, zone %8s ", 0, ZoneName(zone.type));
    for (int order = 0; order <= kMaxPageOrder; order++) {
      const int n = index(zone, order);
      m.Printf(format, n / 1000, n < 0 ? -n % 1000 : n % 1000);
    }
    m << "\n";
  }
  return m.Take();
}

}  // namespace

std::string SysExtfragIndex(const Kernel& k) {
  return Show(k, "%2d.%03d ", FragmentationIndex);
}

std::string SysUnusableIndex(const Kernel& k) {
  return Show(k, "%d.%03d ", UnusableFreeIndex);
}

}  // namespace faultline
