// Machines that are booted from a memory map, against recordings of real ones
// and against figures worked out by other means.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "server/machine/machine.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/proc/proc.h"
#include "server/scenario/memory_map.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20, kGiB = uint64_t{1} << 30;

std::string Recorded(const std::string& machine, const std::string& name) {
  std::ifstream file("tests/machine/mm/machines/" + machine + "/" + name);
  EXPECT_TRUE(file) << machine << "/" << name;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// What zoneinfo says of one zone: "min" -> "177", "protection" -> "(0, 934 …".
using ZoneRows = std::map<std::string, std::string>;

// The rows that follow from the map; what depends on what ran is left out.
ZoneRows Derived(std::istream& in, std::string* next) {
  ZoneRows rows;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("Node ")) {
      *next = line;
      return rows;
    }
    std::istringstream words(line);
    std::string name, rest;
    words >> name;
    std::getline(words >> std::ws, rest);
    for (const char* known :
         {"boost", "min", "low", "high", "promo", "spanned", "present",
          "managed", "cma",
          "protection:", "batch:", "high_min:", "high_max:", "start_pfn:"}) {
      if (name == known) rows[name] = rest;
    }
    if (line.starts_with("  vm stats threshold:")) rows["threshold"] = line;
    // 6.1's is the limit itself, 6.18's moves with the load.
    if (name == "high:" && !rows.contains("promo")) rows[name] = rest;
  }
  next->clear();
  return rows;
}

std::map<std::string, ZoneRows> ParseZoneinfo(const std::string& text) {
  std::istringstream in(text);
  std::string heading;
  Derived(in, &heading);
  std::map<std::string, ZoneRows> zones;
  while (!heading.empty()) {
    const std::string name = heading;
    zones[name] = Derived(in, &heading);
  }
  return zones;
}

uint64_t NumberOf(const ZoneRows& rows, const std::string& name) {
  auto found = rows.find(name);
  return found == rows.end() ? 0 : std::stoull(found->second);
}

struct RecordedMachine {
  const char* name;
  Profile profile;
  Personality personality;
  ThpMode thp;
  uint32_t cpus;
  std::vector<ZonePages> initmem;
  // For gtest, which would print the bytes.
  friend std::ostream& operator<<(std::ostream& o, const RecordedMachine& m) {
    return o << m.name;
  }
};

MachineConfig ConfigOf(const RecordedMachine& machine) {
  MachineConfig config;
  config.profile = machine.profile;
  config.personality = machine.personality;
  config.thp = machine.thp;
  config.cpus = machine.cpus;
  config.initmem = machine.initmem;
  const auto map = scenario::ParseIomem(Recorded(machine.name, "iomem"));
  EXPECT_TRUE(map.ok()) << map.status();
  for (const auto& range : map.value()) {
    config.e820.push_back({range.start, range.end});
  }
  for (const auto& [heading, rows] :
       ParseZoneinfo(Recorded(machine.name, "zoneinfo"))) {
    const uint64_t kept = NumberOf(rows, "present") - NumberOf(rows, "managed");
    const std::string zone = heading.substr(heading.find_last_of(' ') + 1);
    if (kept > 0) config.reserved.push_back({zone, kept});
  }
  return config;
}

// "min_free_kbytes" of the recording's sysctls; 0 when it was not recorded.
uint64_t RecordedSysctl(const RecordedMachine& machine,
                        const std::string& name) {
  std::istringstream in(Recorded(machine.name, "sysctl"));
  for (std::string path, equals, value; in >> path >> equals >> value;) {
    if (path == "/proc/sys/" + name) return std::stoull(value);
    in.ignore(1000, '\n');
  }
  return 0;
}

class RecordedBoot : public testing::TestWithParam<RecordedMachine> {};

TEST_P(RecordedBoot, ShowsTheRecordedZones) {
  Sim s(ConfigOf(GetParam()));
  // That machine's boot had not computed the watermarks again; switching huge
  // pages off, which the recorder did, has.
  if (std::string(GetParam().name) == "amd64-256m") {
    s.SetSysctl("thp.enabled", 0);
  }
  EXPECT_EQ(s.machine().Verify(), "");
  const auto recorded = ParseZoneinfo(Recorded(GetParam().name, "zoneinfo"));
  const auto ours =
      ParseZoneinfo(ReadProc(s.kernel(), "/proc/zoneinfo").value());
  ASSERT_GE(recorded.size(), 4u);
  EXPECT_EQ(ours.size(), recorded.size());
  for (const auto& [zone, rows] : recorded) {
    ASSERT_TRUE(ours.contains(zone)) << zone;
    EXPECT_EQ(ours.at(zone), rows) << zone;
  }
}

