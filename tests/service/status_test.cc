#include "server/service/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/cord.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/codec/errors.h"
#include "server/limits.h"
#include "storage/reason.h"

namespace faultline {
namespace {

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  return details;
}

google::rpc::ErrorInfo InfoOf(const grpc::Status& status) {
  google::rpc::ErrorInfo info;
  const google::rpc::Status details = DetailsOf(status);
  EXPECT_GT(details.details_size(), 0);
  if (details.details_size() > 0) {
    EXPECT_TRUE(details.details(0).UnpackTo(&info));
  }
  return info;
}

TEST(ToGrpc, KeepsCodeTextAndEveryDetail) {
  const grpc::Status status = ToGrpc(errors::SessionNotFound("sessions/a"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  const google::rpc::Status details = DetailsOf(status);
  EXPECT_EQ(details.code(), static_cast<int>(grpc::StatusCode::NOT_FOUND));
  EXPECT_EQ(details.message(), status.error_message());
  EXPECT_EQ(InfoOf(status).reason(), "SESSION_NOT_FOUND");
  google::rpc::ResourceInfo resource;
  ASSERT_EQ(details.details_size(), 2);
  EXPECT_TRUE(details.details(1).UnpackTo(&resource));
}

TEST(ToGrpc, HasTheSameNumbersForEveryCode) {
  for (int code = 1; code <= 16; ++code) {
    EXPECT_EQ(static_cast<int>(
                  ToGrpc(absl::Status(static_cast<absl::StatusCode>(code), "x"))
                      .error_code()),
              code);
  }
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
}

TEST(ToGrpc, TakesTheReasonThatStorageGave) {
  const absl::Status full = ErrorWithReason(absl::StatusCode::kUnavailable,
                                            "DISK_FULL", "no space left");
  EXPECT_EQ(InfoOf(ToGrpc(full)).reason(), "DISK_FULL");
}

TEST(ToGrpc, GivesEveryErrorAReason) {
  EXPECT_EQ(InfoOf(ToGrpc(absl::DataLossError("x"))).reason(), "DATA_LOSS");
  EXPECT_EQ(InfoOf(ToGrpc(absl::DataLossError("x"))).domain(), "faultline.dev");
}

TEST(ToGrpc, StaysWithinWhatATrailerHolds) {
  absl::Status status = absl::InternalError(std::string(100'000, '%'));
  google::rpc::ResourceInfo big;
  big.set_description(std::string(100'000, 'x'));
  errors::SetDetail(status, big);
  const grpc::Status grpc = ToGrpc(status);
  // The text is percent-encoded, three bytes for one at the worst.
  EXPECT_LT(
      grpc.error_message().size() * 3 + grpc.error_details().size() * 4 / 3,
      limits::kErrorBytesMax);
  EXPECT_EQ(InfoOf(grpc).reason(), "INTERNAL") << "the reason stays";
}

}  // namespace
}  // namespace faultline
