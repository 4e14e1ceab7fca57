// A command that is an AccessMany, straight from its bytes: the columns of many
// thousand entries are most of what a fast client sends, and a message in
// between would cost more than executing them.
#ifndef FAULTLINE_SERVER_CODEC_ACCESS_MANY_H_
#define FAULTLINE_SERVER_CODEC_ACCESS_MANY_H_

#include "absl/strings/string_view.h"
#include "server/machine/command.h"

namespace faultline {

// Decodes the bytes of a v1::Command, if they are as every encoder writes a
// valid AccessMany: each field once, numbers packed, kinds that there are.
// Otherwise false, and protobuf has to say what it is; `command` is then of no
// use. What the columns must have in common is not checked.
bool AccessManyFromBytes(absl::string_view bytes, Command& command);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_CODEC_ACCESS_MANY_H_
