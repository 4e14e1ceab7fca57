// What the OOM killer writes to the kernel's log, in Linux's words.
#ifndef FAULTLINE_SERVER_MACHINE_MM_OOM_REPORT_H_
#define FAULTLINE_SERVER_MACHINE_MM_OOM_REPORT_H_

#include <string>

#include "server/machine/mm/oom_kill.h"

namespace faultline {

// dump_header(): who asked, what memory is used for, and the processes.
std::string OomHeaderReport(const Kernel& k, const OomControl& oc);
// The lines of oom_kill_process(): "oom-kill:…" and "Out of memory: Killed
// process …".
std::string OomVictimReport(const Kernel& k, const Task& victim,
                            const char* message);
MarkVictim MarkVictimEvent(const Kernel& k, const Task& victim);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_OOM_REPORT_H_
