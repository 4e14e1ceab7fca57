// Reads the pieces of which strace composes its arguments: numbers, flags,
// quoted strings, descriptors with paths, structs and lists.
//
// Every function takes text that may be anything at all and answers nullopt
// when it is not what was asked for.

#ifndef FAULTLINE_CLIENT_CLI_STRACE_VALUES_H_
#define FAULTLINE_CLIENT_CLI_STRACE_VALUES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace faultline::strace {

// A file descriptor as an argument or a result: `3`, or with -y `3</lib/x>`.
struct Descriptor {
  int64_t number = -1;   // AT_FDCWD is -100
  std::string path;      // empty when strace ran without -y
  bool deleted = false;  // strace added "(deleted)"

  friend bool operator==(const Descriptor&, const Descriptor&) = default;
};

// A quoted string, decoded.
struct Text {
  std::string bytes;
  bool cut = false;  // strace shortened it: "abc"...
};

// Flags joined by `|`.
struct Flags {
  uint64_t bits = 0;
  std::vector<std::string> unknown;  // names that have no known value
};

struct Arguments {
  std::vector<std::string_view> slices;  // trimmed, views into the given text
  size_t end = 0;                        // just after the closing bracket
};

enum class OpenEnd { kRefuse, kAccept };

std::string_view Trim(std::string_view text);

// Removes `/* … */` comments and then spaces at both ends.
std::string WithoutComments(std::string_view text);

// Splits at top-level commas up to the bracket `close` that ends the list.
// `text` starts just after the opening bracket. Strings, comments, nested
// brackets and descriptor paths are stepped over. With kAccept, a text that
// ends early counts as closed (the head of an unfinished call).
std::optional<Arguments> SplitArguments(std::string_view text, char close,
                                        OpenEnd open_end = OpenEnd::kRefuse);

// Decimal, 0x…, octal with a leading 0, negative, products (8192*1024), and
// shifts (1<<20); negative numbers wrap to 64 bits. No names.
std::optional<uint64_t> ParseInteger(std::string_view text);

// An integer or one name of constants.h; comments are ignored.
std::optional<uint64_t> ParseNumber(std::string_view text);

// Names and integers joined by `|`. Names without a known value go to
// `unknown`; text that is neither a name nor an integer answers nullopt.
std::optional<Flags> ParseFlags(std::string_view text);

std::optional<Text> ParseText(std::string_view text);
std::optional<Descriptor> ParseDescriptor(std::string_view text);

// The elements of `[a, b, c]`, or nullopt.
std::optional<std::vector<std::string_view>> ListElements(
    std::string_view text);

// The value of `name=` in the struct `{name=value, …}` or among arguments
// that strace prints as `name=value`.
std::optional<std::string_view> FieldOf(std::string_view text,
                                        std::string_view name);
std::optional<std::string_view> FieldAmong(
    const std::vector<std::string_view>& slices, std::string_view name);

}  // namespace faultline::strace

#endif  // FAULTLINE_CLIENT_CLI_STRACE_VALUES_H_
