// Texts with values in them: "{pages} pages at {$a:x}". Between braces is an
// expression, after which `:x` asks for hexadecimal; `{{` and `}}` are braces.
#ifndef FAULTLINE_SERVER_GRADING_TEMPLATE_H_
#define FAULTLINE_SERVER_GRADING_TEMPLATE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/grading/expression.h"

namespace faultline::grading {

struct TemplatePart {
  std::string text;  // before the expression, or all that is left
  bool has_value = false;
  Expression expression;  // when has_value
  bool hexadecimal = false;
  int line = 1;  // of the brace, in the template, from 1
};

// INVALID_ARGUMENT says in which line of the template and what would be right.
absl::StatusOr<std::vector<TemplatePart>> ParseTemplate(absl::string_view text);

// The text with its values. Errors say the line of the template.
absl::StatusOr<std::string> Fill(absl::string_view text, const Scope& scope);

}  // namespace faultline::grading

#endif  // FAULTLINE_SERVER_GRADING_TEMPLATE_H_
