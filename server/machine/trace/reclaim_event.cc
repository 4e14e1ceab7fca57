#include "server/machine/trace/reclaim_event.h"

#include <cstdio>

namespace faultline {
namespace {

std::string Num(uint64_t v) { return std::to_string(v); }
std::string Pages(uint64_t n) { return Num(n) + (n == 1 ? " page" : " pages"); }
std::string Frame(uint32_t pfn) {
  char text[24];
  std::snprintf(text, sizeof text, "frame 0x%x", pfn);
  return text;
}
std::string Slot(uint32_t area, uint32_t offset) {
  return "slot " + Num(offset) + " of swap area " + Num(area);
}
std::string Block(uint32_t order) { return Pages(uint64_t{1} << order); }
const char* ListsOf(bool file) { return file ? "file" : "anonymous"; }

}  // namespace

std::string SayEvent(const MmVmscanWakeupKswapd& e) {
  return "Free memory is below the low watermark: an allocation of " +
         Block(e.order) + " woke kswapd.";
}
std::string SayEvent(const MmVmscanKswapdWake& e) {
  return "The daemon kswapd began to reclaim, until " + Block(e.order) +
         " can be had above the high watermark.";
}
std::string SayEvent(const MmVmscanKswapdSleep&) {
  return "The daemon kswapd went back to sleep.";
}
std::string SayEvent(const MmVmscanDirectReclaimBegin& e) {
  return "An allocation of " + Block(e.order) +
         " found too little memory and reclaims some itself.";
}
std::string SayEvent(const MmVmscanDirectReclaimEnd& e) {
  return "It freed " + Pages(e.nr_reclaimed) + ".";
}
std::string SayEvent(const MmVmscanLruIsolate& e) {
  return Pages(e.nr_taken) + " were taken off the tail of the list " + e.lru +
         ".";
}
std::string SayEvent(const MmVmscanLruShrinkInactive& e) {
  const uint64_t activated = e.nr_activate0 + e.nr_activate1;
  return "Of " + Pages(e.nr_scanned) + " of the inactive " + ListsOf(e.file) +
         " list " + Num(e.nr_reclaimed) + " were freed, " + Num(activated) +
         " became active and " + Num(e.nr_ref_keep) +
         " stay, because they were used.";
}
std::string SayEvent(const MmVmscanLruShrinkActive& e) {
  return "Of " + Pages(e.nr_taken) + " of the active " + ListsOf(e.file) +
         " list " + Num(e.nr_deactivated) + " became inactive.";
}
std::string SayEvent(const MmShrinkSlabStart& e) {
  return "The shrinker " + e.shrink + " has " + Num(e.cache_items) +
         " objects and is to look at " + Num(e.total_scan) + ".";
}
std::string SayEvent(const MmShrinkSlabEnd& e) {
  return "The shrinker " + e.shrink + " freed " + Num(e.retval) + " objects; " +
         Num(e.new_scan) + " are put off.";
}
std::string SayEvent(const SwapWrite& e) {
  if (e.zeros) {
    return "The page in " + Frame(e.pfn) + " holds zeros: that was noted for " +
           Slot(e.area, e.offset) + ", and nothing was written.";
  }
  return "The page in " + Frame(e.pfn) + " was written to " +
         Slot(e.area, e.offset) + ".";
}
std::string SayEvent(const SwapRead& e) {
  return "The page of " + Slot(e.area, e.offset) + " was read into " +
         Frame(e.pfn) +
         (e.pages > 1 ? ", and " + Num(e.pages - 1) + " of its neighbours."
                      : ".");
}
std::string SayEvent(const MarkVictim& e) {
  return "The OOM killer chose process " + Num(e.pid) + " (" + e.comm +
         "), which has " + Num(e.anon_rss) + " kB of anonymous memory.";
}

}  // namespace faultline
