#include "server/grading/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/codec/utf8.h"
#include "server/limits.h"

namespace faultline::grading {
namespace {

Mark ToMark(const YAML::Mark& mark) {
  return {std::max(mark.line, 0) + 1, std::max(mark.column, 0) + 1};
}

// Ends the parser's work at what we do not take.
struct Refused {
  Problem problem;
};

// Builds the tree from the parser's events.
class Builder final : public YAML::EventHandler {
 public:
  YamlNode Take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    CheckPlain(mark, anchor, "");
    Add(YamlNode{YamlNode::Kind::kNothing, ToMark(mark), "", {}, {}});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{{ToMark(mark),
                   "an alias (*name) is not taken here: write out what it "
                   "stands for"}};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag,
                YAML::anchor_t anchor, const std::string& value) override {
    CheckPlain(mark, anchor, tag);
    Add(YamlNode{YamlNode::Kind::kScalar, ToMark(mark), value, {}, {}});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    CheckPlain(mark, anchor, tag);
    Open(YamlNode{YamlNode::Kind::kList, ToMark(mark), "", {}, {}});
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag,
                  YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    CheckPlain(mark, anchor, tag);
    Open(YamlNode{YamlNode::Kind::kMap, ToMark(mark), "", {}, {}});
  }
  void OnMapEnd() override { Close(); }

 private:
  // A quoted scalar has the tag "!", any other "?" or none.
  static void CheckPlain(const YAML::Mark& mark, YAML::anchor_t anchor,
                         const std::string& tag) {
    if (anchor != 0) {
      throw Refused{
          {ToMark(mark), "an anchor (&name) is not taken here: remove it"}};
    }
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw Refused{{ToMark(mark),
                     "a tag (!name) is not taken here: remove "
                     "it, or put the text in quotes"}};
    }
  }

  bool WantsKey() const {
    return !open_.empty() && open_.back().kind == YamlNode::Kind::kMap &&
           open_.back().keys.size() == open_.back().children.size();
  }

  void Add(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (WantsKey()) {
      if (node.kind != YamlNode::Kind::kScalar) {
        throw Refused{{node.mark,
                       "a key must be the name of a field, before "
                       "a colon"}};
      }
      open_.back().keys.push_back(std::move(node));
    } else {
      open_.back().children.push_back(std::move(node));
    }
  }

  void Open(YamlNode node) {
    if (WantsKey()) {
      throw Refused{{node.mark,
                     "a key must be the name of a field; a text "
                     "that begins with { or [ needs quotes"}};
    }
    if (open_.size() >= limits::kYamlDepthMax) {
      throw Refused{
          {node.mark, absl::StrCat("this is nested deeper than ",
                                   limits::kYamlDepthMax, " levels")}};
    }
    open_.push_back(std::move(node));
  }

  void Close() {
    YamlNode node = std::move(open_.back());
    open_.pop_back();
    Add(std::move(node));
  }

  YamlNode root_;
  std::vector<YamlNode> open_;
};

// What no text file has: it would be taken for another encoding.
absl::optional<Problem> FindBinary(absl::string_view text) {
  Mark mark;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!IsUtf8(line)) {
      return Problem{mark, "this is not UTF-8: save the file in that encoding"};
    }
    const auto control = std::find_if(line.begin(), line.end(), [](char c) {
      return absl::ascii_iscntrl(static_cast<unsigned char>(c)) && c != '\t' &&
             c != '\r';
    });
    if (control != line.end()) {
      mark.column = static_cast<int>(control - line.begin()) + 1;
      return Problem{mark, "a control character: remove it"};
    }
    ++mark.line;
  }
  return absl::nullopt;
}

void ParseDocuments(absl::string_view text, Builder* builder) {
  std::istringstream stream{std::string(text)};
  YAML::Parser parser(stream);
  parser.HandleNextDocument(*builder);
  Builder rest;
  if (parser.HandleNextDocument(rest)) {
    throw Refused{
        {rest.Take().mark, "a second document: a file has one, without `---`"}};
  }
}

}  // namespace

absl::optional<YamlNode> ParseYaml(absl::string_view text, Problems* problems) {
  if (const auto binary = FindBinary(text)) {
    problems->push_back(*binary);
    return absl::nullopt;
  }
  try {
    Builder builder;
    ParseDocuments(text, &builder);
    return builder.Take();
  } catch (const Refused& refused) {
    problems->push_back(refused.problem);
  } catch (const YAML::Exception& error) {
    problems->push_back(
        {ToMark(error.mark),
         absl::StrCat(
             "this is not YAML (", error.msg,
             "): check the indentation, and put a text with ': ', ' #', "
             "'?', a comma or a bracket in quotes")});
  }
  return absl::nullopt;
}

}  // namespace faultline::grading
