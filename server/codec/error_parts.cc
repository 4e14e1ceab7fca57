#include "server/codec/error_parts.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "google/rpc/error_details.pb.h"
#include "server/codec/errors.h"
#include "server/codec/utf8.h"
#include "server/limits.h"

namespace faultline::errors {
namespace {

std::string TypeUrl(const google::protobuf::Descriptor& type) {
  return absl::StrCat("type.googleapis.com/", type.full_name());
}

absl::optional<google::rpc::ErrorInfo> InfoOf(const absl::Status& status) {
  const auto payload =
      status.GetPayload(TypeUrl(*google::rpc::ErrorInfo::GetDescriptor()));
  google::rpc::ErrorInfo info;
  if (!payload || !info.ParseFromString(std::string(*payload))) {
    return absl::nullopt;
  }
  return info;
}

}  // namespace

std::string Quote(absl::string_view text) {
  constexpr size_t kQuotedBytesMax = 96;
  if (text.size() <= kQuotedBytesMax) return std::string(text);
  return absl::StrCat(Utf8Prefix(text, kQuotedBytesMax), "…");
}

absl::Status Make(absl::StatusCode code, absl::string_view message,
                  absl::string_view reason, const Metadata& metadata) {
  absl::Status status(code, message);
  SetErrorInfo(status, reason, metadata);
  return status;
}

void SetResource(absl::Status& status, absl::string_view type,
                 absl::string_view name, absl::string_view description) {
  google::rpc::ResourceInfo info;
  info.set_resource_type(absl::StrCat(kErrorDomain, "/", type));
  info.set_resource_name(Quote(name));
  info.set_description(std::string(description));
  SetDetail(status, info);
}

void SetPrecondition(absl::Status& status, absl::string_view type,
                     absl::string_view subject, absl::string_view description) {
  google::rpc::PreconditionFailure failure;
  auto* violation = failure.add_violations();
  violation->set_type(std::string(type));
  violation->set_subject(Quote(subject));
  violation->set_description(std::string(description));
  SetDetail(status, failure);
}

void SetQuota(absl::Status& status, absl::string_view subject,
              absl::string_view description) {
  google::rpc::QuotaFailure failure;
  auto* violation = failure.add_violations();
  violation->set_subject(Quote(subject));
  violation->set_description(std::string(description));
  SetDetail(status, failure);
}

void SetRetry(absl::Status& status) {
  google::rpc::RetryInfo info;
  info.mutable_retry_delay()->set_nanos(limits::kRetryDelayMillis * 1'000'000);
  SetDetail(status, info);
}

void SetDetail(absl::Status& status, const google::protobuf::Message& detail) {
  status.SetPayload(TypeUrl(*detail.GetDescriptor()),
                    absl::Cord(detail.SerializeAsString()));
}

void SetErrorInfo(absl::Status& status, absl::string_view reason,
                  const Metadata& metadata) {
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(kErrorDomain);
  for (const auto& [key, value] : metadata) {
    (*info.mutable_metadata())[key] = Quote(value);
  }
  SetDetail(status, info);
}

void AddMetadata(absl::Status& status, absl::string_view key,
                 absl::string_view value) {
  auto info = InfoOf(status).value_or(google::rpc::ErrorInfo());
  (*info.mutable_metadata())[std::string(key)] = Quote(value);
  SetDetail(status, info);
}

std::string ReasonOf(const absl::Status& status) {
  const auto info = InfoOf(status);
  return info ? info->reason() : "";
}

}  // namespace faultline::errors
