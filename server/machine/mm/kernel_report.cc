// Models arch/x86/mm/fault.c (v6.18): show_fault_oops(); mm/debug.c:
// dump_page(); include/asm-generic/bug.h: WARN_ON_ONCE(). Departures: D31 (no
// stack trace, no registers, no line numbers), D68 (a place warns each time).
#include "server/machine/mm/kernel_report.h"

#include <cstdio>

#include "server/machine/mm/compound.h"
#include "server/machine/mm/direct_map.h"
#include "server/machine/mm/page_alloc.h"

namespace faultline {
namespace {

using ull = unsigned long long;

// "mm/page_alloc.c __alloc_pages": who warns.
const char* PlaceOf(const Kernel& k, WarnSite site) {
  const bool old = k.config.personality == Personality::kLinux61;
  switch (site) {
    case WarnSite::kPageOrder:
      return old ? "mm/page_alloc.c __alloc_pages"
                 : "mm/page_alloc.c __alloc_frozen_pages_noprof";
    case WarnSite::kVmallocSize:
      return old ? "mm/vmalloc.c __vmalloc_node_range"
                 : "mm/vmalloc.c __vmalloc_node_range_noprof";
  }
  return "";
}

// A flag of struct page in the order of __def_pageflag_names: its bit and name
// in 6.1 and in 6.18, where slabs have none. Anonymous pages use the bit of
// PG_mappedtodisk or PG_owner_2.
struct PageFlagRow {
  uint32_t flag;
  int bit61;
  int bit618;
  const char* name61;
  const char* name618;
};
constexpr PageFlagRow kPageFlagRows[] = {
    {page_flag::kReferenced, 1, 2, "referenced", "referenced"},
    {page_flag::kUptodate, 2, 3, "uptodate", "uptodate"},
    {page_flag::kDirty, 3, 4, "dirty", "dirty"},
    {page_flag::kLru, 4, 5, "lru", "lru"},
    {page_flag::kActive, 5, 8, "active", "active"},
    {page_flag::kWorkingset, 6, 9, "workingset", "workingset"},
    {page_flag::kSlab, 9, -1, "slab", ""},
    {page_flag::kSwapCache, 10, 10, "owner_priv_1", "owner_priv_1"},
    {page_flag::kAnonExclusive, -1, 11, "", "owner_2"},
    {page_flag::kReserved, 12, 13, "reserved", "reserved"},
    {page_flag::kWriteback, 15, 1, "writeback", "writeback"},
    {page_flag::kHead, 16, 6, "head", "head"},
    {page_flag::kAnonExclusive, 17, -1, "mappedtodisk", ""},
    {page_flag::kReclaim, 18, 16, "reclaim", "reclaim"},
    {page_flag::kSwapBacked, 19, 17, "swapbacked", "swapbacked"},
    {page_flag::kUnevictable, 20, 18, "unevictable", "unevictable"},
};

bool HasPgHead(const Page& page) {
  return page.Is(page_flag::kLarge) || IsCompoundHead(page);
}

// enum zone_type of the kernel: without ZONE_DMA32 or without ZONE_HIGHMEM.
int ZoneIndex(const Kernel& k, Pfn pfn) {
  const ZoneType zone = ZoneOf(k, pfn);
  const ZoneType absent = k.config.profile == Profile::kX86_64
                              ? ZoneType::kHighMem
                              : ZoneType::kDma32;
  return static_cast<int>(zone) - (zone > absent ? 1 : 0);
}

}  // namespace

const char* CurrentComm(const Kernel& k) {
  return k.current ? k.tasks[k.current].comm.c_str() : "swapper/0";
}

void WarnOn(Kernel& k, WarnSite site) {
  char text[128];
  std::snprintf(text, sizeof text, "WARNING: CPU: 0 PID: %u at %s\n",
                k.CurrentPid(), PlaceOf(k, site));
  k.Emit(EventLevel::kFaults, Console{text});
}

std::string PointerText(const Kernel& k, uint64_t addr) {
  char text[24];
  std::snprintf(text, sizeof text, "%0*llx",
                static_cast<int>(2 * PointerBytes(k)), ull{addr});
  return text;
}

uint64_t StructPageOf(const Kernel& k, Pfn pfn) {
  // vmemmap; an i386 kernel has mem_map behind its image.
  constexpr uint64_t kVmemmap = 0xffffea0000000000, kMemMap32 = 0xc2000000;
  constexpr uint64_t kBytes64 = 64, kBytes32 = 40;
  return k.config.profile == Profile::kX86_64
             ? kVmemmap + uint64_t{pfn.value()} * kBytes64
             : kMemMap32 + uint64_t{pfn.value()} * kBytes32;
}

std::string PageFlagsText(const Kernel& k, Pfn pfn, const Page& page) {
  const bool old = k.config.personality == Personality::kLinux61;
  const auto zone = static_cast<uint64_t>(ZoneIndex(k, pfn));
  uint64_t word = 0;
  std::string names;
  for (const PageFlagRow& row : kPageFlagRows) {
    const int bit = old ? row.bit61 : row.bit618;
    if (bit < 0 || !page.Is(row.flag)) continue;
    if (row.flag == page_flag::kHead && !HasPgHead(page)) continue;
    word |= uint64_t{1} << bit;
    names += std::string(old ? row.name61 : row.name618) + "|";
  }
  char text[160];
  if (k.config.profile == Profile::kX86_64) {
    // ZONES_PGSHIFT; LAST_CPUPID_PGSHIFT and its 21 bits, which nobody sets.
    constexpr int kZoneShift = 51, kCpupidShift = 30;
    constexpr uint64_t kNoCpupid = 0x1fffff;
    word |= zone << kZoneShift | kNoCpupid << kCpupidShift;
    std::snprintf(text, sizeof text,
                  "0x%llx(%snode=0|zone=%llu|lastcpupid=0x1fffff)", ull{word},
                  names.c_str(), ull{zone});
  } else {
    constexpr int kZoneShift = 30;
    word |= zone << kZoneShift;
    std::snprintf(text, sizeof text, "0x%llx(%szone=%llu)", ull{word},
                  names.c_str(), ull{zone});
  }
  return text;
}

std::string KernelFaultReport(const Kernel& k, uint64_t addr, bool write) {
  const char* what = addr < kPageSize
                         ? "BUG: kernel NULL pointer dereference, address: "
                         : "BUG: unable to handle page fault for address: ";
  char code[96];
  std::snprintf(code, sizeof code,
                "\n#PF: supervisor %s access in kernel mode\n"
                "#PF: error_code(0x%04x) - not-present page\n",
                write ? "write" : "read", write ? 2 : 0);
  return what + PointerText(k, addr) + code;
}

std::string DumpPage(const Kernel& k, Pfn pfn, const Page& page,
                     const char* reason) {
  const bool old = k.config.personality == Personality::kLinux61;
  const char* type = "";
  if (page.Is(page_flag::kAnon))
    type = page.Is(page_flag::kKsm) ? "ksm " : "anon ";
  const std::string address = old ? PointerText(k, StructPageOf(k, pfn)) : "";
  char text[384];
  std::snprintf(text, sizeof text,
                "page:%s refcount:%d mapcount:%d mapping:%s index:0x%llx "
                "pfn:0x%x\n%sflags: %s\npage dumped because: %s\n",
                address.c_str(), page.refcount, page.mapcount,
                PointerText(k, page.mapping).c_str(), ull{page.index},
                pfn.value(), type, PageFlagsText(k, pfn, page).c_str(), reason);
  return text;
}

}  // namespace faultline
