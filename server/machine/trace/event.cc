#include "server/machine/trace/event.h"

#include <cstdio>

namespace faultline {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
// Needed by compilers without C++20's deduction for aggregates (clang 14).
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

std::string Hex(uint64_t v) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx",
                static_cast<unsigned long long>(v));
  return text;
}
std::string Num(uint64_t v) { return std::to_string(v); }
std::string Frame(uint32_t pfn) { return "frame " + Hex(pfn); }
std::string Range(uint64_t start, uint64_t end) {
  return Hex(start) + "-" + Hex(end);
}
std::string Pages(uint64_t n) { return Num(n) + (n == 1 ? " page" : " pages"); }

std::string Protection(uint64_t vm_flags) {
  std::string text = "----";
  if (vm_flags & 1) text[0] = 'r';
  if (vm_flags & 2) text[1] = 'w';
  if (vm_flags & 4) text[2] = 'x';
  text[3] = vm_flags & 8 ? 's' : 'p';
  return text;
}

std::string SayEvent(const PageFaultUser& e) {
  const char* what = "A read";
  if (e.error_code & 0x10) {
    what = "An instruction fetch";
  } else if (e.error_code & 2) {
    what = "A write";
  }
  const char* why = e.error_code & 1
                        ? "the page is present but does not permit it"
                        : "no page is present";
  return std::string(what) + " at " + Hex(e.address) + " faulted: " + why + ".";
}

// A transparent huge page.
std::string SayHuge(const FaultResolved& e) {
  const std::string at = " at " + Hex(e.address);
  const std::string page = "2 MiB at once, from " + Frame(e.pfn) + " on.";
  switch (e.how) {
    case FaultResolution::kAnonZeroPage:
      return "Minor fault: a first read" + at + " got the huge zero page.";
    case FaultResolution::kCowZeroPage:
      return "Minor fault: a write" + at + " replaced the huge zero page by " +
             page;
    default:
      return "Minor fault: a first write" + at + " got " + page;
  }
}

std::string SayEvent(const FaultResolved& e) {
  constexpr uint32_t kHugePages = 512;
  const bool anonymous = e.how == FaultResolution::kAnonPage ||
                         e.how == FaultResolution::kAnonZeroPage ||
                         e.how == FaultResolution::kCowZeroPage;
  if (anonymous && e.pages == kHugePages) return SayHuge(e);
  std::string kind = e.major ? "Major fault: " : "Minor fault: ";
  std::string at = " at " + Hex(e.address);
  switch (e.how) {
    case FaultResolution::kAnonZeroPage:
      return kind + "a first read" + at + " got the shared zero page.";
    case FaultResolution::kAnonPage:
      return kind + "a first write" + at + " got a new zeroed page, " +
             Frame(e.pfn) + ".";
    case FaultResolution::kCowCopy:
      return kind + "a write" + at + " to a shared page made a private copy, " +
             Frame(e.pfn) + ".";
    case FaultResolution::kCowZeroPage:
      return kind + "a write" + at + " replaced the zero page by a new page, " +
             Frame(e.pfn) + ".";
    case FaultResolution::kCowReuse:
      return kind + "a write" + at + " reused " + Frame(e.pfn) +
             ", whose only owner this is; nothing was copied.";
    case FaultResolution::kFileRead:
      return kind + "a read" + at + " mapped " + Frame(e.pfn) +
             " of the page cache.";
    case FaultResolution::kFileAround:
      return kind + "a read" + at + " mapped " + Pages(e.pages) +
             " that the page cache already held (fault-around).";
    case FaultResolution::kFileCow:
      return kind + "a write" + at +
             " to a private file mapping copied the file's page into " +
             Frame(e.pfn) + ".";
    case FaultResolution::kFileShared:
      return kind + "a write" + at + " mapped " + Frame(e.pfn) +
             " of the shared file writable and dirty.";
    case FaultResolution::kSharedMkwrite:
      return kind + "a write" + at + " made the shared file's " + Frame(e.pfn) +
             " writable and dirty.";
    case FaultResolution::kSpurious:
      return kind + "nothing was left to do" + at + ".";
    case FaultResolution::kSwapIn:
      return kind + "the page at " + Hex(e.address) +
             " came back from swap, in " + Frame(e.pfn) + ".";
    case FaultResolution::kGup:
      return kind + "the kernel itself touched the page" + at + ".";
  }
  return kind;
}

