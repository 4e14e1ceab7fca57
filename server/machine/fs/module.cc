// Models kernel/module/main.c (v6.18): init_module(), load_module(),
// delete_module(), try_stop_module(); kernel/params.c: parse_args(). Departure:
// D43 (the modules are the machine's own; there is one).
#include "server/machine/fs/module.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "server/machine/fs/map_driver.h"
#include "server/machine/mm/vmalloc.h"

namespace faultline {
namespace {

constexpr std::string_view kMapDriver = "map_driver";
constexpr uint64_t kDefaultBytes = 16384;  // text, read-only data, data
constexpr uint64_t kModuleBytesMax = uint64_t{16} << 20;
constexpr uint64_t kBufferPagesMax = uint64_t{1} << 20;

void Say(Kernel& k, std::string text) {
  k.Emit(EventLevel::kFaults, Console{std::move(text)});
}

bool ParseNumber(std::string_view text, uint64_t* value) {
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

// parse_args(): "name=value" words; one that the module does not know is
// ignored, with a warning.
Errno ParseParams(Kernel& k, std::string_view args, MapDriverParams* params) {
  while (!args.empty()) {
    const size_t space = std::min(args.find(' '), args.size());
    const std::string_view word = args.substr(0, space);
    args.remove_prefix(std::min(space + 1, args.size()));
    if (word.empty()) continue;
    const size_t equals = std::min(word.find('='), word.size());
    const std::string_view name = word.substr(0, equals);
    const std::string_view value =
        word.substr(std::min(equals + 1, word.size()));
    bool good = true;
    if (name == "text") {
      params->text = value;
    } else if (name == "major") {
      good = ParseNumber(value, &params->major);
    } else if (name == "pages") {
      good = ParseNumber(value, &params->pages) && params->pages > 0 &&
             params->pages <= kBufferPagesMax;
    } else {
      Say(k, std::string(kMapDriver) + ": unknown parameter '" +
                 std::string(name) + "' ignored\n");
    }
    if (!good) {
      Say(k, std::string(kMapDriver) + ": `" + std::string(value) +
                 "' invalid for parameter `" + std::string(name) + "'\n");
      return Errno::kEINVAL;
    }
  }
  return Errno::kOk;
}

bool MayLoad(const Kernel& k) {
  return !k.current || k.Capable(Cap::kSysModule);
}

}  // namespace

Module* FindModule(Kernel& k, std::string_view name) {
  for (Module& module : k.devices.modules) {
    if (module.name == name) return &module;
  }
  return nullptr;
}

Errno DoInsertModule(Kernel& k, const InsertModule& call) {
  if (!MayLoad(k)) return Errno::kEPERM;
  if (call.name != kMapDriver) return Errno::kENOENT;
  if (FindModule(k, call.name) != nullptr) return Errno::kEEXIST;
  if (call.size > kModuleBytesMax) return Errno::kENOMEM;
  MapDriverParams params;
  FL_TRY(ParseParams(k, call.params, &params));
  Module module;
  module.name = call.name;
  module.size = PageAlign(call.size == 0 ? kDefaultBytes : call.size);
  module.base = FL_TRY_VALUE(VmallocRangeCaller(
      k, module.size, 0, ModulesRange(k), VmapCaller::kModule));
  if (const Errno e = MapDriverInit(k, module, params); e != Errno::kOk) {
    (void)DoVfree(k, module.base);
    return e;
  }
  k.devices.modules.push_back(std::move(module));
  return Errno::kOk;
}

Errno DoRemoveModule(Kernel& k, const RemoveModule& call) {
  if (!MayLoad(k)) return Errno::kEPERM;
  Module* found = FindModule(k, call.name);
  if (found == nullptr) return Errno::kENOENT;
  if (found->refcnt != 0) return Errno::kEAGAIN;
  const Module module = *found;
  std::erase_if(k.devices.modules,
                [&](const Module& m) { return m.name == module.name; });
  MapDriverExit(k, module);
  (void)DoVfree(k, module.base);
  return Errno::kOk;
}

}  // namespace faultline
