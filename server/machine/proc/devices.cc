// /proc/devices and /proc/modules. Models fs/proc/devices.c (v6.18):
// devinfo_show(); fs/char_dev.c: chrdev_show(); kernel/module/procfs.c:
// m_show(), print_unload_info().
#include "server/machine/mm/kernel_report.h"
#include "server/machine/proc/proc_files.h"

namespace faultline {

std::string ProcDevices(const Kernel& k) {
  SeqFile m;
  m << "Character devices:\n";
  for (const CharDevice& device : k.devices.char_devices) {
    m.Printf("%3u %s\n", device.major, device.name.c_str());
  }
  m << "\nBlock devices:\n  8 sd\n";  // the disk, sda
  return m.Take();
}

std::string ProcModules(const Kernel& k) {
  SeqFile m;
  // The newest comes first.
  const auto& modules = k.devices.modules;
  for (auto module = modules.rbegin(); module != modules.rend(); ++module) {
    m.Printf("%s %llu %u - Live 0x%s\n", module->name.c_str(),
             static_cast<unsigned long long>(module->size), module->refcnt,
             PointerText(k, module->base).c_str());
  }
  return m.Take();
}

}  // namespace faultline
