// A YAML text as a tree that remembers where everything stands.
#ifndef FAULTLINE_SERVER_GRADING_YAML_TREE_H_
#define FAULTLINE_SERVER_GRADING_YAML_TREE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "server/grading/problem.h"

namespace faultline::grading {

struct YamlNode {
  enum class Kind { kNothing, kScalar, kList, kMap };

  Kind kind = Kind::kNothing;
  Mark mark;
  std::string text;                // of a scalar
  std::vector<YamlNode> keys;      // of a map: scalars, doubles included
  std::vector<YamlNode> children;  // of a list, or the values of a map
};

// One document. Nothing, and a problem is added, for what is not YAML, for
// several documents, and for the parts of YAML that hide what a file says:
// anchors, aliases, tags and keys that are no scalars. An empty text is a node
// of kind kNothing.
absl::optional<YamlNode> ParseYaml(absl::string_view text, Problems* problems);

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_YAML_TREE_H_
