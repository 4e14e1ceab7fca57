// /proc/vmallocinfo. Models mm/vmalloc.c (v6.18): vmalloc_info_show(),
// show_numa_info(), show_purge_info(). Addresses are shown as they are; Linux
// hashes them.
#include <map>

#include "server/machine/mm/kernel_report.h"
#include "server/machine/mm/vmap_area.h"
#include "server/machine/proc/proc_files.h"

namespace faultline {
namespace {

using ull = unsigned long long;

const char* CallerText(const Kernel& k, VmapCaller caller) {
  switch (caller) {
    case VmapCaller::kVmalloc:
      return "vmalloc";
    case VmapCaller::kModule:
      return Is618(k) ? "execmem_vmalloc" : "move_module";
    case VmapCaller::kDriver:
      return "map_driver_init [map_driver]";
  }
  return "";
}

void ShowRange(const Kernel& k, SeqFile& m, uint64_t start, uint64_t end) {
  m.Printf("0x%s-0x%s %7llu", PointerText(k, start).c_str(),
           PointerText(k, end).c_str(), ull{end - start});
}

}  // namespace

std::string ProcVmallocinfo(const Kernel& k) {
  SeqFile m;
  const KernelMaps& maps = k.kernel_maps;
  ForEachVmapArea(maps, maps.busy_root, [&](Id<VmapArea>, const VmapArea& a) {
    ShowRange(k, m, a.start, a.end);
    m.Printf(" %s pages=%llu vmalloc", CallerText(k, a.caller),
             ull{a.nr_pages});
    if (Is64Bit(k)) m.Printf(" N0=%llu", ull{a.nr_pages});
    m << "\n";
  });
  // Those that wait for a purge are kept by address, neighbours as one.
  std::map<uint64_t, uint64_t> lazy;
  for (Id<VmapArea> id : maps.lazy)
    lazy[maps.areas[id].start] = maps.areas[id].end;
  for (auto at = lazy.begin(); at != lazy.end();) {
    const uint64_t start = at->first;
    uint64_t end = at->second;
    for (++at; at != lazy.end() && at->first == end; ++at) end = at->second;
    ShowRange(k, m, start, end);
    m << " unpurged vm_area\n";
  }
  return m.Take();
}

}  // namespace faultline
