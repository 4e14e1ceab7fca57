// Models fs/binfmt_script.c (v6.18): load_script()'s parsing of a "#!" line.
#include "server/machine/task/binfmt_script.h"

namespace faultline {
namespace {

constexpr size_t kNone = std::string::npos;

bool IsSpaceTab(char c) { return c == ' ' || c == '\t'; }

// next_non_spacetab() and next_terminator(): of [from, last], last included.
size_t NextNonSpaceTab(const std::string& b, size_t from, size_t last) {
  for (; from <= last; from++) {
    if (!IsSpaceTab(b[from])) return from;
  }
  return kNone;
}
size_t NextTerminator(const std::string& b, size_t from, size_t last) {
  for (; from <= last; from++) {
    if (IsSpaceTab(b[from]) || b[from] == '\0') return from;
  }
  return kNone;
}

// The C string at `from`.
std::string StringAt(const std::string& b, size_t from) {
  return b.substr(from, b.find('\0', from) - from);
}

// Where the line ends. One that is longer than the buffer may lose some of the
// argument but nothing of the interpreter's path.
ErrnoOr<size_t> LineEnd(const std::string& b) {
  const size_t newline = b.find('\n'), last = kBinprmBufSize - 1;
  if (newline != kNone) return newline;
  const size_t name = NextNonSpaceTab(b, 2, last);
  if (name == kNone) return Errno::kENOEXEC;
  if (NextTerminator(b, name, last) == kNone) return Errno::kENOEXEC;
  return last;
}

}  // namespace

bool IsScript(const std::string& head) { return head.rfind("#!", 0) == 0; }

ErrnoOr<ScriptLine> ParseScript(std::string head) {
  head.resize(kBinprmBufSize, '\0');
  size_t end = FL_TRY_VALUE(LineEnd(head));
  while (IsSpaceTab(head[end - 1])) end--;
  const size_t name = NextNonSpaceTab(head, 2, end);
  if (name == kNone || name == end) return Errno::kENOEXEC;
  const size_t separator = NextTerminator(head, name, end);
  size_t argument = kNone;
  if (separator != kNone && head[separator] != '\0') {
    argument = NextNonSpaceTab(head, separator, end);
  }
  head[end] = '\0';
  ScriptLine line;
  if (argument != kNone) {
    head[separator] = '\0';
    line.argument = StringAt(head, argument);
  }
  line.interpreter = StringAt(head, name);
  return line;
}

}  // namespace faultline