// With the free blocks of the recording, what follows from them.
TEST_P(RecordedBoot, HasTheRecordedFragmentation) {
  const std::string name = GetParam().name;
  if (name == "amd64-256m" || name == "amd64-22g-smp2-6.18") return;
  Kernel k = Machine(ConfigOf(GetParam())).kernel();
  std::istringstream in(Recorded(name, "buddyinfo"));
  std::string node, number, word, zone;
  while (in >> node >> number >> word >> zone) {
    for (Zone& z : k.zones) {
      if (zone != ZoneName(z.type)) continue;
      for (FreeArea& area : z.free_area) in >> area.nr_free;
    }
  }
  const std::string extfrag = "/sys/kernel/debug/extfrag/";
  EXPECT_EQ(ReadProc(k, "/proc/buddyinfo").value(),
            Recorded(name, "buddyinfo"));
  EXPECT_EQ(ReadProc(k, extfrag + "extfrag_index").value(),
            Recorded(name, "extfrag_index"));
  // The recorder read it a moment later, when some pages had changed hands.
  std::istringstream ours(ReadProc(k, extfrag + "unusable_index").value());
  std::istringstream theirs(Recorded(name, "unusable_index"));
  for (std::string a, b; theirs >> b;) {
    ASSERT_TRUE(ours >> a);
    if (b.find('.') == std::string::npos) {
      EXPECT_EQ(a, b);
    } else {
      EXPECT_NEAR(std::stod(a), std::stod(b), 0.0011);
    }
  }
}

// pagetypeinfo has the recording's lines, and each zone as many page blocks.
TEST_P(RecordedBoot, HasTheRecordedPageBlocks) {
  const std::string name = GetParam().name;
  if (name == "amd64-256m" || name == "amd64-22g-smp2-6.18") return;
  Sim s(ConfigOf(GetParam()));
  std::istringstream ours(ReadProc(s.kernel(), "/proc/pagetypeinfo").value());
  std::istringstream theirs(Recorded(name, "pagetypeinfo"));
  int lines = 0;
  for (std::string a, b; std::getline(theirs, b); lines++) {
    ASSERT_TRUE(std::getline(ours, a));
    EXPECT_EQ(a.size(), b.size());
    const size_t numbers = b.starts_with("Node ") ? 22 : b.size();
    EXPECT_EQ(a.substr(0, numbers), b.substr(0, numbers));
    if (!b.starts_with("Node 0, ")) continue;
    auto blocks = [&](const std::string& line) {
      std::istringstream in(line.substr(numbers));
      uint64_t sum = 0;
      for (uint64_t n; in >> n;) sum += n;
      return sum;
    };
    EXPECT_EQ(blocks(a), blocks(b)) << b;
  }
  EXPECT_GT(lines, 12);
}

TEST_P(RecordedBoot, ComputesTheRecordedSysctls) {
  if (std::string(GetParam().name) == "amd64-256m") return;  // none recorded
  Sim s(ConfigOf(GetParam()));
  const SysctlTable& sysctl = s.kernel().sysctl;
  EXPECT_EQ(sysctl.min_free_kbytes,
            RecordedSysctl(GetParam(), "vm/min_free_kbytes"));
  EXPECT_EQ(sysctl.admin_reserve_kbytes,
            RecordedSysctl(GetParam(), "vm/admin_reserve_kbytes"));
  const uint64_t threads = RecordedSysctl(GetParam(), "kernel/threads-max");
  if (threads != 0) {
    EXPECT_EQ(sysctl.threads_max, threads);
  }
  const uint64_t user = RecordedSysctl(GetParam(), "vm/user_reserve_kbytes");
  if (user != 0) {
    EXPECT_EQ(sysctl.user_reserve_kbytes, user);
  }
}

