#include "server/machine/trace/compaction_event.h"

#include <cstdio>

namespace faultline {
namespace {

std::string Frame(uint32_t pfn) {
  char text[24];
  std::snprintf(text, sizeof text, "frame 0x%x", pfn);
  return text;
}
std::string Block(uint32_t order) {
  const uint64_t pages = uint64_t{1} << order;
  return "a block of " + std::to_string(pages) +
         (pages == 1 ? " page" : " pages");
}

}  // namespace

std::string SayEvent(const MmCompactionBegin& e) {
  return "Compaction began to move pages of the zone from " +
         Frame(e.zone_start) + " on towards its end.";
}
std::string SayEvent(const MmCompactionEnd& e) {
  return e.status == "success"
             ? "Compaction has made the block that was wanted: it came to " +
                   Frame(e.migrate_pfn) + "."
             : "Compaction came to " + Frame(e.migrate_pfn) +
                   ", where nothing was left to do.";
}
std::string SayEvent(const MmCompactionWakeupKcompactd& e) {
  return "There is no " + Block(e.order).substr(2) +
         " though enough is free: kcompactd was woken.";
}
std::string SayEvent(const MmCompactionKcompactdWake& e) {
  return "The daemon kcompactd began to compact for " + Block(e.order) + ".";
}
std::string SayEvent(const MmCompactionKcompactdSleep&) {
  return "The daemon kcompactd went back to sleep.";
}

}  // namespace faultline
