// An attempt for people.
#ifndef FAULTLINE_SERVER_COMMANDS_ATTEMPT_TEXT_H_
#define FAULTLINE_SERVER_COMMANDS_ATTEMPT_TEXT_H_

#include <string>

#include "faultline/v1/grading.pb.h"

namespace faultline {

// Whether it has questions; else it has goals.
bool Predicts(const v1::Attempt& attempt);

// "cow/a7f" for "exercises/cow/attempts/a7f": what is easy to type.
std::string ShortName(const v1::Attempt& attempt);

// "nothing yet", "answers", "sessions/cow-a7f up to revision 7".
std::string HandedIn(const v1::Attempt& attempt);

// Its state, the exercise, and with questions the sheet.
std::string ToText(const v1::Attempt& attempt);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_COMMANDS_ATTEMPT_TEXT_H_
