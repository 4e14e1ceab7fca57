// Replacement policies, for teaching: a process has a number of frames, and
// when an access needs one more, a policy of the textbooks chooses the page
// that leaves. What leaves is unmapped, written to swap or to its file, and
// comes back by an ordinary fault: only the choice is not Linux's.
//
// Governed are the pages that accesses of the process bring in while it has the
// policy; what was in memory before, and what the kernel itself brings in, is
// not counted.
#ifndef FAULTLINE_SERVER_MACHINE_MM_REPLACEMENT_H_
#define FAULTLINE_SERVER_MACHINE_MM_REPLACEMENT_H_

#include <cstdint>
#include <vector>

#include "server/machine/kernel.h"
#include "server/machine/outcome.h"

namespace faultline {

// Gives the process its frames, or takes policy and frames away (kNone).
// EINVAL: the number of frames. ENXIO: pages have nowhere to go, there is no
// swap area.
Errno DoSetReplacement(Kernel& k, Mm& mm, const SetReplacement& call);

// Takes the page at `addr` out of memory. ENOENT: it is not there. EBUSY: it
// cannot leave, because it is locked or the swap areas are full.
Errno DoEvictPage(Kernel& k, Mm& mm, uint64_t addr);

// What a governed process does around each of its accesses.
class ReplacedAccess {
 public:
  // `victims`: what a client chose, in order (kClient).
  ReplacedAccess(Kernel& k, Mm& mm, const std::vector<uint64_t>& victims);

  // Before an access: makes room, if its page is to come in. False: the client
  // must choose, and `wanted` says of what.
  bool Admit(VirtAddr addr, VictimWanted* wanted);
  // After an access that went well.
  void Note(VirtAddr addr);

 private:
  bool MakeRoom(VirtAddr addr, VictimWanted* wanted);
  bool ClientChooses(VirtAddr addr, VictimWanted* wanted, uint32_t* victim);

  Kernel& k_;
  Mm& mm_;
  const std::vector<uint64_t>& victims_;
  size_t next_victim_ = 0;
  bool arriving_ = false;  // the access brings its page in
  uint64_t victim_ = 0;    // what left for it; 0: nothing
};

// The frames in use, by slot.
std::vector<ReplacementFrame> ReplacementFrames(const Kernel& k, const Mm& mm);
// The timer ticks: kNru clears the accessed bits, kAging shifts them in.
void ReplacementTick(Kernel& k, uint64_t ticks);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_REPLACEMENT_H_
