// Models fs/char_dev.c (v6.18): __register_chrdev_region(),
// find_dynamic_major(), chrdev_open(); fs/namei.c: do_mknodat(),
// may_mknod().
#include "server/machine/fs/char_dev.h"

#include <algorithm>
#include <utility>

#include "server/machine/fs/module.h"
#include "server/machine/mm/device_map.h"

namespace faultline {
namespace {

constexpr uint32_t kDynamicFirst = 254, kDynamicLast = 234;
constexpr uint32_t kMajorMax = 511;      // CHRDEV_MAJOR_MAX - 1
constexpr uint32_t kMinorMax = 0xfffff;  // MINORMASK

const CharDevice* FindDevice(const Devices& devices, uint32_t major,
                             uint32_t minor) {
  for (const CharDevice& d : devices.char_devices) {
    if (d.major == major && minor >= d.baseminor &&
        minor - d.baseminor < d.minorct) {
      return &d;
    }
  }
  return nullptr;
}

bool MajorTaken(const Devices& devices, uint32_t major) {
  return std::any_of(devices.char_devices.begin(), devices.char_devices.end(),
                     [&](const CharDevice& d) { return d.major == major; });
}

// find_dynamic_major(); 0: none is free.
uint32_t FindDynamicMajor(const Devices& devices) {
  for (uint32_t major = kDynamicFirst; major >= kDynamicLast; major--) {
    if (!MajorTaken(devices, major)) return major;
  }
  return 0;
}

Module* OwnerOf(Kernel& k, const Inode& inode) {
  const CharDevice* device =
      FindDevice(k.devices, inode.rdev_major, inode.rdev_minor);
  return device == nullptr ? nullptr : FindModule(k, device->module);
}

}  // namespace

ErrnoOr<uint32_t> RegisterChrdev(Kernel& k, CharDevice device) {
  if (device.major == 0) device.major = FindDynamicMajor(k.devices);
  if (device.major == 0) return Errno::kEBUSY;
  if (device.major > kMajorMax ||
      device.minorct > kMinorMax - device.baseminor + 1) {
    return Errno::kEINVAL;
  }
  auto& all = k.devices.char_devices;
  for (const CharDevice& d : all) {
    if (d.major == device.major &&
        d.baseminor < device.baseminor + device.minorct &&
        device.baseminor < d.baseminor + d.minorct) {
      return Errno::kEBUSY;
    }
  }
  const uint32_t major = device.major;
  const auto at =
      std::find_if(all.begin(), all.end(), [&](const CharDevice& d) {
        return std::pair(d.major, d.baseminor) >
               std::pair(device.major, device.baseminor);
      });
  all.insert(at, std::move(device));
  return major;
}

void UnregisterChrdev(Kernel& k, uint32_t major) {
  std::erase_if(k.devices.char_devices,
                [&](const CharDevice& d) { return d.major == major; });
}

Errno ChrdevOpen(Kernel& k, const Inode& inode) {
  // There is no driver for block devices that one could open.
  Module* owner = inode.char_device() ? OwnerOf(k, inode) : nullptr;
  if (owner == nullptr) return Errno::kENXIO;
  owner->refcnt++;
  return Errno::kOk;
}

void DeviceRelease(Kernel& k, const Inode& inode) {
  Module* owner = OwnerOf(k, inode);
  VM_BUG_ON(owner == nullptr || owner->refcnt == 0);
  owner->refcnt--;
}

Errno DoMknod(Kernel& k, const Mknod& call) {
  const uint32_t type = call.mode & kModeType;
  if (type != kModeChar && type != kModeBlock) return Errno::kEINVAL;
  if (call.path.empty()) return Errno::kENOENT;
  // The one directory is the root.
  const std::string path =
      call.path.front() == '/' ? call.path : "/" + call.path;
  if (k.names.contains(path)) return Errno::kEEXIST;
  if (k.current && !k.Capable(Cap::kMknod)) return Errno::kEPERM;
  if (call.major > kMajorMax || call.minor > kMinorMax) return Errno::kEINVAL;
  const Id<Inode> id = k.inodes.New();
  Inode& inode = k.inodes[id];
  inode.ino = ++k.last_ino;
  inode.fs = FsType::kRamfs;
  inode.mode = call.mode;
  inode.path = path;
  inode.rdev_major = call.major;
  inode.rdev_minor = call.minor;
  k.names[path] = id;
  return Errno::kOk;
}

}  // namespace faultline
