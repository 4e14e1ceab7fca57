#include "client/cpp/error.h"

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/diagnosis.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace faultline::client {
namespace {

constexpr char kStatusUrl[] = "type.googleapis.com/google.rpc.Status";

void Collect(const google::protobuf::Any& any, ErrorDetails* details) {
  google::rpc::ErrorInfo info;
  google::rpc::BadRequest bad_request;
  google::rpc::RetryInfo retry;
  if (any.UnpackTo(&info)) {
    details->reason = info.reason();
    details->domain = info.domain();
    details->metadata = {info.metadata().begin(), info.metadata().end()};
  } else if (any.UnpackTo(&bad_request)) {
    for (const auto& violation : bad_request.field_violations()) {
      details->violations.push_back(
          {violation.field(), violation.description()});
    }
  } else if (any.UnpackTo(&retry)) {
    details->retry_delay = absl::Seconds(retry.retry_delay().seconds()) +
                           absl::Nanoseconds(retry.retry_delay().nanos());
  }
}

}  // namespace

absl::Status FromGrpc(const grpc::Status& status, absl::string_view address) {
  if (status.ok()) return absl::OkStatus();
  google::rpc::Status details;
  const bool from_server = !status.error_details().empty() &&
                           details.ParseFromString(status.error_details()) &&
                           details.details_size() > 0;
  absl::Status result(
      static_cast<absl::StatusCode>(status.error_code()),
      from_server ? status.error_message() : Diagnose(status, address));
  if (from_server) {
    result.SetPayload(kStatusUrl, absl::Cord(status.error_details()));
  }
  return result;
}

absl::optional<ErrorDetails> DetailsOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kStatusUrl);
  google::rpc::Status proto;
  if (!payload || !proto.ParseFromString(std::string(*payload))) {
    return absl::nullopt;
  }
  ErrorDetails details;
  for (const google::protobuf::Any& any : proto.details()) {
    Collect(any, &details);
  }
  return details;
}

std::string ReasonOf(const absl::Status& status) {
  const absl::optional<ErrorDetails> details = DetailsOf(status);
  return details ? details->reason : "";
}

std::string Explain(const absl::Status& status) {
  std::string text(status.message());
  const absl::optional<ErrorDetails> details = DetailsOf(status);
  if (!details) return text;
  for (const FieldViolation& violation : details->violations) {
    if (absl::StrContains(text, violation.description)) continue;
    absl::StrAppend(&text, "\n  ", violation.field, ": ",
                    violation.description);
  }
  return text;
}

}  // namespace faultline::client
