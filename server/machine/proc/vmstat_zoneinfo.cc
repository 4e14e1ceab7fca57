// /proc/zoneinfo. Models mm/vmstat.c (v6.18): zoneinfo_show_print(),
// calculate_normal_threshold().
#include <algorithm>
#include <bit>

#include "server/machine/mm/vmscan.h"
#include "server/machine/proc/proc_files.h"
#include "server/machine/proc/vmstat_items.h"

namespace faultline {
namespace {

uint32_t Cpus(const Kernel& k) { return std::max<uint32_t>(k.config.cpus, 1); }

void ShowStats(SeqFile& m, const std::vector<VmstatItem>& items) {
  for (const VmstatItem& item : items) {
    m.Printf("\n      %-12s %llu", std::string(item.name).c_str(),
             static_cast<unsigned long long>(item.value));
  }
}

void ShowProtection(const Kernel& k, SeqFile& m, const Zone* zone) {
  auto reserve = [&](ZoneType type) {
    return zone == nullptr ? 0 : zone->lowmem_reserve[static_cast<int>(type)];
  };
  m << "\n        protection: (";
  std::string_view separator;
  for (ZoneType type : ConfiguredZones(k)) {
    (m << separator).Dec(reserve(type));
    separator = ", ";
  }
  if (Is64Bit(k)) (m << separator).Dec(reserve(ZoneType::kMovable));
  m << ")";
}

// `zone` is nullptr for ZONE_DEVICE, which the machine does not have.
void ShowPages(const Kernel& k, SeqFile& m, const Zone* zone) {
  static const Zone kNone{};
  const Zone& z = zone == nullptr ? kNone : *zone;
  auto mark = [&](uint64_t pages) { return pages + z.watermark_boost; };
  (m << "\n  pages free     ").Dec(z.nr_free_pages);
  (m << "\n        boost    ").Dec(z.watermark_boost);
  (m << "\n        min      ").Dec(mark(z.wmark.min));
  (m << "\n        low      ").Dec(mark(z.wmark.low));
  (m << "\n        high     ").Dec(mark(z.wmark.high));
  if (Is618(k)) (m << "\n        promo    ").Dec(mark(z.wmark.promo));
  (m << "\n        spanned  ").Dec(z.spanned.value());
  (m << "\n        present  ").Dec(z.present.value());
  (m << "\n        managed  ").Dec(z.managed.value());
  m << "\n        cma      0";
  ShowProtection(k, m, zone);
}

uint64_t StatThreshold(const Kernel& k, const Zone& zone) {
  auto fls = [](uint64_t n) {
    return static_cast<uint64_t>(std::bit_width(n));
  };
  uint64_t units_of_128_mib = zone.managed.value() >> (27 - kPageShift);
  return std::min<uint64_t>(125,
                            2 * fls(Cpus(k)) * (1 + fls(units_of_128_mib)));
}

void ShowPagesets(const Kernel& k, SeqFile& m, const Zone& zone) {
  static const PerCpuPages kIdle{};
  const PerCpuPages& pcp = zone.pcp;
  auto dec = [&m](const char* label, int64_t n) {
    (m << "\n              " << label).Dec(static_cast<uint64_t>(n));
  };
  m << "\n  pagesets";
  for (uint32_t cpu = 0; cpu < Cpus(k); cpu++) {
    // The machine runs on the first; the others have none.
    const PerCpuPages& own = cpu == 0 ? pcp : kIdle;
    (m << "\n    cpu: ").Dec(cpu);
    if (Is618(k)) {
      dec("count:    ", own.count);
      dec("high:     ", own.high);
      dec("batch:    ", pcp.batch);
      dec("high_min: ", pcp.high_min);
      dec("high_max: ", pcp.high_max);
    } else {
      dec("count: ", own.count);
      dec("high:  ", pcp.high_min);
      dec("batch: ", pcp.batch);
    }
    (m << "\n  vm stats threshold: ").Dec(StatThreshold(k, zone));
  }
  const bool unreclaimable = k.kswapd.failures >= kMaxReclaimRetries;
  (m << "\n  node_unreclaimable:  ").Dec(unreclaimable);
  (m << "\n  start_pfn:           ").Dec(zone.start.value());
}

}  // namespace

std::string ProcZoneinfo(const Kernel& k) {
  const ZoneLruCounts lru = CountLru(k);
  SeqFile m;
  bool first_populated = true;
  for (ZoneType type : ConfiguredZones(k)) {
    const Zone& zone = k.zone(type);
    m.Printf("Node 0, zone %8s", ZoneName(type));
    if (zone.populated() && first_populated) {
      m << "\n  per-node stats";
      ShowStats(m, NodeStatItems(k, SumOf(lru)));
      first_populated = false;
    }
    ShowPages(k, m, &zone);
    if (zone.populated()) {
      ShowStats(m, ZoneStatItems(k, &zone, lru[static_cast<int>(type)]));
      ShowPagesets(k, m, zone);
    }
    m << "\n";
  }
  if (Is64Bit(k)) {
    m << "Node 0, zone   Device";
    ShowPages(k, m, nullptr);
    m << "\n";
  }
  return m.Take();
}

}  // namespace faultline
