#include "server/service/listen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "server/codec/errors.h"

namespace faultline {
namespace {

using ::testing::HasSubstr;

TEST(Listen, KnowsWhoCanReachAnAddress) {
  for (const char* text : {"127.0.0.1:50051", "127.0.0.2:0", "localhost:1",
                           "[::1]:50051", "unix:/tmp/x"}) {
    EXPECT_TRUE(ParseListenAddress(text)->loopback) << text;
  }
  for (const char* text :
       {"0.0.0.0:50051", "[::]:50051", "10.0.0.1:1", "example.org:50051"}) {
    EXPECT_FALSE(ParseListenAddress(text)->loopback) << text;
  }
}

TEST(Listen, SaysWhatIsWrongWithAnAddress) {
  const struct {
    const char* text;
    const char* says;
  } kBad[] = {{"", "no port"},
              {"localhost", "no port"},
              {":50051", "no host"},
              {"::1:50051", "needs brackets"},
              {"localhost:http", "0 to 65535"},
              {"localhost:65536", "0 to 65535"},
              {"localhost:-1", "0 to 65535"},
              {"unix:", "no path"}};
  for (const auto& bad : kBad) {
    const absl::Status status = ParseListenAddress(bad.text).status();
    EXPECT_EQ(errors::ReasonOf(status), "LISTEN_ADDRESS_INVALID") << bad.text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(bad.says));
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("for example 127.0.0.1:50051"));
  }
}

}  // namespace
}  // namespace faultline
