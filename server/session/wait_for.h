// Waiting for what answers through a callback, for those who may block. What
// they get shares nothing with what the other thread still holds.
#ifndef FAULTLINE_SERVER_SESSION_WAIT_FOR_H_
#define FAULTLINE_SERVER_SESSION_WAIT_FOR_H_

#include <memory>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "server/session/record.h"
#include "server/session/session_types.h"
#include "storage/store.h"

namespace faultline {

// Calls `start` and waits for its answer.
template <class T>
absl::StatusOr<T> WaitForAnswer(absl::FunctionRef<void(Answer<T>)> start) {
  // Shared: whoever answers may still be in there when we go on.
  struct Waiting {
    absl::Notification answered;
    absl::StatusOr<T> result = absl::UnknownError("");
  };
  auto waiting = std::make_shared<Waiting>();
  start([waiting](absl::StatusOr<T> result) {
    if (result.ok()) {
      waiting->result = std::move(result);
    } else {
      waiting->result = CopyOf(result.status());
    }
    waiting->answered.Notify();
  });
  waiting->answered.WaitForNotification();
  return std::move(waiting->result);
}

// Submits a write to the store and waits until it is durable.
inline absl::Status WaitForWrite(
    absl::FunctionRef<absl::Status(storage::Done)> submit) {
  struct Waiting {
    absl::Notification answered;
    absl::Status status;
  };
  auto waiting = std::make_shared<Waiting>();
  absl::Status refused = submit([waiting](const absl::Status& status) {
    waiting->status = CopyOf(status);
    waiting->answered.Notify();
  });
  if (!refused.ok()) return refused;
  waiting->answered.WaitForNotification();
  return std::move(waiting->status);
}

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_WAIT_FOR_H_
