#include "client/cpp/error.h"

#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace faultline::client {
namespace {

grpc::Status WithDetails(grpc::StatusCode code, const std::string& message,
                         const google::rpc::Status& details) {
  return grpc::Status(code, message, details.SerializeAsString());
}

google::rpc::Status BadField() {
  google::rpc::ErrorInfo info;
  info.set_reason("FIELD_INVALID");
  info.set_domain("faultline.dev");
  (*info.mutable_metadata())["field"] = "mmap.length";
  google::rpc::BadRequest bad;
  auto* violation = bad.add_field_violations();
  violation->set_field("mmap.length");
  violation->set_description("is too long: at most 4 bytes");
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(2);
  google::rpc::Status status;
  status.add_details()->PackFrom(info);
  status.add_details()->PackFrom(bad);
  status.add_details()->PackFrom(retry);
  return status;
}

TEST(ErrorTest, KeepsCodeMessageAndEveryDetail) {
  const absl::Status status =
      FromGrpc(WithDetails(grpc::StatusCode::INVALID_ARGUMENT,
                           "the request cannot be used", BadField()),
               "localhost:1");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "the request cannot be used");
  const auto details = DetailsOf(status);
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->reason, "FIELD_INVALID");
  EXPECT_EQ(details->domain, "faultline.dev");
  EXPECT_EQ(details->metadata.at("field"), "mmap.length");
  ASSERT_EQ(details->violations.size(), 1u);
  EXPECT_EQ(details->violations[0].field, "mmap.length");
  EXPECT_EQ(details->retry_delay, absl::Seconds(2));
  EXPECT_EQ(ReasonOf(status), "FIELD_INVALID");
}

TEST(ErrorTest, ExplainsEachFieldOnALineOfItsOwn) {
  const absl::Status status =
      FromGrpc(WithDetails(grpc::StatusCode::INVALID_ARGUMENT,
                           "the request cannot be used", BadField()),
               "localhost:1");
  EXPECT_EQ(Explain(status),
            "the request cannot be used\n"
            "  mmap.length: is too long: at most 4 bytes");
}

TEST(ErrorTest, DoesNotSayTwiceWhatTheMessageSays) {
  const absl::Status status = FromGrpc(
      WithDetails(grpc::StatusCode::INVALID_ARGUMENT,
                  "mmap.length is too long: at most 4 bytes", BadField()),
      "localhost:1");
  EXPECT_EQ(Explain(status), "mmap.length is too long: at most 4 bytes");
}

TEST(ErrorTest, OkStaysOk) {
  EXPECT_TRUE(FromGrpc(grpc::Status::OK, "localhost:1").ok());
}

TEST(ErrorTest, AStatusOfOurOwnHasNoDetails) {
  const absl::Status status = absl::InvalidArgumentError("no");
  EXPECT_FALSE(DetailsOf(status).has_value());
  EXPECT_EQ(ReasonOf(status), "");
  EXPECT_EQ(Explain(status), "no");
}

TEST(ErrorTest, BytesThatAreNoDetailsAreIgnored) {
  const absl::Status status =
      FromGrpc(grpc::Status(grpc::StatusCode::NOT_FOUND, "gone", "\xff\xff"),
               "localhost:1");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Explain(status), "gone");
}

}  // namespace
}  // namespace faultline::client
