// Parses the scenario language.
//
//   line = [ "@" process ] [ label ":" ] op { argument }    # comment
//
// A parser keeps what later lines depend on: the process that the last line
// named, and the labels seen. Every error says FILE:LINE:COLUMN and, for a
// word it does not know, the nearest right one.

#ifndef FAULTLINE_SERVER_SCENARIO_PARSER_H_
#define FAULTLINE_SERVER_SCENARIO_PARSER_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/scenario/script.h"

namespace faultline::scenario {

class Parser {
 public:
  // `file_name` is for messages; empty for a line typed by hand.
  explicit Parser(std::string file_name) : file_name_(std::move(file_name)) {}

  // The next line; nothing for a blank or comment line. After an error the
  // parser can go on with the line after it.
  absl::StatusOr<std::optional<Op>> ParseLine(absl::string_view line);

  // The lines that follow are of another file, which may use the labels and
  // the files of the lines before. It begins in process 0.
  void Continue(std::string file_name);

  const std::string& file_name() const { return file_name_; }

 private:
  std::string file_name_;
  int line_ = 0;
  int process_ = 0;
  bool seen_op_ = false;
  std::set<std::string> labels_;
  std::set<uint64_t> files_;
};

// A whole text. INVALID_ARGUMENT lists the errors of all its lines, one per
// line of the message (the first 20).
absl::StatusOr<Script> ParseScript(const std::string& file_name,
                                   absl::string_view text);
// The same of a text that `parser` is at the beginning of.
absl::StatusOr<Script> ParseScript(Parser& parser, absl::string_view text);

// The bytes of a file; "-" is standard input. NOT_FOUND or PERMISSION_DENIED
// when it cannot be read.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// Reads and parses a file.
absl::StatusOr<Script> ReadScript(const std::string& path);

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_PARSER_H_
