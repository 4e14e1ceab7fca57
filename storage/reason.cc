#include "storage/reason.h"

#include "absl/strings/cord.h"
#include "absl/types/optional.h"

namespace faultline {
namespace {

constexpr char kReasonPayload[] = "faultline.dev/reason";

}  // namespace

absl::Status ErrorWithReason(absl::StatusCode code, absl::string_view reason,
                             absl::string_view message) {
  absl::Status status(code, message);
  status.SetPayload(kReasonPayload, absl::Cord(reason));
  return status;
}

std::string ReasonOf(const absl::Status& status) {
  absl::optional<absl::Cord> reason = status.GetPayload(kReasonPayload);
  return reason.has_value() ? std::string(*reason) : std::string();
}

}  // namespace faultline
