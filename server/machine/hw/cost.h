// The cost model: what each thing takes, in simulated nanoseconds. The figures
// are those of a server CPU of about 3 GHz with DDR4 memory; they are a model,
// documented so that effective access times can be computed by hand.
#ifndef FAULTLINE_SERVER_MACHINE_HW_COST_H_
#define FAULTLINE_SERVER_MACHINE_HW_COST_H_

#include <cstdint>

namespace faultline::cost {

inline constexpr uint64_t kTlbHit = 1;        // the access itself, cached
inline constexpr uint64_t kWalkCached = 10;   // PTE read; upper levels cached
inline constexpr uint64_t kWalkLevel = 25;    // each upper level read
inline constexpr uint64_t kFaultEntry = 250;  // exception, entry, exit
inline constexpr uint64_t kPageClear = 100;   // zeroing 4 KiB
inline constexpr uint64_t kPageCopy = 150;    // copying 4 KiB
inline constexpr uint64_t kPteSet = 5;
inline constexpr uint64_t kSyscall = 100;    // entry and exit
inline constexpr uint64_t kVmaUpdate = 150;  // one VMA made, split or merged
inline constexpr uint64_t kTlbFlushPage = 100;
inline constexpr uint64_t kTlbFlushAll = 300;
inline constexpr uint64_t kKsmPage = 500;       // one page that ksmd looks at
inline constexpr uint64_t kDiskSeek = 100'000;  // if it does not go on
inline constexpr uint64_t kDiskPage = 2'000;    // 4 KiB to or from the disk
inline constexpr uint64_t kDiskFlush = 50'000;  // its cache becomes permanent
inline constexpr uint64_t kCacheRead = 200;     // 4 KiB copied from the cache

}  // namespace faultline::cost

#endif  // FAULTLINE_SERVER_MACHINE_HW_COST_H_
