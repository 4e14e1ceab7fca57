// Models kernel/sysctl.c (v6.18): proc_dointvec(), proc_doulongvec_minmax().
#include "server/machine/proc/proc_sys.h"

#include "server/machine/mm/watermark.h"
#include "server/machine/proc/proc_files.h"
#include "server/machine/proc/vmstat_items.h"

namespace faultline {
namespace {

// A number for each zone of the kernel, ZONE_DEVICE included.
std::string LowmemReserveRatio(const Kernel& k) {
  SeqFile m;
  std::string_view separator;
  for (const ZoneType type : ConfiguredZones(k)) {
    (m << separator)
        .Dec(k.sysctl.lowmem_reserve_ratio[static_cast<size_t>(type)]);
    separator = "\t";
  }
  if (Is64Bit(k)) (m << separator).Dec(k.sysctl.lowmem_reserve_ratio.back());
  m << "\n";
  return m.Take();
}

}  // namespace

ErrnoOr<std::string> ProcSys(const Kernel& k, std::string_view path) {
  if (!path.starts_with("vm/") && !path.starts_with("kernel/")) {
    return Errno::kENOENT;
  }
  std::string name(path);
  name[name.find('/')] = '.';
  if (name == kLowmemReserveRatio) return LowmemReserveRatio(k);
  SysctlTable table = k.sysctl;
  const uint64_t* value = FindSysctl(table, name);
  if (value == nullptr || value == &table.cap_bound) return Errno::kENOENT;
  return std::to_string(*value) + "\n";
}

}  // namespace faultline
