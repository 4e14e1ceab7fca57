// kcompactd: compacts behind the back of those who allocate. It runs when the
// command that woke it is over, and each half second to look how fragmented
// memory is (vm.compaction_proactiveness).
#ifndef FAULTLINE_SERVER_MACHINE_MM_KCOMPACTD_H_
#define FAULTLINE_SERVER_MACHINE_MM_KCOMPACTD_H_

#include "server/machine/kernel.h"

namespace faultline {

// wakeup_kcompactd(): there shall be blocks of this order in the zones up to
// `highest`.
void WakeupKcompactd(Kernel& k, int order, int highest);
// A number was written to vm.compaction_proactiveness.
void NoteProactiveness(Kernel& k);

// Is there something for it to do now?
inline bool KcompactdWoken(const Kernel& k) {
  const Kcompactd& daemon = k.kcompactd;
  if (daemon.woken || daemon.proactive_trigger) return true;
  return k.clock_ns >= daemon.look_ns && k.sysctl.compaction_proactiveness != 0;
}
// kcompactd(): the work that is due.
void RunKcompactd(Kernel& k);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_KCOMPACTD_H_