constexpr Personality k61 = Personality::kLinux61,
                      k618 = Personality::kLinux618;
INSTANTIATE_TEST_SUITE_P(
    Machines, RecordedBoot,
    testing::Values(
        RecordedMachine{
            "amd64-1g", Profile::kX86_64, k61, ThpMode::kAlways, 1, {}},
        RecordedMachine{
            "amd64-1g-nothp", Profile::kX86_64, k61, ThpMode::kNever, 1, {}},
        RecordedMachine{
            "amd64-4g-smp2", Profile::kX86_64, k61, ThpMode::kAlways, 2, {}},
        RecordedMachine{"amd64-256m",
                        Profile::kX86_64,
                        k61,
                        ThpMode::kNever,
                        1,
                        {{"DMA32", 0}}},
        RecordedMachine{
            "i386-2g", Profile::kI386Pae, k61, ThpMode::kAlways, 1, {}},
        RecordedMachine{
            "i386-2g-nothp", Profile::kI386Pae, k61, ThpMode::kNever, 1, {}},
        RecordedMachine{"amd64-22g-smp2-6.18",
                        Profile::kX86_64,
                        k618,
                        ThpMode::kMadvise,
                        2,
                        {{"DMA32", 0}}}),
    [](const auto& info) {
      std::string name = info.param.name;
      for (char& c : name) {
        if (c == '-' || c == '.') c = '_';
      }
      return name;
    });

// --- Sizes that nobody recorded: the formulas, computed another way.

// A machine of so much memory, of which boot kept nothing and freed none late.
Kernel BootAll(Profile profile, uint64_t ram, ThpMode thp) {
  MachineConfig config;
  config.profile = profile;
  config.thp = thp;
  config.e820 = {{kPageSize, 0x9f000}, {kMiB, std::min(ram, 3 * kGiB)}};
  if (ram > 3 * kGiB) {
    config.e820.push_back({4 * kGiB, ram + kGiB});
  }
  config.reserved = {{"DMA", 158}};
  config.initmem = {{"DMA", 0}};
  config.lowmem_bytes = profile == Profile::kX86_64 ? 0 : 896 * kMiB;
  return Machine(config).kernel();
}

// Pages of an interval of addresses, as real numbers.
double Pages(double from, double to) {
  return to > from ? std::floor((to - from) / 4096) : 0;
}

struct Size {
  Profile profile;
  uint64_t ram;
};
class AnySize : public testing::TestWithParam<Size> {};

// The zones' managed pages, in order of address, from the bounds alone.
std::vector<double> ManagedByHand(const Size& size) {
  const double ram = static_cast<double>(size.ram);
  const double low = std::min(ram, 3.0 * kGiB);
  const double high = ram > low ? 4.0 * kGiB + ram - low : 0;
  const double dma = Pages(1.0 * kMiB, std::min(low, 16.0 * kMiB));
  if (size.profile == Profile::kX86_64) {
    return {dma, Pages(16.0 * kMiB, low), Pages(4.0 * kGiB, high)};
  }
  const double normal = std::min(low, 896.0 * kMiB);
  return {dma, Pages(16.0 * kMiB, normal),
          Pages(normal, low) + Pages(4.0 * kGiB, high)};
}

