#include "client/cpp/diagnosis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace faultline::client {
namespace {

using testing::HasSubstr;
using testing::Not;

struct AddressCase {
  const char* written;
  const char* normal;  // what gRPC gets; nullptr: refused
  const char* says;    // part of the refusal
};

class NormalizeAddressTest : public testing::TestWithParam<AddressCase> {};

TEST_P(NormalizeAddressTest, AcceptsOrSaysWhatIsWrong) {
  const auto address = NormalizeAddress(GetParam().written);
  if (GetParam().normal != nullptr) {
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(*address, GetParam().normal);
    return;
  }
  ASSERT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(address.status().message()),
              HasSubstr(GetParam().says));
  EXPECT_THAT(std::string(address.status().message()),
              HasSubstr("write host:port"));
}

INSTANTIATE_TEST_SUITE_P(
    Addresses, NormalizeAddressTest,
    testing::Values(AddressCase{"localhost", "localhost:50051", ""},
                    AddressCase{"localhost:7", "localhost:7", ""},
                    AddressCase{":7", "localhost:7", ""},
                    AddressCase{"[::1]:7", "[::1]:7", ""},
                    AddressCase{"[::1]", "[::1]:50051", ""},
                    AddressCase{"unix:/run/f.sock", "unix:/run/f.sock", ""},
                    AddressCase{"", nullptr, "it is empty"},
                    AddressCase{"localhost:", nullptr, "not a port"},
                    AddressCase{"localhost:0", nullptr, "not a port"},
                    AddressCase{"localhost:65536", nullptr, "not a port"},
                    AddressCase{"localhost:http", nullptr,
                                "'http' is not a port"},
                    AddressCase{"::1:7", nullptr, "brackets"},
                    AddressCase{"http://localhost:7", nullptr, "scheme"},
                    AddressCase{"local host:7", nullptr, "character"}));

TEST(DiagnosisTest, KnowsLoopback) {
  EXPECT_TRUE(IsLoopback("localhost:7"));
  EXPECT_TRUE(IsLoopback("127.0.0.2:7"));
  EXPECT_TRUE(IsLoopback("[::1]:7"));
  EXPECT_TRUE(IsLoopback("unix:/run/f.sock"));
  EXPECT_FALSE(IsLoopback("127.example.org.evil:7") &&
               IsLoopback("example.org:7"));
  EXPECT_FALSE(IsLoopback("10.0.0.1:7"));
}

std::string Says(grpc::StatusCode code, const char* text,
                 const char* address = "lab:7") {
  return Diagnose(grpc::Status(code, text), address);
}

TEST(DiagnosisTest, TellsWhatToDo) {
  using grpc::StatusCode;
  EXPECT_THAT(Says(StatusCode::UNAVAILABLE,
                   "failed to connect to all addresses; last error: UNKNOWN: "
                   "ipv4:127.0.0.1:7: Failed to connect to remote host: "
                   "Connection refused"),
              HasSubstr("nothing listens on lab:7: start a server"));
  EXPECT_THAT(Says(StatusCode::UNAVAILABLE,
                   "DNS resolution failed for lab:7: C-ares status is not "
                   "ARES_SUCCESS"),
              HasSubstr("there is no host 'lab'"));
  EXPECT_THAT(
      Says(StatusCode::UNAVAILABLE, "ipv4:127.0.0.1:7: Failed parsing HTTP/2"),
      HasSubstr("is this the right port?"));
  EXPECT_THAT(Says(StatusCode::UNIMPLEMENTED, ""),
              HasSubstr("not a Faultline server"));
  EXPECT_THAT(Says(StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded"),
              HasSubstr("did not answer in time"));
  EXPECT_EQ(Says(StatusCode::INTERNAL, "as it is"), "as it is");
}

TEST(DiagnosisTest, SuspectsAProxyOnlyWhereOneIsUsed) {
  setenv("http_proxy", "http://proxy:3128", 1);
  const char* refused = "something else went wrong";
  EXPECT_THAT(Says(grpc::StatusCode::UNAVAILABLE, refused),
              HasSubstr("add lab to no_proxy"));
  EXPECT_THAT(Says(grpc::StatusCode::UNAVAILABLE, refused, "localhost:7"),
              Not(HasSubstr("no_proxy")));
  unsetenv("http_proxy");
}

}  // namespace
}  // namespace faultline::client
