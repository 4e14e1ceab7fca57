// Assembles what a `dump` line shows of a process from the machine's /proc.

#ifndef FAULTLINE_SERVER_SCENARIO_DUMP_H_
#define FAULTLINE_SERVER_SCENARIO_DUMP_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/scenario/json_lines.h"
#include "server/scenario/proc_text.h"
#include "server/scenario/target.h"

namespace faultline::scenario {

// A process of the run that is alive.
struct LiveProcess {
  int number = 0;    // in the scenario
  uint32_t pid = 0;  // in the machine
};

// Keeps what must stay the same from dump to dump: inode ordinals, given out
// in order of first sight. Frame ordinals are of one dump only.
class Dumper {
 public:
  explicit Dumper(Target& target) : target_(target) {}

  // One result per process, in the given order. `number`: of the operation
  // before the dump.
  absl::StatusOr<std::vector<DumpResult>> Dump(
      const DumpParts& parts, int number,
      const std::vector<LiveProcess>& processes);

 private:
  // Frames of one dump.
  struct Frames {
    std::map<uint64_t, int> ordinals;
    // /proc/kpagecount and kpageflags, in blocks of kBlockEntries.
    std::map<std::pair<std::string, uint64_t>, std::string> blocks;
  };

  absl::StatusOr<DumpResult> DumpOne(const DumpParts& parts,
                                     const LiveProcess& process,
                                     Frames* frames);
  MapsRow Row(const MapsLine& line);
  absl::Status AppendPages(const MapsLine& vma, uint32_t pid, Frames* frames,
                           std::vector<PageRow>* pages);
  absl::StatusOr<PageRow> Page(uint64_t vpn, uint64_t entry, Frames* frames);
  absl::StatusOr<uint64_t> FrameWord(const std::string& path, uint64_t pfn,
                                     Frames* frames);

  Target& target_;
  std::map<std::pair<std::string, uint64_t>, int> inodes_;
};

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_DUMP_H_
