#include "server/codec/reclaim_view.h"

#include "server/codec/utf8.h"
#include "server/machine/mm/lru.h"

namespace faultline {

std::optional<Lru> LruOfName(absl::string_view name) {
  for (int i = 0; i < kNrLru; i++) {
    if (name == LruName(static_cast<Lru>(i))) return static_cast<Lru>(i);
  }
  return std::nullopt;
}

void LruToProto(const Kernel& k, v1::GetLruResponse* proto) {
  for (int i = 0; i < kNrLru; i++) {
    const Lru lru = static_cast<Lru>(i);
    v1::LruList* list = proto->add_lists();
    list->set_lru(LruName(lru));
    list->set_pages(k.lruvec.Size(lru));
  }
  proto->set_anon_cost(k.lruvec.anon_cost);
  proto->set_file_cost(k.lruvec.file_cost);
  proto->set_nonresident_age(k.lruvec.nonresident_age);
  proto->set_kswapd_failures(k.kswapd.failures);
}

void LruPageToProto(const Kernel& k, Pfn pfn, v1::LruPage* proto) {
  const Page& page = k.page(pfn);
  proto->set_pfn(pfn.value());
  proto->set_pages(static_cast<uint32_t>(FolioPages(page)));
  proto->set_referenced(page.Is(page_flag::kReferenced));
  proto->set_workingset(page.Is(page_flag::kWorkingset));
  proto->set_dirty(page.Is(page_flag::kDirty));
  proto->set_mapcount(static_cast<uint32_t>(PageMapcount(k, pfn)));
}

void SwapsToProto(const Kernel& k, v1::ListSwapsResponse* proto) {
  for (uint32_t type = 0; type < k.swap.infos.size(); type++) {
    const SwapInfo& info = k.swap.infos[type];
    if (!info.used) continue;
    v1::SwapArea* area = proto->add_areas();
    area->set_area(type);
    area->set_path(ToUtf8(info.path));
    area->set_partition(info.partition);
    area->set_pages(info.pages);
    area->set_used_pages(info.inuse_pages);
    area->set_priority(info.prio);
  }
  proto->set_cached_pages(k.swap.cached);
  if (!k.swap.token_mm) return;
  const Mm& mm = k.mms[k.swap.token_mm];
  if (mm.owner) proto->set_token_pid(k.tasks[mm.owner].pid);
}

}  // namespace faultline
