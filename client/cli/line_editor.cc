#include "client/cli/line_editor.h"

#include <editline/readline.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <system_error>

namespace faultline::cli {
namespace {

constexpr int kHistoryMax = 2000;

Completer& CurrentCompleter() {
  static auto& completer = *new Completer();
  return completer;
}

// libedit takes ownership of strings from malloc.
char* Duplicate(const std::string& text) { return strdup(text.c_str()); }

char* NextMatch(const char*, int state) {
  static auto& matches = *new std::vector<std::string>();
  static size_t next = 0;
  if (state == 0) {
    matches = CurrentCompleter()(
        std::string(rl_line_buffer, static_cast<size_t>(rl_point)));
    next = 0;
  }
  return next < matches.size() ? Duplicate(matches[next++]) : nullptr;
}

char** Attempt(const char* text, int, int) {
  rl_attempted_completion_over = 1;  // never file names
  return rl_completion_matches(text, NextMatch);
}

}  // namespace

LineEditor::LineEditor(std::string history_path, Completer completer)
    : history_path_(std::move(history_path)),
      interactive_(isatty(STDIN_FILENO) == 1) {
  if (!interactive_) return;
  CurrentCompleter() = std::move(completer);
  // libedit's copy of a name that is not const.
  static char name[] = "faultline";
  static char breaks[] = " \t";
  rl_readline_name = name;
  rl_initialize();
  rl_basic_word_break_characters = breaks;
  rl_completer_word_break_characters = breaks;
  rl_attempted_completion_function = Attempt;
  using_history();
  stifle_history(kHistoryMax);
  if (!history_path_.empty()) read_history(history_path_.c_str());
}

LineEditor::~LineEditor() {
  if (!interactive_) return;
  if (!history_path_.empty()) write_history(history_path_.c_str());
  CurrentCompleter() = nullptr;
}

std::optional<std::string> LineEditor::Read(const std::string& prompt) {
  if (!interactive_) {
    std::string line;
    if (!std::getline(std::cin, line)) return std::nullopt;
    return line;
  }
  char* typed = readline(prompt.c_str());
  if (typed == nullptr) return std::nullopt;
  std::string line = typed;
  std::free(typed);
  if (line.find_first_not_of(" \t") != std::string::npos) {
    add_history(line.c_str());
  }
  return line;
}

std::string HistoryPath() {
  namespace fs = std::filesystem;
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  fs::path directory;
  if (state != nullptr && state[0] == '/') {
    directory = fs::path(state) / "faultline";
  } else if (home != nullptr && home[0] == '/') {
    directory = fs::path(home) / ".local" / "state" / "faultline";
  } else {
    return "";
  }
  std::error_code error;
  fs::create_directories(directory, error);
  return error ? "" : (directory / "history").string();
}

}  // namespace faultline::cli
