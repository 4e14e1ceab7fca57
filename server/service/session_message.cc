#include "server/service/session_message.h"

#include "server/codec/config.h"
#include "server/codec/time.h"
#include "server/codec/utf8.h"
#include "server/service/request.h"

namespace faultline {
namespace {

v1::SessionState StateOf(SessionLife life) {
  switch (life) {
    case SessionLife::kOpen:
      return v1::SESSION_STATE_OPEN;
    case SessionLife::kClosed:
      return v1::SESSION_STATE_CLOSED;
    case SessionLife::kPanicked:
      return v1::SESSION_STATE_PANICKED;
  }
  return v1::SESSION_STATE_UNSPECIFIED;
}

}  // namespace

void InfoToProto(const SessionInfo& info, v1::Session* proto) {
  proto->set_name(SessionName(info.id));
  proto->set_display_name(info.display_name);
  ConfigToProto(info.config, proto->mutable_config());
  proto->set_state(StateOf(info.life));
  proto->set_revision(info.revision);
  TimeToProto(info.create_time, proto->mutable_create_time());
  TimeToProto(info.update_time, proto->mutable_update_time());
  proto->set_panic(ToUtf8(info.panic));
  if (info.origin) {
    proto->mutable_origin()->set_snapshot(info.origin->snapshot);
    proto->mutable_origin()->set_revision(info.origin->revision);
    proto->mutable_origin()->set_fingerprint(info.origin->fingerprint);
  }
}

}  // namespace faultline
