// Models mm/vmstat.c (v6.18): fill_contig_page_info(), __fragmentation_index(),
// unusable_free_index(), extfrag_for_order().
#include "server/machine/mm/extfrag.h"

namespace faultline {
namespace {

struct ContigPageInfo {
  uint64_t free_pages = 0;
  uint64_t blocks = 0;
  uint64_t suitable = 0;  // blocks of that order that could be had
};

ContigPageInfo Fill(const Zone& zone, int suitable_order) {
  ContigPageInfo info;
  for (int order = 0; order <= kMaxPageOrder; order++) {
    const uint64_t blocks = zone.free_area[order].nr_free;
    info.blocks += blocks;
    info.free_pages += blocks << order;
    if (order >= suitable_order) {
      info.suitable += blocks << (order - suitable_order);
    }
  }
  return info;
}

}  // namespace

int FragmentationIndex(const Zone& zone, int order) {
  const ContigPageInfo info = Fill(zone, order);
  if (info.blocks == 0) return 0;
  if (info.suitable > 0) return -1000;
  const uint64_t requested = info.free_pages * 1000 >> order;
  return 1000 - static_cast<int>((1000 + requested) / info.blocks);
}

int UnusableFreeIndex(const Zone& zone, int order) {
  const ContigPageInfo info = Fill(zone, order);
  if (info.free_pages == 0) return 1000;
  const uint64_t unusable = info.free_pages - (info.suitable << order);
  return static_cast<int>(unusable * 1000 / info.free_pages);
}

uint64_t ExtfragForOrder(const Zone& zone, int order) {
  const ContigPageInfo info = Fill(zone, order);
  if (info.free_pages == 0) return 0;
  return (info.free_pages - (info.suitable << order)) * 100 / info.free_pages;
}

}  // namespace faultline
