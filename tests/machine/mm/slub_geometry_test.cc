// The geometry of slabs against every cache of recorded machines.
#include "server/machine/mm/slub_geometry.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "server/machine/mm/slab_common.h"
#include "server/machine/proc/proc.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

struct Recording {
  const char* name;
  Profile profile;
  Personality personality;
  uint32_t cpus;
  int caches;  // at least so many were recorded
  // For gtest, which would print the bytes.
  friend std::ostream& operator<<(std::ostream& o, const Recording& r) {
    return o << r.name;
  }
};

MachineConfig ConfigOf(const Recording& r) {
  MachineConfig config;
  config.profile = r.profile;
  config.personality = r.personality;
  config.cpus = r.cpus;
  return config;
}

using Row = std::map<std::string, std::string>;  // "order" -> "1"

// The lines of slub_geometry: a name, and NAME=VALUE words.
std::map<std::string, Row> Geometry(const std::string& machine) {
  std::ifstream file("tests/machine/mm/machines/" + machine + "/slub_geometry");
  EXPECT_TRUE(file) << machine;
  std::map<std::string, Row> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("alias ")) continue;
    std::istringstream words(line);
    std::string name, word;
    words >> name;
    while (words >> word) {
      const size_t equals = word.find('=');
      rows[name][word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  return rows;
}

uint64_t Number(const Row& row, const std::string& name) {
  return std::stoull(row.at(name));
}

class RecordedSlabs : public testing::TestWithParam<Recording> {};

// A cache whose free pointer lies behind the object (it has a constructor, or
// is freed by RCU) shows by its size.
TEST_P(RecordedSlabs, HaveTheRecordedGeometry) {
  const MachineConfig config = ConfigOf(GetParam());
  int caches = 0;
  for (const auto& [name, row] : Geometry(GetParam().name)) {
    const uint64_t size = Number(row, "object_size");
    const uint64_t align = Number(row, "align");
    const bool aligned =
        (size + align - 1) / align * align == Number(row, "slab_size");
    const SlabGeometry g = CalculateSizes(
        config, {.object_size = size, .align = align, .ctor = !aligned});
    EXPECT_EQ(g.size, Number(row, "slab_size")) << name;
    EXPECT_EQ(g.align, align) << name;
    EXPECT_EQ(g.objects, Number(row, "objs_per_slab")) << name;
    EXPECT_EQ(g.order, static_cast<int32_t>(Number(row, "order"))) << name;
    EXPECT_EQ(g.cpu_partial, Number(row, "cpu_partial")) << name;
    EXPECT_EQ(g.min_partial, Number(row, "min_partial")) << name;
    caches++;
  }
  EXPECT_GE(caches, GetParam().caches);
}

// What slabinfo says of kmalloc's caches: their names in order, and the columns
// that do not depend on what ran.
std::string KmallocLines(const std::string& slabinfo) {
  std::istringstream in(slabinfo);
  std::string lines;
  for (std::string line; std::getline(in, line);) {
    if (line.find("kmalloc-") == std::string::npos) continue;
    std::istringstream words(line);
    std::string name, active, all, size, objects, pages;
    words >> name >> active >> all >> size >> objects >> pages;
    lines += name + " " + size + " " + objects + " " + pages + "\n";
  }
  return lines;
}

TEST_P(RecordedSlabs, KmallocHasTheRecordedCaches) {
  const std::string name = GetParam().name;
  std::ifstream file("tests/machine/mm/machines/" + name + "/slabinfo");
  std::stringstream recorded;
  recorded << file.rdbuf();
  Sim s(ConfigOf(GetParam()));
  const std::string ours = ReadProc(s.kernel(), "/proc/slabinfo").value();
  EXPECT_EQ(KmallocLines(ours), KmallocLines(recorded.str()));
  // Each kmalloc cache is aligned as recorded too.
  s.Do(Kmalloc{1, 0xcc0}, 0);
  const auto rows = Geometry(name);
  const Slub& slub = s.kernel().slub;
  for (Id<KmemCache> id = slub.newest; id; id = slub.caches[id].next) {
    const KmemCache& cache = slub.caches[id];
    ASSERT_TRUE(rows.contains(cache.name)) << cache.name;
    EXPECT_EQ(cache.geometry.align, Number(rows.at(cache.name), "align"))
        << cache.name;
    EXPECT_EQ(cache.Has(slab_flag::kCacheDma),
              Number(rows.at(cache.name), "cache_dma") == 1);
    EXPECT_EQ(cache.Has(slab_flag::kReclaimAccount),
              Number(rows.at(cache.name), "reclaim") == 1);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Machines, RecordedSlabs,
    testing::Values(
        Recording{"amd64-1g", Profile::kX86_64, Personality::kLinux61, 1, 140},
        Recording{"amd64-4g-smp2", Profile::kX86_64, Personality::kLinux61, 2,
                  140},
        Recording{"i386-2g", Profile::kI386Pae, Personality::kLinux61, 1, 120},
        Recording{"amd64-22g-smp2-6.18", Profile::kX86_64,
                  Personality::kLinux618, 2, 190}),
    [](const auto& info) {
      std::string name = info.param.name;
      for (char& c : name) c = std::isalnum(c) ? c : '_';
      return name;
    });

// Worked out by hand: what debug flags add to 64 bytes.
TEST(SlubGeometry, DebugFlagsAddRoom) {
  MachineConfig config;
  const SlabGeometry plain = CalculateSizes(config, {.object_size = 64});
  EXPECT_EQ(plain.size, 64u);
  EXPECT_EQ(plain.offset, 32u) << "in the middle of the object";
  // A red zone of a word on the right, padding, and one on the left.
  const SlabGeometry red =
      CalculateSizes(config, {.object_size = 64, .flags = slab_flag::kRedZone});
  EXPECT_EQ(red.inuse, 72u);
  EXPECT_EQ(red.red_left_pad, 8u);
  EXPECT_EQ(red.size, 72u + 8 + 8);
  EXPECT_EQ(red.cpu_partial, 0u);
  // Poison wants the free pointer behind the object.
  const SlabGeometry poison =
      CalculateSizes(config, {.object_size = 64, .flags = slab_flag::kPoison});
  EXPECT_EQ(poison.offset, 64u);
  EXPECT_EQ(poison.size, 72u);
  // Two tracks of 32 bytes, and what kmalloc() was asked for.
  const SlabGeometry all = CalculateSizes(
      config, {.object_size = 64,
               .align = 64,
               .flags = slab_flag::kDebug | slab_flag::kKmalloc});
  EXPECT_EQ(all.red_left_pad, 64u);
  EXPECT_EQ(all.size, (72u + 8 + 64 + 4 + 8 + 64 + 63) / 64 * 64);
}

TEST(SlubGeometry, OrdersFollowTheNumberOfCpus) {
  MachineConfig config;
  config.cpus = 1;
  EXPECT_EQ(CalculateOrder(config, 1024), 1);
  config.cpus = 2;
  EXPECT_EQ(CalculateOrder(config, 1024), 2);
  config.cpus = 64;
  EXPECT_EQ(CalculateOrder(config, 1024), 3);
  EXPECT_EQ(CalculateOrder(config, 1 << 20), 8) << "one object a slab";
}

}  // namespace
}  // namespace faultline
