// MachineConfig <-> its message.
#ifndef FAULTLINE_SERVER_CODEC_CONFIG_H_
#define FAULTLINE_SERVER_CODEC_CONFIG_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "faultline/v1/session.pb.h"
#include "server/machine/command.h"

namespace faultline {

// From a client: what is left out gets its default, the rest is checked against
// limits.h. `field` is where the config is in the request, for the violations.
// What only the machine can judge (too little memory for a profile) is left to
// its constructor.
absl::StatusOr<MachineConfig> ConfigFromProto(const v1::MachineConfig& proto,
                                              const char* field);

// From our own records, whatever the limits are today.
absl::StatusOr<MachineConfig> ConfigFromJournal(const v1::MachineConfig& proto);

// With every field set.
void ConfigToProto(const MachineConfig& config, v1::MachineConfig* proto);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_CODEC_CONFIG_H_