std::string SayEvent(const FaultRefused& e) {
  if (e.signal == 7) {
    return "The access at " + Hex(e.address) +
           " is beyond the end of the mapped file: SIGBUS.";
  }
  const char* why = "the mapping there does not permit it";
  if (e.code == 1) why = "nothing is mapped there";
  if (e.code == 128) {
    constexpr int kSignBit = 47;
    const bool high = e.address >> kSignBit == 0x1ffff;
    why = high ? "no vsyscall begins there" : "the address is not canonical";
  }
  return "The access at " + Hex(e.address) + " is refused, " + why +
         ": SIGSEGV.";
}

std::string SayEvent(const TlbFlush& e) {
  return e.pages < 0 ? "The TLB entries of the address space were flushed."
                     : "The TLB was flushed of " +
                           Pages(static_cast<uint64_t>(e.pages)) + ".";
}

constexpr const char* kZoneNames[] = {"DMA", "DMA32", "Normal", "HighMem",
                                      "Movable"};
const char* NameOfZone(uint32_t zone) {
  return zone < 5 ? kZoneNames[zone] : "unknown";
}

std::string NameOfMigrateType(uint32_t type) {
  constexpr const char* kNames[] = {"unmovable", "movable", "reclaimable",
                                    "high-atomic", "isolated"};
  return type < std::size(kNames) ? kNames[type] : "unknown";
}

std::string SayEvent(const MmPageAlloc& e) {
  return "The buddy allocator gave out " + Pages(uint64_t{1} << e.order) +
         " at " + Frame(e.pfn) + " of zone " + NameOfZone(e.zone) + ".";
}

std::string SayEvent(const MmPageAllocExtfrag& e) {
  return "A page of a " + NameOfMigrateType(e.fallback_migratetype) +
         " block was taken for " + NameOfMigrateType(e.alloc_migratetype) +
         " use at " + Frame(e.pfn) +
         (e.change_ownership ? ", and the block with it."
                             : "; the block stays what it is.");
}

std::string SayEvent(const Console& e) {
  return "The kernel wrote to its log: \"" + e.msg.substr(0, e.msg.find('\n')) +
         "\".";
}

std::string SayEvent(const PageReplaced& e) {
  return (e.victim == 0 ? std::string("A free frame")
                        : "The frame of the page at " + Hex(e.victim)) +
         " was given to the page at " + Hex(e.address) + ".";
}

std::string SayEvent(const MmPageFree& e) {
  return "The buddy allocator took back " + Pages(uint64_t{1} << e.order) +
         " at " + Frame(e.pfn) + ".";
}

std::string SayEvent(const BuddySplit& e) {
  return "The free block of order " + Num(e.from_order) + " at " +
         Frame(e.pfn) + " was split down to order " + Num(e.to_order) + ".";
}

std::string SayEvent(const BuddyMerge& e) {
  return "Free buddies merged into a block of order " + Num(e.to_order) +
         " at " + Frame(e.pfn) + ".";
}

std::string SayEvent(const VmUnmappedArea& e) {
  if (e.err != 0) {
    return "No free range of " + Num(e.length) + " bytes was found.";
  }
  return "A free range of " + Num(e.length) + " bytes was found at " +
         Hex(e.addr) + ".";
}

std::string SayEvent(const VmaCreate& e) {
  return "A new VMA " + Range(e.start, e.end) + " " + Protection(e.flags) +
         " was made.";
}

std::string SayEvent(const VmaMerge& e) {
  return "Neighbours merged into one VMA " + Range(e.start, e.end) + " " +
         Protection(e.flags) + "; " + Num(e.absorbed) + " ceased to exist.";
}

std::string SayEvent(const VmaSplit& e) {
  return "The VMA " + Range(e.start, e.end) + " was split at " + Hex(e.at) +
         ".";
}

std::string SayEvent(const VmaChange& e) {
  return "The VMA " + Range(e.start, e.end) + " changed from " +
         Protection(e.old_flags) + " to " + Protection(e.flags) + ".";
}

std::string SayEvent(const VmaExpand& e) {
  return "The VMA " + Range(e.old_start, e.old_end) + " became " +
         Range(e.start, e.end) + ".";
}

std::string SayEvent(const VmaRemove& e) {
  return "The VMA " + Range(e.start, e.end) + " was removed.";
}

std::string SayEvent(const VmaMove& e) {
  return Num(e.length) + " bytes moved from " + Hex(e.from) + " to " +
         Hex(e.to) + " with their page-table entries.";
}

std::string SayEvent(const PageTableAlloc& e) {
  return "A page table of level " + Num(e.level) + " for " + Hex(e.address) +
         " was made in " + Frame(e.pfn) + ".";
}

std::string SayEvent(const PageTableFree& e) {
  return "The page table of level " + Num(e.level) + " in " + Frame(e.pfn) +
         " was freed.";
}