TEST_P(AnySize, HasTheZonesAndWatermarksOfItsSize) {
  const std::vector<double> managed = ManagedByHand(GetParam());
  const bool wide = GetParam().profile == Profile::kX86_64;
  const ZoneType types[] = {ZoneType::kDma,
                            wide ? ZoneType::kDma32 : ZoneType::kNormal,
                            wide ? ZoneType::kNormal : ZoneType::kHighMem};
  const Kernel k = BootAll(GetParam().profile, GetParam().ram, ThpMode::kNever);
  double lowmem = 0;
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(k.zone(types[i]).managed.value(), managed[i]) << i;
    if (types[i] != ZoneType::kHighMem) lowmem += managed[i];
  }
  // From 512 MiB on twice: what lies above the first high watermarks decides.
  auto marks = [&](double kbytes, double pages) {
    const double min = std::floor(std::floor(kbytes / 4) * pages / lowmem);
    const double delta =
        std::max(std::floor(min / 4), std::floor(pages / 1000));
    return std::array<double, 3>{min, min + delta, min + 2 * delta};
  };
  auto kbytes_of = [](double pages) {
    return std::clamp(std::floor(std::sqrt(pages * 64)), 128.0, 262144.0);
  };
  double kbytes = kbytes_of(lowmem);
  double above = lowmem;
  for (int i = 0; i < 3; i++) {
    if (types[i] == ZoneType::kHighMem) continue;
    above -= std::min(managed[i], marks(kbytes, managed[i])[2]);
  }
  const double all = managed[0] + managed[1] + managed[2];
  if (all * kPageSize >= 512.0 * kMiB) kbytes = kbytes_of(above);
  EXPECT_EQ(k.sysctl.min_free_kbytes, kbytes);
  for (int i = 0; i < 3; i++) {
    auto [min, low, high] = marks(kbytes, managed[i]);
    if (types[i] == ZoneType::kHighMem) {
      const double delta = low - min;
      min = std::clamp(std::floor(managed[i] / 1024), 32.0, 128.0);
      low = min + delta;
      high = low + delta;
    }
    EXPECT_EQ(k.zone(types[i]).wmark.min, min) << i;
    EXPECT_EQ(k.zone(types[i]).wmark.low, low) << i;
    EXPECT_EQ(k.zone(types[i]).wmark.high, high) << i;
  }
}

TEST_P(AnySize, KeepsThatMuchOfLowerZonesForThoseThatMustHaveIt) {
  const std::vector<double> m = ManagedByHand(GetParam());
  const bool wide = GetParam().profile == Profile::kX86_64;
  const Kernel k = BootAll(GetParam().profile, GetParam().ram, ThpMode::kNever);
  auto reserve = [&](ZoneType zone, ZoneType request) {
    return static_cast<double>(
        k.zone(zone).lowmem_reserve[static_cast<int>(request)]);
  };
  if (wide) {
    EXPECT_EQ(reserve(ZoneType::kDma, ZoneType::kDma32),
              std::floor(m[1] / 256));
    EXPECT_EQ(reserve(ZoneType::kDma, ZoneType::kNormal),
              std::floor((m[1] + m[2]) / 256));
    EXPECT_EQ(reserve(ZoneType::kDma32, ZoneType::kNormal),
              m[1] == 0 ? 0 : std::floor(m[2] / 256));
  } else {
    EXPECT_EQ(reserve(ZoneType::kDma, ZoneType::kNormal),
              std::floor(m[1] / 256));
    EXPECT_EQ(reserve(ZoneType::kNormal, ZoneType::kHighMem),
              m[1] == 0 ? 0 : std::floor(m[2] / 32));
  }
}

TEST_P(AnySize, HugePagesRaiseTheMinimum) {
  const Kernel off =
      BootAll(GetParam().profile, GetParam().ram, ThpMode::kNever);
  const Kernel on =
      BootAll(GetParam().profile, GetParam().ram, ThpMode::kAlways);
  double lowmem = 0, zones = 0, high = 0;
  for (const Zone& zone : off.zones) {
    if (zone.type == ZoneType::kHighMem || !zone.populated()) continue;
    lowmem += static_cast<double>(zone.managed.value());
    zones++;
  }
  // The watermarks that the first computation gave.
  const double first = std::floor(
      std::clamp(std::floor(std::sqrt(lowmem * 64)), 128.0, 262144.0) / 4);
  for (const Zone& zone : off.zones) {
    if (zone.type == ZoneType::kHighMem || !zone.populated()) continue;
    const double managed = static_cast<double>(zone.managed.value());
    const double min = std::floor(first * managed / lowmem);
    high += min + 2 * std::max(std::floor(min / 4), std::floor(managed / 1000));
  }
  const double recommended =
      std::min(512 * zones * 11, std::floor((lowmem - high) / 20)) * 4;
  const double plain =
      std::clamp(std::floor(std::sqrt(lowmem * 64)), 128.0, 262144.0);
  EXPECT_EQ(on.sysctl.min_free_kbytes, std::max(recommended, plain));
}

