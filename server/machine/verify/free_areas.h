// The free lists and per-CPU lists against the pages they consist of.
#ifndef FAULTLINE_SERVER_MACHINE_VERIFY_FREE_AREAS_H_
#define FAULTLINE_SERVER_MACHINE_VERIFY_FREE_AREAS_H_

#include <string>
#include <utility>
#include <vector>

#include "server/machine/kernel.h"

namespace faultline {

// "" or the first invariant of the free memory that does not hold.
std::string VerifyFreeAreas(const Kernel& k);

// Every run of free frames, [first, end), ascending: those on free lists, and
// those on per-CPU lists.
std::vector<std::pair<uint32_t, uint32_t>> FreeRuns(const Kernel& k);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_VERIFY_FREE_AREAS_H_
