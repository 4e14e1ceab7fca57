#include "server/grading/template.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/codec/status_macros.h"
#include "server/limits.h"

namespace faultline::grading {
namespace {

absl::Status InLine(int line, const absl::Status& status) {
  return absl::Status(
      status.code(),
      absl::StrCat("line ", line, " of the text, ", status.message()));
}

absl::Status Error(int line, absl::string_view what) {
  return InLine(line, absl::InvalidArgumentError(what));
}

// Where the expression that begins at `from` ends: texts may hold braces.
size_t FindEnd(absl::string_view text, size_t from) {
  bool quoted = false;
  for (size_t i = from; i < text.size() && text[i] != '\n'; ++i) {
    if (text[i] == '\'') quoted = !quoted;
    if (text[i] == '}' && !quoted) return i;
  }
  return absl::string_view::npos;
}

absl::StatusOr<TemplatePart> ParsePart(std::string before,
                                       absl::string_view body, int line) {
  TemplatePart part;
  part.text = std::move(before);
  part.line = line;
  part.has_value = true;
  part.hexadecimal = absl::ConsumeSuffix(&body, ":x");
  auto expression = ParseExpression(body);
  if (!expression.ok()) {
    return Error(line,
                 absl::StrCat("`{", body, "}`: ", expression.status().message(),
                              "; a brace of its own is written {{ or "
                              "}}"));
  }
  part.expression = *std::move(expression);
  return part;
}

}  // namespace

absl::StatusOr<std::vector<TemplatePart>> ParseTemplate(
    absl::string_view text) {
  std::vector<TemplatePart> parts;
  std::string before;
  int line = 1;
  for (size_t i = 0; i < text.size(); ++i) {
    const absl::string_view rest = text.substr(i);
    if (absl::StartsWith(rest, "{{") || absl::StartsWith(rest, "}}")) {
      before += text[i++];
    } else if (text[i] == '}') {
      return Error(line, "a } without its {; write }} for a brace");
    } else if (text[i] != '{') {
      if (text[i] == '\n') ++line;
      before += text[i];
    } else {
      const size_t end = FindEnd(text, i + 1);
      if (end == absl::string_view::npos) {
        return Error(line, "a { without its }; write {{ for a brace");
      }
      FL_ASSIGN_OR_RETURN(
          TemplatePart part,
          ParsePart(std::move(before), text.substr(i + 1, end - i - 1), line));
      parts.push_back(std::move(part));
      before.clear();
      i = end;
    }
  }
  TemplatePart last;
  last.text = std::move(before);
  parts.push_back(std::move(last));
  return parts;
}

absl::StatusOr<std::string> Fill(absl::string_view text, const Scope& scope) {
  FL_ASSIGN_OR_RETURN(const std::vector<TemplatePart> parts,
                      ParseTemplate(text));
  std::string filled;
  for (const TemplatePart& part : parts) {
    absl::StrAppend(&filled, part.text);
    if (!part.has_value) continue;
    const absl::StatusOr<Value> value = Evaluate(part.expression, scope);
    if (!value.ok()) return InLine(part.line, value.status());
    absl::StrAppend(&filled, part.hexadecimal && value->is_number()
                                 ? Hex(value->number())
                                 : value->ToText());
    if (filled.size() > limits::kFilledTextBytesMax) {
      return Error(part.line,
                   absl::StrCat("it is longer than ",
                                limits::kFilledTextBytesMax, " bytes"));
    }
  }
  return filled;
}

}  // namespace faultline::grading
