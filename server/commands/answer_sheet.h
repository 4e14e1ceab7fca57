// The answer sheet of an attempt at questions: a YAML file.
#ifndef FAULTLINE_SERVER_COMMANDS_ANSWER_SHEET_H_
#define FAULTLINE_SERVER_COMMANDS_ANSWER_SHEET_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "faultline/v1/grading.pb.h"

namespace faultline {

// Without answers, and with how to hand it in.
std::string SheetOf(const v1::Attempt& attempt);

// The answers in a file, "-" for standard input. INVALID_ARGUMENT with a line
// for each error, also when they are another student's.
absl::StatusOr<std::map<std::string, std::string>> ReadSheet(
    const std::string& file, const v1::Attempt& attempt);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_COMMANDS_ANSWER_SHEET_H_
