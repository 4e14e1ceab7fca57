#include "server/service/status.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/codec/errors.h"
#include "server/codec/utf8.h"
#include "server/limits.h"

namespace faultline {
namespace {

constexpr char kDetailPrefix[] = "type.googleapis.com/google.rpc.";
// How storage/ names its reasons; see storage/reason.h.
constexpr char kReasonPayload[] = "faultline.dev/reason";
constexpr char kErrorInfo[] = "type.googleapis.com/google.rpc.ErrorInfo";

// A status that comes from below the session layer has a reason or nothing.
absl::Status WithErrorInfo(absl::Status status) {
  if (!errors::ReasonOf(status).empty()) return status;
  const auto payload = status.GetPayload(kReasonPayload);
  const std::string reason =
      payload ? std::string(*payload) : absl::StatusCodeToString(status.code());
  errors::SetErrorInfo(status, reason);
  return status;
}

// ErrorInfo first: when there is no room for all it is the one that stays.
std::vector<google::protobuf::Any> Details(const absl::Status& status) {
  std::vector<google::protobuf::Any> details;
  status.ForEachPayload(
      [&](absl::string_view type_url, const absl::Cord& payload) {
        if (!absl::StartsWith(type_url, kDetailPrefix)) return;
        google::protobuf::Any any;
        any.set_type_url(std::string(type_url));
        any.set_value(std::string(payload));
        details.push_back(std::move(any));
      });
  std::sort(details.begin(), details.end(), [](const auto& a, const auto& b) {
    return std::make_pair(a.type_url() != kErrorInfo, a.type_url()) <
           std::make_pair(b.type_url() != kErrorInfo, b.type_url());
  });
  return details;
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const absl::Status full = WithErrorInfo(status);
  google::rpc::Status details;
  details.set_code(static_cast<int>(full.code()));
  details.set_message(
      ToUtf8(Utf8Prefix(full.message(), limits::kErrorTextBytesMax)));
  for (google::protobuf::Any& any : Details(full)) {
    // The text travels twice and the details in base64.
    const size_t bytes = details.message().size() +
                         (details.ByteSizeLong() + any.ByteSizeLong()) * 4 / 3;
    if (details.details_size() > 0 && bytes > limits::kErrorBytesMax) continue;
    *details.add_details() = std::move(any);
  }
  return grpc::Status(static_cast<grpc::StatusCode>(details.code()),
                      details.message(), details.SerializeAsString());
}

}  // namespace faultline
