// The geometry of slabs against the kernel that this runs on: every cache in
// /sys/kernel/slab.
#include <dirent.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "server/machine/mm/slub_geometry.h"

namespace faultline::native {
namespace {

constexpr char kSys[] = "/sys/kernel/slab/";

std::vector<std::string> Caches() {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(kSys), closedir);
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir.get())) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') {
      names.emplace_back(entry->d_name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string Attribute(const std::string& cache, const std::string& name) {
  std::string text;
  std::ifstream file(kSys + cache + "/" + name);
  std::getline(file, text);
  return text;
}
uint64_t Number(const std::string& cache, const std::string& name) {
  return std::stoull(Attribute(cache, name));
}

TEST(LiveSlabs, HaveTheGeometryThatWeCompute) {
  std::string release;
  std::ifstream("/proc/sys/kernel/osrelease") >> release;
  const bool old = release.rfind("6.1.", 0) == 0;
  if (!old && release.rfind("6.18.", 0) != 0) {
    GTEST_SKIP() << "this is Linux " << release;
  }
  if (Caches().empty() || Attribute(Caches().front(), "order").empty()) {
    GTEST_SKIP() << kSys << " needs root";
  }
  MachineConfig config;
  config.personality = old ? Personality::kLinux61 : Personality::kLinux618;
  config.cpus = static_cast<uint32_t>(sysconf(_SC_NPROCESSORS_CONF));
  for (const std::string& name : Caches()) {
    SlabRequest request{.object_size = Number(name, "object_size"),
                        .align = Number(name, "align"),
                        .flags = 0,
                        .ctor = !Attribute(name, "ctor").empty()};
    // A free pointer that has a place in the object (use_freeptr_offset) is the
    // one thing that is not shown.
    const bool rcu = Number(name, "destroy_by_rcu") == 1;
    const SlabGeometry inside = CalculateSizes(config, request);
    if (rcu && inside.size != Number(name, "slab_size")) {
      request.flags |= slab_flag::kTypesafeByRcu;
    }
    for (const auto& [file, flag] :
         {std::pair("sanity_checks", slab_flag::kConsistencyChecks),
          std::pair("red_zone", slab_flag::kRedZone),
          std::pair("poison", slab_flag::kPoison),
          std::pair("store_user", slab_flag::kStoreUser)}) {
      if (Number(name, file) == 1) request.flags |= flag;
    }
    const SlabGeometry g = CalculateSizes(config, request);
    EXPECT_EQ(g.size, Number(name, "slab_size")) << name;
    EXPECT_EQ(g.objects, Number(name, "objs_per_slab")) << name;
    EXPECT_EQ(g.order, static_cast<int32_t>(Number(name, "order"))) << name;
    EXPECT_EQ(g.min_partial, Number(name, "min_partial")) << name;
    EXPECT_EQ(g.cpu_partial, Number(name, "cpu_partial")) << name;
  }
}

}  // namespace
}  // namespace faultline::native
