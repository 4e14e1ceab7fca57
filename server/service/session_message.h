// Sessions as messages.
#ifndef FAULTLINE_SERVER_SERVICE_SESSION_MESSAGE_H_
#define FAULTLINE_SERVER_SERVICE_SESSION_MESSAGE_H_

#include "faultline/v1/session.pb.h"
#include "server/session/session_types.h"

namespace faultline {

void InfoToProto(const SessionInfo& info, v1::Session* proto);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_SESSION_MESSAGE_H_
