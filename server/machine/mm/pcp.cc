// Models mm/page_alloc.c (v6.18): rmqueue_pcplist(), nr_pcp_alloc(),
// nr_pcp_free(), nr_pcp_high(), free_frozen_page_commit(),
// free_pcppages_bulk(), decay_pcp_high(), zone_batchsize(), zone_highsize().
// Departure: D3 (6.1 fills and empties its lists by 6.18's rules).
#include "server/machine/mm/pcp.h"

#include <bit>

#include "server/machine/mm/page_alloc.h"

namespace faultline {
namespace {

constexpr int kBatchScaleMax = 5;  // CONFIG_PCP_BATCH_SCALE_MAX

// order_to_pindex()
int PcpIndex(MigrateType type, int order) {
  if (order > kCostlyOrder) {
    return kLowOrderPcpLists + (type == MigrateType::kMovable ? 1 : 0);
  }
  return kMigratePcpTypes * order + static_cast<int>(type);
}

// zone_batchsize()
int64_t ZoneBatch(const Zone& zone) {
  constexpr uint64_t kMostPages = (uint64_t{1} << 20) / kPageSize;
  uint64_t batch = std::min(zone.managed.value() >> 10, kMostPages) / 4;
  batch = std::max<uint64_t>(batch, 1);
  batch = std::bit_floor(batch + batch / 2) - 1;
  return static_cast<int64_t>(std::max<uint64_t>(batch, 1));
}

// nr_pcp_alloc(): how many blocks to fetch at a time; twice as many each time
// that nothing was freed in between.
int64_t NrPcpAlloc(PerCpuPages& pcp, const Zone& zone, int order) {
  int64_t high = pcp.high = std::clamp(pcp.high, pcp.high_min, pcp.high_max);
  if (high < pcp.batch) return 1;
  int64_t batch = order != 0 ? pcp.batch : pcp.batch << pcp.alloc_factor;
  if (pcp.high_min != pcp.high_max && !zone.below_high) {
    high = pcp.high = std::min(high + batch, pcp.high_max);
  }
  if (order == 0) {
    const int64_t most = std::max(high - pcp.count - pcp.batch, pcp.batch);
    if (batch <= most && pcp.alloc_factor < kBatchScaleMax) pcp.alloc_factor++;
    batch = std::min(batch, most);
  }
  return batch > 1 ? std::max<int64_t>(batch >> order, 2) : batch;
}

// nr_pcp_high(): how many pages the lists may have.
int64_t NrPcpHigh(PerCpuPages& pcp, const Zone& zone, bool free_high) {
  const int64_t high = pcp.high =
      std::clamp(pcp.high, pcp.high_min, pcp.high_max);
  if (high == 0) return 0;
  if (free_high) {
    pcp.high = std::max(high - (pcp.batch << kBatchScaleMax), pcp.high_min);
    return 0;
  }
  if (pcp.high_min == pcp.high_max) return high;
  if (zone.below_high) {
    pcp.high =
        std::max(high - std::max(pcp.free_count, pcp.batch), pcp.high_min);
    return std::max(pcp.count, pcp.high_min);
  }
  const int64_t need = pcp.free_count + pcp.batch;
  if (pcp.count >= high && pcp.high < need) {
    pcp.high = std::clamp(need, pcp.high_min, pcp.high_max);
  }
  return high;
}

// nr_pcp_free()
int64_t NrPcpFree(const PerCpuPages& pcp, int64_t high, bool free_high) {
  if (free_high) return std::min(pcp.count, pcp.batch << kBatchScaleMax);
  if (high < pcp.batch) return 1;
  return std::min(std::max(pcp.free_count, pcp.batch),
                  std::max(high - pcp.batch, pcp.batch));
}

// free_pcppages_bulk(): `index` is drained first, then the others in turn.
void FreeBulk(Kernel& k, Zone& zone, int64_t count, int index) {
  PerCpuPages& pcp = zone.pcp;
  count = std::min(count, pcp.count);
  while (count > 0) {
    while (pcp.lists[index].empty()) index = (index + 1) % kPcpLists;
    PcpList& list = pcp.lists[index];
    const int order = PcpListOrder(index);
    while (count > 0 && !list.empty()) {
      const Pfn pfn = list.PopTail();
      count -= int64_t{1} << order;
      pcp.count -= int64_t{1} << order;
      // It may come to lie within a larger block.
      k.page(pfn).flags &= ~page_flag::kPcp;
      FreeOnePage(k, zone, pfn, order, PageblockType(std::as_const(k), pfn));
    }
    index = (index + 1) % kPcpLists;
  }
}

// rmqueue_bulk() into an empty list.
void Refill(Kernel& k, Zone& zone, PcpList& list, int order, MigrateType type,
            uint32_t alloc_flags) {
  const int64_t want = NrPcpAlloc(zone.pcp, zone, order);
  RmqueueMode mode = RmqueueMode::kNormal;
  for (int64_t i = 0; i < want; i++) {
    const Pfn pfn = Rmqueue(k, zone, order, type, alloc_flags, &mode);
    if (!pfn.valid()) break;
    Page& page = k.page(pfn);
    page.flags = page_flag::kPcp;
    page.order = static_cast<uint8_t>(order);
    list.PushHead(pfn);
    zone.pcp.count += int64_t{1} << order;
  }
  // They were to go to the tail, one after the other.
  std::reverse(list.pages.begin(), list.pages.end());
}

// zone_watermark_ok() of order 0 at the high watermark.
bool AtHighWatermark(const Zone& zone) {
  return zone.nr_free_pages >
         zone.wmark.high + zone.watermark_boost + zone.nr_free_highatomic;
}

}  // namespace

void SetPcpHighAndBatch(const Kernel& k, Zone& zone) {
  constexpr int64_t kHighFraction = 8;  // MIN_PERCPU_PAGELIST_HIGH_FRACTION
  PerCpuPages& pcp = zone.pcp;
  const int64_t cpus = std::max<int64_t>(k.config.cpus, 1);
  pcp.batch = ZoneBatch(zone);
  auto high = [&](uint64_t pages) {
    return std::max(static_cast<int64_t>(pages) / cpus, pcp.batch * 4);
  };
  const uint64_t fraction = k.sysctl.percpu_pagelist_high_fraction;
  if (fraction != 0) {  // set by hand, so it does not move by itself
    pcp.high_min = pcp.high_max = high(zone.managed.value() / fraction);
    return;
  }
  pcp.high_min = high(zone.wmark.low + zone.watermark_boost);
  pcp.high_max = k.config.personality == Personality::kLinux61
                     ? pcp.high_min
                     : high(zone.managed.value() / kHighFraction);
}

Pfn RmqueuePcp(Kernel& k, Zone& zone, int order, MigrateType type,
               uint32_t alloc_flags) {
  PerCpuPages& pcp = zone.pcp;
  pcp.free_count >>= 1;
  PcpList& list = pcp.lists[PcpIndex(type, order)];
  if (list.empty()) [[unlikely]] {
    Refill(k, zone, list, order, type, alloc_flags);
    if (list.empty()) return Pfn();
  }
  pcp.count -= int64_t{1} << order;
  return list.PopHead();
}

void FreeToPcp(Kernel& k, Zone& zone, Pfn pfn, int order, MigrateType type) {
  PerCpuPages& pcp = zone.pcp;
  Page& page = k.page(pfn);
  page.flags = page_flag::kPcp;
  page.order = static_cast<uint8_t>(order);
  pcp.alloc_factor >>= 1;
  const int index = PcpIndex(type, order);
  pcp.lists[index].PushHead(pfn);
  pcp.count += int64_t{1} << order;
  bool free_high = false;
  if (order != 0 && order <= kCostlyOrder) {
    free_high = pcp.free_count >= pcp.batch + pcp.high_min / 2 &&
                pcp.prev_free_high_order;
    pcp.prev_free_high_order = true;
  } else {
    pcp.prev_free_high_order = false;
  }
  if (pcp.free_count < pcp.batch << kBatchScaleMax) {
    pcp.free_count += int64_t{1} << order;
  }
  const int64_t high = NrPcpHigh(pcp, zone, free_high);
  if (pcp.count < high) return;
  FreeBulk(k, zone, NrPcpFree(pcp, high, free_high), index);
  if (zone.below_high && AtHighWatermark(zone)) zone.below_high = false;
}

void DrainAllPages(Kernel& k) {
  for (Zone& zone : k.zones) DrainAllPages(k, zone);
}

void DrainAllPages(Kernel& k, Zone& zone) {
  FreeBulk(k, zone, zone.pcp.count, 0);
}

void DecayPcpHigh(Kernel& k) {
  for (Zone& zone : k.zones) {
    PerCpuPages& pcp = zone.pcp;
    if (pcp.high > pcp.high_min) {
      pcp.high = std::max({pcp.count - (pcp.batch << kBatchScaleMax),
                           pcp.high - (pcp.high >> 3), pcp.high_min});
    }
    if (pcp.count > pcp.high) FreeBulk(k, zone, pcp.count - pcp.high, 0);
  }
}

uint64_t PcpPages(const Kernel& k) {
  uint64_t pages = 0;
  for (const Zone& zone : k.zones) {
    pages += static_cast<uint64_t>(zone.pcp.count);
  }
  return pages;
}

}  // namespace faultline
