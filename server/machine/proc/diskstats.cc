// /proc/diskstats. Models block/genhd.c (v6.18): diskstats_show(). The disk is
// sda; nothing discards, and flushes are not counted.
#include "server/machine/proc/proc_files.h"

namespace faultline {
namespace {

constexpr uint64_t kNsPerMs = 1'000'000;

void ShowStats(SeqFile& m, const DiskStats& stats) {
  (m << " ").Dec(stats.ios) << " ";
  m.Dec(stats.merges) << " ";
  m.Dec(stats.sectors) << " ";
  m.Dec(stats.wait_ns / kNsPerMs);
}

}  // namespace

std::string ProcDiskstats(const Kernel& k) {
  const DiskStats& reads = k.disk.stats(BlockOp::kRead);
  const DiskStats& writes = k.disk.stats(BlockOp::kWrite);
  SeqFile m;
  m << "   8       0 sda";
  ShowStats(m, reads);
  ShowStats(m, writes);
  (m << " ").Dec(k.disk.in_flight()) << " ";
  m.Dec(k.disk.busy_ns() / kNsPerMs) << " ";
  m.Dec((reads.wait_ns + writes.wait_ns) / kNsPerMs);
  m << " 0 0 0 0 0 0\n";
  return m.Take();
}

}  // namespace faultline
