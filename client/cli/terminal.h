// What depends on whether a person is looking: colours and progress.

#ifndef FAULTLINE_CLIENT_CLI_TERMINAL_H_
#define FAULTLINE_CLIENT_CLI_TERMINAL_H_

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/strings/string_view.h"
#include "server/scenario/style.h"

namespace faultline::cli {

// True when `stream` is a terminal, NO_COLOR is unset or empty, and TERM is
// not "dumb" (https://no-color.org).
bool WantsColor(FILE* stream);

// Whether text may be UTF-8: what LC_ALL, LC_CTYPE or LANG says, the first of
// them that is set, whether or not the system has that locale.
bool IsUtf8Locale();

// The columns of the terminal that `stream` is; else $COLUMNS, else 80.
int WidthOf(FILE* stream);

using scenario::Count;
using scenario::Style;

// Says on stderr how far a long job is. Silent for the first second; then on a
// terminal one line that is rewritten ten times a second, elsewhere a new line
// every five seconds. The destructor wipes the terminal's line.
class Progress {
 public:
  // `total` 0: not known. `unit` names what is counted: "operations".
  Progress(std::string what, std::string unit, uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Update(uint64_t done);
  void SetTotal(uint64_t total) { total_ = total; }

 private:
  using Clock = std::chrono::steady_clock;

  std::string what_;
  std::string unit_;
  uint64_t total_;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point start_;
  Clock::time_point next_;
};

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_TERMINAL_H_
