#include "server/grading/yaml_message.h"

#include <limits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/types/optional.h"
#include "google/protobuf/descriptor.h"
#include "server/grading/yaml_tree.h"
#include "server/scenario/expr.h"
#include "server/scenario/suggest.h"

namespace faultline::grading {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// "ANSWER_TYPE_" of enum AnswerType.
std::string PrefixOf(const EnumDescriptor& type) {
  const std::string& first = type.value(0)->name();
  constexpr absl::string_view kSuffix = "UNSPECIFIED";
  return absl::EndsWith(first, kSuffix)
             ? first.substr(0, first.size() - kSuffix.size())
             : "";
}

std::string Join(const std::string& path, absl::string_view name) {
  return path.empty() ? std::string(name) : absl::StrCat(path, ".", name);
}

std::vector<std::string> FieldNames(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) {
    names.push_back(type.field(i)->name());
  }
  return names;
}

std::vector<std::string> ValueNames(const EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 1; i < type.value_count(); ++i) {
    names.push_back(ShortName(*type.value(i)));
  }
  return names;
}

const google::protobuf::EnumValueDescriptor* FindValue(
    const EnumDescriptor& type, const std::string& word) {
  for (int i = 1; i < type.value_count(); ++i) {
    if (ShortName(*type.value(i)) == word) return type.value(i);
  }
  return nullptr;
}

// What is wrong with a word that should name one of `names`.
std::string Unknown(absl::string_view what, absl::string_view word,
                    const std::vector<std::string>& names) {
  if (word.find_first_of("()") != absl::string_view::npos) {
    return absl::StrCat("there is no ", what, " '", word,
                        "' here: inside { } a text with a comma needs quotes");
  }
  const std::string near = scenario::DidYouMean(word, names);
  return absl::StrCat(
      "there is no ", what, " '", word, "' here",
      near.empty() ? absl::StrCat("; there are: ", absl::StrJoin(names, ", "))
                   : near);
}

// A whole number, perhaps negative, as magnitude and sign.
struct Integer {
  bool negative = false;
  uint64_t magnitude = 0;
};

absl::StatusOr<Integer> ParseInteger(absl::string_view word) {
  Integer integer;
  integer.negative = absl::ConsumePrefix(&word, "-");
  auto magnitude = scenario::ParseNumber(word);
  if (!magnitude.ok()) return magnitude.status();
  integer.magnitude = *magnitude;
  return integer;
}

class Reader {
 public:
  Reader(SourceMap* source, Problems* problems)
      : source_(*source), problems_(*problems) {}

  void ReadMessage(const YamlNode& node, const std::string& path,
                   Message* message);

 private:
  void Complain(const YamlNode& node, const std::string& text) {
    problems_.push_back({node.mark, text});
  }

  void ReadField(const YamlNode& node, const std::string& path,
                 const FieldDescriptor& field, Message* message);
  void ReadList(const YamlNode& node, const std::string& path,
                const FieldDescriptor& field, Message* message);
  void ReadTexts(const YamlNode& node, const std::string& path,
                 const FieldDescriptor& field, Message* message);
  void ReadOne(const YamlNode& node, const std::string& path,
               const FieldDescriptor& field, Message* message);
  void ReadScalar(const YamlNode& node, const FieldDescriptor& field,
                  Message* message);
  void ReadInteger(const YamlNode& node, const FieldDescriptor& field,
                   Message* message);
  void ReadDouble(const YamlNode& node, const FieldDescriptor& field,
                  Message* message);
  void ReadBool(const YamlNode& node, const FieldDescriptor& field,
                Message* message);
  void ReadEnum(const YamlNode& node, const FieldDescriptor& field,
                Message* message);

  SourceMap& source_;
  Problems& problems_;
};

void Reader::ReadMessage(const YamlNode& node, const std::string& path,
                         Message* message) {
  source_.Set(path, node.mark);
  const Descriptor& type = *message->GetDescriptor();
  if (node.kind != YamlNode::Kind::kMap) {
    return Complain(
        node, absl::StrCat(path.empty() ? "the file" : path,
                           " must be a mapping, a line `field: value` for "
                           "each of: ",
                           absl::StrJoin(FieldNames(type), ", ")));
  }
  std::map<std::string, Mark> seen;
  for (size_t i = 0; i < node.keys.size(); ++i) {
    const YamlNode& key = node.keys[i];
    const FieldDescriptor* field = type.FindFieldByName(key.text);
    if (field == nullptr) {
      Complain(key, Unknown("field", key.text, FieldNames(type)));
      continue;
    }
    const auto [first, is_new] = seen.try_emplace(key.text, key.mark);
    if (!is_new) {
      Complain(key, absl::StrCat("'", key.text, "' is here twice, first in ",
                                 "line ", first->second.line,
                                 ": remove one of them"));
      continue;
    }
    ReadField(node.children[i], Join(path, key.text), *field, message);
  }
}

