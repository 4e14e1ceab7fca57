// Command <-> its message. What arrives is checked here, once:
// presence, enums, lengths and counts against limits.h. What Linux has an
// answer to (a bad address, flags that contradict) is left to the machine.
#ifndef FAULTLINE_SERVER_CODEC_COMMAND_H_
#define FAULTLINE_SERVER_CODEC_COMMAND_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "faultline/v1/command.pb.h"
#include "server/codec/operations.h"
#include "server/machine/command.h"

namespace faultline {

// A command from a client. InvalidArgument with a BadRequest otherwise.
absl::StatusOr<Command> CommandFromProto(const v1::Command& proto);

// A command from our own journal: what was accepted once is accepted for good,
// whatever the limits are today. InvalidArgument when it holds no operation
// that this version knows.
absl::StatusOr<Command> CommandFromJournal(const v1::Command& proto);

// The commands of a batch, each the bytes of a v1::Command; violations name
// "commands[i]".
absl::StatusOr<std::vector<Command>> CommandsFromBytes(
    const std::vector<absl::string_view>& batch);

// InvalidArgument when a text of the command is not UTF-8, which no message
// could be parsed with again; `proto` is then not to be used.
absl::Status CommandToProto(const Command& command, v1::Command* proto);

// The command of a unary request, for example of MmapRequest.pid and .mmap;
// nullptr where the request has no such field.
#define FAULTLINE_DECLARE(Type, field)                       \
  absl::StatusOr<Command> CommandFromArguments(uint32_t pid, \
                                               const v1::Type* proto);
FAULTLINE_OPERATIONS(FAULTLINE_DECLARE)
#undef FAULTLINE_DECLARE

}  // namespace faultline

#endif  // FAULTLINE_SERVER_CODEC_COMMAND_H_