std::string SayEvent(const MmFilemapAddToPageCache& e) {
  return "Page " + Num(e.index) + " of inode " + Num(e.i_ino) +
         " entered the page cache in " + Frame(e.pfn) + ".";
}

std::string SayEvent(const MmFilemapDeleteFromPageCache& e) {
  return "Page " + Num(e.index) + " of inode " + Num(e.i_ino) +
         " left the page cache.";
}

std::string SayEvent(const PageCacheRa& e) {
  return Pages(e.size) + " of inode " + Num(e.i_ino) + " from page " +
         Num(e.start) + " on were read ahead" +
         (e.async_size == 0 ? "."
                            : "; coming to the last " + Num(e.async_size) +
                                  " starts the next window.");
}

std::string SayEvent(const WritebackDirtyFolio& e) {
  return "Page " + Num(e.index) + " of inode " + Num(e.ino) + " became dirty.";
}

std::string SayEvent(const WritebackSingleInode& e) {
  return Pages(e.wrote) + " of inode " + Num(e.ino) + " went to the disk.";
}

std::string SayEvent(const BalanceDirtyPages& e) {
  return "Who dirtied " + Pages(e.dirtied) + " was paused for " + Num(e.pause) +
         " ns: " + Pages(e.dirty) + " are dirty, the limit is " + Num(e.limit) +
         ".";
}

std::string SayEvent(const BlockRqIssue& e) {
  return "The disk began to " + std::string(e.write ? "write " : "read ") +
         Num(e.nr_sector) + " sectors at " + Num(e.sector) + ".";
}

std::string SayEvent(const BlockRqComplete& e) {
  return "The disk " + std::string(e.write ? "wrote " : "read ") +
         Num(e.nr_sector) + " sectors at " + Num(e.sector) + ", " +
         Num(e.wait_ns) + " ns after the request.";
}

std::string SayEvent(const SchedProcessFork& e) {
  return "Process " + Num(e.parent_pid) + " forked process " +
         Num(e.child_pid) + ".";
}

std::string SayEvent(const SchedProcessExec& e) {
  return "Process " + Num(e.pid) + " now runs " + e.filename + ".";
}

std::string SayEvent(const SchedProcessExit& e) {
  return "Process " + Num(e.pid) + " ended with status " +
         std::to_string(e.status) + ".";
}

std::string SayEvent(const SignalGenerate& e) {
  return "Signal " + std::to_string(e.sig) + " (code " +
         std::to_string(e.code) + ") was sent to process " + Num(e.pid) + ".";
}

std::string SayEvent(const EventsLost& e) {
  return Num(e.count) + " more events did not fit.";
}

}  // namespace

EventLevel LevelOf(const EventBody& body) {
  return std::visit(
      Overloaded{
          [](const PageFaultUser&) { return EventLevel::kFaults; },
          [](const FaultResolved&) { return EventLevel::kFaults; },
          [](const FaultRefused&) { return EventLevel::kFaults; },
          [](const SchedProcessFork&) { return EventLevel::kFaults; },
          [](const SchedProcessExec&) { return EventLevel::kFaults; },
          [](const SchedProcessExit&) { return EventLevel::kFaults; },
          [](const SignalGenerate&) { return EventLevel::kFaults; },
          [](const EventsLost&) { return EventLevel::kFaults; },
          [](const Console&) { return EventLevel::kFaults; },
          [](const PageReplaced&) { return EventLevel::kFaults; },
          [](const MmVmscanWakeupKswapd&) { return EventLevel::kFaults; },
          [](const MmVmscanKswapdWake&) { return EventLevel::kFaults; },
          [](const MmVmscanKswapdSleep&) { return EventLevel::kFaults; },
          [](const MmVmscanDirectReclaimBegin&) { return EventLevel::kFaults; },
          [](const MmVmscanDirectReclaimEnd&) { return EventLevel::kFaults; },
          [](const SwapWrite&) { return EventLevel::kFaults; },
          [](const SwapRead&) { return EventLevel::kFaults; },
          [](const MarkVictim&) { return EventLevel::kFaults; },
          [](const MmCompactionWakeupKcompactd&) {
            return EventLevel::kFaults;
          },
          [](const MmCompactionKcompactdWake&) { return EventLevel::kFaults; },
          [](const MmCompactionKcompactdSleep&) { return EventLevel::kFaults; },
          [](const auto&) { return EventLevel::kAll; },
      },
      body);
}

const char* EventName(const EventBody& body) {
  return std::visit([](const auto& e) { return e.kName; }, body);
}

std::string Say(const Event& event) {
  return std::visit([](const auto& e) { return SayEvent(e); }, event.body);
}

}  // namespace faultline
