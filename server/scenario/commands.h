// Turns a parsed line of a scenario into the command that a machine gets.

#ifndef FAULTLINE_SERVER_SCENARIO_COMMANDS_H_
#define FAULTLINE_SERVER_SCENARIO_COMMANDS_H_

#include "absl/status/statusor.h"
#include "faultline/v1/command.pb.h"
#include "faultline/v1/session.pb.h"
#include "server/scenario/expr.h"
#include "server/scenario/script.h"

namespace faultline::scenario {

// The descriptor that a declared file has in every process: 3 and up, as if
// the standard ones were open.
int DescriptorOf(uint64_t file_number);

// "/f2" for file 2.
std::string PathOf(uint64_t file_number);

// What `boot` asks for. UNIMPLEMENTED for a key that machines do not have yet.
absl::StatusOr<v1::MachineConfig> ConfigOf(const Boot& boot);

// The creation of a declared file, and its opening by the process that the
// caller fills in.
// Those that make it one of memfd_create, with its size and its contents.
std::vector<v1::Command> MemfdCommands(const FileDeclaration& file);
v1::Command CreateCommand(const FileDeclaration& file);
v1::Command OpenCommand(const FileDeclaration& file);
// The same for an image; it is opened when it has a number.
v1::Command CreateCommand(const ImageDeclaration& image);
v1::Command OpenCommand(const ImageDeclaration& image);

// The command of a numbered op (not cat), without its pid. NOT_FOUND when a
// $name has no value; UNIMPLEMENTED for a call that machines do not have yet.
absl::StatusOr<v1::Command> CommandOf(const Op& op, const SymbolLookup& lookup);

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_COMMANDS_H_
