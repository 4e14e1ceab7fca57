// What the administrator and the kernel do in a memory campaign.
#include <iterator>
#include <vector>

#include "server/machine/mm/gfp.h"
#include "server/machine/mm/mmap.h"
#include "tests/machine/mm/memory_campaign.h"
#include "tests/machine/sim.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint32_t kCharDevice = 020666, kMajor = 254;

struct KnobValues {
  const char* name;
  std::vector<uint64_t> values;
};

const std::vector<KnobValues>& KnobTable() {
  static const std::vector<KnobValues> table = {
      {"vm.overcommit_memory", {0, 0, 1, 1, 2}},
      {"vm.overcommit_ratio", {50, 100, 200}},
      {"vm.overcommit_kbytes", {0, 40000}},
      {"vm.max_map_count", {65530, 65530, 60}},
      {"vm.min_free_kbytes", {100, 500, 2000}},
      {"vm.admin_reserve_kbytes", {0, 500}},
      {"vm.user_reserve_kbytes", {0, 2000}},
      {"vm.watermark_scale_factor", {10, 100, 1000}},
      {"vm.watermark_boost_factor", {0, 15000}},
      {"vm.swappiness", {0, 10, 60, 100, 200}},
      {"vm.page-cluster", {0, 3, 5}},
      {"vm.swap_token", {0, 1}},
      {"vm.oom_kill_allocating_task", {0, 1}},
      {"vm.panic_on_oom", {0, 0, 1, 2}},
      {"vm.oom_dump_tasks", {0, 1}},
      {"vm.compaction_proactiveness", {0, 20, 100}},
      {"vm.compact_unevictable_allowed", {0, 1}},
      {"vm.extfrag_threshold", {0, 500, 1000}},
      {"vm.percpu_pagelist_high_fraction", {0, 8, 100}},
      {"vm.vfs_cache_pressure", {0, 100, 1000}},
      {"vm.dirty_background_ratio", {0, 10}},
      {"vm.dirty_background_bytes", {0, 65536}},
      {"vm.dirty_ratio", {1, 20}},
      {"vm.dirty_bytes", {0, 131072}},
      {"vm.dirty_expire_centisecs", {1, 3000}},
      {"vm.dirty_writeback_centisecs", {0, 1, 500}},
      {"thp.enabled", {0, 1, 2, 2}},
      {"thp.use_zero_page", {0, 1}},
      {"ksm.pages_to_scan", {0, 10, 100, 1000}},
      {"ksm.max_page_sharing", {2, 256}},
      {"ksm.use_zero_pages", {0, 1}},
      {"ksm.smart_scan", {0, 1}},
      {"ksm.stable_node_chains_prune_millisecs", {0, 2000}},
      {"vm.compact_memory", {1}},
      {"vm.drop_caches", {1, 2, 3, 4}},
      {"vm.lowmem_reserve_ratio", {256, 8, 1}},
  };
  return table;
}

}  // namespace

// The files, and page tables of the kernel that stay for ever once they are
// made.
void MemoryCampaign::Prepare() {
  CreateFile file;
  file.path = "/swap";
  file.size = 4 * kMiB;
  file.cached = false;
  file.fs = FsType::kExt4;
  Do(file, 0);
  file.path = "/data";
  file.content = FileContent::kPattern;
  Do(file, 0);
  file.path = "/shared";
  file.fs = FsType::kTmpfs;
  file.content = FileContent::kHole;
  Do(file, 0);
  Do(InsertModule{"map_driver", 0, ""}, 0);
  Do(Mknod{"mapfile", kCharDevice, kMajor, 0}, 0);
  Do(RemoveModule{"map_driver", 0}, 0);
  struct AllocPages page;
  page.gfp = gfp::kHighUser;
  struct FreePages back;
  back.pfn = static_cast<uint64_t>(Do(page, 0).value);
  Do(Kmap{back.pfn}, 0);
  Do(Kunmap{back.pfn}, 0);
  const Outcome local = Do(KmapLocal{back.pfn}, 0);
  Do(KunmapLocal{static_cast<uint64_t>(local.value)}, 0);
  Do(back, 0);
  Do(Open{"/data", kOpenBoth, 3}, 1);
  Do(Open{"/shared", kOpenBoth, 4}, 1);
  user_.CreateCaches();
}

void MemoryCampaign::Administration() {
  switch (Below(7)) {
    case 0:
    case 1:
      return SwapOnOrOff();
    case 2:
      Do(Sysctl{"ksm.run", Below(3), {}}, 0);
      return;
    case 3:
      Do(DropCaches{static_cast<uint32_t>(1 + Below(3))}, 0);
      return;
    case 4:
      // Long enough, now and then, for what is dirty to grow old.
      Do(Tick{OneIn(3) ? uint64_t{40'000'000'000} : 1'000'000'000}, 0);
      return;
    case 5:
      if (OneIn(2)) {
        Do(Sync{}, 0);
      } else {
        Do(Sysctl{"vm.compact_memory", 1, {}}, 0);
      }
      return;
    default:
      if (options_.knobs) Knob();
  }
}

void MemoryCampaign::Knob() {
  const KnobValues& knob = KnobTable()[Below(KnobTable().size())];
  Do(Sysctl{knob.name, knob.values[Below(knob.values.size())], {}}, 0);
}

void MemoryCampaign::SwapOnOrOff() {
  switch (Below(4)) {
    case 0:
      Do(Swapon{"/swap", 0, 0}, 0);
      return;
    case 1:
      Do(Swapon{"", kMiB, static_cast<uint32_t>(0x8000 | Below(3))}, 0);
      return;
    default:
      Do(Swapoff{"", static_cast<uint32_t>(Below(5))}, 0);
  }
}

// The driver that lets processes map a buffer of vmalloc.
void MemoryCampaign::DeviceCall(Pid pid) {
  switch (Below(5)) {
    case 0:
      Do(InsertModule{"map_driver", 0, ""}, 0);
      return;
    case 1:
      Do(RemoveModule{"map_driver", 0}, 0);
      return;
    case 2:
      Do(Open{"/mapfile", kOpenBoth, 5}, pid);
      return;
    case 3:
      Do(Close{5}, pid);
      return;
    default:
      Do(Mmap{At(Below(64)), kPageSize, kR, mman::kFixed | mman::kShared, 5, 0},
         pid);
  }
}

// A little more is taken than is given for a while, and then less.
void MemoryCampaign::KernelCalls() {
  const uint64_t taken_of_8 = ++kernel_turns_ / 20 % 2 == 0 ? 5 : 3;
  for (int i = 0; i < 8; i++) user_.TakeOrGive(Below(8) < taken_of_8);
}

}  // namespace faultline
