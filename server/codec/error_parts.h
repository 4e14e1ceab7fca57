// What the constructors of errors are made of.
#ifndef FAULTLINE_SERVER_CODEC_ERROR_PARTS_H_
#define FAULTLINE_SERVER_CODEC_ERROR_PARTS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace faultline::errors {

using Metadata = std::vector<std::pair<std::string, std::string>>;

// What a client sent appears in our texts: short, and never half a character.
std::string Quote(absl::string_view text);

// With an ErrorInfo.
absl::Status Make(absl::StatusCode code, absl::string_view message,
                  absl::string_view reason, const Metadata& metadata);

// Each adds the detail of google.rpc that it is named after.
void SetResource(absl::Status& status, absl::string_view type,
                 absl::string_view name, absl::string_view description);
void SetPrecondition(absl::Status& status, absl::string_view type,
                     absl::string_view subject, absl::string_view description);
void SetQuota(absl::Status& status, absl::string_view subject,
              absl::string_view description);
void SetRetry(absl::Status& status);

}  // namespace faultline::errors

#endif  // FAULTLINE_SERVER_CODEC_ERROR_PARTS_H_
