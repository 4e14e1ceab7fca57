// A server with one session, "lab", in which a script has run.

#ifndef FAULTLINE_TESTS_CLIENT_CLI_LAB_H_
#define FAULTLINE_TESTS_CLIENT_CLI_LAB_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "client/cli/exit_code.h"
#include "tests/client/cli/process.h"

namespace faultline::cli {

class LabTest : public testing::Test {
 protected:
  explicit LabTest(std::string script) : script_(std::move(script)) {}

  void SetUp() override {
    const Finished run =
        Do({"run", "-", "--server", server_.address(), "--session", "lab"},
           script_);
    ASSERT_EQ(run.code, kExitOk) << run.err;
  }
  // Runs faultline against the server.
  Finished Do(const std::vector<std::string>& arguments,
              const std::string& input = "") {
    environment_["FAULTLINE_SERVER"] = server_.address();
    return Faultline(arguments, input, environment_);
  }

  Server server_;
  Environment environment_;

 private:
  const std::string script_;
};

}  // namespace faultline::cli

#endif  // FAULTLINE_TESTS_CLIENT_CLI_LAB_H_
