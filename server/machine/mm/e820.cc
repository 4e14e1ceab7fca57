// Which memory there is. Models arch/x86/kernel/{e820,setup}.c (v6.18):
// e820__memblock_setup(), trim_bios_range(); mm/memblock.c:
// memblock_trim_memory().
#include "server/machine/mm/e820.h"

#include <algorithm>

#include "server/machine/config_error.h"
#include "server/machine/mm/page_alloc.h"

namespace faultline {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;
constexpr uint64_t kBiosBegin = 0xa0000;  // BIOS_BEGIN
constexpr uint64_t kBiosEnd = kMiB;       // BIOS_END

// The memory map a PC of that size has: low memory with the hole below 1 MiB
// and, beyond 3 GiB, the rest above the hole for devices that ends at 4 GiB.
std::vector<MemoryRange> UsualMap(uint64_t ram) {
  const uint64_t low_end = std::min(ram, 3 * kGiB);
  std::vector<MemoryRange> map = {{kPageSize, 0x9f000}, {kMiB, low_end}};
  if (ram > low_end) map.push_back({4 * kGiB, 4 * kGiB + ram - low_end});
  return map;
}

// Where physical addresses end. An i386 of the two-level profile sees 4 GiB.
uint64_t AddressLimit(Profile profile) {
  switch (profile) {
    case Profile::kX86_64:
      return uint64_t{0xfffffffe} << kPageShift;
    case Profile::kI386Pae:
      return 64 * kGiB;
    case Profile::kI386:
      return 4 * kGiB;
  }
  return 0;
}

// What is left of a range, in whole pages, below the machine's limit: page 0
// and the BIOS's 384 KiB are never used.
void AddTrimmed(std::vector<PfnRange>& out, MemoryRange range, uint64_t limit) {
  auto add = [&](uint64_t start, uint64_t end) {
    start = PageAlign(start) >> kPageShift;
    end = std::min(end, limit) >> kPageShift;
    if (start >= end) return;
    const Pfn begin(static_cast<uint32_t>(start));
    const Pfn past(static_cast<uint32_t>(end));
    if (!out.empty() && out.back().end == begin) {
      out.back().end = past;
    } else {
      out.push_back({begin, past});
    }
  };
  range.start = std::max(range.start, kPageSize);
  add(range.start, std::min(range.end, kBiosBegin));
  add(std::max(range.start, kBiosEnd), range.end);
}

void CheckSize(const MachineConfig& c) {
  if (c.ram_bytes < 4 * kMiB || c.ram_bytes > 8192 * kGiB ||
      c.ram_bytes % kPageSize != 0) {
    throw ConfigError(
        "ram must be a multiple of 4096 bytes from 4 MiB to 8 TiB");
  }
  if (c.profile == Profile::kI386Pae && c.ram_bytes > 64 * kGiB) {
    throw ConfigError("an i386 machine has at most 64 GiB of ram");
  }
  if (c.profile == Profile::kI386 && c.ram_bytes > 4 * kGiB) {
    throw ConfigError(
        "a machine of profile i386-nopae has at most 4 GiB of ram; with "
        "profile i386, which has PAE, 64 GiB");
  }
}

void CheckMap(const std::vector<MemoryRange>& map) {
  for (size_t i = 0; i < map.size(); i++) {
    if (map[i].start >= map[i].end) {
      throw ConfigError("a range of the e820 map ends before it begins");
    }
    if (map[i].end > 8192 * kGiB) {
      throw ConfigError("the e820 map has memory beyond 8 TiB");
    }
    if (i > 0 && map[i].start < map[i - 1].end) {
      throw ConfigError(
          "the ranges of the e820 map must ascend and not overlap");
    }
  }
}

}  // namespace

std::vector<PfnRange> PresentMemory(const MachineConfig& config) {
  std::vector<MemoryRange> map = config.e820;
  if (map.empty()) {
    CheckSize(config);
    map = UsualMap(config.ram_bytes);
  } else {
    CheckMap(map);
  }
  std::vector<PfnRange> memory;
  for (const MemoryRange& range : map) {
    AddTrimmed(memory, range, AddressLimit(config.profile));
  }
  uint64_t pages = 0;
  for (const PfnRange& range : memory) pages += range.size().value();
  constexpr uint64_t kLeast = 3 * kMiB / kPageSize;
  if (pages < kLeast) throw ConfigError("the e820 map has less than 3 MiB");
  return memory;
}

}  // namespace faultline
