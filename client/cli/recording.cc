#include "client/cli/recording.h"

#include <algorithm>

namespace faultline::cli {

int64_t LastLook(const v1::Session& session) {
  const bool broken = session.state() == v1::SESSION_STATE_PANICKED;
  return std::max<int64_t>(session.revision() - (broken ? 1 : 0), 0);
}

}  // namespace faultline::cli
