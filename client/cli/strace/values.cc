#include "client/cli/strace/values.h"

#include <charconv>
#include <system_error>

#include "client/cli/strace/constants.h"

namespace faultline::strace {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsNameChar(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         c == '_';
}

char ClosingOf(char open) {
  switch (open) {
    case '(':
      return ')';
    case '[':
      return ']';
    case '{':
      return '}';
    default:
      return '\0';
  }
}

// The index just after the string whose opening quote is at `at`, or npos.
size_t AfterString(std::string_view text, size_t at) {
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

// The index just after the comment that begins at `at`, or npos.
size_t AfterComment(std::string_view text, size_t at) {
  const size_t end = text.find("*/", at + 2);
  return end == std::string_view::npos ? end : end + 2;
}

// The index just after the `<path>` that begins at `at`, or npos. Brackets
// nest (`</dev/null<char 1:3>>`) and the arrow of `TCP:[a->b]` does not close.
size_t AfterPath(std::string_view text, size_t at) {
  int depth = 0;
  for (size_t i = at; i < text.size(); ++i) {
    if (text[i] == '<') ++depth;
    if (text[i] == '>' && text[i - 1] != '-' && --depth == 0) return i + 1;
  }
  return std::string_view::npos;
}

// Whether the '<' at `at` opens the path of a descriptor.
bool OpensPath(std::string_view text, size_t at) {
  if (at == 0 || at + 1 >= text.size()) return false;
  const bool after_comment = at > 1 && text.substr(at - 2, 2) == "*/";
  return (IsNameChar(text[at - 1]) || after_comment) && text[at + 1] != '<' &&
         text[at + 1] != ' ';
}

// Steps over the element at `at` when it is one that may hide brackets and
// commas. Answers `at` itself for an ordinary character, npos for an open end.
size_t AfterOpaque(std::string_view text, size_t at) {
  if (text[at] == '"') return AfterString(text, at);
  if (text[at] == '/' && at + 1 < text.size() && text[at + 1] == '*') {
    return AfterComment(text, at);
  }
  if (text[at] == '<' && OpensPath(text, at)) {
    const size_t end = AfterPath(text, at);
    return end == std::string_view::npos ? at : end;
  }
  return at;
}

std::optional<uint64_t> ParseUnsigned(std::string_view digits) {
  int base = 10;
  if (digits.size() > 2 && digits[0] == '0' &&
      (digits[1] == 'x' || digits[1] == 'X')) {
    base = 16;
    digits.remove_prefix(2);
  } else if (digits.size() > 1 && digits[0] == '0') {
    base = 8;
  }
  if (digits.empty() || digits[0] == '-') return std::nullopt;
  uint64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value, base);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::optional<uint64_t> ParseSigned(std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  const std::optional<uint64_t> value = ParseUnsigned(text);
  if (!value.has_value()) return std::nullopt;
  return negative ? uint64_t{0} - *value : *value;
}

bool IsName(std::string_view text) {
  if (text.empty() || IsDigit(text.front())) return false;
  for (const char c : text) {
    if (!IsNameChar(c) && c != '?') return false;
  }
  return true;
}

// `21<<MAP_HUGE_SHIFT`, the page size of a huge mapping.
std::optional<uint64_t> ParseHugeShift(std::string_view text) {
  const size_t shift = text.find("<<");
  if (shift == std::string_view::npos) return std::nullopt;
  const std::string_view name = Trim(text.substr(shift + 2));
  if (name != "MAP_HUGE_SHIFT" && name != "MFD_HUGE_SHIFT" &&
      name != "SHM_HUGE_SHIFT") {
    return std::nullopt;
  }
  constexpr int kHugeShift = 26;
  const std::optional<uint64_t> log = ParseSigned(Trim(text.substr(0, shift)));
  if (!log.has_value()) return std::nullopt;
  return *log << kHugeShift;
}

bool AddFlag(std::string_view part, Flags& flags) {
  if (const auto number = ParseInteger(part)) {
    flags.bits |= *number;
  } else if (const auto huge = ParseHugeShift(part)) {
    flags.bits |= *huge;
  } else if (const auto constant = ConstantValue(part)) {
    flags.bits |= *constant;
  } else if (const auto signal = SignalNumber(part)) {
    flags.bits |= static_cast<uint64_t>(*signal);
  } else if (IsName(part)) {
    flags.unknown.emplace_back(part);
  } else {
    return false;
  }
  return true;
}

// Decodes the escape whose backslash is at `at`; moves `at` to its last byte.
char DecodeEscape(std::string_view text, size_t& at) {
  if (at + 1 >= text.size()) return '\\';
  const char c = text[++at];
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'v':
      return '\v';
    case 'f':
      return '\f';
    case 'x': {
      unsigned value = 0;
      const char* const begin = text.data() + at + 1;
      const size_t length = std::min<size_t>(2, text.size() - at - 1);
      const auto [stop, error] =
          std::from_chars(begin, begin + length, value, 16);
      if (error != std::errc()) return 'x';
      at += static_cast<size_t>(stop - begin);
      return static_cast<char>(value);
    }
    default:
      break;
  }
  if (c < '0' || c > '7') return c;
  unsigned value = 0;
  size_t digits = 0;
  while (digits < 3 && at + digits < text.size() && text[at + digits] >= '0' &&
         text[at + digits] <= '7') {
    value = value * 8 + static_cast<unsigned>(text[at + digits] - '0');
    ++digits;
  }
  at += digits - 1;
  return static_cast<char>(value);
}

std::string Decode(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    bytes.push_back(text[i] == '\\' ? DecodeEscape(text, i) : text[i]);
  }
  return bytes;
}

}  // namespace

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

