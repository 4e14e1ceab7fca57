// A RunRequest, taken apart without decoding its commands: the journal keeps
// them as they came.
#ifndef FAULTLINE_SERVER_CODEC_BATCH_H_
#define FAULTLINE_SERVER_CODEC_BATCH_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "faultline/v1/machine.pb.h"

namespace faultline {

struct BatchParts {
  v1::RunRequest head;                      // without commands
  std::vector<absl::string_view> commands;  // of the bytes given
};

// InvalidArgument when `bytes` are no RunRequest. Whether the commands are any
// is not looked at. Of more commands than a batch may have, one too many is
// returned, and perhaps not all of the head.
absl::StatusOr<BatchParts> TakeBatchApart(absl::string_view bytes);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_CODEC_BATCH_H_
