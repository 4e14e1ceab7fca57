// Lines from a person: editing, history across runs and completion on a
// terminal (libedit), plain reading otherwise.

#ifndef FAULTLINE_CLIENT_CLI_LINE_EDITOR_H_
#define FAULTLINE_CLIENT_CLI_LINE_EDITOR_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace faultline::cli {

// Gives every word that could stand in place of the last word of the text
// before the cursor.
using Completer = std::function<std::vector<std::string>(const std::string&)>;

// libedit keeps its state in globals, so there is one editor at a time.
class LineEditor {
 public:
  // `history_path` empty: no history is kept.
  LineEditor(std::string history_path, Completer completer);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // The next line, without its newline; nothing at the end of input.
  std::optional<std::string> Read(const std::string& prompt);

  bool interactive() const { return interactive_; }

 private:
  std::string history_path_;
  bool interactive_;
};

// $XDG_STATE_HOME/faultline/history, or ~/.local/state/faultline/history, with
// its directories made. Empty when there is no home.
std::string HistoryPath();

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_LINE_EDITOR_H_