void Reader::ReadField(const YamlNode& node, const std::string& path,
                       const FieldDescriptor& field, Message* message) {
  source_.Set(path, node.mark);
  if (node.kind == YamlNode::Kind::kNothing) {
    return Complain(node, absl::StrCat(path,
                                       " has no value: give it one, or "
                                       "remove the line"));
  }
  if (field.is_map()) return ReadTexts(node, path, field, message);
  if (field.is_repeated()) return ReadList(node, path, field, message);
  ReadOne(node, path, field, message);
}

void Reader::ReadList(const YamlNode& node, const std::string& path,
                      const FieldDescriptor& field, Message* message) {
  if (node.kind != YamlNode::Kind::kList) {
    return Complain(node, absl::StrCat(path,
                                       " must be a list: a line `- ` for "
                                       "each, or [a, b]"));
  }
  for (size_t i = 0; i < node.children.size(); ++i) {
    const std::string element = absl::StrCat(path, "[", i, "]");
    source_.Set(element, node.children[i].mark);
    if (node.children[i].kind == YamlNode::Kind::kNothing) {
      Complain(node.children[i],
               absl::StrCat(element, " is empty: remove the `-`"));
      continue;
    }
    ReadOne(node.children[i], element, field, message);
  }
}

// A map of texts; a list of scalars stands for its elements with commas.
void Reader::ReadTexts(const YamlNode& node, const std::string& path,
                       const FieldDescriptor& field, Message* message) {
  if (node.kind != YamlNode::Kind::kMap) {
    return Complain(node, absl::StrCat(path,
                                       " must be a mapping: a line `name: "
                                       "value` for each"));
  }
  std::map<std::string, Mark> seen;
  for (size_t i = 0; i < node.keys.size(); ++i) {
    const YamlNode& key = node.keys[i];
    const YamlNode& value = node.children[i];
    const std::string element = Join(path, key.text);
    source_.Set(element, key.mark);
    std::vector<std::string> texts;
    bool good = value.kind != YamlNode::Kind::kMap;
    if (value.kind == YamlNode::Kind::kScalar) texts.push_back(value.text);
    for (const YamlNode& child : value.children) {
      good = good && child.kind == YamlNode::Kind::kScalar;
      texts.push_back(child.text);
    }
    if (!good) {
      Complain(value, absl::StrCat(element,
                                   " must be a number, a text, or a "
                                   "list of numbers"));
      continue;
    }
    const auto [first, is_new] = seen.try_emplace(key.text, key.mark);
    if (!is_new) {
      Complain(key, absl::StrCat("'", key.text, "' is here twice, first in ",
                                 "line ", first->second.line,
                                 ": remove one of them"));
      continue;
    }
    Message* entry = message->GetReflection()->AddMessage(message, &field);
    const Descriptor& type = *entry->GetDescriptor();
    entry->GetReflection()->SetString(entry, type.map_key(), key.text);
    entry->GetReflection()->SetString(entry, type.map_value(),
                                      absl::StrJoin(texts, ", "));
  }
}

void Reader::ReadOne(const YamlNode& node, const std::string& path,
                     const FieldDescriptor& field, Message* message) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    const Reflection& r = *message->GetReflection();
    return ReadMessage(node, path,
                       field.is_repeated() ? r.AddMessage(message, &field)
                                           : r.MutableMessage(message, &field));
  }
  if (node.kind != YamlNode::Kind::kScalar) {
    return Complain(node, absl::StrCat(path,
                                       " must be a single value; a text "
                                       "that begins with { or [ needs "
                                       "quotes"));
  }
  ReadScalar(node, field, message);
}

void Reader::ReadScalar(const YamlNode& node, const FieldDescriptor& field,
                        Message* message) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return ReadDouble(node, field, message);
    case FieldDescriptor::CPPTYPE_BOOL:
      return ReadBool(node, field, message);
    case FieldDescriptor::CPPTYPE_ENUM:
      return ReadEnum(node, field, message);
    case FieldDescriptor::CPPTYPE_STRING:
      if (field.is_repeated()) {
        message->GetReflection()->AddString(message, &field, node.text);
      } else {
        message->GetReflection()->SetString(message, &field, node.text);
      }
      return;
    default:
      return ReadInteger(node, field, message);
  }
}