std::vector<Size> Sizes() {
  std::vector<Size> sizes;
  for (Profile profile : {Profile::kX86_64, Profile::kI386Pae}) {
    for (uint64_t mib : {16, 24, 32, 100, 128, 512, 896, 900, 1024, 2047, 3072,
                         3073, 4096, 8192, 20000, 32768, 64512}) {
      sizes.push_back({profile, mib * kMiB});
    }
  }
  sizes.push_back({Profile::kX86_64, 64 * kGiB});
  return sizes;
}
INSTANTIATE_TEST_SUITE_P(
    Sizes, AnySize, testing::ValuesIn(Sizes()), [](const auto& info) {
      return std::string(info.param.profile == Profile::kX86_64 ? "X86_64_"
                                                                : "I386_") +
             std::to_string(info.param.ram / kMiB);
    });

// --- What else follows from the map.

TEST(BootMap, PartialPagesAndTheBiosAreNotMemory) {
  MachineConfig config;
  config.e820 = {{0, 0xb0800}, {kMiB - 8 * kPageSize, 64 * kMiB + 100}};
  const Kernel k = Machine(config).kernel();
  EXPECT_FALSE(PfnValid(k, 0));
  EXPECT_TRUE(PfnValid(k, 1));
  EXPECT_TRUE(PfnValid(k, 0x9f));
  EXPECT_FALSE(PfnValid(k, 0xa0)) << "the BIOS's 384 KiB";
  EXPECT_FALSE(PfnValid(k, 0xff));
  EXPECT_TRUE(PfnValid(k, 0x100));
  EXPECT_TRUE(PfnValid(k, 64 * kMiB / kPageSize - 1));
  EXPECT_FALSE(PfnValid(k, 64 * kMiB / kPageSize)) << "100 bytes are no page";
}

TEST(BootMap, SpannedHasTheHolesAndPresentHasNot) {
  MachineConfig config;
  config.e820 = {{kMiB, kGiB}, {2 * kGiB, 3 * kGiB}, {5 * kGiB, 6 * kGiB}};
  const Kernel k = Machine(config).kernel();
  const Zone& dma32 = k.zone(ZoneType::kDma32);
  EXPECT_EQ(dma32.start, Pfn(4096));
  EXPECT_EQ(dma32.spanned, PagesOf(4 * kGiB - 16 * kMiB)) << "to its limit";
  EXPECT_EQ(dma32.present, PagesOf(2 * kGiB - 16 * kMiB));
  const Zone& normal = k.zone(ZoneType::kNormal);
  EXPECT_EQ(normal.start, Pfn(0x100000));
  EXPECT_EQ(normal.spanned, PagesOf(2 * kGiB));
  EXPECT_EQ(normal.present, PagesOf(kGiB));
}

TEST(BootMap, HighMemoryBeginsWhereItIsAskedTo) {
  MachineConfig config;
  config.profile = Profile::kI386Pae;
  config.ram_bytes = 2 * kGiB;
  EXPECT_EQ(Machine(config).kernel().zone(ZoneType::kHighMem).start,
            Pfn(896 * 256));
  config.lowmem_bytes = 512 * kMiB;
  EXPECT_EQ(Machine(config).kernel().zone(ZoneType::kHighMem).start,
            Pfn(512 * 256));
}

TEST(BootMap, ImpossibleMapsAreRefused) {
  struct Row {
    const char* name;
    std::vector<MemoryRange> e820;
    std::vector<ZonePages> reserved;
    std::vector<ZonePages> initmem;
    uint64_t lowmem;
  };
  const std::vector<MemoryRange> usual = {{kMiB, 64 * kMiB}};
  const Row rows[] = {
      {"next to nothing", {{kMiB, 2 * kMiB}}, {}, {}, 0},
      {"backwards", {{2 * kMiB, kMiB}}, {}, {}, 0},
      {"overlapping", {{kMiB, 64 * kMiB}, {63 * kMiB, 65 * kMiB}}, {}, {}, 0},
      {"descending", {{64 * kMiB, 65 * kMiB}, {kMiB, 63 * kMiB}}, {}, {}, 0},
      {"too far", {{kMiB, 9000 * kGiB}}, {}, {}, 0},
      {"an unknown zone", usual, {{"Low", 1}}, {}, 0},
      {"more than the zone has", usual, {{"DMA", 5000}}, {}, 0},
      {"freed more than managed", usual, {{"DMA", 3000}}, {{"DMA", 3000}}, 0},
      {"high memory on x86-64", usual, {}, {}, 512 * kMiB},
  };
  for (const Row& row : rows) {
    MachineConfig config;
    config.e820 = row.e820;
    config.reserved = row.reserved;
    config.initmem = row.initmem;
    config.lowmem_bytes = row.lowmem;
    EXPECT_THROW(Machine m(config), ConfigError) << row.name;
  }
}

