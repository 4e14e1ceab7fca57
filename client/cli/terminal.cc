#include "client/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace faultline::cli {
namespace {

constexpr std::chrono::seconds kQuiet{1};
constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::chrono::seconds kNewLine{5};

}  // namespace

bool WantsColor(FILE* stream) {
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && no_color[0] != '\0') return false;
  const char* term = std::getenv("TERM");
  if (term == nullptr || absl::string_view(term) == "dumb") return false;
  return isatty(fileno(stream)) == 1;
}

bool IsUtf8Locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || value[0] == '\0') continue;
    const std::string lower = absl::AsciiStrToLower(value);
    return absl::StrContains(lower, "utf-8") ||
           absl::StrContains(lower, "utf8");
  }
  return false;
}

int WidthOf(FILE* stream) {
  winsize size = {};
  if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return size.ws_col;
  }
  int columns = 0;
  const char* value = std::getenv("COLUMNS");
  return value != nullptr && absl::SimpleAtoi(value, &columns) && columns > 0
             ? columns
             : 80;
}

Progress::Progress(std::string what, std::string unit, uint64_t total)
    : what_(std::move(what)),
      unit_(std::move(unit)),
      total_(total),
      terminal_(isatty(STDERR_FILENO) == 1),
      start_(Clock::now()),
      next_(start_ + kQuiet) {}

Progress::~Progress() {
  if (terminal_ && drawn_) std::fputs("\r\033[K", stderr);
}

void Progress::Update(uint64_t done) {
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ =
      now + (terminal_ ? Clock::duration(kRedraw) : Clock::duration(kNewLine));
  std::string line = absl::StrCat(what_, ": ", done);
  if (total_ > 0) {
    absl::StrAppendFormat(&line, " of %d %s (%d%%)", total_, unit_,
                          done * 100 / total_);
  } else {
    absl::StrAppend(&line, " ", unit_);
  }
  const double seconds = std::chrono::duration<double>(now - start_).count();
  absl::StrAppendFormat(&line, ", %.0f s", seconds);
  if (terminal_) {
    absl::FPrintF(stderr, "\r\033[K%s", line);
  } else {
    absl::FPrintF(stderr, "%s\n", line);
  }
  std::fflush(stderr);
  drawn_ = true;
}

}  // namespace faultline::cli
