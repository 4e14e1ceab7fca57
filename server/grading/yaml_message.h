// Reads a YAML text into a message of the contract, field by field, by
// reflection: the .proto is the schema.
#ifndef FAULTLINE_SERVER_GRADING_YAML_MESSAGE_H_
#define FAULTLINE_SERVER_GRADING_YAML_MESSAGE_H_

#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "server/grading/problem.h"

namespace faultline::grading {

// Where each field of a message stands in its file.
class SourceMap {
 public:
  SourceMap() = default;
  explicit SourceMap(std::string file) : file_(std::move(file)) {}

  void Set(const std::string& path, Mark mark) { marks_[path] = mark; }
  // Of "questions[2].answer"; of a field that is not there, what it would stand
  // in.
  Mark Of(absl::string_view path) const;
  bool Has(absl::string_view path) const;
  // Of a place in the text of a field that is written as a block after `|`;
  // of a text that is written otherwise, where it begins.
  Mark Inside(absl::string_view path, int line, int column) const;

 private:
  std::string file_;
  std::map<std::string, Mark> marks_;
};

// Sets what the text sets. Adds a problem for each unknown or doubled field,
// each value of the wrong type and each number out of its type's range. A
// number may be 0x hexadecimal and have a suffix (p, k, m, g); an enum value is
// named without its prefix, in lower case. Whether a required field is there is
// not looked at.
void ReadYaml(absl::string_view text, google::protobuf::Message* message,
              SourceMap* source, Problems* problems);

// "ANSWER_TYPE_ERRNO" -> "errno".
std::string ShortName(const google::protobuf::EnumValueDescriptor& value);

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_YAML_MESSAGE_H_
