// What the faultline command's exit status means. Documented in --help and in
// README.md; scripts depend on the numbers.

#ifndef FAULTLINE_CLIENT_CLI_EXIT_CODE_H_
#define FAULTLINE_CLIENT_CLI_EXIT_CODE_H_

namespace faultline::cli {

enum ExitCode {
  kExitOk = 0,
  // The command ran, and what it checked does not hold: an `expect` line
  // failed, a replay diverged, an imported trace differs.
  kExitFailed = 1,
  // The command could not do its work: no server, no such file or session.
  kExitCannot = 2,
  // The command line itself is wrong.
  kExitUsage = 3,
};

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_EXIT_CODE_H_