// The contract has no repeated numbers here, so each is a single one.
void Reader::ReadInteger(const YamlNode& node, const FieldDescriptor& field,
                         Message* message) {
  const absl::StatusOr<Integer> integer = ParseInteger(node.text);
  if (!integer.ok()) {
    return Complain(node, absl::StrCat(field.name(),
                                       " must be a whole number, such as 64, "
                                       "0x40 or 64k, not '",
                                       node.text, "'"));
  }
  const Reflection& r = *message->GetReflection();
  const uint64_t size = integer->magnitude;
  const auto fits = [&](uint64_t max, bool is_signed) {
    if (integer->negative && !is_signed && size != 0) return false;
    return size <= max;
  };
  const auto value = static_cast<int64_t>(integer->negative ? 0 - size : size);
  constexpr auto kInt32 = std::numeric_limits<int32_t>::max();
  constexpr auto kInt64 = std::numeric_limits<int64_t>::max();
  constexpr auto kUint32 = std::numeric_limits<uint32_t>::max();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      if (fits(kInt32, true)) {
        return r.SetInt32(message, &field, static_cast<int32_t>(value));
      }
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      if (fits(kInt64, true)) return r.SetInt64(message, &field, value);
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      if (fits(kUint32, false)) {
        return r.SetUInt32(message, &field, static_cast<uint32_t>(size));
      }
      break;
    default:
      if (fits(std::numeric_limits<uint64_t>::max(), false)) {
        return r.SetUInt64(message, &field, size);
      }
  }
  Complain(
      node,
      absl::StrCat(field.name(), ": ", node.text, " is out of the ",
                   "range of ", field.cpp_type_name(), ": use a smaller number",
                   integer->negative ? " that is not negative" : ""));
}

void Reader::ReadDouble(const YamlNode& node, const FieldDescriptor& field,
                        Message* message) {
  double value = 0;
  // SimpleAtod takes "inf" and "nan".
  const bool digit =
      !node.text.empty() &&
      (absl::ascii_isdigit(static_cast<unsigned char>(node.text.back())) ||
       node.text.back() == '.');
  if (!digit || !absl::SimpleAtod(node.text, &value)) {
    return Complain(node, absl::StrCat(field.name(), " must be a number, such ",
                                       "as 2 or 1.5, not '", node.text, "'"));
  }
  message->GetReflection()->SetDouble(message, &field, value);
}

void Reader::ReadBool(const YamlNode& node, const FieldDescriptor& field,
                      Message* message) {
  if (node.text != "true" && node.text != "false") {
    return Complain(node, absl::StrCat(field.name(), " must be true or false, ",
                                       "not '", node.text, "'"));
  }
  message->GetReflection()->SetBool(message, &field, node.text == "true");
}

void Reader::ReadEnum(const YamlNode& node, const FieldDescriptor& field,
                      Message* message) {
  const auto* value = FindValue(*field.enum_type(), node.text);
  if (value == nullptr) {
    return Complain(
        node, Unknown(field.name(), node.text, ValueNames(*field.enum_type())));
  }
  message->GetReflection()->SetEnum(message, &field, value);
}

// "a.b[1].c" -> "a.b[1]" -> "a.b" -> "a" -> "".
absl::string_view Parent(absl::string_view path) {
  const size_t at = path.find_last_of(".[");
  return at == absl::string_view::npos ? "" : path.substr(0, at);
}

absl::string_view ColumnsFrom(absl::string_view line, int column) {
  const auto skipped = static_cast<size_t>(column) - 1;
  return skipped < line.size() ? line.substr(skipped) : "";
}

}  // namespace

Mark SourceMap::Of(absl::string_view path) const {
  while (true) {
    const auto at = marks_.find(std::string(path));
    if (at != marks_.end()) return at->second;
    if (path.empty()) return Mark();
    path = Parent(path);
  }
}

Mark SourceMap::Inside(absl::string_view path, int line, int column) const {
  const Mark mark = Of(path);
  const std::vector<absl::string_view> lines = absl::StrSplit(file_, '\n');
  const auto first = static_cast<size_t>(mark.line);  // after that of the `|`
  const bool block =
      first < lines.size() &&
      absl::StartsWith(ColumnsFrom(lines[first - 1], mark.column), "|");
  if (!block) return mark;
  int indent = 0;
  for (size_t i = first; i < lines.size(); ++i) {
    const size_t at = lines[i].find_first_not_of(' ');
    if (at == absl::string_view::npos) continue;
    indent = static_cast<int>(at);
    break;
  }
  return {mark.line + line, indent + column};
}

bool SourceMap::Has(absl::string_view path) const {
  return marks_.count(std::string(path)) > 0;
}

std::string ShortName(const google::protobuf::EnumValueDescriptor& value) {
  const std::string prefix = PrefixOf(*value.type());
  return absl::AsciiStrToLower(absl::StripPrefix(value.name(), prefix));
}

void ReadYaml(absl::string_view text, Message* message, SourceMap* source,
              Problems* problems) {
  *source = SourceMap(std::string(text));
  const absl::optional<YamlNode> root = ParseYaml(text, problems);
  if (!root) return;
  if (root->kind == YamlNode::Kind::kNothing) {
    problems->push_back({root->mark, "the file is empty"});
    return;
  }
  Reader(source, problems).ReadMessage(*root, "", message);
}

}  // namespace faultline::grading
