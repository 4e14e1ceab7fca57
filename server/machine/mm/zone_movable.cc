// Models mm/mm_init.c (v6.18): cmdline_parse_core(),
// early_calculate_totalpages(), find_zone_movable_pfns_for_nodes();
// lib/cmdline.c: memparse(). There is one node, so what is kept for the kernel
// is spread over no others.
#include "server/machine/mm/zone_movable.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "server/machine/config_error.h"

namespace faultline {
namespace {

// memparse(): the power of two that a suffix stands for, or -1.
int SuffixShift(std::string_view suffix) {
  if (suffix.empty()) return 0;
  constexpr std::string_view kSuffixes = "kmgt";
  const size_t at = kSuffixes.find(static_cast<char>(suffix[0] | 0x20));
  if (suffix.size() != 1 || at == std::string_view::npos) return -1;
  return static_cast<int>(at + 1) * 10;
}

// How many of `total` pages the kernel is to have; 0: nobody asked.
uint64_t RequiredKernelcore(const MachineConfig& config, uint64_t total) {
  const auto pages_of = [total](const CoreMemory& core) {
    return core.percent == 0 ? core.pages : total * 100 * core.percent / 10000;
  };
  const uint64_t kernelcore =
      pages_of(ParseCoreMemory("kernelcore", config.kernelcore));
  uint64_t movablecore =
      pages_of(ParseCoreMemory("movablecore", config.movablecore));
  if (movablecore == 0) return kernelcore;
  // At least as large as was asked for. Of both the greater kernelcore counts.
  constexpr uint64_t kMask = (uint64_t{1} << kMaxPageOrder) - 1;
  movablecore = std::min(total, (movablecore + kMask) & ~kMask);
  return std::max(kernelcore, total - movablecore);
}

}  // namespace

CoreMemory ParseCoreMemory(const char* key, const std::string& value) {
  if (value.empty()) return {};
  uint64_t number = 0;
  const char* const end = value.data() + value.size();
  const auto [rest, error] = std::from_chars(value.data(), end, number);
  const std::string_view suffix(rest, static_cast<size_t>(end - rest));
  const auto wrong = [&](const char* what) {
    return ConfigError(std::string(key) + "=" + value + ": " + what);
  };
  if (error != std::errc()) {
    throw wrong("give bytes, such as 512M, or a part of memory, such as 25%");
  }
  if (suffix == "%") {
    if (number > 100) throw wrong("a part of memory is at most 100%");
    return {.percent = number};
  }
  const int shift = SuffixShift(suffix);
  if (shift < 0) {
    throw wrong("a number of bytes may end in K, M, G or T, a part in %");
  }
  if (number > UINT64_MAX >> shift) throw wrong("this is more than 64 bits");
  return {.pages = number << shift >> kPageShift};
}

Pfn FindZoneMovablePfn(const MachineConfig& config,
                       const std::vector<PfnRange>& map, Pfn usable) {
  uint64_t total = 0;
  for (const PfnRange& range : map) total += range.size().value();
  uint64_t required = RequiredKernelcore(config, total);
  if (required == 0 || required >= total) return Pfn();
  // The kernel has what lies below the movable zone's zone, and then more of
  // that until it has enough; the rest is movable.
  Pfn movable(0);
  for (PfnRange range : map) {
    if (range.begin < usable) {
      const uint64_t kernel_only =
          (std::min(range.end, usable) - range.begin).value();
      required -= std::min(required, kernel_only);
      movable = range.end;
      if (range.end <= usable) continue;
      range.begin = usable;
    }
    const uint64_t kernel = std::min(range.size().value(), required);
    movable = range.begin + PageCount(kernel);
    required -= kernel;
    if (required == 0) break;
  }
  constexpr uint32_t kMask = (uint32_t{1} << kMaxPageOrder) - 1;
  const Pfn start((movable.value() + kMask) & ~kMask);
  return start < map.back().end ? start : Pfn();
}

}  // namespace faultline
