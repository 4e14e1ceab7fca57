// faultline attempt run: a scenario that goes on in the session of an attempt
// where its set-up ends.
#ifndef FAULTLINE_SERVER_COMMANDS_ATTEMPT_RUN_H_
#define FAULTLINE_SERVER_COMMANDS_ATTEMPT_RUN_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/cpp/session.h"
#include "faultline/v1/grading.pb.h"
#include "server/scenario/report.h"

namespace faultline {

// Runs `text`, which may use the labels, files and processes of the set-up, and
// the processes that were made in the session since. The set-up runs again on a
// machine in this process, which tells what its labels are; those of a set-up
// that is not shown are not known. Prints as `faultline run` does, and gives
// what that gives.
absl::Status RunInAttempt(const v1::Attempt& attempt, client::Session session,
                          const std::string& file_name, absl::string_view text,
                          scenario::Printer& printer);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_COMMANDS_ATTEMPT_RUN_H_
