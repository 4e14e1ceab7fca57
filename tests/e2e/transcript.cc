#include "tests/e2e/transcript.h"

#include <fstream>
#include <regex>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace faultline::e2e {
namespace {

// As the server makes them.
const std::regex& AttemptId() {
  static const std::regex id("\\ba[a-km-np-z2-9]{15}\\b");
  return id;
}

std::vector<std::string> IdsIn(const std::string& text) {
  return {std::sregex_token_iterator(text.begin(), text.end(), AttemptId()),
          std::sregex_token_iterator()};
}

// The name in "Save this as `NAME`", or "".
std::string FileIn(const std::string& line) {
  static const std::regex save("Save this as `([^`/]+)`");
  std::smatch match;
  return std::regex_search(line, match, save) ? match[1].str() : "";
}

// Takes the lines of a block and makes steps of them.
class Block {
 public:
  Block(std::string file, bool commands, std::vector<Step>* steps)
      : file_(std::move(file)), commands_(commands), steps_(steps) {
    if (!file_.empty()) steps_->push_back({file_, "", ""});
  }

  void Add(const std::string& line) {
    const bool command = commands_ && file_.empty();
    if (command && absl::StartsWith(line, "$ ")) {
      steps_->push_back({"", line.substr(2), ""});
    } else if (!file_.empty() || (command && !steps_->empty())) {
      absl::StrAppend(&steps_->back().text, line, "\n");
    }
  }

 private:
  const std::string file_;
  const bool commands_;
  std::vector<Step>* const steps_;
};

}  // namespace

std::vector<Step> ReadSection(const std::string& path,
                              const std::string& heading) {
  std::ifstream file(path);
  std::vector<Step> steps;
  std::string line;
  const std::string start = absl::StrCat("## ", heading);
  while (std::getline(file, line) && line != start) {
  }
  std::string save_as;
  while (std::getline(file, line) && !absl::StartsWith(line, "## ")) {
    if (!absl::StartsWith(line, "```")) {
      const std::string name = FileIn(line);
      if (!name.empty()) save_as = name;
      continue;
    }
    Block block(save_as, line == "```text", &steps);
    while (std::getline(file, line) && line != "```") block.Add(line);
    save_as.clear();
  }
  return steps;
}

std::string Names::Translate(const std::string& documented,
                             const std::string& actual) {
  const std::vector<std::string> ours = IdsIn(actual);
  const std::vector<std::string> theirs = IdsIn(documented);
  for (size_t i = 0; i < theirs.size() && i < ours.size(); ++i) {
    actual_.emplace(theirs[i], ours[i]);
  }
  std::string text;
  auto rest = documented.begin();
  for (std::sregex_iterator id(documented.begin(), documented.end(),
                               AttemptId());
       id != std::sregex_iterator(); ++id) {
    const auto known = actual_.find(id->str());
    text.append(rest, id->prefix().second);
    text += known == actual_.end() ? id->str() : known->second;
    rest = (*id)[0].second;
  }
  text.append(rest, documented.end());
  return text;
}

std::string WithoutTimes(const std::string& text) {
  static const std::regex time(
      "20[0-9]{2}-[0-9]{2}-[0-9]{2}([ T])[0-9]{2}:[0-9]{2}:[0-9]{2}");
  return std::regex_replace(text, time, "DATE$01TIME");
}

}  // namespace faultline::e2e
