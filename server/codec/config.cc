#include "server/codec/config.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/codec/fields.h"
#include "server/limits.h"
#include "server/machine/base/units.h"

namespace faultline {
namespace {

// Bytes of memory: 0 is the default; otherwise whole pages within bounds.
struct MemoryBytes {
  uint64_t min;
  uint64_t max;
  std::string operator()(uint64_t bytes) const {
    if (bytes == 0) return "";
    if (bytes < min || bytes > max) {
      return absl::StrCat(bytes, " is out of range: ", min, " to ", max,
                          " bytes");
    }
    if (bytes % kPageSize == 0) return "";
    return absl::StrCat(bytes, " is not a multiple of ", kPageSize, " bytes");
  }
};

template <class C, class S, class P>
void Fields(C& c, S& s, P& p) {
  FL_ENUM(profile, Profile::kI386);
  FL_ENUM(personality, Personality::kLinux61);
  FL_FIELD(ram_bytes, MemoryBytes{limits::kRamBytesMin, limits::kRamBytesMax});
  FL_FIELD(swap_bytes, MemoryBytes{kPageSize, limits::kSwapBytesMax});
  FL_FIELD(cpus, AtMost{limits::kCpusMax});
  FL_ENUM(thp, ThpMode::kAlways);
  FL_FIELD(seed);
}

absl::StatusOr<MachineConfig> FromProto(Decoder c,
                                        const v1::MachineConfig& proto,
                                        const char* field) {
  const MachineConfig defaults;
  MachineConfig config;
  c.EnterMessage(field);
  Fields(c, config, proto);
  if (config.ram_bytes == 0) config.ram_bytes = defaults.ram_bytes;
  if (config.cpus == 0) config.cpus = defaults.cpus;
  if (c.checks() && proto.sysctls_size() > limits::kSysctlsMax) {
    c.Violate("sysctls",
              absl::StrCat("has ", proto.sysctls_size(), " entries: at most ",
                           limits::kSysctlsMax));
  }
  const MaxBytes name_check{limits::kNameBytesMax, 1};
  for (int i = 0; i < proto.sysctls_size() && c.ok(); ++i) {
    const v1::Sysctl& sysctl = proto.sysctls(i);
    const std::string wrong = name_check(sysctl.name());
    if (!wrong.empty()) {
      c.Violate(absl::StrCat("sysctls[", i, "].name").c_str(), wrong);
    }
    config.sysctls.push_back({sysctl.name(), sysctl.value()});
  }
  if (!c.ok()) return c.status();
  return config;
}

}  // namespace

absl::StatusOr<MachineConfig> ConfigFromProto(const v1::MachineConfig& proto,
                                              const char* field) {
  return FromProto(Decoder(Decoder::Bounds::kCheck), proto, field);
}

absl::StatusOr<MachineConfig> ConfigFromJournal(
    const v1::MachineConfig& proto) {
  return FromProto(Decoder(Decoder::Bounds::kTrust), proto, "config");
}

void ConfigToProto(const MachineConfig& config, v1::MachineConfig* proto) {
  Encoder c;
  proto->Clear();
  Fields(c, config, *proto);
  for (const Sysctl& sysctl : config.sysctls) {
    v1::Sysctl* p = proto->add_sysctls();
    p->set_name(sysctl.name);
    p->set_value(sysctl.value);
  }
}

}  // namespace faultline
