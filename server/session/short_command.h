// Which commands take about as long as handing them to another thread.
#ifndef FAULTLINE_SERVER_SESSION_SHORT_COMMAND_H_
#define FAULTLINE_SERVER_SESSION_SHORT_COMMAND_H_

#include "server/machine/command.h"

namespace faultline {

// True when it looks at few pages, whatever the machine is like.
bool IsShort(const Command& command);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_SHORT_COMMAND_H_
