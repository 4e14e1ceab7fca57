// What the subcommands share: hooks, where the server is, and how a failure
// is reported.

#ifndef FAULTLINE_CLIENT_CLI_CONTEXT_H_
#define FAULTLINE_CLIENT_CLI_CONTEXT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/exit_code.h"
#include "client/cli/main.h"
#include "client/cpp/client.h"
#include "google/protobuf/timestamp.pb.h"
#include "server/scenario/target.h"

namespace faultline::cli {

struct Context {
  const Hooks* hooks = nullptr;
  int exit_code = kExitOk;
};

// Says on stderr what went wrong and gives kExitCannot.
int Fail(const absl::Status& status);

// Where a command runs: `--server`, `--session`.
struct Place {
  std::string server;   // empty: in this process, where that is possible
  std::string session;  // empty: a new one
  // The session must be a new one: what happens in it is to be all it has.
  bool fresh = false;
};

// Declares --server on a subcommand that always needs one; the environment
// variable FAULTLINE_SERVER is its default.
void AddServerOption(CLI::App& command, std::string* server);

// A place in a session's history. `revision` -1: as the command has it without
// one.
struct Moment {
  std::string session;
  int64_t revision = -1;
};

// The place that is named on a command line: "lab-1", or "lab-1@7" as the
// evidence of a grade has it, and what the flag `flag` says, -1 for nothing.
// INVALID_ARGUMENT when it cannot be one, or both say a revision.
absl::StatusOr<Moment> MomentOf(const std::string& session,
                                const std::string& flag, int64_t revision);

// Says on stderr what is wrong with the command line and gives kExitUsage.
int FailUsage(const absl::Status& status);

// A time as a person reads it, where the command runs: "2026-11-22 04:04:28".
std::string TimeText(const google::protobuf::Timestamp& time);

// A factory of machines at `place`: in this process when it names neither a
// server nor a session; else a new session, or the one that exists by that
// name, unless a configuration is asked for, which such a session has already
// (ALREADY_EXISTS). `session_name` learns the session's name.
scenario::TargetFactory FactoryFor(const Place& place, const Context& context,
                                   std::string* session_name);

// A session as a target.
std::unique_ptr<scenario::Target> MakeSessionTarget(client::Session session);

// "host:port" of a server, with the defaults filled in.
inline constexpr char kDefaultServer[] = "localhost:50051";

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_CONTEXT_H_
