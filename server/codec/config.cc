#include "server/codec/config.h"

#include <string>
#include <vector>

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
  FL_FIELD(lowmem_bytes);
  FL_FIELD(kernelcore, MaxBytes{limits::kCoreMemoryBytesMax});
  FL_FIELD(movablecore, MaxBytes{limits::kCoreMemoryBytesMax});
}

// At most `max` rows, each made by one(row, where).
template <class Rows, class Out, class F>
void Repeated(Decoder& c, const Rows& rows, int max, const char* name, Out& out,
              F one) {
  if (c.checks() && rows.size() > max) {
    c.Violate(name,
              absl::StrCat("has ", rows.size(), " entries: at most ", max));
  }
  for (int i = 0; i < rows.size() && c.ok(); ++i) {
    out.push_back(one(rows.Get(i), absl::StrCat(name, "[", i, "].")));
  }
}

// The parts that have rows of their own.
void Tables(Decoder& c, MachineConfig& config, const v1::MachineConfig& proto) {
  Repeated(c, proto.sysctls(), limits::kSysctlsMax, "sysctls", config.sysctls,
           [&c](const v1::Sysctl& row, const std::string& where) {
             const std::string wrong =
                 MaxBytes{limits::kNameBytesMax, 1}(row.name());
             if (!wrong.empty()) c.Violate((where + "name").c_str(), wrong);
             if (row.more_size() > limits::kSysctlMoreMax) {
               c.Violate((where + "more").c_str(),
                         absl::StrCat("at most ", limits::kSysctlMoreMax));
             }
             return Sysctl{row.name(),
                           row.value(),
                           {row.more().begin(), row.more().end()}};
           });
  Repeated(c, proto.e820(), limits::kMemoryRangesMax, "e820", config.e820,
           [](const v1::MemoryRange& row, const std::string&) {
             return MemoryRange{row.start(), row.end()};
           });
  auto pages = [&c](const v1::ZonePages& row, const std::string& where) {
    const std::string wrong = MaxBytes{limits::kNameBytesMax, 1}(row.zone());
    if (!wrong.empty()) c.Violate((where + "zone").c_str(), wrong);
    return ZonePages{row.zone(), row.pages()};
  };
  Repeated(c, proto.reserved(), limits::kZonePagesMax, "reserved",
           config.reserved, pages);
  Repeated(c, proto.initmem(), limits::kZonePagesMax, "initmem", config.initmem,
           pages);
}

void TablesToProto(const std::vector<ZonePages>& rows,
                   google::protobuf::RepeatedPtrField<v1::ZonePages>* proto) {
  for (const ZonePages& row : rows) {
    v1::ZonePages* p = proto->Add();
    p->set_zone(row.zone);
    p->set_pages(row.pages);
  }
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
  Tables(c, config, proto);
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
    for (const uint64_t value : sysctl.more) p->add_more(value);
  }
  for (const MemoryRange& range : config.e820) {
    v1::MemoryRange* p = proto->add_e820();
    p->set_start(range.start);
    p->set_end(range.end);
  }
  TablesToProto(config.reserved, proto->mutable_reserved());
  TablesToProto(config.initmem, proto->mutable_initmem());
}

}  // namespace faultline
