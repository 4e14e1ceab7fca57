// The files of /proc, one function each; proc.h finds the right one by path.
#ifndef FAULTLINE_SERVER_MACHINE_PROC_PROC_FILES_H_
#define FAULTLINE_SERVER_MACHINE_PROC_PROC_FILES_H_

#include <cstdint>
#include <string>

#include "server/machine/kernel.h"
#include "server/machine/proc/seq_file.h"

namespace faultline {

// /proc/PID/…
ErrnoOr<std::string> ProcPidMaps(const Kernel& k, const Task& task);
ErrnoOr<std::string> ProcPidSmaps(const Kernel& k, const Task& task);
ErrnoOr<std::string> ProcPidNumaMaps(const Kernel& k, const Task& task);
ErrnoOr<std::string> ProcPidSmapsRollup(const Kernel& k, const Task& task);
ErrnoOr<std::string> ProcPidStatus(const Kernel& k, const Task& task);
ErrnoOr<std::string> ProcPidStat(const Kernel& k, const Task& task);
ErrnoOr<std::string> ProcPidStatm(const Kernel& k, const Task& task);
ErrnoOr<std::string> ProcPidOomScore(const Kernel& k, const Task& task);
ErrnoOr<std::string> ProcPidOomScoreAdj(const Kernel& k, const Task& task);
ErrnoOr<std::string> ProcPidKsmStat(const Kernel& k, const Task& task);
ErrnoOr<std::string> ProcPidKsmMergingPages(const Kernel& k, const Task& task);
// /sys/kernel/mm/ksm/NAME
ErrnoOr<std::string> SysKsm(const Kernel& k, std::string_view name);

// /proc/…
std::string ProcMeminfo(const Kernel& k);
std::string ProcZoneinfo(const Kernel& k);
std::string ProcBuddyinfo(const Kernel& k);
std::string ProcPagetypeinfo(const Kernel& k);
std::string ProcVmstat(const Kernel& k);
std::string ProcSlabinfo(const Kernel& k);
std::string ProcVmallocinfo(const Kernel& k);
std::string ProcDevices(const Kernel& k);
std::string ProcModules(const Kernel& k);
std::string ProcDiskstats(const Kernel& k);
std::string ProcSwaps(const Kernel& k);

// /sys/kernel/debug/extfrag/…
std::string SysExtfragIndex(const Kernel& k);
std::string SysUnusableIndex(const Kernel& k);

// The binary files are arrays of 64-bit words; these render words
// [first, first + count), fewer at the end.
ErrnoOr<std::string> ProcPidPagemap(const Kernel& k, const Task& task,
                                    uint64_t first, uint64_t count);
std::string ProcKpagecount(const Kernel& k, uint64_t first, uint64_t count);
std::string ProcKpageflags(const Kernel& k, uint64_t first, uint64_t count);
uint64_t ProcPagemapWords(const Kernel& k, const Task& task);
uint64_t ProcKpageWords(const Kernel& k);

// Parts that several files share.

// nullptr: the process has exited.
inline const Mm* MmOf(const Kernel& k, const Task& task) {
  return task.mm ? &k.mms[task.mm] : nullptr;
}
inline bool Is64Bit(const Kernel& k) {
  return k.config.profile == Profile::kX86_64;
}
inline bool Is618(const Kernel& k) {
  return k.config.personality == Personality::kLinux618;
}
// Appends a word as it lies in memory on x86.
void AppendWord(std::string& out, uint64_t word);

// get_vma_name(): what the last column of maps says of a VMA.
std::string VmaName(const Kernel& k, const Vma& vma);
// vma_is_initial_heap(), vma_is_initial_stack()
bool IsInitialHeap(const Kernel& k, const Mm& mm, const Vma& vma);
bool IsInitialStack(const Mm& mm, const Vma& vma);
// seq_path(): the file's, with each of `escaped` as an octal number.
std::string PathText(const Inode& inode, std::string_view escaped);
// The line of one VMA in maps.
void ShowMapVma(const Kernel& k, SeqFile& m, const Vma& vma);
// The columns before the name.
struct MapColumns {
  uint64_t start = 0, end = 0, flags = 0, offset = 0;
  uint32_t dev_major = 0, dev_minor = 0;
  uint64_t ino = 0;
};
void ShowMapColumns(const Kernel& k, SeqFile& m, const MapColumns& columns);
// get_gate_vma(): the vsyscall page, which is above every VMA.
bool HasGateVma(const Kernel& k, const Mm& mm);
void ShowGateVma(const Kernel& k, SeqFile& m);

// PAGE_ALIGN(end_code) - (start_code & PAGE_MASK)
inline uint64_t TextBytes(const Mm& mm) {
  return PageAlign(mm.end_code.value()) - mm.start_code.Floor().value();
}
// get_nr_threads()
uint32_t ThreadCount(const Kernel& k, const Task& task);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_PROC_PROC_FILES_H_