std::string WithoutComments(std::string_view text) {
  std::string kept;
  while (true) {
    const size_t begin = text.find("/*");
    kept.append(text.substr(0, begin));
    if (begin == std::string_view::npos) break;
    const size_t end = AfterComment(text, begin);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end);
  }
  return std::string(Trim(kept));
}

std::optional<Arguments> SplitArguments(std::string_view text, char close,
                                        OpenEnd open_end) {
  Arguments result;
  std::string expected(1, close);  // the brackets still to be closed
  size_t begin = 0;
  const auto add = [&](size_t end) {
    const std::string_view slice = Trim(text.substr(begin, end - begin));
    if (!slice.empty() || !result.slices.empty()) {
      result.slices.push_back(slice);
    }
    begin = end + 1;
  };
  size_t i = 0;
  while (i < text.size()) {
    const size_t next = AfterOpaque(text, i);
    if (next == std::string_view::npos) break;
    if (next != i) {
      i = next;
      continue;
    }
    const char c = text[i];
    if (ClosingOf(c) != '\0') {
      expected.push_back(ClosingOf(c));
    } else if (c == expected.back()) {
      expected.pop_back();
      if (expected.empty()) {
        add(i);
        result.end = i + 1;
        return result;
      }
    } else if (c == ',' && expected.size() == 1) {
      add(i);
    }
    ++i;
  }
  if (open_end == OpenEnd::kRefuse) return std::nullopt;
  if (begin < text.size()) add(text.size());
  result.end = text.size();
  return result;
}

std::optional<uint64_t> ParseInteger(std::string_view text) {
  text = Trim(text);
  if (const size_t times = text.find('*'); times != std::string_view::npos) {
    const auto left = ParseSigned(Trim(text.substr(0, times)));
    const auto right = ParseSigned(Trim(text.substr(times + 1)));
    if (!left.has_value() || !right.has_value()) return std::nullopt;
    return *left * *right;
  }
  if (const size_t shift = text.find("<<"); shift != std::string_view::npos) {
    const auto left = ParseSigned(Trim(text.substr(0, shift)));
    const auto right = ParseSigned(Trim(text.substr(shift + 2)));
    if (!left.has_value() || !right.has_value() || *right >= 64) {
      return std::nullopt;
    }
    return *left << *right;
  }
  return ParseSigned(text);
}

std::optional<uint64_t> ParseNumber(std::string_view text) {
  const std::string bare = WithoutComments(text);
  if (const auto number = ParseInteger(bare)) return number;
  return ConstantValue(bare);
}

std::optional<Flags> ParseFlags(std::string_view text) {
  const std::string bare = WithoutComments(text);
  if (bare.empty()) return std::nullopt;
  Flags flags;
  std::string_view rest = bare;
  while (true) {
    const size_t bar = rest.find('|');
    if (!AddFlag(Trim(rest.substr(0, bar)), flags)) return std::nullopt;
    if (bar == std::string_view::npos) return flags;
    rest.remove_prefix(bar + 1);
  }
}

std::optional<Text> ParseText(std::string_view text) {
  text = Trim(text);
  if (text.empty() || text.front() != '"') return std::nullopt;
  const size_t end = AfterString(text, 0);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view tail = text.substr(end);
  const bool cut = tail.substr(0, 3) == "...";
  return Text{Decode(text.substr(1, end - 2)), cut};
}

std::optional<Descriptor> ParseDescriptor(std::string_view text) {
  text = Trim(text);
  Descriptor fd;
  const size_t open = text.find('<');
  const auto number = ParseNumber(text.substr(0, open));
  if (!number.has_value()) return std::nullopt;
  // The kernel's argument is an int: 4294967295 is -1.
  fd.number = static_cast<int32_t>(static_cast<uint32_t>(*number));
  if (open == std::string_view::npos) return fd;
  const size_t end = AfterPath(text, open);
  if (open == 0 || end == std::string_view::npos) return std::nullopt;
  fd.path = Decode(text.substr(open + 1, end - open - 2));
  fd.deleted = text.substr(end).substr(0, 9) == "(deleted)";
  return fd;
}

std::optional<std::vector<std::string_view>> ListElements(
    std::string_view text) {
  text = Trim(text);
  if (text.empty() || text.front() != '[') return std::nullopt;
  std::optional<Arguments> list = SplitArguments(text.substr(1), ']');
  if (!list.has_value()) return std::nullopt;
  return std::move(list->slices);
}

std::optional<std::string_view> FieldOf(std::string_view text,
                                        std::string_view name) {
  text = Trim(text);
  if (text.empty() || text.front() != '{') return std::nullopt;
  const auto fields = SplitArguments(text.substr(1), '}', OpenEnd::kAccept);
  return FieldAmong(fields->slices, name);
}

std::optional<std::string_view> FieldAmong(
    const std::vector<std::string_view>& slices, std::string_view name) {
  for (const std::string_view slice : slices) {
    if (slice.size() > name.size() && slice[name.size()] == '=' &&
        slice.substr(0, name.size()) == name) {
      return Trim(slice.substr(name.size() + 1));
    }
  }
  return std::nullopt;
}

}  // namespace faultline::strace
