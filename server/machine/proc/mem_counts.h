// What /proc's memory files count by looking: who owns a frame, which LRU list
// Linux would have a page on, and what follows from the watermarks.
#ifndef FAULTLINE_SERVER_MACHINE_PROC_MEM_COUNTS_H_
#define FAULTLINE_SERVER_MACHINE_PROC_MEM_COUNTS_H_

#include <array>
#include <cstdint>
#include <vector>

#include "server/machine/kernel.h"

namespace faultline {

// What a frame is used for.
enum class FrameUse : uint8_t {
  kHole,       // no memory there
  kReserved,   // kept by boot, the zero page, the vdso
  kFree,       // part of a free block
  kPcp,        // free, on a per-CPU list
  kPageTable,  // belongs to one mm
  kAnon,       // an anonymous page
  kFile,       // in the page cache of a file on disk or ramfs
  kShmem,      // in the page cache of tmpfs or shared anonymous memory
  kKernel,     // handed out by alloc_pages()
};
FrameUse FrameUseOf(const Kernel& k, uint64_t pfn);

// The 2^order pages that a frame is one of: a free block, what was allocated as
// one, a slab, a large folio. A page alone is its own head. The frame is
// memory.
struct FrameBlock {
  Pfn head;
  int order = 0;
};
FrameBlock FrameBlockOf(const Kernel& k, Pfn pfn);

// The frames that a VM_LOCKED VMA maps, sorted: PG_mlocked.
std::vector<Pfn> MlockedPages(const Kernel& k);
// mapping_unevictable(): ramfs pages have nowhere to go.
bool PageOnRamfs(const Kernel& k, const Page& page);
// A page that waits to be written to its device, or is on its way there:
// NR_ZONE_WRITE_PENDING.
bool PageWritePending(const Kernel& k, const Page& page);

struct LruCounts {
  std::array<uint64_t, kNrLru> lru{};
  uint64_t mlock = 0;
  uint64_t dirty = 0;
};
// Of each zone: the lists' counters, and what is counted by looking.
using ZoneLruCounts = std::array<LruCounts, kMaxNrZones>;
ZoneLruCounts CountLru(const Kernel& k);
LruCounts SumOf(const ZoneLruCounts& zones);

uint64_t NrFreePages(const Kernel& k);
// Free pages in blocks of a whole pageblock: NR_FREE_PAGES_BLOCKS.
uint64_t NrFreePagesBlocks(const Zone& zone);
// si_mem_available(), pages.
uint64_t MemAvailable(const Kernel& k, const LruCounts& lru);
// The first frame beyond all memory.
uint64_t MaxPfn(const Kernel& k);
// PAGES_PER_SECTION: memory has struct pages in units of this.
uint64_t PagesPerSection(const Kernel& k);
// A frame in a hole has a struct page all the same, a reserved one, when its
// section holds some memory.
bool SectionPresent(const Kernel& k, uint64_t pfn);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_PROC_MEM_COUNTS_H_
