// Errnos, signals and si_codes as answers and feedback write them.
#ifndef FAULTLINE_SERVER_GRADING_NAMES_H_
#define FAULTLINE_SERVER_GRADING_NAMES_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace faultline::grading {

// "EINVAL"; "none" of 0; "errno 99" of one without a name.
std::string ErrnoText(int64_t error);
// "SIGSEGV".
std::string SignalText(int64_t signal);
// "SEGV_ACCERR".
std::string SignalCodeText(int64_t signal, int64_t code);

// What a person wrote: a name in any case, a number, a minus before either;
// "none", "ok" and "success" are 0. Nothing when it is none of these.
absl::optional<int64_t> ParseErrno(absl::string_view text);
absl::optional<int64_t> ParseSignal(absl::string_view text);
// Of SIGSEGV: SEGV_MAPERR, MAPERR, 1 …
absl::optional<int64_t> ParseSegvCode(absl::string_view text);

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_NAMES_H_