TEST(BootWatermarks, AreComputedAgainWhenHugePagesAreSwitched) {
  MachineConfig config;
  config.thp = ThpMode::kNever;
  Sim s(config);
  const uint64_t off = s.kernel().sysctl.min_free_kbytes;
  s.SetSysctl("thp.enabled", 2);
  EXPECT_EQ(s.kernel().sysctl.min_free_kbytes, 45056u);
  s.SetSysctl("thp.enabled", 0);
  // What lies above the higher watermarks counts now.
  EXPECT_LT(s.kernel().sysctl.min_free_kbytes, off);
  s.SetSysctl("vm.min_free_kbytes", 8000);
  s.SetSysctl("thp.enabled", 0);
  EXPECT_EQ(s.kernel().sysctl.min_free_kbytes, 8000u)
      << "somebody asked for it";
}

// Seen on Debian's 6.1.192 in virtual machines of 256 and 448 MiB: below 512
// MiB boot computes once, and again when huge pages are switched.
TEST(BootWatermarks, AreComputedOnceInASmallMachine) {
  struct Row {
    uint64_t end, reserved, dma32_min, dma32_high, kbytes, kbytes_switched;
  };
  for (const Row& row : {Row{0xffe0000, 12560, 413, 619, 1792, 1824},
                         Row{0x1bfe0000, 13680, 601, 901, 2507, 0}}) {
    MachineConfig config;
    config.personality = Personality::kLinux61;
    config.thp = ThpMode::kNever;
    config.e820 = {{0x1000, 0x9fc00}, {0x100000, row.end}};
    config.reserved = {{"DMA", 158}, {"DMA32", row.reserved}};
    config.initmem = {{"DMA32", 2480}};
    Sim s(config);
    const Zone& dma32 = s.kernel().zone(ZoneType::kDma32);
    EXPECT_EQ(s.kernel().sysctl.min_free_kbytes, row.kbytes);
    EXPECT_EQ(dma32.wmark.min, row.dma32_min);
    EXPECT_EQ(dma32.wmark.high, row.dma32_high);
    if (row.kbytes_switched == 0) continue;
    s.SetSysctl("thp.enabled", 0);
    EXPECT_EQ(s.kernel().sysctl.min_free_kbytes, row.kbytes_switched);
  }
}

// Each asked of Linux 6.18.
TEST(Sysctls, TakeWhatLinuxTakes) {
  struct Row {
    const char* name;
    uint64_t value;
    const char* result;
  };
  constexpr uint64_t kTooLarge = uint64_t{1} << 31;
  Sim s;
  for (const Row& row :
       {Row{"vm.overcommit_memory", 3, "EINVAL"},
        Row{"vm.overcommit_ratio", 200, "OK"},
        Row{"vm.watermark_scale_factor", 0, "EINVAL"},
        Row{"vm.watermark_scale_factor", 3001, "EINVAL"},
        Row{"vm.watermark_scale_factor", 3000, "OK"},
        Row{"vm.min_free_kbytes", kTooLarge, "EINVAL"},
        Row{"vm.max_map_count", kTooLarge, "EINVAL"},
        Row{"vm.dirty_bytes", 0, "EINVAL"},
        Row{"vm.dirty_background_bytes", 0, "EINVAL"},
        Row{"vm.dirty_background_bytes", 1, "OK"},
        Row{"vm.dirty_writeback_centisecs", kTooLarge, "EINVAL"},
        Row{"kernel.randomize_va_space", 3, "OK"},
        Row{"vm.legacy_va_layout", 2, "OK"},
        Row{"vm.oom_kill_allocating_task", 7, "OK"}}) {
    EXPECT_EQ(ResultOf(s.Do(Sysctl{row.name, row.value}, 0)), row.result)
        << row.name << " = " << row.value;
  }
}

}  // namespace
}  // namespace faultline
