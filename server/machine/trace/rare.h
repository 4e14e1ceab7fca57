// Events that are not to be lost among thousands of others: what the kernel
// wrote to its log, and who was killed.
#ifndef FAULTLINE_SERVER_MACHINE_TRACE_RARE_H_
#define FAULTLINE_SERVER_MACHINE_TRACE_RARE_H_

#include <cstddef>

#include "server/machine/trace/event.h"

namespace faultline {

// Of a command's events, where there is no room for all, so many of these are
// kept between the first and the last.
inline constexpr size_t kRareEventsMax = 128;

bool IsRare(const Event& event);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_TRACE_RARE_H_
