// /proc/pagetypeinfo. Models mm/vmstat.c (v6.18): pagetypeinfo_show().
#include "server/machine/mm/buddy.h"
#include "server/machine/proc/mem_counts.h"
#include "server/machine/proc/proc_files.h"

namespace faultline {
namespace {

using ull = unsigned long long;

constexpr MigrateType kTypes[] = {
    MigrateType::kUnmovable, MigrateType::kMovable, MigrateType::kReclaimable,
    MigrateType::kHighAtomic, MigrateType::kIsolate};

void ShowFree(const Kernel& k, SeqFile& m, const Zone& zone) {
  for (MigrateType type : kTypes) {
    m.Printf("Node %4d, zone %8s, type %12s ", 0, ZoneName(zone.type),
             MigrateTypeName(type));
    for (int order = 0; order <= kMaxPageOrder; order++) {
      m.Printf("%6llu ", ull{NrFreeOfType(k, zone, order, type)});
    }
    m << "\n";
  }
}

// Page blocks whose section is present, each counted by its first page.
void ShowBlocks(const Kernel& k, SeqFile& m, const Zone& zone) {
  uint64_t count[kMigrateTypes] = {};
  const Pfn end = zone.start + zone.spanned;
  uint64_t section = ~uint64_t{0};
  bool present = false;
  for (Pfn p = zone.start; p < end; p = p + PageCount(kPageBlockPages)) {
    if (const uint64_t now = p.value() / PagesPerSection(k); now != section) {
      section = now;
      present = SectionPresent(k, p.value());
    }
    if (!present) continue;
    count[static_cast<int>(PageblockType(k, p))]++;
  }
  m.Printf("Node %d, zone %8s ", 0, ZoneName(zone.type));
  for (uint64_t n : count) m.Printf("%12llu ", ull{n});
  m << "\n";
}

}  // namespace

std::string ProcPagetypeinfo(const Kernel& k) {
  SeqFile m;
  m.Printf("Page block order: %d\nPages per block:  %u\n\n", kPageBlockOrder,
           kPageBlockPages);
  m.Printf("%-43s ", "Free pages count per migrate type at order");
  for (int order = 0; order <= kMaxPageOrder; order++) m.Printf("%6d ", order);
  m << "\n";
  for (const Zone& zone : k.zones) {
    if (zone.populated()) ShowFree(k, m, zone);
  }
  m.Printf("\n%-23s", "Number of blocks type ");
  for (MigrateType type : kTypes) m.Printf("%12s ", MigrateTypeName(type));
  m << "\n";
  for (const Zone& zone : k.zones) {
    if (zone.populated()) ShowBlocks(k, m, zone);
  }
  return m.Take();
}

}  // namespace faultline
