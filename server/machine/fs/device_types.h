// Modules and the character devices that they register. Models
// include/linux/module.h and fs/char_dev.c: struct char_device_struct (v6.18).
#ifndef FAULTLINE_SERVER_MACHINE_FS_DEVICE_TYPES_H_
#define FAULTLINE_SERVER_MACHINE_FS_DEVICE_TYPES_H_

#include <cstdint>
#include <string>
#include <vector>

namespace faultline {

// struct module, with what the module itself keeps (its data section).
struct Module {
  std::string name;
  uint64_t base = 0;    // of its text and data, in the modules' area
  uint64_t size = 0;    // bytes
  uint32_t refcnt = 0;  // open files of its devices
  uint32_t major = 0;
  uint64_t buffer = 0;        // what it maps: a vmalloc address
  uint64_t buffer_bytes = 0;  // whole pages

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.name, s.base, s.size, s.refcnt, s.major, s.buffer, s.buffer_bytes);
  }
};

// struct char_device_struct: the numbers that a driver has.
struct CharDevice {
  uint32_t major = 0;
  uint32_t baseminor = 0;
  uint32_t minorct = 0;
  std::string name;
  std::string module;  // its owner's name

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.major, s.baseminor, s.minorct, s.name, s.module);
  }
};

struct Devices {
  std::vector<Module> modules;           // the newest last
  std::vector<CharDevice> char_devices;  // by major and first minor

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.modules, s.char_devices);
  }
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_FS_DEVICE_TYPES_H_
