// /proc/buddyinfo. Models mm/vmstat.c (v6.18): frag_show_print().
#include "server/machine/proc/proc_files.h"

namespace faultline {

std::string ProcBuddyinfo(const Kernel& k) {
  SeqFile m;
  for (const Zone& zone : k.zones) {
    if (!zone.populated()) continue;
    m.Printf("Node 0, zone %8s ", ZoneName(zone.type));
    for (const FreeArea& area : zone.free_area) m.Dec(area.nr_free, 6) << " ";
    m << "\n";
  }
  return m.Take();
}

}  // namespace faultline
